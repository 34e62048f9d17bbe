"""An invoice's life: draft, open, paid; or void, or uncollectible.

docs.stripe.com/invoicing/overview#lifecycle. Finalizing numbers the invoice and applies the customer's balance. Where it
advances by itself (``auto_advance``) and is charged automatically, payment is attempted at once, not an hour later; a
card that declines leaves it open. Paying a draft finalizes it first.
"""

from __future__ import annotations

from .account import Account, Body
from .customer_balance import change_balance
from .errors import Declined, StripeError
from .invoice_payments import (
    close_payment,
    default_method,
    open_payment,
    pay_outside,
    pay_with,
    settle,
)
from .invoice_sums import set_due
from .money import checked_amount
from .operation import Ask, operation, refuse_unless
from .payment_methods import resolved


def finalize(account: Account, ask: Ask) -> Body:
    """Make a draft an invoice."""
    invoice = account.get("invoice", ask.id)
    refuse_unless(
        invoice["status"] == "draft",
        "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
        "invoice_not_editable",
    )
    if "auto_advance" in ask:
        invoice["auto_advance"] = ask["auto_advance"]
    finalized(account, invoice)
    collect(account, invoice)
    return invoice


def finalized(account: Account, invoice: Body) -> None:
    """Number the invoice, apply the balance, open its payment; one that nothing is due of is paid."""
    checked_amount(invoice["total"], invoice["currency"], "total")
    customer = account.get("customer", invoice["customer"])
    _apply_balance(account, invoice, customer)
    if invoice["number"] is None:
        invoice["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
        customer["next_invoice_sequence"] += 1
    account.save(customer)
    page = f"{account.root}/i/{account.id}/{invoice['id']}"
    invoice |= {
        "status": "open",
        "automatically_finalizes_at": None,
        "effective_at": invoice["effective_at"] or account.now,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
    }
    invoice["status_transitions"]["finalized_at"] = account.now
    if invoice["amount_due"]:
        open_payment(account, invoice)
        account.save(invoice, "invoice.finalized", "invoice.updated")
    else:
        settle(account, invoice, 0, "invoice.finalized")


def collect(account: Account, invoice: Body) -> Declined | None:
    """Attempt payment of an open invoice that advances by itself and is charged automatically."""
    automatic = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"
    if not automatic or invoice["status"] != "open":
        return None
    method = default_method(account, invoice)
    if method is not None:
        return pay_with(account, invoice, method)
    invoice |= {"attempted": True, "attempt_count": 1}
    account.save(invoice, "invoice.updated", "invoice.payment_failed")
    return Declined("There is no default payment method set on this Customer.", code="invoice_no_payment_method_types")


def pay(account: Account, ask: Ask) -> Body:
    """Pay an invoice with a payment method, or mark it paid outside Stripe. Raises Declined."""
    invoice = account.get("invoice", ask.id)
    if invoice["status"] == "draft":
        finalized(account, invoice)
        if invoice["status"] == "paid":
            return invoice
    refuse_unless(invoice["status"] != "paid", "Invoice is already paid")
    refuse_unless(
        invoice["status"] in ("open", "uncollectible"), f"An invoice that is {invoice['status']} cannot be paid."
    )
    if ask.get("paid_out_of_band"):
        pay_outside(account, invoice)
        return invoice
    given = ask.get("payment_method")
    method = resolved(account, given, "payment_method") if given else default_method(account, invoice)
    if method is None:
        raise StripeError(
            "There is no `default_payment_method` set on this Customer or Invoice. Please attach a payment method.",
            code="resource_missing",
            param="payment_method",
        )
    refuse_unless(
        method["customer"] in (None, invoice["customer"]),
        "The payment method is of another customer.",
        None,
        "payment_method",
    )
    declined = pay_with(account, invoice, method)
    if declined is not None:
        raise declined
    return invoice


def void(account: Account, ask: Ask) -> Body:
    """Void an open or uncollectible invoice; what it took of the customer's balance comes back."""
    invoice = account.get("invoice", ask.id)
    refuse_unless(
        invoice["status"] in ("open", "uncollectible"),
        f"You can only void invoices that are open or uncollectible; this one is {invoice['status']}.",
    )
    refuse_unless(not invoice["amount_paid"], "You cannot void an invoice that is paid in part.")
    close_payment(account, invoice, "void_invoice")
    if applied := (invoice["ending_balance"] or 0) - invoice["starting_balance"]:
        customer = account.get("customer", invoice["customer"])
        about = {"invoice": invoice["id"], "currency": invoice["currency"]}
        change_balance(account, customer, -applied, "unapplied_from_invoice", **about)
        account.save(customer, "customer.updated")
    invoice |= {"status": "void", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = account.now
    return account.save(invoice, "invoice.updated", "invoice.voided")


def mark_uncollectible(account: Account, ask: Ask) -> Body:
    """Give an open invoice up for the books; it can still be paid or voided."""
    invoice = account.get("invoice", ask.id)
    refuse_unless(
        invoice["status"] == "open",
        f"You can only mark open invoices as uncollectible; this one is {invoice['status']}.",
    )
    invoice |= {"status": "uncollectible", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["marked_uncollectible_at"] = account.now
    return account.save(invoice, "invoice.updated", "invoice.marked_uncollectible")


def send(account: Account, ask: Ask) -> Body:
    """Send an invoice by mail; a draft is finalized first."""
    invoice = account.get("invoice", ask.id)
    refuse_unless(
        invoice["collection_method"] == "send_invoice",
        "You can only manually send an invoice if its collection method is 'send_invoice'.",
    )
    refuse_unless(
        invoice["customer_email"],
        "Missing email. In order to send an invoice, its customer must have a valid email.",
        "parameter_missing",
        "email",
    )
    if invoice["status"] == "draft":
        finalized(account, invoice)
    refuse_unless(invoice["status"] not in ("void", "uncollectible"), f"Invoice is {invoice['status']}.")
    return account.save(invoice, "invoice.sent")


def _apply_balance(account: Account, invoice: Body, customer: Body) -> None:
    """The customer's credit pays first, their debt is added; a negative total becomes credit."""
    starting = customer["balance"] if customer["currency"] in (None, invoice["currency"]) else 0
    ending = min(invoice["total"] + starting, 0)
    if ending != starting:
        about = {"invoice": invoice["id"], "currency": invoice["currency"]}
        change_balance(account, customer, ending - starting, "applied_to_invoice", **about)
    invoice |= {"starting_balance": starting, "ending_balance": ending}
    set_due(invoice)


OPERATIONS = (
    operation("POST", "/v1/invoices/{id}/finalize", finalize, "auto_advance:bool"),
    operation(
        "POST",
        "/v1/invoices/{id}/pay",
        pay,
        "payment_method paid_out_of_band:bool off_session:bool forgive:bool mandate",
    ),
    operation("POST", "/v1/invoices/{id}/send", send),
    operation("POST", "/v1/invoices/{id}/void", void),
    operation("POST", "/v1/invoices/{id}/mark_uncollectible", mark_uncollectible),
)
