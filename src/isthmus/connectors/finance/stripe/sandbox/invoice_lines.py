"""The lines of an invoice: each shows an invoice item, or an item of a subscription.

docs.stripe.com/api/invoice-line-item, /invoices/bulk. An invoice shows its first ten lines; the rest are listed. Lines
change only while the invoice is a draft.
"""

from __future__ import annotations

from typing import Any

from .account import Account, Body
from .catalogue import PRICE_DATA
from .errors import ParameterError, exclusive_parameters, missing_object
from .invoice_items import ITEM, ITEM_PRICE_DATA, change_item, new_item
from .invoice_sums import Line, add_up, tax_of
from .lists import PAGING, objects, page, part
from .money import checked_amount, checked_currency
from .operation import Ask, merge_metadata, operation, refuse_unless, retrieval
from .tax_rates import RATE_DATA, REASONS, rate_of_data
from .words import words

_SHOWN = 10
_TAX_AMOUNTS = (
    f"tax_amounts[]{{amount!:int taxable_amount!:int taxability_reason:{REASONS} tax_rate_data!{{{RATE_DATA}}}}}"
)
_LINE_PRICE = (
    f"price_data{{{PRICE_DATA} product_data{{name! description images[] metadata:metadata tax_code unit_label}}}}"
)
_LINE = f"{ITEM} {_LINE_PRICE} {_TAX_AMOUNTS}"


def put_on(account: Account, invoice: Body, items: list[Body]) -> list[Line]:
    """Lines for invoice items; to be written with ``write``."""
    lines = []
    for item in items:
        item["invoice"] = invoice["id"]
        lines.append(_line(account, invoice, item))
    return lines


def lines_of(account: Account, invoice: Body) -> list[Line]:
    """The lines that an invoice has, in order."""
    hidden = account.hidden("invoice", invoice["id"])
    bodies = [*invoice["lines"]["data"], *hidden.get("more", [])]
    return [Line(body, taxed) for body, taxed in zip(bodies, hidden.get("taxed", []), strict=True)]


def compose(account: Account, invoice: Body, lines: list[Line]) -> Body:
    """Add up the invoice with these lines and show the first ten; what is to be kept hidden: the rest, and how each
    is taxed."""
    refuse_unless(len(lines) <= 250, "An invoice can have at most 250 invoice items.", None, "lines")
    add_up(account, invoice, lines)
    bodies = [line.body for line in lines]
    invoice["lines"] |= {"data": bodies[:_SHOWN], "has_more": len(bodies) > _SHOWN}
    return {"more": bodies[_SHOWN:], "taxed": [line.hidden for line in lines]}


def write(account: Account, invoice: Body, lines: list[Line], *events: str) -> Body:
    """Keep an invoice with these lines, and announce it."""
    account.keep_hidden("invoice", invoice["id"], compose(account, invoice, lines))
    return account.save(invoice, *events)


def line_of(account: Account, invoice: Body, **about: Any) -> Line:
    """A new line with everything that all lines have."""
    body = {
        "id": account.new_id("il"),
        "object": "line_item",
        "amount": 0,
        "currency": invoice["currency"],
        "description": None,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": {},
        "parent": None,
        "period": {"end": account.now, "start": account.now},
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": None,
        "subtotal": 0,
        "taxes": [],
        **about,
    }
    body["subtotal"] = body["amount"]
    return Line(body, {})


def editable(account: Account, identity: str) -> Body:
    """The draft of this id. Raises StripeError ``invoice_not_editable`` for what is a draft no more."""
    invoice = account.get("invoice", identity)
    refuse_unless(
        invoice["status"] == "draft",
        f"Invoice {identity} is no longer editable: its lines can be changed only while it is a draft.",
        "invoice_not_editable",
    )
    return invoice


_NO_CREDITED_ITEMS = {"credited_items": None}
_COPIED = words("amount currency description discountable discounts metadata period pricing quantity quantity_decimal")


