"""Reads the journal: service levels, alerts, metrics, read models."""
