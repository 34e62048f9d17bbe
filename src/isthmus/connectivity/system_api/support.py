"""Customer support: who is entitled to which help, and the cases they open."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from isthmus.connectivity.system_api.operation import CustomerSearch, Operation, Search
from isthmus.model import Case, Customer, Entitlement, Link, Reference


class EntitlementGrant(BaseModel):
    """An entitlement with the customer and people it is for, so that the desk knows them when they write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entitlement: Entitlement
    customer: Customer
    request_number: str
    order_number: str


class CustomerStanding(BaseModel):
    """How a customer's orders and invoices stand, in words for the desk. What is absent is cleared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer: Link
    open_orders: str | None = None
    next_delivery: date | None = None
    open_amount: str | None = None
    overdue_amount: str | None = None


class CaseSearch(Search):
    """Which cases to look for: also those of one customer."""

    customer: Link | None = None


class CaseNote(BaseModel):
    """Something said in a case, and where the case stands then. ``status`` absent: it stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: Reference
    text: str
    public: bool
    status: Literal["open", "waiting_customer", "waiting_internal", "solved"] | None = None


grant_entitlement: Operation[EntitlementGrant, Entitlement] = Operation(
    "support", "grant_entitlement", EntitlementGrant, Entitlement, writes=True
)
#: undoes a grant: takes what the grant answered
revoke_entitlement: Operation[Entitlement, Entitlement] = Operation(
    "support", "revoke_entitlement", Entitlement, Entitlement, writes=True
)
read_customer: Operation[Link, Customer] = Operation("support", "read_customer", Link, Customer)
#: a customer by the desk's own id
read_account: Operation[Reference, Customer] = Operation("support", "read_account", Reference, Customer)
search_customers: Operation[CustomerSearch, tuple[Customer, ...]] = Operation(
    "support", "search_customers", CustomerSearch, Customer, many=True
)
report_standing: Operation[CustomerStanding, Reference] = Operation(
    "support", "report_standing", CustomerStanding, Reference, writes=True
)
read_case: Operation[Reference, Case] = Operation("support", "read_case", Reference, Case)
search_cases: Operation[CaseSearch, tuple[Case, ...]] = Operation(
    "support", "search_cases", CaseSearch, Case, many=True
)
create_case: Operation[Case, Case] = Operation("support", "create_case", Case, Case, writes=True)
update_case: Operation[Case, Case] = Operation("support", "update_case", Case, Case, writes=True)
#: what only our own people read
add_note: Operation[CaseNote, Reference] = Operation("support", "add_note", CaseNote, Reference, writes=True)
#: what the customer reads
reply: Operation[CaseNote, Reference] = Operation("support", "reply", CaseNote, Reference, writes=True)
