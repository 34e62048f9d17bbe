"""What translating a 20-line order costs: compiled mapping, hand-written Python, jsonatapy, jsonata-python.

Run it with ``python benchmarks/translate.py``. Figures are ratios on one machine; the best of several rounds counts.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jsonatapy
from jsonata.jsonata import Jsonata

from isthmus.mapping.mapping import compile_mapping
from isthmus.model import Order

LINES = 20
#: copying, renaming and nesting, two conditions: what most of a mapping is
PLAIN = """
/* writes: A_SalesOrder */
{
  "SalesOrderType": values.order_type,
  "SalesOrganization": values.sales_organization,
  "SoldToParty": ids.customer,
  "PurchaseOrderByCustomer": key,
  "TransactionCurrency": input.currency,
  "SalesOrderDate": input.order_date,
  "CustomerPaymentTerms": input.payment_terms.code,
  "HeaderText": input.note,
  "to_Partner": [{"PartnerFunction": "SH", "Customer": input.ship_to.customer_number}],
  "to_Item": [input.lines.{
    "SalesOrderItem": id,
    "Material": product.number,
    "RequestedQuantity": quantity.value,
    "RequestedQuantityUnit": quantity.unit,
    "ItemCategory": kind = "service" ? "TAD" : "TAN",
    "SalesOrderItemText": name ? name : product.name,
    "NetPriceAmount": unit_price.amount,
    "Currency": $$.input.currency
  }]
}
"""
#: the same with exact decimals and code tables
EXACT = PLAIN.replace("quantity.unit,", '$code("units", quantity.unit),').replace(
    "unit_price.amount,", "$decimal_multiply(unit_price.amount, quantity.value),"
)
CODES = {"units": {"C62": "ST", "KGM": "KG"}}


def order() -> dict[str, Any]:
    """The context of one translation."""
    line = {
        "product": {"number": "MAT-1", "name": "Pump"},
        "quantity": {"value": "3", "unit": "C62"},
        "unit_price": {"amount": "12.50", "currency": "EUR"},
        "kind": "goods",
        "name": "Pump, blue",
    }
    return {
        "input": {
            "currency": "EUR",
            "order_date": "2026-03-01",
            "payment_terms": {"code": "NT30"},
            "note": "Please call",
            "ship_to": {"customer_number": "100017"},
            "lines": [{"id": f"{number:06d}", **line} for number in range(10, LINES * 10 + 10, 10)],
        },
        "values": {"order_type": "OR", "sales_organization": "1710"},
        "ids": {"customer": "17100001"},
        "key": "OPP-1002",
    }


def by_hand(context: dict[str, Any]) -> dict[str, Any]:
    """The plain mapping as somebody would write it who trusts the input to be complete."""
    given, values = context["input"], context["values"]
    currency = given["currency"]
    return {
        "SalesOrderType": values["order_type"],
        "SalesOrganization": values["sales_organization"],
        "SoldToParty": context["ids"]["customer"],
        "PurchaseOrderByCustomer": context["key"],
        "TransactionCurrency": currency,
        "SalesOrderDate": given["order_date"],
        "CustomerPaymentTerms": given["payment_terms"]["code"],
        "HeaderText": given["note"],
        "to_Partner": [{"PartnerFunction": "SH", "Customer": given["ship_to"]["customer_number"]}],
        "to_Item": [
            {
                "SalesOrderItem": line["id"],
                "Material": line["product"]["number"],
                "RequestedQuantity": line["quantity"]["value"],
                "RequestedQuantityUnit": line["quantity"]["unit"],
                "ItemCategory": "TAD" if line["kind"] == "service" else "TAN",
                "SalesOrderItemText": line["name"] or line["product"]["name"],
                "NetPriceAmount": line["unit_price"]["amount"],
                "Currency": currency,
            }
            for line in given["lines"]
        ],
    }


def by_hand_exactly(context: dict[str, Any]) -> dict[str, Any]:
    """The exact mapping by hand, trusting every figure and code."""
    made, units = by_hand(context), CODES["units"]
    for line, item in zip(context["input"]["lines"], made["to_Item"], strict=True):
        item["RequestedQuantityUnit"] = units[line["quantity"]["unit"]]
        item["NetPriceAmount"] = str(Decimal(line["unit_price"]["amount"]) * Decimal(line["quantity"]["value"]))
    return made


def microseconds(run: Callable[[], Any]) -> float:
    """The best round's time for one call."""
    timer = timeit.Timer(run)
    calls, _ = timer.autorange()
    calls = max(calls // 4, 1)
    return min(timer.repeat(9, calls)) / calls * 1e6


def canonical_order() -> dict[str, Any]:
    """The same order as a mapping gives it to the canonical model."""
    lines = [
        {
            "id": f"L{number}", "position": number * 10, "product": {"kind": "product", "number": "MAT-1"},
            "name": "Pump, blue", "quantity": {"value": "3", "unit": "C62"},
            "unit_price": {"amount": "12.50", "currency": "EUR"},
            "line_extension_amount": {"amount": "37.50", "currency": "EUR"},
        }
        for number in range(1, LINES + 1)
    ]  # fmt: skip
    return {
        "id": "order_" + "0" * 26, "business_unit": "emea", "request_number": "OPP-1002", "kind": "standard",
        "issue_date": "2026-03-01", "currency": "EUR", "lines": lines,
        "partners": {"sold_to": {"customer": {"kind": "customer", "number": "100017"}, "name": "Customer"}},
        "source": {"connection": "shop", "type": "Order", "id": "1"},
    }  # fmt: skip


def figures() -> dict[str, float]:
    """Microseconds: copying and with exact decimals, each compiled and by hand, and the check of a canonical order."""
    context, canonical = order(), canonical_order()
    plain, exact = compile_mapping(PLAIN, file="plain"), compile_mapping(EXACT, file="exact", codes=CODES)
    assert plain.engine == exact.engine == "python"
    assert by_hand(context) == plain(context) and by_hand_exactly(context) == exact(context)
    return {
        "plain_by_hand": microseconds(lambda: by_hand(context)),
        "plain": microseconds(lambda: plain(context)),
        "exact_by_hand": microseconds(lambda: by_hand_exactly(context)),
        "exact": microseconds(lambda: exact(context)),
        "checked": microseconds(lambda: Order.model_validate(canonical)),
    }


def main() -> None:
    """Prints both comparisons."""
    context = order()
    plain, exact = compile_mapping(PLAIN, file="plain"), compile_mapping(EXACT, file="exact", codes=CODES)
    rust, python = jsonatapy.compile(PLAIN), Jsonata(PLAIN)
    assert plain.engine == exact.engine == "python"
    assert by_hand(context) == plain(context) == json.loads(json.dumps(rust.evaluate(context)))
    assert by_hand_exactly(context) == exact(context)
    print(f"an order of {LINES} lines, microseconds, and as often as by hand")
    compare(
        ("copying, by hand", lambda: by_hand(context)),
        ("copying, compiled", lambda: plain(context)),
        ("copying, jsonatapy (Rust)", lambda: rust.evaluate(context)),
        ("copying, jsonata-python", lambda: python.evaluate(context, {})),
    )
    compare(
        ("decimals and codes, by hand", lambda: by_hand_exactly(context)),
        ("decimals and codes, compiled", lambda: exact(context)),
    )
    print(f"compiling: {microseconds(lambda: compile_mapping(PLAIN, file='plain')) / 1000:.1f} ms")


def compare(*ways: tuple[str, Callable[[], Any]]) -> None:
    """Prints a line for each way, the first one being the measure."""
    measure = 0.0
    for name, run in ways:
        took = microseconds(run)
        measure = measure or took
        print(f"{name:32}{took:9.1f} {took / measure:6.1f}")


if __name__ == "__main__":
    main()
