"""Credit management: a customer's limit against the value of open orders and open invoices.

Amounts count in the currency of the limit; documents in another currency are not checked, because this system
holds no exchange rates.
"""

from __future__ import annotations

from decimal import Decimal

from isthmus.connectors.erp.sap_s4hana.sandbox.system import System

OK, EXCEEDED, RELEASED, NOT_CHECKED = "A", "B", "D", ""
_TABLE = """
CREATE TABLE IF NOT EXISTS _exposure (document TEXT PRIMARY KEY, customer TEXT NOT NULL, kind TEXT NOT NULL,
  amount TEXT NOT NULL) WITHOUT ROWID;
"""


class Credit:
    """Limits and what uses them up."""

    def __init__(self, system: System) -> None:
        self._world = system.world
        self._world.script(_TABLE)

    def check(self, customer: str, currency: str, amount: Decimal) -> str:
        """The status of a new order of this amount: A is in order, B exceeds the limit, '' was not checked."""
        row = self._world.row("SELECT * FROM _credit WHERE customer = ?", (customer,))
        if row is None or row["currency"] != currency:
            return NOT_CHECKED
        used = Decimal(row["orders"]) + Decimal(row["receivables"])
        return OK if used + amount <= Decimal(row["credit_limit"]) else EXCEEDED

    def note(self, document: str, kind: str, customer: str, currency: str, amount: Decimal) -> None:
        """Set what a document uses; ``kind`` is ``orders`` or ``receivables``; 0 ends it."""
        row = self._world.row("SELECT * FROM _credit WHERE customer = ?", (customer,))
        if row is None or row["currency"] != currency:
            return
        before = self._world.value("SELECT amount FROM _exposure WHERE document = ?", (document,))
        used = Decimal(row[kind]) + amount - Decimal(before or 0)
        column = "orders" if kind == "orders" else "receivables"
        self._world.update("_credit", {column: str(used)}, {"customer": customer})
        self._world.execute(
            "INSERT OR REPLACE INTO _exposure VALUES (?, ?, ?, ?)", (document, customer, kind, str(amount))
        )