def _line(account: Account, invoice: Body, item: Body) -> Line:
    if item["currency"] != invoice["currency"]:
        raise ParameterError(
            f"The invoice item {item['id']} is in {item['currency']}, the invoice in {invoice['currency']}.",
            param="currency",
        )
    details = {"invoice_item": item["id"], "proration": item["proration"], "proration_details": _NO_CREDITED_ITEMS}
    of = (item["parent"] or {}).get("subscription_details") or {}
    line = line_of(
        account,
        invoice,
        **{name: item[name] for name in _COPIED},
        parent={
            "invoice_item_details": {**details, "subscription": of.get("subscription")},
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
    )
    line.hidden["tax_rates"] = [rate["id"] for rate in item["tax_rates"]]
    return line


def _follow(line: Line, item: Body) -> None:
    """A line shows what its item says now."""
    line.body.update({name: item[name] for name in _COPIED})
    line.body["subtotal"] = item["amount"]
    if item["tax_rates"]:
        line.hidden = {"tax_rates": [rate["id"] for rate in item["tax_rates"]]}


def _tax_by_hand(account: Account, invoice: Body, line: Line, data: dict[str, Any], where: str) -> None:
    if "tax_amounts" not in data:
        return
    if data["tax_amounts"] is None:
        line.hidden.pop("by_hand", None)
        return
    if data.get("tax_rates") or line.hidden.get("tax_rates"):
        raise exclusive_parameters(f"{where}[tax_amounts]", f"{where}[tax_rates]")
    if invoice["default_tax_rates"] or invoice["automatic_tax"]["enabled"]:
        message = "You cannot set tax amounts on an invoice that has default_tax_rates or uses automatic tax."
        raise ParameterError(message, param=f"{where}[tax_amounts]")
    taxes = []
    for given in data["tax_amounts"]:
        rate = rate_of_data(account, given["tax_rate_data"])
        amount = checked_amount(given["amount"], invoice["currency"], f"{where}[tax_amounts]")
        taxes.append(tax_of(rate, amount, given["taxable_amount"], given.get("taxability_reason")))
    line.body["taxes"] = taxes
    line.hidden = {"by_hand": True}


def _add(account: Account, ask: Ask) -> Body:
    """Bulk lines; the items made for them are not announced one by one."""
    invoice = editable(account, ask.id)
    lines, new = lines_of(account, invoice), []
    for at, data in enumerate(ask["lines"]):
        if "invoice_item" in data:
            item = _pending(account, data["invoice_item"], invoice)
            item["invoice"] = invoice["id"]
            account.save(item)
        else:
            item = new_item(account, data, invoice["customer"], invoice["currency"], invoice["id"])
            new.append(item)
        line = _line(account, invoice, item)
        _tax_by_hand(account, invoice, line, data, f"lines[{at}]")
        lines.append(line)
    account.add_all(new)
    return _written(account, invoice, lines, ask)


def _update(account: Account, ask: Ask) -> Body:
    invoice = editable(account, ask.id)
    lines = {line.body["id"]: line for line in lines_of(account, invoice)}
    for at, data in enumerate(ask["lines"]):
        if data["id"] not in lines:
            raise missing_object("line_item", data["id"], f"lines[{at}][id]")
        _change(account, invoice, lines[data["id"]], data, f"lines[{at}]")
    return _written(account, invoice, list(lines.values()), ask)


def _remove(account: Account, ask: Ask) -> Body:
    invoice = editable(account, ask.id)
    lines = {line.body["id"]: line for line in lines_of(account, invoice)}
    for at, data in enumerate(ask["lines"]):
        line = lines.pop(data["id"], None)
        if line is None:
            raise missing_object("line_item", data["id"], f"lines[{at}][id]")
        item = item_of(account, line.body)
        if item is not None and data["behavior"] == "unassign":
            item["invoice"] = None
            account.save(item)
        elif item is not None:
            account.remove(item, "invoiceitem.deleted")
    return _written(account, invoice, list(lines.values()), ask)


def _written(account: Account, invoice: Body, lines: list[Line], ask: Ask) -> Body:
    if "invoice_metadata" in ask:
        merge_metadata(invoice, Ask({}, {"metadata": ask["invoice_metadata"]}))
    return write(account, invoice, lines, "invoice.updated")


def _change(account: Account, invoice: Body, line: Line, data: dict[str, Any], where: str) -> None:
    item = item_of(account, line.body)
    refuse_unless(item is not None, "Lines of a subscription cannot be changed here.", None, where)
    assert item is not None
    if data.get("price_data") and checked_currency(data["price_data"]["currency"]) != invoice["currency"]:
        message = f"The price's currency does not match the invoice's currency ({invoice['currency']})."
        raise ParameterError(message, param=f"{where}[price_data][currency]")
    change_item(account, item, Ask({}, data))
    account.save(item)
    _follow(line, item)
    _tax_by_hand(account, invoice, line, data, where)


def item_of(account: Account, line: Body) -> Body | None:
    """The invoice item that a line shows; None for a subscription's."""
    details = (line["parent"] or {}).get("invoice_item_details")
    return account.find("invoiceitem", details["invoice_item"]) if details else None


def _pending(account: Account, identity: str, invoice: Body) -> Body:
    item = account.get("invoiceitem", identity, "invoice_item")
    refuse_unless(item["invoice"] is None, f"The invoice item {identity} is already assigned to an invoice.")
    refuse_unless(item["customer"] == invoice["customer"], f"The invoice item {identity} is of another customer.")
    return item


def _update_one(account: Account, ask: Ask) -> Body:
    invoice = editable(account, ask.id)
    lines = lines_of(account, invoice)
    wanted = [line for line in lines if line.body["id"] == ask.ids["line"]]
    if not wanted:
        raise missing_object("line_item", ask.ids["line"], "id")
    _change(account, invoice, wanted[0], dict(ask.given), "line")
    write(account, invoice, lines, "invoice.updated")
    return wanted[0].body


def _list_lines(account: Account, ask: Ask) -> str:
    bodies = [line.body for line in lines_of(account, account.get("invoice", ask.id))]
    return part(ask, "line_item", bodies, f"/v1/invoices/{ask.id}/lines")


def _create_item(account: Account, ask: Ask) -> Body:
    if ask.get("invoice"):
        invoice = editable_param(account, ask["invoice"])
        refuse_unless(
            ask.get("customer") in (None, invoice["customer"]), "The invoice is of another customer.", None, "customer"
        )
        item = new_item(account, dict(ask.given), invoice["customer"], invoice["currency"], invoice["id"])
        account.add(item, "invoiceitem.created")
        write(account, invoice, [*lines_of(account, invoice), *put_on(account, invoice, [item])], "invoice.updated")
        return item
    if "customer" not in ask:
        raise ParameterError("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = account.get("customer", ask["customer"], "customer")
    item = new_item(account, dict(ask.given), customer["id"], None, None)
    return account.add(item, "invoiceitem.created")


def editable_param(account: Account, identity: str) -> Body:
    """The draft that a parameter names."""
    account.get("invoice", identity, "invoice")
    return editable(account, identity)


def _modify_item(account: Account, ask: Ask) -> Body:
    item = account.get("invoiceitem", ask.id)
    invoice = editable(account, item["invoice"]) if item["invoice"] else None
    change_item(account, item, ask)
    account.save(item)
    if invoice is not None:
        lines = lines_of(account, invoice)
        for line in lines:
            if item_of(account, line.body) is item:
                _follow(line, item)
        write(account, invoice, lines, "invoice.updated")
    return item


def _delete_item(account: Account, ask: Ask) -> Body:
    item = account.get("invoiceitem", ask.id)
    if item["invoice"]:
        invoice = editable(account, item["invoice"])
        lines = [line for line in lines_of(account, invoice) if item_of(account, line.body) is not item]
        write(account, invoice, lines, "invoice.updated")
    return account.remove(item, "invoiceitem.deleted")


def _list_items(account: Account, ask: Ask) -> str:
    selection = objects(account, "invoiceitem")
    for name in ("customer", "invoice"):
        if name in ask:
            selection.having(account, "invoiceitem", name, ask[name])
    if "created" in ask:
        selection.within("created", ask["created"])
    if "pending" in ask:
        assigned = "SELECT number FROM term WHERE account = ? AND kind = 'invoiceitem' AND field = 'invoice'"
        selection.where(f"number {'NOT ' if ask['pending'] else ''}IN ({assigned})", account.id)
    return page(account, ask, "invoiceitem", selection, "/v1/invoiceitems")


_ITEM = f"{ITEM} {ITEM_PRICE_DATA} unit_amount_decimal:decimal tax_behavior tax_code"
OPERATIONS = (
    operation("POST", "/v1/invoiceitems", _create_item, f"customer currency invoice {_ITEM}"),
    operation("GET", "/v1/invoiceitems", _list_items, f"created:range customer invoice pending:bool {PAGING}"),
    retrieval("/v1/invoiceitems/{id}", "invoiceitem"),
    operation("POST", "/v1/invoiceitems/{id}", _modify_item, _ITEM),
    operation("DELETE", "/v1/invoiceitems/{id}", _delete_item),
    operation("GET", "/v1/invoices/{id}/lines", _list_lines, PAGING),
    operation("POST", "/v1/invoices/{id}/lines/{line}", _update_one, _LINE),
    operation(
        "POST",
        "/v1/invoices/{id}/add_lines",
        _add,
        f"lines![]{{invoice_item {_LINE}}} invoice_metadata:metadata",
    ),
    operation("POST", "/v1/invoices/{id}/update_lines", _update, f"lines![]{{id! {_LINE}}} invoice_metadata:metadata"),
    operation(
        "POST",
        "/v1/invoices/{id}/remove_lines",
        _remove,
        "lines![]{id! behavior!:delete|unassign} invoice_metadata:metadata",
    ),
)
