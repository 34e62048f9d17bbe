"""Pricing: SAP's own condition records (list, scale, customer), manual prices, tax rows, amounts of items.

Procedure: PPR0 (determined) at step 20, PMP0 (manual) at step 30, TTX1 (tax) at step 851. A manual price makes
PPR0 inactive with reason ``M``. Amounts are rounded per item, half up, to the currency's decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox import taxes
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import scaled
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import Message
from isthmus.connectors.erp.sap_s4hana.sandbox.materials import Material, unit_columns
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, minor_units, thousandths
from isthmus.sandkit.world import Row

MANUAL_TYPES = ("PMP0", "PPR0", "PR00")
_PRICE_STEP, _MANUAL_STEP, _TAX_STEP = "20", "30", "851"


@dataclass(frozen=True, slots=True)
class ManualPrice:
    """A price that somebody entered: a rate for ``quantity`` of ``unit``."""

    condition_type: str
    rate: Decimal
    currency: str
    quantity: Decimal
    unit: str


@dataclass(slots=True)
class Line:
    """An item while it is being priced. ``quantity`` is in ``unit``."""

    number: str
    material: Material
    unit: str
    quantity: Decimal
    manual: ManualPrice | None = None
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    conditions: list[Row] = field(default_factory=list)

    @property
    def base_quantity(self) -> Decimal:
        """The quantity in the material's base unit."""
        return self.quantity * self.material.units[self.unit]


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and for whom a document is priced."""

    organization: str
    customer: str
    currency: str
    date: int
    tax: taxes.Tax


def amount_text(amount: Decimal, currency: str) -> str:
    """An amount as SAP writes it: with the decimals of its currency."""
    return scaled(amount, minor_units(currency))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount half up to the decimals of its currency."""
    return amount.quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)


def price(system: System, setting: Setting, lines: Sequence[Line]) -> list[Message]:
    """Give each line its price conditions and net amount; the messages of those that have no price."""
    found = _records(system, setting, [line.material.number for line in lines])
    messages = []
    for line in lines:
        record = _best(found.get(line.material.number, ()), setting.customer, thousandths(line.base_quantity))
        line.conditions, line.net = [], Decimal(0)
        if record is not None:
            rate = Decimal(record["rate"])
            line.net = rounded(rate * line.base_quantity, setting.currency)
            line.conditions.append(_determined(setting, line, record, rate))
        if line.manual is not None:
            messages += _enter(setting, line, line.manual)
        elif record is None:
            text = f"Mandatory condition PPR0 is missing for item {line.number} ({setting.currency})"
            messages.append(Message("V1/801", text, target=f"to_Item('{line.number}')"))
    return messages


def add_taxes(setting: Setting, lines: Sequence[Line]) -> Decimal:
    """Give each line its tax and its tax condition; the tax of the document."""
    shares = taxes.spread([line.net for line in lines], setting.tax.percent, minor_units(setting.currency))
    for line, share in zip(lines, shares, strict=True):
        line.tax = share
        line.conditions.append(_tax_row(setting, line))
    return sum(shares, Decimal(0))


def _records(system: System, setting: Setting, materials: Sequence[str]) -> dict[str, list[Row]]:
    wanted = list(dict.fromkeys(materials))
    marks = ", ".join("?" * len(wanted))
    rows = system.world.rows(
        "SELECT number, material, customer, from_quantity, rate FROM _condition"  # noqa: S608
        f" WHERE material IN ({marks}) AND organization = ? AND currency = ? AND customer IN ('', ?)",
        [*wanted, setting.organization, setting.currency, setting.customer],
    )
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["material"], []).append(row)
    return grouped


def _best(records: Sequence[Row], customer: str, quantity: int) -> Row | None:
    """The customer's own record before the general one; of a scale the highest step that is reached."""
    for owner in (customer, ""):
        reached = [row for row in records if row["customer"] == owner and row["from_quantity"] <= quantity]
        if reached:
            return max(reached, key=lambda row: int(row["from_quantity"]))
    return None


