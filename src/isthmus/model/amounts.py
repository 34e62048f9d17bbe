"""The arithmetic of a document: the invariants L2, D1 to D3 and T1 to T3 of the model.

What we build is exact (see ``totals``). What others have calculated may be off by as much as Peppol and EN 16931
allow: a line 0.02, a tax amount or its basis 1, in units of the currency. Sums (D1 to D3, T3) are exact everywhere.
``differences`` tells where a document that passes is not exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from isthmus.model.codes import MINOR_UNIT
from isthmus.model.money import EXACT, rounded
from isthmus.model.problems import Findings, Problem, problems_of
from isthmus.model.tax import Totals, tolerance

if TYPE_CHECKING:
    from isthmus.model.document import Document, Line

#: BR-CO-17 and BR-S-08 in the schematron of EN 16931: one unit of the currency
TAX_TOLERANCE = Decimal(1)
#: no currency's cash step is larger than this: IDR 500 is a note, SEK and NOK round to 1, HUF to 5
CASH_STEP_MAX = Decimal(100)
_ZERO = Decimal(0)
_NOTHING: tuple[Decimal, Decimal, int | None] = (_ZERO, _ZERO, None)


def amount_findings(document: Document, found: Findings, exact: bool = False) -> None:
    """Add to ``found`` what does not add up; ``exact`` grants no tolerance."""
    if not _one_currency(document, found):
        return
    _lines(document, found, exact)
    if document.tax_subtotals:
        _subtotals(document, found, exact)
    if document.totals is not None:
        _totals(document, document.totals, found)


def differences(document: Document) -> tuple[Problem, ...]:
    """Where the document is not exact to the cent, though within what is allowed; nothing for one that we built.

    Of an order this is L2, T1 and T2; the figures of the document's owner stand, the difference is for the record.
    """
    found = Findings(type(document).__name__)
    amount_findings(document, found, exact=True)
    return tuple(problems_of(found.error())) if found else ()


def counts(line: Line) -> bool:
    """Whether the line counts in the sums: a part of a kit whose price is in the kit does not."""
    return not (line.parent_line is not None and line.roll_up == "included")


def line_amount(line: Line, currency: str) -> Decimal:
    """L2: quantity times unit price for the base quantity, rounded, plus charges, less allowances."""
    amount = extension(line.quantity.value, line.unit_price.amount, _base(line), currency)
    for part in line.allowances:
        amount += part.signed
    return amount


def extension(quantity: Decimal, price: Decimal, base: Decimal | None, currency: str) -> Decimal:
    """Quantity times price for a base quantity, rounded once."""
    product = EXACT.multiply(quantity, price)
    return rounded(product if base is None else EXACT.divide(product, base), currency)


def tax_of(taxable: Decimal, percent: Decimal, currency: str) -> Decimal:
    """T2: tax on a basis, rounded once."""
    return rounded(EXACT.divide(EXACT.multiply(taxable, percent), Decimal(100)), currency)


def _base(line: Line) -> Decimal | None:
    base = line.unit_price.base_quantity
    return None if base is None else base.value


def _one_currency(document: Document, found: Findings) -> bool:
    """Every amount of the document is in its currency; else no sum has a meaning."""
    currency = document.currency
    foreign = [(field, code) for field, code in _currencies(document) if code != currency]
    for field, code in foreign:
        found.add(*field, "currency", value=code, expected=f"{currency}, the currency of the document")
    return not foreign


def _currencies(document: Document) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, line in enumerate(document.lines):
        yield ("lines", index, "unit_price"), line.unit_price.currency
        yield ("lines", index, "line_extension_amount"), line.line_extension_amount.currency
        if line.tax_inclusive_amount is not None:
            yield ("lines", index, "tax_inclusive_amount"), line.tax_inclusive_amount.currency
        if line.tax_amount is not None:
            yield ("lines", index, "tax_amount"), line.tax_amount.currency
        for number, part in enumerate(line.allowances):
            yield ("lines", index, "allowances", number, "amount"), part.amount.currency
    for number, part in enumerate(document.allowances):
        yield ("allowances", number, "amount"), part.amount.currency
    for number, subtotal in enumerate(document.tax_subtotals):
        yield ("tax_subtotals", number, "taxable_amount"), subtotal.taxable_amount.currency
        yield ("tax_subtotals", number, "tax_amount"), subtotal.tax_amount.currency
    for name, money in document.totals or ():
        if money is not None:
            yield ("totals", name), money.currency


def _lines(document: Document, found: Findings, exact: bool) -> None:
    """L2, and the gross of every line where prices include tax (there the net may always be off by rounding)."""
    currency, inclusive = document.currency, document.tax_basis == "inclusive"
    slack = _ZERO if exact and not inclusive else tolerance(currency)
    for index, line in enumerate(document.lines):
        expected = line_amount(line, currency)
        amount = line.line_extension_amount.amount
        if amount != expected and abs(amount - expected) > slack:
            text = f"{expected} {currency}: quantity times unit price, plus charges, less allowances"
            found.add(
                "lines", index, "line_extension_amount", value=line.line_extension_amount, expected=text, rule="L2"
            )
        if inclusive:
            found.need(line.tax_inclusive_amount, "lines", index, "tax_inclusive_amount", when="tax_basis is inclusive")


def _subtotals(document: Document, found: Findings, exact: bool) -> None:
    """T2 of every subtotal, T1 of every category. Tax that is zero by its nature is exactly zero."""
    currency, slack = document.currency, TAX_TOLERANCE
    if exact:
        slack = MINOR_UNIT[currency] if document.tax_basis == "inclusive" else _ZERO
    for index, each in enumerate(document.tax_subtotals):
        due = tax_of(each.taxable_amount.amount, each.tax.rate, currency)
        if abs(each.tax_amount.amount - due) > (slack if each.tax.rate else _ZERO):
            expected = f"{due} {currency}: {each.tax.rate} % of {each.taxable_amount}"
            found.add("tax_subtotals", index, "tax_amount", value=each.tax_amount, expected=expected, rule="T2")
    for key, (basis, stated, number) in _bases(document).items():
        scheme, code, percent = key
        if abs(stated - basis) > (TAX_TOLERANCE if percent and not exact else _ZERO):
            expected = f"{basis} {currency}: Σ lines less allowances plus charges taxed {scheme} {code} {percent} %"
            field: tuple[str | int, ...] = (
                ("tax_subtotals",) if number is None else ("tax_subtotals", number, "taxable_amount")
            )
            found.add(*field, value=f"{stated} {currency}", expected=expected, rule="T1")


def _bases(document: Document) -> dict[tuple[str, str, Decimal], tuple[Decimal, Decimal, int | None]]:
    """For each category what the lines say, what the subtotals say, and the last of these.

    Left out is what cannot be compared: all of it where a line or allowance does not say its tax, and a scheme whose
    subtotals are by jurisdiction, because state, county and city tax the same basis.
    """
    parts = [(line.tax, line.line_extension_amount.amount) for line in document.lines if counts(line)]
    parts += [(part.tax, part.signed) for part in document.allowances]
    bases: dict[tuple[str, str, Decimal], tuple[Decimal, Decimal, int | None]] = {}
    for tax, amount in parts:
        if tax is None:
            return {}
        basis, stated, number = bases.get(key := (tax.scheme, tax.code, tax.rate), _NOTHING)
        bases[key] = (basis + amount, stated, number)
    for index, each in enumerate(document.tax_subtotals):
        basis, stated, _ = bases.get(key := (each.tax.scheme, each.tax.code, each.tax.rate), _NOTHING)
        bases[key] = (basis, stated + each.taxable_amount.amount, index)
    apart = {each.tax.scheme for each in document.tax_subtotals if each.jurisdiction is not None}
    return {key: found for key, found in bases.items() if key[0] not in apart}


def _totals(document: Document, totals: Totals, found: Findings) -> None:
    """D1 to D3 and T3: sums, exact everywhere."""
    lines = [line for line in document.lines if counts(line)]
    off = sum((part.amount.amount for part in document.allowances if not part.charge), _ZERO)
    on = sum((part.amount.amount for part in document.allowances if part.charge), _ZERO)
    stated = {name: money.amount for name, money in totals if money is not None}
    exclusive, tax, inclusive = (
        stated[name] for name in ("tax_exclusive_amount", "tax_amount", "tax_inclusive_amount")
    )
    allowance, charge = stated.get("allowance_total_amount", _ZERO), stated.get("charge_total_amount", _ZERO)
    extended = stated["line_extension_amount"]
    rounding = stated.get("payable_rounding_amount", _ZERO)

    def must(name: str, expected: Decimal, why: str, rule: str) -> None:
        if stated.get(name, _ZERO) != expected:
            value = f"{stated.get(name, _ZERO)} {document.currency}"
            found.add("totals", name, value=value, expected=f"{expected} {document.currency}: {why}", rule=rule)

    must("line_extension_amount", sum((line.line_extension_amount.amount for line in lines), _ZERO), "Σ lines", "D1")
    must("allowance_total_amount", off, "Σ allowances of the document", "D2")
    must("charge_total_amount", on, "Σ charges of the document", "D2")
    must("tax_exclusive_amount", extended - allowance + charge, "lines less allowances plus charges", "D2")
    if document.tax_subtotals:
        must("tax_amount", sum((each.tax_amount.amount for each in document.tax_subtotals), _ZERO), "Σ subtotals", "T3")
        shares = [line.tax_amount for line in lines]
        if not document.allowances and all(share is not None for share in shares):
            must("tax_amount", sum((share.amount for share in shares if share), _ZERO), "Σ tax of the lines", "T3")
    must("tax_inclusive_amount", exclusive + tax, "without tax plus tax", "T3")
    must(
        "payable_amount",
        inclusive - stated.get("prepaid_amount", _ZERO) + rounding,
        "gross less prepaid plus rounding",
        "D3",
    )
    if inclusive < 0:
        found.add(
            "totals",
            "tax_inclusive_amount",
            value=totals.tax_inclusive_amount,
            expected="not negative: a document says what it is by its kind, never by a sign",
            mend="make it a credit note",
            rule="sign",
        )
    if abs(rounding) >= CASH_STEP_MAX:
        found.add("totals", "payable_rounding_amount", value=rounding, expected=f"less than {CASH_STEP_MAX}", rule="D3")
