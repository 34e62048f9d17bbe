"""Tax by country rule, and its split to lines: per document and tax code, largest remainder.

Domestic sales are taxed (Germany 19 %, Japan 10 %); sales from one member state of the European Union to a
business with a VAT number in another carry 0 % (reverse charge); exports carry 0 %; exempt customers carry 0 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

DOMESTIC = {"DE": (Decimal(19), "A1"), "JP": (Decimal(10), "J1")}
EUROPEAN_UNION = "AT BE BG HR CY CZ DE DK EE ES FI FR GR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
CONDITION = "TTX1"


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax code with its rate in percent."""

    code: str
    percent: Decimal


def determine(departure: str, destination: str, vat_number: str, classification: str) -> Tax:
    """The tax of a sale. ``classification`` is the customer's: ``0`` is exempt."""
    percent, code = DOMESTIC.get(departure, (Decimal(0), "A0"))
    if classification == "0":
        return Tax("A0", Decimal(0))
    if departure == destination:
        return Tax(code, percent)
    within_union = departure in EUROPEAN_UNION and destination in EUROPEAN_UNION
    if within_union and not vat_number:
        return Tax(code, percent)
    return Tax("AE" if within_union else "AX", Decimal(0))


def spread(nets: Sequence[Decimal], percent: Decimal, decimals: int) -> list[Decimal]:
    """The tax of each line, so that the sum is the tax of the document, rounded half up once."""
    unit = Decimal(1).scaleb(-decimals)
    exact = [net * percent / 100 for net in nets]
    total = sum(exact, Decimal(0)).quantize(unit, ROUND_HALF_UP)
    shares = [share.quantize(unit, ROUND_FLOOR) for share in exact]
    missing = int((total - sum(shares, Decimal(0))) / unit)
    order = sorted(range(len(nets)), key=lambda place: (shares[place] - exact[place], place))
    for place in order[:missing]:
        shares[place] += unit
    return shares
