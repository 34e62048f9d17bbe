"""Credit notes: less is due of an open invoice; of a paid one money goes back, as refund, as credit or outside Stripe.

docs.stripe.com/api/credit_notes, /invoicing/integration/programmatic-credit-notes. Refund, credit and out-of-band
amounts must add up to what is credited of money already paid. Only a credit note on an open invoice can be voided.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .account import Account, Body
from .customer_balance import change_balance
from .errors import ParameterError, StripeError, missing_object, missing_parameter
from .invoice_lines import lines_of
from .invoice_payments import charges_of, expect_less, settle
from .invoice_sums import set_due, summed, tax_of
from .lists import PAGING, listing, part
from .money import checked_amount, rounded, spoken
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval
from .refunds import give_back
from .tax_rates import percentage_of, usable_rates

_LINES = """
    lines[]{type!:invoice_line_item|custom_line_item amount:int description invoice_line_item metadata:metadata
        quantity:int tax_amounts[]{amount!:int tax_rate! taxable_amount!:int} tax_rates[] unit_amount:int
        unit_amount_decimal:decimal}"""
_PARAMETERS = f"""
    invoice! amount:int credit_amount:int effective_at:time email_type:credit_note|none {_LINES} memo
    metadata:metadata out_of_band_amount:int reason:duplicate|fraudulent|order_change|product_unsatisfactory
    refund_amount:int refunds[]{{refund amount_refunded:int}}"""


def create(account: Account, ask: Ask) -> Body:
    """Issue a credit note."""
    invoice = _creditable(account, ask)
    note = _drawn_up(account, invoice, ask)
    before, after = _split(invoice, note["total"])
    _checked_ways(account, invoice, ask, after)
    note |= {"pre_payment_amount": before, "post_payment_amount": after, "type": _type(before, after)}
    note["number"] = f"{invoice['number']}-CN-{len(account.having('credit_note', 'invoice', invoice['id'])) + 1:02d}"
    _give(account, invoice, note, ask)
    account.add(note, "credit_note.created")
    invoice["pre_payment_credit_notes_amount"] += before
    invoice["post_payment_credit_notes_amount"] += after
    if invoice["status"] == "paid":
        account.save(invoice, "invoice.updated")
        return note
    set_due(invoice)
    expect_less(account, invoice)
    if invoice["amount_remaining"]:
        account.save(invoice, "invoice.updated")
    else:
        settle(account, invoice, 0)
    return note


def preview(account: Account, ask: Ask) -> Body:
    """What a credit note would be; nothing is kept."""
    invoice = _creditable(account, ask)
    note = _drawn_up(account, invoice, ask)
    before, after = _split(invoice, note["total"])
    return note | {"pre_payment_amount": before, "post_payment_amount": after, "type": _type(before, after)}


def _preview_lines(account: Account, ask: Ask) -> str:
    lines = preview(account, ask)["lines"]["data"]
    return part(ask, "credit_note_line_item", lines, "/v1/credit_notes/preview/lines")


def void(account: Account, ask: Ask) -> Body:
    """Void a credit note of an open invoice: its amount is due again."""
    note = account.get("credit_note", ask.id)
    invoice = account.get("invoice", note["invoice"])
    refuse_unless(note["status"] == "issued", "This credit note is already voided.")
    refuse_unless(invoice["status"] == "open", "You can only void a credit note whose invoice is open.")
    note |= {"status": "void", "voided_at": account.now}
    invoice["pre_payment_credit_notes_amount"] -= note["pre_payment_amount"]
    set_due(invoice)
    expect_less(account, invoice)
    account.save(invoice, "invoice.updated")
    return account.save(note, "credit_note.voided")


def _creditable(account: Account, ask: Ask) -> Body:
    invoice = account.get("invoice", ask["invoice"], "invoice")
    refuse_unless(
        invoice["status"] in ("open", "paid"),
        f"You can only create credit notes for invoices that are open or paid; this one is {invoice['status']}.",
        None,
        "invoice",
    )
    if ("amount" in ask) is ("lines" in ask):
        raise ParameterError("You must specify exactly one of `amount` or `lines`.", param="amount")
    return invoice


def _split(invoice: Body, total: int) -> tuple[int, int]:
    """How much of a credit note lessens what is due, and how much is of money already paid."""
    credited = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    left = invoice["total"] - credited
    if total > left:
        raise StripeError(
            f"The credit note's total ({spoken(total, invoice['currency'])}) cannot be more than what is left to credit "
            f"of the invoice ({spoken(left, invoice['currency'])}).",
            param="amount",
        )
    before = min(total, invoice["amount_remaining"])
    return before, total - before


def _type(before: int, after: int) -> str:
    return "mixed" if before and after else "post_payment" if after else "pre_payment"


def _checked_ways(account: Account, invoice: Body, ask: Ask, after: int) -> None:
    ways = ("refund_amount", "credit_amount", "out_of_band_amount")
    given = sum(ask.get(way) or 0 for way in ways) + _refunded(account, ask)
    if given != after:
        raise StripeError(
            f"The sum of refund_amount, credit_amount, out_of_band_amount and refunds ({given}) must equal the amount "
            f"credited of what was paid ({after}).",
            param="refund_amount",
        )


def _refunded(account: Account, ask: Ask) -> int:
    total = 0
    for entry in ask.get("refunds") or []:
        if "refund" not in entry:
            raise missing_parameter("refunds[0][refund]")
        refund = account.get("refund", entry["refund"], "refunds[0][refund]")
        total += entry.get("amount_refunded", refund["amount"])
    return total


def _give(account: Account, invoice: Body, note: Body, ask: Ask) -> None:
    """Refund, credit, or note what was given outside Stripe."""
    note["out_of_band_amount"] = ask.get("out_of_band_amount")
    for entry in ask.get("refunds") or []:
        amount = entry.get("amount_refunded", account.get("refund", entry["refund"])["amount"])
        note["refunds"].append({"amount_refunded": amount, "refund": entry["refund"], "type": "refund"})
    left = ask.get("refund_amount") or 0
    for charge in charges_of(account, invoice):
        part = min(left, charge["amount_captured"] - charge["amount_refunded"])
        if part:
            refund = give_back(account, charge, part, reason=None, metadata={})
            note["refunds"].append({"amount_refunded": part, "refund": refund["id"], "type": "refund"})
            left -= part
    refuse_unless(not left, "The refund amount is more than what was paid of the invoice.", None, "refund_amount")
    if credit := ask.get("credit_amount"):
        customer = account.get("customer", invoice["customer"])
        about = {"invoice": invoice["id"], "credit_note": note["id"], "currency": invoice["currency"]}
        booked = change_balance(account, customer, -credit, "credit_note", **about)
        account.save(customer, "customer.updated")
        note["customer_balance_transaction"] = booked["id"]


def _drawn_up(account: Account, invoice: Body, ask: Ask) -> Body:
    currency = invoice["currency"]
    if "amount" in ask:
        amount = checked_amount(ask["amount"], currency)
        lines = [_line(account, amount, type="custom_line_item", unit_amount=amount, unit_amount_decimal=str(amount))]
    else:
        lines = [_read(account, invoice, data, f"lines[{at}]") for at, data in enumerate(ask["lines"])]
    net = sum(line["amount"] for line in lines)
    discount = sum(line["discount_amount"] for line in lines)
    taxes = [tax for line in lines for tax in line["taxes"]]
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    inclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    total = net - discount + exclusive
    refuse_unless(total > 0, "A credit note's total must be more than 0.", None, "amount")
    identity = account.new_id("cn")
    discounts = [one for line in lines for one in line["discount_amounts"]]
    return {
        "id": identity,
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "created": account.now,
        "currency": currency,
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": discount,
        "discount_amounts": discounts,
        "effective_at": ask.get("effective_at", account.now),
        "invoice": invoice["id"],
        "lines": {"object": "list", "data": lines, "has_more": False, "url": f"/v1/credit_notes/{identity}/lines"},
        "livemode": False,
        "memo": ask.get("memo"),
        "metadata": new_metadata(ask.given),
        "number": "",
        "out_of_band_amount": None,
        "pdf": f"{account.root}/credit_notes/{account.id}/{identity}/pdf",
        "pretax_credit_amounts": [],
        "reason": ask.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": net,
        "subtotal_excluding_tax": net - inclusive,
        "total": total,
        "total_excluding_tax": net - discount - inclusive,
        "total_taxes": summed(taxes),
        "voided_at": None,
    }


def _read(account: Account, invoice: Body, data: dict[str, Any], where: str) -> Body:
    if data["type"] == "custom_line_item":
        return _custom(account, invoice, data, where)
    if "invoice_line_item" not in data:
        raise missing_parameter(f"{where}[invoice_line_item]")
    lines = {line.body["id"]: line.body for line in lines_of(account, invoice)}
    credited = lines.get(data["invoice_line_item"])
    if credited is None:
        raise missing_object("line_item", data["invoice_line_item"], f"{where}[invoice_line_item]")
    if ("amount" in data) is ("quantity" in data):
        raise ParameterError("You must specify exactly one of `amount` or `quantity`.", param=f"{where}[quantity]")
    part = _part(credited, data, where)
    currency = invoice["currency"]
    discounts = [{**one, "amount": rounded(one["amount"] * part, currency)} for one in credited["discount_amounts"]]
    taxes = [
        {
            **tax,
            "amount": rounded(tax["amount"] * part, currency),
            "taxable_amount": _times(tax["taxable_amount"], part),
        }
        for tax in credited["taxes"]
    ]
    return _line(
        account,
        data["amount"] if "amount" in data else rounded(credited["amount"] * part, currency),
        type="invoice_line_item",
        invoice_line_item=credited["id"],
        description=data.get("description") or credited["description"],
        quantity=data.get("quantity"),
        discount_amounts=discounts,
        discount_amount=sum(one["amount"] for one in discounts),
        taxes=_by_hand(account, data) if data.get("tax_amounts") else taxes,
    )


def _part(credited: Body, data: dict[str, Any], where: str) -> Decimal:
    """The share of the invoice's line that is credited."""
    if "quantity" in data:
        whole, wanted = Decimal(credited["quantity_decimal"]), Decimal(data["quantity"])
    else:
        whole, wanted = Decimal(credited["amount"]), Decimal(data["amount"])
    name = "quantity" if "quantity" in data else "amount"
    if not 0 < wanted <= whole:
        raise StripeError(
            f"The {name} to credit must be more than 0 and not more than the invoice line's ({whole}).",
            param=f"{where}[{name}]",
        )
    return wanted / whole


