"""How an order stands, in words: from line quantities, deliveries and invoices, never from a header's word.

Everything here is computed from what is true now, so that late, repeated and reversed events end in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from isthmus.model import Delivery, Invoice, Money, Order
from isthmus.model.order import OrderLine

_ZERO = Decimal(0)


def order_word(order: Order, deliveries: Sequence[Delivery]) -> str:
    """The whole order in customers' words; "partly" where its lines differ."""
    words = {line_word(line, order, deliveries) for line in _goods(order)}
    living = words - {"cancelled"}
    if not living:
        return "cancelled"
    if len(living) == 1:
        return "held" if order.holds and living <= {"confirmed", "back-ordered"} else living.pop()
    if living & {"shipped", "delivered", "partly shipped", "partly delivered"}:
        return "partly shipped" if living - {"delivered", "partly delivered"} - {"shipped"} else "partly delivered"
    return "held" if order.holds else "partly back-ordered"


def line_word(line: OrderLine, order: Order, deliveries: Sequence[Delivery]) -> str:
    """One line in customers' words."""
    wanted = line.ordered - (line.cancelled or _ZERO)
    shipped, arrived = line.shipped or _ZERO, delivered(line, order, deliveries)
    if wanted <= 0 and shipped == 0:
        return "cancelled"
    if shipped >= wanted:
        return "delivered" if arrived >= wanted else "partly delivered" if arrived else "shipped"
    if shipped > 0:
        return "partly shipped"
    return "confirmed" if line.confirmed is None or line.confirmed >= wanted else "back-ordered"


def delivered(line: OrderLine, order: Order, deliveries: Sequence[Delivery]) -> Decimal:
    """What the customer has confirmed of a line."""
    if line.delivered is not None:
        return line.delivered
    parts = (
        part.quantity.value
        for each in deliveries
        if each.status == "delivered"
        for part in each.lines
        if part.order.number == order.number and part.order_line in (line.id, str(line.position))
    )
    return sum(parts, _ZERO)


def next_date(order: Order) -> date | None:
    """The day on which more is to leave; None where nothing more will, or nothing is promised."""
    dates = [
        part.confirmed_date
        for line in _items(order)
        if line.open > 0
        for part in line.schedule
        if part.confirmed_date and (part.confirmed_quantity or _ZERO) > (part.delivered_quantity or _ZERO)
    ]
    return min(dates, default=None)


def sentence(order: Order, deliveries: Sequence[Delivery], invoices: Sequence[Invoice], today: date) -> str:
    """Everything about an order in one line: lines that differ, parcels, money."""
    parts = [_line(line, order, deliveries) for line in _items(order)]
    parcels = [
        _parcel(each) for each in sorted(deliveries, key=lambda d: d.number) if each.packages and each.shipped_at
    ]
    money = [_money_of(each, today) for each in sorted(invoices, key=lambda i: i.number or "")]
    holds = [f"held: {hold.reason or hold.kind}" for hold in order.holds]
    return "; ".join([*holds, *parts, *parcels, *money])


def open_line(order: Order, deliveries: Sequence[Delivery]) -> str:
    """One open order in the desk's list."""
    day = next_date(order)
    return f"{order.number} {order_word(order, deliveries)}" + (f", next {day.isoformat()}" if day else "")


def sums(amounts: Iterable[Money]) -> str | None:
    """``1190.00 EUR + 20 JPY``; None where nothing is left."""
    found: dict[str, Money] = {}
    for each in amounts:
        found[each.currency] = found.get(each.currency, Money.zero(each.currency)) + each
    return " + ".join(shown(found[name]) for name in sorted(found) if found[name].amount) or None


def shown(money: Money) -> str:
    """``1190.00 EUR``."""
    return f"{money.amount:f} {money.currency}"


def is_open(order: Order) -> bool:
    """Whether anybody still waits for something of it."""
    return order.status not in ("completed", "cancelled", "rejected")


def _items(order: Order) -> list[OrderLine]:
    return [line for line in order.lines if line.kind != "text"]


def _goods(order: Order) -> list[OrderLine]:
    """What is delivered by schedule, if anything is; a service leaves no house."""
    items = _items(order)
    return [line for line in items if line.schedule] or items


def _line(line: OrderLine, order: Order, deliveries: Sequence[Delivery]) -> str:
    name = (line.product.number if line.product else None) or line.name
    counts = [
        ("delivered", delivered(line, order, deliveries)),
        ("shipped", line.shipped or _ZERO),
        ("cancelled", line.cancelled or _ZERO),
    ]
    said = [f"{count:f} of {line.ordered:f} {word}" for word, count in counts if count]
    if said and said[0].endswith("delivered") and counts[0][1] == counts[1][1]:
        del said[1]  # what is delivered was shipped
    lacking = line.ordered - (line.cancelled or _ZERO) - max(line.shipped or _ZERO, line.confirmed or _ZERO)
    if line.confirmed is not None and lacking > 0:
        said.append(f"{lacking:f} back-ordered")
    return f"{name}: {', '.join(said) or f'{line.ordered:f} confirmed'}"


def _parcel(delivery: Delivery) -> str:
    parcel = delivery.packages[0]
    return " ".join(part for part in (parcel.carrier, parcel.tracking_number) if part)


def _money_of(invoice: Invoice, today: date) -> str:
    total, name = shown(invoice.totals.payable_amount), f"invoice {invoice.number}"
    if invoice.status == "paid":
        return f"{name} paid {total}"
    if invoice.status in ("void", "uncollectible"):
        return f"{name} {invoice.status}"
    open_ = shown(invoice.settlement.open) if invoice.settlement else total
    return f"{name} {'overdue' if invoice.is_overdue(today) else 'open'} {open_}"
