"""The credits of a proof: what the ledger credits, billing gives back, once, to the cent, and somebody asked for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from isthmus.sandbox.verdict import Row, Verdict, equal, listed, number, said


class Credits:
    """Each credit of the ledger is billing's, once and to the cent, and a disputing customer asked for it."""

    def __init__(self, books: Mapping[str, Sequence[Row]], found: Verdict) -> None:
        self._books, self._found = books, found
        self._disputed = {str(row["id"]): row for row in self._rows("support", "ticket") if row["dispute_reason"]}
        self._requests = _grouped((row for row in self._rows("erp", "credit_request") if row["living"]), "key")
        self._memos = _grouped((row for row in self._rows("erp", "credit_note") if not row["cancelled"]), "order")
        known = {str(row["id"]) for rows in self._requests.values() for row in rows}
        notes = (row for row in self._rows("billing", "credit_note") if row["living"])
        #: a note names the ledger's request among what was noted on it
        self._notes = _grouped(({**row, "request": max(known & said(row), default="")} for row in notes), "request")

    def judge(self, agreed: set[str]) -> None:
        """Every dispute's credit, then what nobody asked for, then the money of the invoices."""
        found = self._found
        found.disputes = len(self._disputed)
        for key, requests in self._requests.items():
            self._judge_credit(key, requests)
        if unasked := self._notes.get(""):
            self._tell(
                "unasked", f"credit notes {listed(unasked)} of billing stand for nothing in the ledger", len(unasked)
            )
        known = {str(row["id"]) for rows in self._requests.values() for row in rows}
        for request in self._memos.keys() - known:
            self._tell("unasked", f"credit memo {listed(self._memos[request])} stands for no living request")
        credited = {_ticket(key) for key, rows in self._requests.items() if not all(row["blocked"] for row in rows)}
        for ticket in sorted(agreed - credited):
            self._tell("lost", f"a credit was agreed to for ticket {ticket}, but the ledger has released none")
        self._money()

    def _judge_credit(self, key: str, requests: Sequence[Row]) -> None:
        found, before, request = self._found, len(self._found.findings), requests[0]
        notes, memos = self._notes.get(str(request["id"]), []), self._memos.get(str(request["id"]), [])
        ticket = self._disputed.get(_ticket(key))
        if ticket is None or ticket["invoice_number"] not in ("", request["invoice"]):
            self._tell(
                "unasked", f"credit {request['id']} ({key}) is no answer to a disputed invoice {request['invoice']}"
            )
        for what, rows in (("requests", requests), ("credit memos", memos), ("credit notes", notes)):
            if len(rows) > 1:
                self._tell("doubled", f"{key} has {len(rows)} {what}: {listed(rows)}", len(rows) - 1)
        if request["blocked"]:
            if notes or memos:
                self._tell("unasked", f"{key} is held back, but {listed([*notes, *memos])} credits it already")
            return
        if not notes:
            self._tell("lost", f"credit {request['id']} ({key}) of the ledger has no credit note at billing")
            return
        equal(found, f"credit note {notes[0]['id']} of {key}, net", request, "net_amount", notes[0], "net")
        for memo in memos[:1]:
            equal(found, f"credit note {notes[0]['id']} of {key}", memo, "gross_amount", notes[0], "total")
        found.credited += len(found.findings) == before

    def _money(self) -> None:
        """What was paid, less what went back, and what is still due come to what was asked for, less the credits."""
        paid, credits = (_grouped(self._rows("billing", kind), "invoice") for kind in ("payment", "credit_note"))
        for invoice in self._rows("billing", "invoice"):
            notes = [note for note in credits.get(str(invoice["id"]), []) if note["living"]]
            if notes:
                refunded, credit = _sum(notes, "refunded"), _sum(notes, "total")
                wanted = {**invoice, "is": Decimal(invoice["total"]) - credit}
                made = {
                    **invoice,
                    "is": _sum(paid.get(str(invoice["id"]), []), "amount") - refunded + Decimal(invoice["due"]),
                }
                equal(self._found, f"paid and due of credited invoice {invoice['id']}", wanted, "is", made, "is")
        back = _grouped(self._rows("billing", "refund"), "currency")
        noted = _grouped((row for rows in self._notes.values() for row in rows), "currency")
        for currency in back.keys() | noted.keys():
            given = {"currency": currency, "is": _sum(back.get(currency, []), "amount")}
            wanted = {"currency": currency, "is": _sum(noted.get(currency, []), "refunded")}
            equal(self._found, f"refunds in {currency}, by the credit notes", wanted, "is", given, "is")

    def _tell(self, what: str, sentence: str, times: int = 1) -> None:
        setattr(self._found, what, getattr(self._found, what) + times)
        self._found.findings.append(sentence)

    def _rows(self, role: str, kind: str) -> Iterator[Row]:
        return (row for row in self._books.get(role, ()) if row["kind"] == kind)


def _ticket(key: str) -> str:
    """``21`` of ``ISTHMUS-21``: a credit says which ticket it answers."""
    return number(key).rpartition("-")[2]


def _grouped(rows: Iterable[Row], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row[name])].append(row)
    return found


def _sum(rows: Iterable[Row], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal(0))
