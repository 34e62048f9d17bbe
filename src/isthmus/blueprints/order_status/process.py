"""Order status: what happened since, told to the salesperson and the desk.

An event is only a hint. Each play reads what is true now, compares it with what stands, and writes the difference: so
late, repeated and reversed events end in the same truth, nothing is written twice, and our own writes come back as
events that change nothing. Since two plays may tell of one customer at the same time, what was written is looked at
once more: whoever wrote last has seen the truth of after his writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from pydantic import BaseModel, ConfigDict

from isthmus import Ask, Run, Search, billing, crm, erp, process, support
from isthmus.blueprints.order_status.standing import is_open, next_date, open_line, order_word, sentence, sums
from isthmus.model import Case, Customer, Delivery, Invoice, Link, Order, Payment, Reference

#: what was written is looked at again so often
_LOOKS = ("first", "second", "third")


class Truth(BaseModel):
    """An order with everything that is told of it."""

    model_config = ConfigDict(frozen=True)

    order: Order
    deliveries: tuple[Delivery, ...]
    invoices: tuple[Invoice, ...]


@process("order-status", version=1, starts_on="isthmus.order.changed.v1", again=True)
async def order_status(run: Run, order: Order) -> None:
    """Tell of an order that has changed. (Two orders may stand for one quote: each tells under its own number.)"""
    await told(run, order, run.opened_on, key=order.number or "")


@process("invoice-status", version=1, starts_on="isthmus.invoice.issued.v1", again=True)
async def invoice_status(run: Run, invoice: Invoice) -> None:
    """Tell of the order that an invoice bills; once more when it is due, should it be open then."""
    order = await run.step(order_of, invoice)
    if order is None:
        return
    await told(run, order, run.opened_on)
    due = max((each for each in (invoice.due_date, _terms(invoice)) if each), default=None)
    if due is None or due < run.opened_on:
        return
    morning = datetime.combine(due + timedelta(days=1), time(0), run.zone)
    await run.wait("due", until=morning, why=f"invoice {invoice.number} is due on {due.isoformat()}")
    await told(run, order, due + timedelta(days=1), key="after due")


@process("payment-status", version=1, starts_on="isthmus.payment.changed.v1", again=True)
async def payment_status(run: Run, payment: Payment) -> None:
    """Tell of the order that was paid, or was not."""
    number = payment.remittance[0].invoice if payment.remittance else ""
    order = await run.step(order_called, number)
    if order is not None:
        await told(run, order, run.opened_on)


@process("case-status", version=1, starts_on="isthmus.case.opened.v1", again=True)
async def case_status(run: Run, case: Case) -> None:
    """A new ticket that names an order learns how it stands."""
    number = next((link.number for link in case.links if link.kind == "order" and link.number), None)
    order = await run.step(order_called, number) if number else None
    if order is not None and case.source is not None:
        truth = await run.step(truth_of, order.source)
        await noted(run, case.source, truth, run.opened_on)


# Telling ------------------------------------------------------------------------------------------


async def told(run: Run, order: Order, today: date, key: str = "") -> None:
    """Tell the salesperson, the desk, and whoever has a ticket that asks about it."""
    assert order.source is not None
    truth = await in_crm(run, order.source, today, key)
    desk = await at_desk(run, truth, today, key)
    if desk is not None:
        asking = await run.step(cases_about, desk, truth.order, key=key)
        for case in asking:
            await noted(run, case, truth, today, key)


async def in_crm(run: Run, order: Reference, today: date, key: str) -> Truth:
    """What the opportunity says is true in the end; an order of no quote is told to nobody there."""
    for look in _LOOKS:
        truth = await run.step(truth_of, order, key=f"{key} {look}")
        report = report_of(truth, today)
        stands = await run.step(crm.read_order_report, Search(number=_quote_number(truth.order)), key=f"{key} {look}")
        if stands is None or stands == report.model_copy(update={"quote_id": stands.quote_id}):
            break
        if report.status == "cancelled" and stands.order_number not in (None, report.order_number):
            break  # the quote was won again since, and has another order
        news = report.model_copy(update={"quote_id": stands.quote_id})
        await run.step(crm.report_order, news, key=f"{key} {look}", stays="it tells what is")
    return truth


async def at_desk(run: Run, truth: Truth, today: date, key: str) -> Customer | None:
    """What the desk says of the customer is true in the end; None where the desk does not know the customer."""
    buyer = truth.order.partners.sold_to.customer
    if buyer is None or buyer.number is None:
        return None
    for look in _LOOKS:
        at = f"{key} {look}"
        desk = await run.step(desk_of, buyer.number, key=at)
        if desk is None or desk.id is None:
            return None
        link = Link(kind="customer", id=desk.id)
        standing = await run.step(standing_of, link, buyer.number, today, run.settings["orders_shown"], key=at)
        if stands_at(desk, link) == standing:
            return desk
        await run.step(support.report_standing, standing, key=at, stays="it tells what is")
    return desk


async def noted(run: Run, case: Reference, truth: Truth, today: date, key: str = "") -> None:
    """The last note of ours in a ticket says how the order stands."""
    begins = f"Order {truth.order.number}: "
    text = f"{begins}{order_word(truth.order, truth.deliveries)}. {_sentence(truth, today)}"
    last = await run.step(last_note, case, begins, key=f"{key} {case.id}")
    if last != text:
        note = support.CaseNote(case=case, text=text, public=False)
        await run.step(support.add_note, note, key=f"{key} {case.id}", stays="it tells what is")


# What is true -------------------------------------------------------------------------------------


async def truth_of(ask: Ask, order: Reference) -> Truth:
    """An order as it is now, with its deliveries and the invoices that ask for its money.

    Of one that was cancelled, the order that stands for the same request: a repeat in doubt may have made a second one.
    """
    found = await ask(erp.read_order, order)
    if found.request_number and order_word(found, ()) == "cancelled":
        same = await ask(erp.search_orders, Search(request_number=found.request_number, limit=10))
        living = [each for each in same if order_word(each, ()) != "cancelled"]
        found = min(living, key=lambda each: each.number or "", default=found)
        order = found.source or order
    deliveries, invoices = await asyncio.gather(
        ask(erp.search_deliveries, order), ask(billing.search_invoices, Search(request_number=found.request_number))
    )
    return Truth(order=found, deliveries=deliveries, invoices=invoices)


def report_of(truth: Truth, today: date) -> crm.OrderReport:
    """What the salesperson is told."""
    order = truth.order
    return crm.OrderReport(
        request_number=_quote_number(order),
        order_number=order.number,
        status=order_word(order, truth.deliveries),
        next_date=next_date(order),
        note=_sentence(truth, today)[:255],
    )


async def standing_of(ask: Ask, customer: Link, number: str, today: date, most: int) -> support.CustomerStanding:
    """What the desk is told of a customer: open orders, the next delivery, what is open and overdue."""
    orders, invoices = await asyncio.gather(
        ask(erp.search_orders, Search(customer_number=number, limit=50)),
        ask(billing.search_invoices, Search(customer_number=number, limit=100)),
    )
    waiting = sorted((each for each in orders if is_open(each)), key=lambda each: each.number or "")[-most:]
    sources = [each.source for each in waiting if each.source is not None]
    deliveries: Sequence[Sequence[Delivery]] = await asyncio.gather(*(ask(erp.search_deliveries, s) for s in sources))
    lines = [open_line(each, its) for each, its in zip(waiting, deliveries, strict=True)]
    owed = [each for each in invoices if each.status == "issued" and each.settlement is not None]
    return support.CustomerStanding(
        customer=customer,
        open_orders="\n".join(lines) or None,
        next_delivery=min((day for each in waiting if (day := next_date(each))), default=None),
        open_amount=sums(each.settlement.open for each in owed if each.settlement),
        overdue_amount=sums(each.settlement.open for each in owed if each.settlement and each.is_overdue(today)),
    )


def stands_at(desk: Customer, link: Link) -> support.CustomerStanding:
    """What the desk's customer says now."""
    said = {
        name: desk.extensions.get(name) for name in ("open_orders", "next_delivery", "open_amount", "overdue_amount")
    }
    return support.CustomerStanding.model_validate({"customer": link, **said})


