"""Contracts and their changes, ownership of fields, access, audit, retention."""
