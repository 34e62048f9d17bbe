"""What people do at the support desk: customers write, agents answer, disputes are opened, tickets close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, iso
from isthmus.connectors.support.zendesk.sandbox.answers import sentence_of
from isthmus.connectors.support.zendesk.sandbox.fields import Fields
from isthmus.connectors.support.zendesk.sandbox.organizations import Organizations
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.connectors.support.zendesk.sandbox.seeding import AGENT_EMAIL, DISPUTE_FIELDS, DISPUTE_FORM
from isthmus.connectors.support.zendesk.sandbox.tables import key_of
from isthmus.connectors.support.zendesk.sandbox.ticketing import Ticketing
from isthmus.sandkit.routes import Refusal
from isthmus.sandkit.standin import Verb
from isthmus.sandkit.world import Row

Arguments = Mapping[str, str]
_NO = ("false", "no", "0")


class Play:
    """The verbs, over the same acts that callers use."""

    def __init__(
        self, account: Account, fields: Fields, organizations: Organizations, people: People, ticketing: Ticketing
    ) -> None:
        self._account, self._fields = account, fields
        self._organizations, self._people, self._ticketing = organizations, people, ticketing

    def verbs(self) -> Mapping[str, Verb]:
        """All verbs by name."""
        asked = ("customer", "email", "subject", "body", "priority", *DISPUTE_FIELDS)
        return {
            "open_ticket": Verb("a customer's person writes to support", asked, _plainly(self._open_ticket)),
            "open_dispute": Verb(
                "a customer disputes an invoice",
                ("customer", "email", "invoice_number", "reason", "body", *DISPUTE_FIELDS[1:2], *DISPUTE_FIELDS[3:]),
                _plainly(self._open_dispute),
            ),
            "comment": Verb(
                "somebody adds a comment (by: agent or customer)",
                ("ticket", "body", "by", "public"),
                _plainly(self._comment),
            ),
            "solve": Verb("an agent solves a ticket", ("ticket", "body"), _plainly(self._solve)),
            "close_solved": Verb(
                "solved tickets close, as the account does by itself after some days",
                ("days",),
                _plainly(self._close_solved),
            ),
            "add_person": Verb(
                "a person of a customer signs up", ("customer", "name", "email"), _plainly(self._add_person)
            ),
            "merge_organizations": Verb(
                "an administrator merges one organization into another", ("loser", "winner"), _plainly(self._merge)
            ),
        }

    def _open_ticket(self, given: Arguments) -> Row:
        subject = given.get("subject") or "Question"
        return self._open(given, {"subject": subject, "priority": given.get("priority")}, given)

    def _open_dispute(self, given: Arguments) -> Row:
        number, reason = given.get("invoice_number") or given.get("invoice") or "", given.get("reason") or "wrong_price"
        if not number:
            raise ValueError("open_dispute: invoice_number is missing; expected the number of the invoice")
        form = self._account.world.value(
            "SELECT id FROM ticket_form WHERE json_extract(body, '$.name') = ?", (DISPUTE_FORM,)
        )
        text = given.get("body") or f"We do not agree with invoice {number}: {reason.replace('_', ' ')}."
        ticket = {
            "subject": f"Invoice {number} is wrong",
            "ticket_form_id": form,
            "type": "problem",
            "priority": "high",
        }
        fields = {**given, "invoice_number": number, "dispute_reason": reason, "body": text}
        return self._open(given, ticket, fields)

    def _open(self, given: Arguments, ticket: Row, fields: Arguments) -> Row:
        person = self._person(given)
        values = {
            self._fields.named("ticket", name).handle: fields[name] for name in DISPUTE_FIELDS if fields.get(name)
        }
        asked = {**ticket, "custom_fields": values, "comment": {"body": fields.get("body") or str(ticket["subject"])}}
        made, _ = self._ticketing.create(asked, self._account.user_caller(person, "email"))
        return self._told(made)

    def _comment(self, given: Arguments) -> Row:
        ticket = self._ticket(given)
        by = given.get("by") or "customer"
        if by not in ("agent", "customer"):
            raise ValueError(f"comment: by={by!r} must be agent or customer")
        author = self._agent() if by == "agent" else self._people.one(ticket["requester_id"])
        comment = {"body": given.get("body") or "Is there any news?", "public": given.get("public", "true") not in _NO}
        caller = self._account.user_caller(author, "web" if by == "agent" else "email")
        return self._told(self._ticketing.update(ticket, {"comment": comment}, caller)[0])

    def _solve(self, given: Arguments) -> Row:
        asked: Row = {
            "status": "solved",
            "comment": {"body": given.get("body") or "This is solved. Thank you for asking."},
        }
        return self._told(
            self._ticketing.update(self._ticket(given), asked, self._account.user_caller(self._agent()))[0]
        )

    def _close_solved(self, given: Arguments) -> Row:
        """Closes what has been solved for ``days`` (0: everything that is solved)."""
        latest = self._account.clock.timestamp() - timedelta(days=float(given.get("days") or 0)).total_seconds()
        closed = [row for row in self._account.tickets.where("status = 'solved'") if row["solved_at"] <= iso(latest)]
        for row in closed:
            self._ticketing.update(row, {"status": "closed"}, Caller(-1, "admin", channel="rule"))
        return {"closed": [row["id"] for row in closed]}

    def _add_person(self, given: Arguments) -> Row:
        organization = self._organization(given.get("customer") or "")
        asked = {"name": given.get("name"), "email": given.get("email"), "organization_id": organization["id"]}
        made = self._people.create(asked)
        return {"user": made["id"], "email": made["email"], "customer": organization["external_id"]}

    def _merge(self, given: Arguments) -> Row:
        loser, winner = (self._organization(given.get(name) or "") for name in ("loser", "winner"))
        self._organizations.merge(loser, winner)
        return {"winner": winner["id"], "loser": loser["id"]}

    # Who and what is meant ------------------------------------------------------------------------

    def _organization(self, key: str) -> Row:
        shelf = self._account.organizations
        found = shelf.find("external_key", key_of(key)) or shelf.find("name_key", key_of(key))
        found = found or (shelf.get(int(key)) if key.isdigit() else None)
        if found is None:
            raise ValueError(f"there is no organization {key!r}; expected an external id, a name or an id")
        return found

    def _person(self, given: Arguments) -> Row:
        email, customer = given.get("email"), given.get("customer")
        if email and (known := self._people.by_email(email)):
            return known
        organization = self._organization(customer) if customer else None
        if email:
            name = email.partition("@")[0].replace(".", " ").title()
            return self._people.create(
                {"name": name, "email": email, **({"organization_id": organization["id"]} if organization else {})}
            )
        if organization is None:
            raise ValueError("who writes? expected customer (an organization) or email (a person)")
        people = self._account.users.where("organization_id = ?", (organization["id"],))
        if not people:
            raise ValueError(f"organization {organization['name']!r} has no person; name one by email")
        return people[0]

    def _ticket(self, given: Arguments) -> Row:
        key = given.get("ticket") or ""
        found = self._account.tickets.get(int(key)) if key.isdigit() else None
        if found is None:
            raise ValueError(f"there is no ticket {key!r}; expected its number")
        return found

    def _agent(self) -> Row:
        found = self._people.by_email(AGENT_EMAIL)
        if found is None:
            raise ValueError(f"the agent {AGENT_EMAIL} is gone")
        return found

    def _told(self, ticket: Row) -> Row:
        organization = self._account.organizations.get(ticket["organization_id"] or 0) or {}
        told = {name: ticket[name] for name in ("status", "subject", "requester_id", "organization_id")}
        return {"ticket": ticket["id"], **told, "customer": organization.get("external_id")}


def _plainly(act: Callable[[Arguments], Row]) -> Callable[[Arguments], Mapping[str, Any]]:
    """Say in a sentence why something was refused."""

    def acted(given: Arguments) -> Mapping[str, Any]:
        try:
            return act(given)
        except Refusal as refused:
            raise ValueError(sentence_of(refused.answer)) from None

    return acted
