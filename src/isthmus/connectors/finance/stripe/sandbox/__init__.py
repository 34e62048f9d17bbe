"""Stripe's stand-in: two accounts, the API of version 2026-10-28.endive, over a world of its own."""

from .vendor import VendorSandbox

__all__ = ["VendorSandbox"]
