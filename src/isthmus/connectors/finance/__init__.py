"""Billing, payments, tax, procurement."""
