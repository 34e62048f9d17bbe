"""Amounts in Stripe's smallest units: which currencies there are, their decimals, and amounts they refuse.

docs.stripe.com/currencies: zero-decimal currencies; three-decimal amounts whose last digit must be 0 (for payment
intents, refunds and disputes); ISK and UGX still sent with two decimals, both of which must be 0; charge minimums.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from .errors import ParameterError, StripeError
from .words import pairs, words

ZERO_DECIMAL = frozenset(words("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"))
THREE_DECIMAL = frozenset(words("bhd jod kwd omr tnd"))
_WHOLE_ONLY = frozenset({"isk", "ugx"})
SUPPORTED = (
    frozenset(
        words(
            "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny "
            "cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr isk "
            "jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok "
            "npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try "
            "ttd twd tzs uah ugx uyu uzs wst xcd yer zar zmw"
        )
    )
    | ZERO_DECIMAL
    | THREE_DECIMAL
)
#: the smallest charge, in smallest units; 50 where the table has none
_MINIMUM = pairs(
    "aed=200 bgn=100 czk=1500 dkk=250 gbp=30 hkd=400 huf=17500 isk=6000 kwd=150 mxn=1000 myr=200 nok=300 pln=200 "
    "ron=200 sek=300 thb=1000"
)
_MAXIMUM = 99_999_999


def checked_currency(code: str, param: str = "currency") -> str:
    """The code in lower case, if Stripe knows it."""
    lower = code.lower()
    if lower not in SUPPORTED:
        raise ParameterError(
            f"Invalid currency: {lower}. Stripe currently supports these currencies: {', '.join(sorted(SUPPORTED))}",
            param=param,
        )
    return lower


def checked_amount(amount: int, currency: str, param: str = "amount") -> int:
    """The amount, if its last digits are ones that the currency can have."""
    if currency in _WHOLE_ONLY and amount % 100:
        raise StripeError(
            f"Invalid amount: {currency} amounts have no decimals and must be divisible by 100, e.g. 500 for "
            f"{currency.upper()} 5.",
            code="invalid_charge_amount_no_decimal_compatible",
            param=param,
        )
    if currency in THREE_DECIMAL and amount % 10:
        raise StripeError(
            f"Invalid amount: three-decimal amounts in {currency} must have 0 as their last digit.",
            code="invalid_charge_amount",
            param=param,
        )
    return amount


def checked_charge(amount: int, currency: str, param: str = "amount") -> int:
    """An amount that a card can be charged with: not too small, at most eight digits, right last digits."""
    minimum = int(_MINIMUM.get(currency, 50))
    if amount < minimum:
        least = spoken(minimum, currency)
        raise StripeError(f"Amount must be at least {least}", code="amount_too_small", param=param)
    if amount > _MAXIMUM:
        most = spoken(_MAXIMUM, currency)
        raise StripeError(f"Amount must be no more than {most}", code="amount_too_large", param=param)
    return checked_amount(amount, currency, param)


def decimals(currency: str) -> int:
    """How many of an amount's digits stand behind the point."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def in_major_units(amount: int, currency: str) -> Decimal:
    """``1999, usd`` as ``19.99``."""
    return Decimal(amount).scaleb(-decimals(currency))


def spoken(amount: int, currency: str) -> str:
    """``1999, usd`` as ``19.99 USD``."""
    return f"{in_major_units(amount, currency)} {currency.upper()}"


def rounded(amount: Decimal, currency: str) -> int:
    """Half up, away from zero, to an amount that the currency can have."""
    step = 10 if currency in THREE_DECIMAL else 100 if currency in _WHOLE_ONLY else 1
    return int((amount / step).quantize(Decimal(1), ROUND_HALF_UP)) * step


def shares(total: int, weights: list[int], step: int = 1) -> list[int]:
    """``total`` split by weight so that nothing is lost; what rounding leaves goes to the largest remainders."""
    whole = sum(weights)
    if not whole:
        return [total] + [0] * (len(weights) - 1) if weights else []
    exact = [Decimal(total) * weight / whole for weight in weights]
    parts = [int((one / step).to_integral_value(ROUND_FLOOR)) * step for one in exact]
    left = (total - sum(parts)) // step
    by_remainder = sorted(range(len(parts)), key=lambda at: exact[at] - parts[at], reverse=True)
    for at in by_remainder[:left]:
        parts[at] += step
    return parts
