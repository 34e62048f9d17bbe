"""Disputes of the sample company: something sold, delivered and billed, and a customer who does not agree."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.support.whole import Whole

PROCESS = "case-to-credit"


async def sold(w: Whole, key: str = "OPP-1001", *, proved: bool = False) -> dict[str, Any]:
    """Sell, deliver and bill an opportunity: the ledger's invoice, as its books have it."""
    await w.win(key)
    await w.until(key, "done", timeout_s=40)
    (order,) = [each for each in await w.books("sap_s4hana", "order", key) if each["living"]]
    delivery = await w.desk("sap_s4hana/play/deliver", {"order": order["id"]})
    await w.desk("sap_s4hana/play/goods_issue", {"order": order["id"]})
    if proved:
        await w.desk("sap_s4hana/play/prove_delivery", {"delivery": delivery["delivery"]})
    made = (await w.desk("sap_s4hana/play/billing_run", {"order": order["id"]}))["billing_documents"][0]
    (invoice,) = [each for each in await w.books("sap_s4hana", "invoice") if each["id"] == made]
    return {**invoice, "opportunity": key}


async def buyer(w: Whole, key: str = "OPP-1001") -> str:
    """The customer's key of an opportunity, by which the desk knows it."""
    (deal,) = await w.books("salesforce", "opportunity", key)
    return str(deal["customer"])


async def disputed(w: Whole, invoice: dict[str, Any], **form: Any) -> str:
    """The customer disputes an invoice by the form; the ticket's number."""
    given = {
        "customer": await buyer(w, invoice["opportunity"]),
        "invoice_number": invoice["id"],
        **{name: str(value) for name, value in form.items()},
    }
    ticket = await w.desk("zendesk/play/open_dispute", given)
    return str(ticket["ticket"])


async def started(w: Whole, ticket: str) -> str:
    """Start the process for a ticket by the API; the run's id."""
    body = {"case": {"connection": "zendesk", "id": ticket}}
    status, run = await w.call("POST", f"/api/process/{PROCESS}", body)
    assert status == 202, run
    return str(run["run"])


async def until(w: Whole, ticket: str, *states: str, timeout_s: float = 40) -> Any:
    """The run of a ticket, once it is let go in one of these states."""
    return await w.until(ticket, *states, process=PROCESS, timeout_s=timeout_s)


async def ticket_of(w: Whole, ticket: str) -> dict[str, Any]:
    """A ticket as the desk has it, with what was said: ``internal`` and ``public``."""
    (row,) = [each for each in await w.books("zendesk", "ticket") if str(each["id"]) == ticket]
    said = await w.desk(f"zendesk/show/comment/{ticket}")
    internal = [each["body"] for each in said if not each["public"]]
    public = [each["body"] for each in said if each["public"]]
    return {**row, "internal": internal, "public": public}


async def credits_of(w: Whole, invoice: str) -> list[dict[str, Any]]:
    """The ledger's living credit requests of an invoice."""
    return [r for r in await w.books("sap_s4hana", "credit_request") if r["invoice"] == invoice and r["living"]]


async def credit_notes(w: Whole) -> list[dict[str, Any]]:
    """Billing's credit notes that are not void."""
    return [each for each in await w.books("stripe", "credit_note") if each["status"] != "void"]


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    """The sum of a column."""
    return sum((Decimal(row[name]) for row in rows), Decimal(0))