def _times(amount: int, part: Decimal) -> int:
    return rounded(amount * part, "usd")


def _custom(account: Account, invoice: Body, data: dict[str, Any], where: str) -> Body:
    if ("unit_amount" in data) is ("unit_amount_decimal" in data):
        raise ParameterError("You must specify one of `unit_amount` or `unit_amount_decimal`.", param=where)
    unit = Decimal(data["unit_amount"] if "unit_amount" in data else data["unit_amount_decimal"])
    quantity = data.get("quantity", 1)
    amount = checked_amount(rounded(unit * quantity, invoice["currency"]), invoice["currency"], where)
    rates = usable_rates(account, data.get("tax_rates"), f"{where}[tax_rates]")
    taxes = _by_hand(account, data) if data.get("tax_amounts") else []
    for rate in rates:
        share = percentage_of(rate) / (100 + percentage_of(rate) if rate["inclusive"] else 100)
        tax = rounded(amount * share, invoice["currency"])
        taxes.append(tax_of(rate, tax, amount - tax if rate["inclusive"] else amount))
    return _line(
        account,
        amount,
        type="custom_line_item",
        description=data.get("description"),
        quantity=quantity,
        unit_amount=data.get("unit_amount"),
        unit_amount_decimal=f"{unit.normalize():f}",
        tax_rates=rates,
        taxes=taxes,
    )


