"""A simple rule of tax by country, in the place of Stripe Tax: the seller is registered at home, and across the
European Union by one-stop shop.

Rates as of 2026 (European Commission's table; national tax offices). Goods and services are taxed alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .words import pairs, words

EUROPEAN_UNION = frozenset(words("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"))
_PERCENTAGES = pairs(
    "AT=20 BE=21 BG=20 CY=19 CZ=21 DE=19 DK=25 EE=24 ES=21 FI=25.5 FR=20 GR=24 HR=25 HU=27 IE=23 IT=22 LT=21 LU=17 "
    "LV=21 MT=18 NL=21 PL=23 PT=23 RO=21 SE=25 SI=22 SK=23 GB=20 CH=8.1 NO=25 JP=10 AU=10 SG=9"
)
_NAMES = {"JP": ("JCT", "jct"), "AU": ("GST", "gst"), "SG": ("GST", "gst")}


@dataclass(frozen=True, slots=True)
class Tax:
    """What is taxed of a line, why so, and what the tax is called."""

    percentage: Decimal
    reason: str
    country: str
    name: str
    kind: str


def tax_for(seller: str, buyer: str, *, has_tax_id: bool = False, exempt: str = "none") -> Tax:
    """The tax from one country to another; ``exempt`` is the customer's tax_exempt: none, exempt or reverse."""
    name, kind = _NAMES.get(buyer, ("VAT", "vat"))
    percentage, reason = _rule(seller, buyer, has_tax_id, exempt)
    return Tax(Decimal(percentage), reason, buyer, name, kind)


def _rule(seller: str, buyer: str, has_tax_id: bool, exempt: str) -> tuple[str, str]:
    if exempt == "exempt":
        return "0", "customer_exempt"
    if exempt == "reverse":
        return "0", "reverse_charge"
    if buyer == seller:
        return _PERCENTAGES.get(buyer, "0"), "standard_rated"
    if buyer in EUROPEAN_UNION and seller in EUROPEAN_UNION:
        return ("0", "reverse_charge") if has_tax_id else (_PERCENTAGES[buyer], "standard_rated")
    return "0", "not_collecting"