def _row(setting: Setting, line: Line, step: str, **values: Any) -> Row:
    return {
        "SalesOrderItem": line.number,
        "PricingProcedureStep": step,
        "PricingProcedureCounter": "1",
        "PriceConditionDeterminationDte": setting.date,
        "ConditionIsForStatistics": 0,
        "TransactionCurrency": setting.currency,
        "ConditionType": "",
        "ConditionCalculationType": "C",
        "ConditionBaseValue": "0.000000000",
        "ConditionRateValue": "0.000000000",
        "ConditionCurrency": "",
        "ConditionQuantity": "0",
        "ConditionQuantityUnit": "",
        "ConditionQuantitySAPUnit": "",
        "ConditionQuantityISOUnit": "",
        "ConditionOrigin": "A",
        "ConditionRecord": "",
        "TaxCode": "",
        "ConditionAmount": "0.00",
        "ConditionInactiveReason": "",
        "ConditionClass": "B",
        "ConditionIsManuallyChanged": 0,
        **values,
    }


def _determined(setting: Setting, line: Line, record: Row, rate: Decimal) -> Row:
    return _row(
        setting,
        line,
        _PRICE_STEP,
        ConditionType="PPR0",
        ConditionBaseValue=scaled(line.base_quantity, 9),
        ConditionRateValue=scaled(rate, 9),
        ConditionCurrency=setting.currency,
        ConditionQuantity="1",
        **unit_columns("ConditionQuantity", line.material.base_unit),
        ConditionRecord=f"{record['number']:010d}",
        ConditionAmount=amount_text(line.net, setting.currency),
    )


def _enter(setting: Setting, line: Line, manual: ManualPrice) -> list[Message]:
    """Put a manual price on a line; the messages that speak against it."""
    target = f"to_Item('{line.number}')/to_PricingElement"
    unit = manual.unit or line.unit
    if manual.condition_type not in MANUAL_TYPES:
        text = f"Condition {manual.condition_type} cannot be entered manually for item {line.number}"
        return [Message("V1/217", text, target=target)]
    if manual.currency not in ("", setting.currency):
        text = f"Enter rate {manual.currency} / {setting.currency} rate type M in the system settings"
        return [Message("SG/105", text, target=target)]
    if unit not in line.material.units:
        return [Message("V1/384", f"Sales unit {unit} is not defined for item {line.number}", target=target)]
    if manual.rate < 0 or manual.quantity <= 0:
        return [
            Message("V1/219", f"Condition {manual.condition_type} of item {line.number} is negative", target=target)
        ]
    quantity = line.base_quantity / line.material.units[unit]
    line.net = rounded(manual.rate * quantity / manual.quantity, setting.currency)
    same = manual.condition_type != "PMP0"
    if same:
        line.conditions.clear()
    for row in line.conditions:
        row["ConditionInactiveReason"] = "M"
    line.conditions.append(
        _row(
            setting,
            line,
            _PRICE_STEP if same else _MANUAL_STEP,
            ConditionType=manual.condition_type,
            ConditionBaseValue=scaled(quantity, 9),
            ConditionRateValue=scaled(manual.rate, 9),
            ConditionCurrency=setting.currency,
            ConditionQuantity=f"{manual.quantity:f}",
            **unit_columns("ConditionQuantity", unit),
            ConditionOrigin="C",
            ConditionAmount=amount_text(line.net, setting.currency),
            ConditionIsManuallyChanged=1,
        )
    )
    return []


def _tax_row(setting: Setting, line: Line) -> Row:
    return _row(
        setting,
        line,
        _TAX_STEP,
        ConditionType=taxes.CONDITION,
        ConditionCalculationType="A",
        ConditionBaseValue=scaled(line.net, 9),
        ConditionRateValue=scaled(setting.tax.percent, 9),
        TaxCode=setting.tax.code,
        ConditionAmount=amount_text(line.tax, setting.currency),
        ConditionClass="D",
    )


def header_tax(setting: Setting, net: Decimal, tax: Decimal) -> Row:
    """The tax of the whole document as a header condition."""
    return {
        "PricingProcedureStep": _TAX_STEP,
        "PricingProcedureCounter": "1",
        "ConditionType": taxes.CONDITION,
        "ConditionCalculationType": "A",
        "ConditionBaseValue": scaled(net, 9),
        "ConditionRateValue": scaled(setting.tax.percent, 9),
        "ConditionClass": "D",
        "ConditionAmount": amount_text(tax, setting.currency),
        "TransactionCurrency": setting.currency,
        "TaxCode": setting.tax.code,
    }
