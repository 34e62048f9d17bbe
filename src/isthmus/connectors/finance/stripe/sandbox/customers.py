"""Customers: who they are, how they pay by default, what they owe or have to their credit.

docs.stripe.com/api/customers. A deleted customer answers ``deleted: true`` for ever and can be used no more.
"""

from __future__ import annotations

import re

from .account import Account, Body
from .customer_balance import change_balance
from .errors import ParameterError, StripeError, missing_object
from .lists import listing
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless
from .payment_methods import attach_to, resolved
from .search import searching
from .subscription_periods import cancel_now
from .tax_ids import add_tax_id
from .words import words

ADDRESS = "city country line1 line2 postal_code state"
_PARAMETERS = f"""
    address{{{ADDRESS}}} balance:int business_name description email individual_name invoice_prefix
    invoice_settings{{custom_fields[]{{name! value!}} default_payment_method footer
        rendering_options{{amount_tax_display template}}}}
    metadata:metadata name next_invoice_sequence:int phone preferred_locales[]
    shipping{{address!{{{ADDRESS}}} name! phone}} tax{{ip_address validate_location:auto|deferred|immediately}}
    tax_exempt:none|exempt|reverse validate:bool"""
_PLAIN = words("business_name description email individual_name name phone preferred_locales tax_exempt")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def create(account: Account, ask: Ask) -> Body:
    """A new customer; a ``payment_method`` is attached, ``tax_id_data`` become tax ids."""
    customer = _blank(account)
    customer["metadata"] = new_metadata(ask.given)
    _take_over(customer, ask)
    customer["balance"] = ask.get("balance", 0)
    account.add(customer, "customer.created")
    for data in ask.get("tax_id_data") or []:
        add_tax_id(account, customer["id"], data)
    method = ask.get("payment_method")
    settings = ask.get("invoice_settings") or {}
    if method:
        attached = attach_to(account, resolved(account, method, "payment_method"), customer)
        if settings.get("default_payment_method") == method:
            settings = {**settings, "default_payment_method": attached["id"]}
    _settle(account, customer, settings)
    if method or settings:
        account.save(customer)
    return customer


def modify(account: Account, ask: Ask) -> Body:
    """Change a customer; a new ``balance`` is booked as an adjustment."""
    customer = account.get("customer", ask.id)
    _take_over(customer, ask)
    merge_metadata(customer, ask)
    _settle(account, customer, ask.get("invoice_settings") or {})
    if "balance" in ask and ask["balance"] != customer["balance"]:
        change_balance(account, customer, ask["balance"] - customer["balance"], "adjustment")
    return account.save(customer, "customer.updated")


def retrieve(account: Account, ask: Ask) -> str:
    """The customer, or the stub of a deleted one."""
    text = account.text("customer", ask.id) or account.text("deleted_customer", ask.id)
    if text is None:
        raise missing_object("customer", ask.id, "id")
    return text


def delete(account: Account, ask: Ask) -> Body:
    """Delete a customer for good: subscriptions end at once, a stub remains."""
    customer = account.get("customer", ask.id)
    for subscription in account.having("subscription", "customer", customer["id"]):
        if subscription["status"] != "canceled":
            cancel_now(account, subscription)
    return account.remove(customer, "customer.deleted", remembered=True)


def _create_transaction(account: Account, ask: Ask) -> Body:
    customer = account.get("customer", ask.id)
    about = {"description": ask.get("description"), "metadata": new_metadata(ask.given)}
    transaction = change_balance(
        account, customer, ask["amount"], "adjustment", currency=ask["currency"].lower(), **about
    )
    account.save(customer, "customer.updated")
    return transaction


def _retrieve_transaction(account: Account, ask: Ask) -> Body:
    transaction = account.get("customer_balance_transaction", ask.ids["transaction"])
    refuse_unless(transaction["customer"] == ask.id, "The transaction belongs to another customer.")
    return transaction


def _take_over(customer: Body, ask: Ask) -> None:
    if ask.get("email") and not _EMAIL.fullmatch(ask["email"]):
        raise ParameterError(f"Invalid email address: {ask['email']}", code="email_invalid", param="email")
    merge(customer, ask, *_PLAIN, "next_invoice_sequence")
    if "invoice_prefix" in ask:
        if not re.fullmatch(r"[A-Z0-9]{3,12}", ask["invoice_prefix"] or ""):
            message = "Invoice prefix must be 3 to 12 uppercase letters or numbers."
            raise ParameterError(message, param="invoice_prefix")
        customer["invoice_prefix"] = ask["invoice_prefix"]
    for name in ("address", "shipping"):
        if name in ask:
            customer[name] = _whole(name, ask[name])


def _whole(name: str, given: Body | None) -> Body | None:
    if given is None:
        return None
    if name == "shipping":
        return {"address": _whole("address", given["address"]), "name": given["name"], "phone": given.get("phone")}
    return {part: given.get(part) for part in ADDRESS.split()}


def _settle(account: Account, customer: Body, settings: Body) -> None:
    """Take over ``invoice_settings``; a default payment method must be attached to the customer."""
    method = settings.get("default_payment_method")
    if method and (account.find("payment_method", method) or {}).get("customer") != customer["id"]:
        raise StripeError(
            f"The customer does not have a payment method with the ID {method}. The payment method must be attached "
            "to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )
    customer["invoice_settings"].update(settings)


def _blank(account: Account) -> Body:
    identity = account.new_id("cus")
    return {
        "id": identity,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": account.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": identity[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


OPERATIONS = (
    operation("POST", "/v1/customers", create, f"{_PARAMETERS} payment_method tax_id_data[]{{type! value!}}"),
    searching("/v1/customers", "customer"),
    listing("/v1/customers", "customer", "created:range email"),
    operation("GET", "/v1/customers/{id}", retrieve),
    operation("POST", "/v1/customers/{id}", modify, _PARAMETERS),
    operation("DELETE", "/v1/customers/{id}", delete),
    operation(
        "POST",
        "/v1/customers/{id}/balance_transactions",
        _create_transaction,
        "amount!:int currency! description metadata:metadata",
    ),
    listing("/v1/customers/{id}/balance_transactions", "customer_balance_transaction", "created:range", customer="id"),
    operation("GET", "/v1/customers/{id}/balance_transactions/{transaction}", _retrieve_transaction),
)
