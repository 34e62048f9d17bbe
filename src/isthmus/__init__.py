"""Isthmus: the land bridge between a company's SaaS applications and its ERP.

What users' processes import. Names are loaded when first used, so that a command answers at once.
"""

from __future__ import annotations

__version__ = "0.1.0"
