"""Reads a company's folder, checks it with file:line errors, compiles a release."""
