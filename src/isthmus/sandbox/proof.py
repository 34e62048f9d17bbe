"""The proof, from the systems' own books: nothing lost, nothing doubled, not a cent off. Knows JSON over HTTP, no more.

    python -m isthmus.sandbox.proof --sandbox http://127.0.0.1:8400 --parked parked.json

It reads what each system says it holds (``/_sandbox/<vendor>/books``, neutral rows, read by the vendor's own API) and
compares. ``--parked`` is a file or an address with the opportunities that wait for a person: a JSON list of numbers,
or of objects with ``business_key`` (as ``/api/exceptions`` and ``isthmus exceptions list --json`` have them).
Imports nothing of Isthmus but its own two parts, so that it cannot agree with its mistakes. Ends with 1 where a proof fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from isthmus.sandbox.credits import Credits
from isthmus.sandbox.verdict import Row, Verdict, equal, listed, number, said

__all__ = ["ROLES", "Verdict", "judge", "parked_numbers", "read_books", "roles_of"]
ROLES = ("crm", "erp", "billing", "support")
_TIMEOUT_S = 180.0


def judge(
    books: Mapping[str, Sequence[Row]],
    parked: Iterable[str] = (),
    *,
    asked: Iterable[str] | None = None,
    agreed: Iterable[str] = (),
) -> Verdict:
    """Compare the books of ``crm``, ``erp``, ``billing`` and ``support``.

    ``parked``: numbers of opportunities that wait for a person. ``asked`` narrows to some opportunities, for books
    that hold more than this play. ``agreed``: tickets whose credit somebody agreed to, so that there must be one.
    """
    found = _Audit(books, set(parked), None if asked is None else set(asked)).verdict()
    Credits(books, found).judge(set(agreed))
    return found


class _Audit:
    """One comparison."""

    def __init__(self, books: Mapping[str, Sequence[Row]], parked: set[str], asked: set[str] | None) -> None:
        self._books, self._parked = books, parked
        self._all_won = {str(row["key"]): row for row in self._rows("crm", "opportunity") if row["won"]}
        self._won = {key: row for key, row in self._all_won.items() if asked is None or key in asked}
        self._orders: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows("erp", "order"):
            if row["living"] and row["sender"]:
                self._orders[number(row["key"])].append(row)
        self._invoices: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows("billing", "invoice"):
            if row["living"]:
                self._invoices[str(row["order"])].append(row)
        self._legal: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows("erp", "invoice"):
            if not row["cancelled"]:
                self._legal[str(row["order"])].append(row)
        self._granted: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows("support", "entitlement"):
            self._granted[str(row["key"])].append(row)
        self._plans = {row["key"]: row["plan"] for row in self._rows("crm", "product") if row["plan"]}
        self._sums: dict[str, Decimal] = defaultdict(Decimal)
        self._verdict = Verdict()

    def verdict(self) -> Verdict:
        """Judge every opportunity, then what nobody asked for, then the masters."""
        found = self._verdict
        found.opportunities = len(self._won)
        for key, opportunity in sorted(self._won.items()):
            orders = self._orders.get(key, [])
            if len(orders) > 1:
                found.doubled += len(orders) - 1
                found.findings.append(f"{key} has {len(orders)} living orders: {listed(orders)}")
            if key in self._parked:
                found.parked += 1
            elif not orders:
                found.lost += 1
                found.findings.append(f"{key} is won, but has no order and is not parked")
            else:
                self._judge_order(key, opportunity, orders[0])
        self._unasked()
        self._masters()
        found.sums = {currency: f"{amount:f}" for currency, amount in sorted(self._sums.items())}
        return found

    def _judge_order(self, key: str, opportunity: Row, order: Row) -> None:
        found, before = self._verdict, len(self._verdict.findings)
        self._equal(f"order {order['id']} of {key}, net", opportunity, "amount", order, "net_amount")
        gross = Decimal(order["net_amount"]) + Decimal(order["tax_amount"])
        invoices = self._invoices.get(str(order["id"]), [])
        if not invoices:
            found.lost += 1
            found.findings.append(f"order {order['id']} of {key} has no invoice that asks for its money")
        if len(invoices) > 1:
            found.doubled += len(invoices) - 1
            found.findings.append(
                f"order {order['id']} of {key} has {len(invoices)} living invoices: {listed(invoices)}"
            )
        for invoice in invoices[:1]:
            asked = {"amount": f"{gross:f}", "currency": order["currency"]}
            if self._equal(f"invoice {invoice['id']} of {key}", asked, "amount", invoice, "total"):
                found.invoices_equal += 1
                self._sums[str(invoice["currency"])] += Decimal(invoice["total"])
        self._judge_legal(key, opportunity, order, gross)
        self._judge_entitlement(key, opportunity)
        if str(opportunity["order_number"]) != str(order["id"]):
            found.unreported += 1
            found.findings.append(f"{key} says order {opportunity['order_number'] or 'none'}, it is {order['id']}")
        if len(found.findings) == before:
            found.completed += 1

    def _judge_legal(self, key: str, opportunity: Row, order: Row, gross: Decimal) -> None:
        """Where the ledger has invoiced, it invoiced the order once and whole, and the salespeople know the number."""
        legal, found = self._legal.get(str(order["id"]), []), self._verdict
        if not legal:
            return
        if len(legal) > 1 and sum(Decimal(row["gross_amount"]) for row in legal) > gross:
            found.doubled += len(legal) - 1
            found.findings.append(f"order {order['id']} of {key} is invoiced {len(legal)} times: {listed(legal)}")
            return
        asked = {"amount": f"{gross:f}", "currency": order["currency"]}
        whole = {"total": f"{sum(Decimal(r['gross_amount']) for r in legal):f}", "currency": legal[0]["currency"]}
        self._equal(f"legal invoice {listed(legal)} of {key}", asked, "amount", whole, "total")
        numbers = {str(row["id"]) for row in legal}
        if unnumbered := [one for one in self._invoices.get(str(order["id"]), []) if not numbers & said(one)]:
            found.unreported += 1
            found.findings.append(
                f"invoice {listed(unnumbered)} of {key} does not say its legal number {listed(legal)}"
            )
        elif str(opportunity["legal_invoice_number"]) not in numbers:
            found.unreported += 1
            found.findings.append(f"{key} does not know its legal invoice {listed(legal)}")
        else:
            found.numbered += 1

    def _judge_entitlement(self, key: str, opportunity: Row) -> None:
        plans = {
            str(self._plans[line["product"]]).lower() for line in opportunity["lines"] if line["product"] in self._plans
        }
        if not plans:
            return
        found = self._verdict
        granted = self._granted.get(str(opportunity["customer"]), [])
        if not granted:
            found.lost += 1
            found.findings.append(
                f"{key} sold plan {', '.join(sorted(plans))}, but {opportunity['customer']} has no entitlement"
            )
            return
        if len(granted) > 1:
            found.doubled += len(granted) - 1
            found.findings.append(f"{opportunity['customer']} has {len(granted)} entitlements: {listed(granted)}")
        sold = self._sold_plans(str(opportunity["customer"]))
        if str(granted[0]["plan"]).lower() not in sold:
            found.lost += 1
            found.findings.append(
                f"{opportunity['customer']} has plan {granted[0]['plan']}, sold were {', '.join(sorted(sold))}"
            )
            return
        if not opportunity["entitlement_until"]:
            found.unreported += 1
            found.findings.append(f"{key} does not know until when its plan lasts")
            return
        found.entitlements += 1

    def _sold_plans(self, customer: str) -> set[str]:
        rows = [row for row in self._all_won.values() if row["customer"] == customer]
        return {
            str(self._plans[line["product"]]).lower()
            for row in rows
            for line in row["lines"]
            if line["product"] in self._plans
        }

    def _unasked(self) -> None:
        """Documents of ours that belong to nothing that was won."""
        found = self._verdict
        known = {str(row["id"]) for rows in self._orders.values() for row in rows}
        for key, orders in self._orders.items():
            if key not in self._all_won:
                found.unasked += len(orders)
                found.findings.append(f"order {listed(orders)} stands for {key or 'nothing'}, which is not won")
        for order, invoices in self._invoices.items():
            if order and order not in known:
                found.unasked += len(invoices)
                found.findings.append(f"invoice {listed(invoices)} asks for order {order}, which does not live")

    def _masters(self) -> None:
        """Nobody may stand twice in one system under one key."""
        for role in ROLES:
            keys = Counter((row.get("account", ""), row["key"]) for row in self._rows(role, "customer") if row["key"])
            for (account, key), count in keys.items():
                if count > 1:
                    self._verdict.doubled += count - 1
                    self._verdict.findings.append(
                        f"customer {key} stands {count} times in {role}{f' {account}' if account else ''}"
                    )

    def _equal(self, what: str, one: Row, first: str, other: Row, second: str) -> bool:
        return equal(self._verdict, what, one, first, other, second)

    def _rows(self, role: str, kind: str) -> Iterator[Row]:
        return (row for row in self._books.get(role, ()) if row["kind"] == kind)


def roles_of(books: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Which vendor plays which role, told by what stands in its books: role → vendor. Raises ValueError."""
    found: dict[str, str] = {}
    for vendor, rows in books.items():
        kinds = {row["kind"] for row in rows}
        if "opportunity" in kinds:
            role = "crm"
        elif kinds & {"entitlement", "user", "ticket"}:
            role = "support"
        else:
            role = "billing" if any("account" in row for row in rows) else "erp"
        if role in found:
            raise ValueError(f"both {found[role]} and {vendor} look like the {role}; say which with --{role}")
        found[role] = vendor
    if missing := [role for role in ROLES if role not in found]:
        raise ValueError(f"no books look like the {', '.join(missing)}'s; there are {', '.join(books) or 'none'}")
    return found


