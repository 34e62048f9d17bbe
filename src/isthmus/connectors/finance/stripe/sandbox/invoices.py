"""Invoices as drafts: made, changed, deleted; and what may still change of a finalized one.

docs.stripe.com/api/invoices, in the shapes of the pinned version: ``parent`` instead of ``subscription``, ``payments``
(on request) instead of ``charge`` and ``payment_intent``, ``total_taxes`` instead of ``tax``.
"""

from __future__ import annotations

from .account import Account, Body
from .discounts import DISCOUNTS, redeem
from .errors import ParameterError, StripeError, missing_parameter
from .invoice_lines import compose, item_of, lines_of, put_on, write
from .invoice_sums import Line
from .lists import listing
from .money import checked_currency
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval
from .payment_methods import checked_default
from .search import searching
from .tax_rates import usable_rates
from .words import words

_SHIPPING = "shipping_details{address!{city country line1 line2 postal_code state} name! phone}"
_PARAMETERS = f"""
    account_tax_ids[] auto_advance:bool automatic_tax{{enabled!:bool liability:any}} automatically_finalizes_at:time
    collection_method:charge_automatically|send_invoice custom_fields[]{{name! value!}} days_until_due:int
    default_payment_method default_tax_rates[] description {DISCOUNTS} due_date:time effective_at:time footer
    issuer{{type!:self}} metadata:metadata number
    payment_settings{{default_mandate payment_method_types[] payment_method_options:any}}
    rendering{{amount_tax_display pdf{{page_size:a4|auto|letter}} template template_version:int}}
    {_SHIPPING} statement_descriptor"""
#: what may change when the invoice is a draft no more (docs: "Once an invoice is finalized, monetary values, as well
#: as collection_method, become uneditable")
_ALWAYS = frozenset(
    words(
        "auto_advance default_payment_method description due_date days_until_due effective_at expand footer metadata "
        "custom_fields payment_settings rendering shipping_details statement_descriptor"
    )
)
_DAY_S = 24 * 3600
#: drafts that advance by themselves are finalized about an hour after they were made
_ADVANCES_AFTER_S = 3600


def create(account: Account, ask: Ask) -> Body:
    """A new draft; ``pending_invoice_items_behavior=include`` puts the customer's waiting items on it."""
    if "customer" not in ask:
        raise missing_parameter("customer")
    customer = account.get("customer", ask["customer"], "customer")
    asked = checked_currency(ask["currency"]) if "currency" in ask else None
    pending = _pending_items(account, customer["id"]) if _includes(ask) else []
    currency = asked or (pending[0]["currency"] if pending else customer["currency"]) or account.row["currency"]
    invoice = new_draft(account, customer, currency)
    invoice["metadata"] = new_metadata(ask.given)
    _take_over(account, invoice, ask)
    _checked_terms(invoice, ask)
    lines = pending_lines(account, invoice) if pending else []
    return account.add(invoice, "invoice.created", hidden=compose(account, invoice, lines))


def new_draft(account: Account, customer: Body, currency: str, reason: str = "manual") -> Body:
    """A draft for a customer, not kept yet."""
    tax_ids = account.having("tax_id", "customer", customer["id"])
    return {
        **_blank(account),
        "billing_reason": reason,
        "currency": currency,
        "custom_fields": customer["invoice_settings"]["custom_fields"],
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [{"type": tax_id["type"], "value": tax_id["value"]} for tax_id in tax_ids],
        "footer": customer["invoice_settings"]["footer"],
    }


def modify(account: Account, ask: Ask) -> Body:
    """Change a draft in anything, another invoice in what is not money."""
    invoice = account.get("invoice", ask.id)
    if invoice["status"] != "draft" and (touched := set(ask.given) - _ALWAYS):
        raise StripeError(
            "Finalized invoices can't be updated in this way", code="invoice_not_editable", param=sorted(touched)[0]
        )
    _take_over(account, invoice, ask)
    if "due_date" in ask or "days_until_due" in ask or "collection_method" in ask:
        _checked_terms(invoice, ask)
    merge_metadata(invoice, ask)
    if {"default_tax_rates", "discounts", "automatic_tax"} & set(ask.given):
        return write(account, invoice, lines_of(account, invoice), "invoice.updated")
    return account.save(invoice, "invoice.updated")


def delete(account: Account, ask: Ask) -> Body:
    """Delete a draft with its lines."""
    invoice = account.get("invoice", ask.id)
    refuse_unless(invoice["status"] == "draft", "You can only delete draft invoices.", "invoice_not_editable")
    refuse_unless(invoice["parent"] is None, "You can't delete invoices created by subscriptions.")
    for line in lines_of(account, invoice):
        item = item_of(account, line.body)
        if item is not None:
            account.remove(item, "invoiceitem.deleted")
    return account.remove(invoice, "invoice.deleted")


def _includes(ask: Ask) -> bool:
    return bool(ask.get("pending_invoice_items_behavior") == "include")


def _pending_items(account: Account, customer: str) -> list[Body]:
    items = account.having("invoiceitem", "customer", customer)
    return [item for item in items if item["invoice"] is None]