# Finding ------------------------------------------------------------------------------------------


async def order_of(ask: Ask, invoice: Invoice) -> Order | None:
    """The order that a ledger's invoice bills."""
    number = next((link.number for link in invoice.orders if link.number), None)
    orders = await ask(erp.search_orders, Search(number=number, limit=1)) if number else ()
    return orders[0] if orders else None


async def order_called(ask: Ask, number: str) -> Order | None:
    """The order with this number, the ledger's or ours."""
    for search in (Search(number=number, limit=1), Search(request_number=number, limit=1)):
        if number and (orders := await ask(erp.search_orders, search)):
            return orders[0]
    return None


async def desk_of(ask: Ask, number: str) -> Customer | None:
    """The desk's customer behind the ledger's number: both have the key of the account."""
    accounts = await ask(crm.search_customers, crm.CustomerSearch(number=number, limit=1))
    key = accounts[0].extensions.get("account_key") if accounts else None
    desks = await ask(support.search_customers, crm.CustomerSearch(account_key=str(key), limit=1)) if key else ()
    return desks[0] if desks else None


async def cases_about(ask: Ask, desk: Customer, order: Order) -> tuple[Reference, ...]:
    """The open tickets of a customer that name an order, in a field or in words."""
    search = support.CaseSearch(customer=Link(kind="customer", id=desk.id), limit=50)
    names = {order.number, order.request_number}
    return tuple(
        case.source
        for case in await ask(support.search_cases, search)
        if case.source is not None
        and case.status not in ("solved", "closed")
        and (
            any(link.kind == "order" and link.number in names for link in case.links)
            or any(name and name in f"{case.subject} {case.description or ''}" for name in names)
        )
    )


async def last_note(ask: Ask, case: Reference, begins: str) -> str | None:
    """The last internal note that begins so."""
    found = await ask(support.read_case, case)
    notes = [each.text for each in found.messages if not each.public and each.text.startswith(begins)]
    return notes[-1] if notes else None


def _quote_number(order: Order) -> str:
    """Our key of an order without its generation, as the CRM knows it."""
    return order.request_number.partition("~")[0]


def _sentence(truth: Truth, today: date) -> str:
    return sentence(truth.order, truth.deliveries, truth.invoices, today)


def _terms(invoice: Invoice) -> date | None:
    days = invoice.payment_terms.net_days if invoice.payment_terms else None
    return invoice.issue_date + timedelta(days=days) if days is not None else None