def _by_hand(account: Account, data: dict[str, Any]) -> list[Body]:
    return [
        tax_of(account.get("tax_rate", one["tax_rate"], "tax_amounts"), one["amount"], one["taxable_amount"])
        for one in data["tax_amounts"]
    ]


def _line(account: Account, amount: int, **about: Any) -> Body:
    return {
        "id": account.new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": None,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": None,
        "tax_rates": [],
        "taxes": [],
        "unit_amount": None,
        "unit_amount_decimal": None,
        **about,
    }


def _modify(account: Account, ask: Ask) -> Body:
    note = account.get("credit_note", ask.id)
    merge(note, ask, "memo")
    merge_metadata(note, ask)
    return account.save(note, "credit_note.updated")


def _lines(account: Account, ask: Ask) -> str:
    lines = account.get("credit_note", ask.id)["lines"]["data"]
    return part(ask, "credit_note_line_item", lines, f"/v1/credit_notes/{ask.id}/lines")


OPERATIONS = (
    operation("POST", "/v1/credit_notes", create, _PARAMETERS),
    operation("GET", "/v1/credit_notes/preview", preview, _PARAMETERS),
    operation("GET", "/v1/credit_notes/preview/lines", _preview_lines, f"{_PARAMETERS} {PAGING}"),
    listing("/v1/credit_notes", "credit_note", "created:range customer invoice"),
    retrieval("/v1/credit_notes/{id}", "credit_note"),
    operation("POST", "/v1/credit_notes/{id}", _modify, "memo metadata:metadata"),
    operation("POST", "/v1/credit_notes/{id}/void", void),
    operation("GET", "/v1/credit_notes/{id}/lines", _lines, PAGING),
)