def pending_lines(account: Account, invoice: Body) -> list[Line]:
    """Lines for all the items that wait for an invoice of this customer in this currency, newest first."""
    items = [i for i in _pending_items(account, invoice["customer"]) if i["currency"] == invoice["currency"]][::-1]
    lines = put_on(account, invoice, items)
    for item in items:
        account.save(item)
    return lines


def _take_over(account: Account, invoice: Body, ask: Ask) -> None:
    merge(invoice, ask, "account_tax_ids", "auto_advance", "collection_method", "custom_fields", "description")
    merge(invoice, ask, "effective_at", "footer", "statement_descriptor", "automatically_finalizes_at")
    merge(invoice, ask, "rendering", "shipping_details")
    if ask.get("number"):
        _checked_number(account, invoice, ask["number"])
        invoice["number"] = ask["number"]
    if "automatic_tax" in ask:
        enabled = ask["automatic_tax"]["enabled"]
        invoice["automatic_tax"] |= {"enabled": enabled, "status": "complete" if enabled else None}
        invoice["automatic_tax"]["provider"] = "stripe" if enabled else None
    if "default_tax_rates" in ask:
        invoice["default_tax_rates"] = usable_rates(account, ask["default_tax_rates"], "default_tax_rates")
    if "discounts" in ask:
        about = {"invoice": invoice["id"], "customer": invoice["customer"]}
        invoice["discounts"] = redeem(account, ask["discounts"], **about)
    if "default_payment_method" in ask:
        invoice["default_payment_method"] = checked_default(account, invoice["customer"], ask["default_payment_method"])
    if ask.get("payment_settings"):
        invoice["payment_settings"] |= ask["payment_settings"]
    if "auto_advance" in ask and "automatically_finalizes_at" not in ask and invoice["status"] == "draft":
        due = account.now + _ADVANCES_AFTER_S
        invoice["automatically_finalizes_at"] = due if ask["auto_advance"] else None


def _checked_terms(invoice: Body, ask: Ask) -> None:
    if invoice["collection_method"] == "charge_automatically":
        for name in ("days_until_due", "due_date"):
            if ask.get(name) is not None:
                message = f"You can only set `{name}` on invoices with `collection_method` `send_invoice`."
                raise ParameterError(message, param=name)
        invoice["due_date"] = None
        return
    if ask.get("due_date") is not None and "days_until_due" in ask:
        raise ParameterError(
            "You may only specify one of these parameters: days_until_due, due_date.", param="due_date"
        )
    if "due_date" in ask:
        invoice["due_date"] = ask["due_date"]
    elif "days_until_due" in ask:
        invoice["due_date"] = invoice["created"] + ask["days_until_due"] * _DAY_S
    if invoice["due_date"] is None:
        message = "If invoice `collection_method` is `send_invoice`, you must specify `days_until_due` or `due_date`."
        raise ParameterError(message, code="parameter_missing", param="days_until_due")


def _checked_number(account: Account, invoice: Body, number: str) -> None:
    if len(number) > 26:
        raise ParameterError("The invoice's number can have at most 26 characters.", param="number")
    others = [one for one in account.having("invoice", "number", number) if one["id"] != invoice["id"]]
    refuse_unless(not others, f"The invoice number {number} is already used by another invoice.", None, "number")


def _blank(account: Account) -> Body:
    identity = account.new_id("in")
    url = f"/v1/invoices/{identity}/lines"
    zeros = words("amount_due amount_overpaid amount_paid amount_paid_off_stripe amount_remaining amount_shipping")
    zeros += words("attempt_count post_payment_credit_notes_amount pre_payment_credit_notes_amount starting_balance")
    zeros += words("subtotal subtotal_excluding_tax total total_excluding_tax")
    nothing = words("application automatically_finalizes_at customer_account default_payment_method default_source")
    nothing += words("description due_date effective_at ending_balance from_invoice hosted_invoice_url invoice_pdf")
    nothing += words("last_finalization_error latest_revision next_payment_attempt number on_behalf_of parent")
    nothing += words("receipt_number rendering shipping_cost shipping_details statement_descriptor test_clock")
    nothing += words("threshold_reason webhooks_delivered_at")
    return {
        "id": identity,
        "object": "invoice",
        **dict.fromkeys(zeros, 0),
        **dict.fromkeys(nothing),
        "account_country": account.row["country"],
        "account_name": account.row["name"],
        "account_tax_ids": None,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "collection_method": "charge_automatically",
        "created": account.now,
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "lines": {"object": "list", "data": [], "has_more": False, "url": url},
        "livemode": False,
        "metadata": {},
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": account.now,
        "period_start": account.now,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


OPERATIONS = (
    operation(
        "POST",
        "/v1/invoices",
        create,
        f"customer currency pending_invoice_items_behavior:exclude|include {_PARAMETERS}",
    ),
    searching("/v1/invoices", "invoice"),
    listing(
        "/v1/invoices",
        "invoice",
        "collection_method:charge_automatically|send_invoice created:range customer subscription "
        "status:draft|open|paid|uncollectible|void",
    ),
    retrieval("/v1/invoices/{id}", "invoice"),
    operation("POST", "/v1/invoices/{id}", modify, _PARAMETERS),
    operation("DELETE", "/v1/invoices/{id}", delete),
)