def read_books(sandbox: str, roles: Mapping[str, str] | None = None) -> dict[str, Sequence[Row]]:
    """The books by role, read from a running sandbox. ``roles``: role → vendor, where it cannot be told."""
    vendors = set(roles.values()) if roles else set(_get(f"{sandbox}/_sandbox")["vendors"])
    books = {vendor: _get(f"{sandbox}/_sandbox/{vendor}/books") for vendor in sorted(vendors)}
    return {role: books[vendor] for role, vendor in (roles or roles_of(books)).items()}


def parked_numbers(found: Any) -> set[str]:
    """Opportunity numbers of a parked list: plain, or objects with ``business_key``, bare or below ``exceptions``."""
    rows = found.get("exceptions", []) if isinstance(found, dict) else found
    return {number(row if isinstance(row, str) else row.get("business_key") or "") for row in rows} - {""}


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - an address we were given
        return json.loads(answer.read())


def _read_parked(place: str | None) -> set[str]:
    if not place:
        return set()
    return parked_numbers(_get(place) if "://" in place else json.loads(Path(place).read_text("utf-8")))


def main(arguments: Sequence[str] | None = None) -> int:
    """The program: prints one JSON object; 0 where everything holds."""
    parser = argparse.ArgumentParser(prog="isthmus.sandbox.proof", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sandbox", required=True, help="address of a running sandbox")
    parser.add_argument("--parked", help="file or address with what waits for a person")
    parser.add_argument("--asked", help="only these opportunities, with commas")
    for role in ROLES:
        parser.add_argument(f"--{role}", help=f"vendor that plays the {role}")
    given = parser.parse_args(arguments)
    named = {role: getattr(given, role) for role in ROLES if getattr(given, role)}
    if named and len(named) < len(ROLES):
        parser.error("name all four systems, or none")
    asked = given.asked.split(",") if given.asked else None
    verdict = judge(read_books(given.sandbox.rstrip("/"), named or None), _read_parked(given.parked), asked=asked)
    print(json.dumps(verdict.to_json(), ensure_ascii=False, indent=2))  # noqa: T201 - this is a program
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
