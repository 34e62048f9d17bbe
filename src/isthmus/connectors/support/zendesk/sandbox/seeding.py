"""The seed company as its support desk knows it: half of its accounts, their people, two of the desk, 20 tickets."""

from __future__ import annotations

import random
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, iso
from isthmus.connectors.support.zendesk.sandbox.fields import Fields
from isthmus.connectors.support.zendesk.sandbox.organizations import Organizations
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.connectors.support.zendesk.sandbox.signin import SignIn
from isthmus.connectors.support.zendesk.sandbox.ticketing import Ticketing
from isthmus.connectors.support.zendesk.sandbox.workplace import Workplace
from isthmus.sandkit.company import Company
from isthmus.sandkit.world import Row

ADMIN_EMAIL = "integration@sonnwerk.example"
AGENT_EMAIL = "rosa.lindgren@sonnwerk.example"
API_TOKEN = "zd-sandbox-api-token"
OAUTH_TOKEN = "zd-sandbox-oauth-token"
CLIENT_ID, CLIENT_SECRET = "isthmus", "zd-sandbox-client-secret"
DISPUTE_FORM = "Invoice dispute"
DISPUTE_REASONS = ("wrong_price", "wrong_quantity", "not_received", "damaged", "duplicate_invoice")
#: the ticket fields of the dispute form, by key
DISPUTE_FIELDS = (
    *("invoice_number", "order_number", "dispute_reason"),
    *("disputed_amount", "disputed_line", "disputed_quantity"),
)
_PLANS = ("bronze", "silver", "gold")
#: how long ago the company's rows were made, so that exports show them at once
_AGE_S = 30 * 86_400
_TICKETS = 20
_SUBJECTS = (
    "Inverter shows error 17",
    "When will our order be delivered?",
    "Battery does not charge",
    "Question about our care plan",
    "Wrong cable set in the box",
    "Commissioning date",
)


def seed(
    account: Account,
    company: Company,
    *,
    fields: Fields,
    organizations: Organizations,
    people: People,
    ticketing: Ticketing,
    workplace: Workplace,
    signin: SignIn,
) -> None:
    """Fill an empty account; what it holds is as old as ``_AGE_S``, what comes later is new."""
    ids = _fields(fields)
    workplace.add_form("Default", [], default=True)
    workplace.add_form(DISPUTE_FORM, [ids[key] for key in DISPUTE_FIELDS])
    admin = people.create({"name": "Integration", "email": ADMIN_EMAIL, "role": "admin", "verified": True})
    agent = people.create({"name": "Rosa Lindgren", "email": AGENT_EMAIL, "role": "agent", "verified": True})
    account.world.insert("api_token", {"token": API_TOKEN, "description": "Isthmus", "active": 1})
    account.world.insert("oauth_client", {"identifier": CLIENT_ID, "secret": CLIENT_SECRET, "user_id": admin["id"]})
    signin.add_token(OAUTH_TOKEN, admin["id"], "read write", None)
    persons = _customers(company, organizations, people)
    _tickets(company, ticketing, persons, account.user_caller(agent), ids)
    _age(account)


def _fields(fields: Fields) -> dict[str, int]:
    """The custom fields that the company's administrators added; ids of the ticket's by key."""
    plans = [{"name": plan.capitalize(), "value": plan} for plan in _PLANS]
    fields.add("organization", {"key": "plan", "type": "dropdown", "title": "Plan", "custom_field_options": plans})
    fields.add("organization", {"key": "plan_until", "type": "date", "title": "Plan until"})
    fields.add("organization", {"key": "next_delivery", "type": "date", "title": "Next delivery"})
    fields.add("organization", {"key": "open_orders", "type": "textarea", "title": "Open orders"})
    for key, title in {"open_amount": "Open amount", "overdue_amount": "Overdue amount"}.items():
        fields.add("organization", {"key": key, "type": "text", "title": title})
    titles = {"erp_customer": "ERP customer", "erp_order": "ERP order", "crm_account": "CRM account"}
    for key, title in {**titles, "business_unit": "Business unit"}.items():
        fields.add("organization", {"key": key, "type": "text", "title": title})
    fields.add("user", {"key": "role_at_customer", "type": "text", "title": "Role at customer"})
    reasons = [{"name": reason.replace("_", " ").capitalize(), "value": reason} for reason in DISPUTE_REASONS]
    made: list[tuple[str, Row]] = [
        ("invoice_number", {"type": "text", "title": "Invoice number"}),
        ("order_number", {"type": "text", "title": "Order number"}),
        ("dispute_reason", {"type": "tagger", "title": "Dispute reason", "custom_field_options": reasons}),
        ("disputed_amount", {"type": "text", "title": "Disputed amount"}),
        ("disputed_line", {"type": "text", "title": "Disputed line"}),
        ("disputed_quantity", {"type": "integer", "title": "Disputed quantity"}),
    ]
    return {key: fields.add("ticket", given, key)["id"] for key, given in made}


def _customers(company: Company, organizations: Organizations, people: People) -> list[Row]:
    persons = []
    for account in company.accounts[::2]:
        custom = {"business_unit": account.unit, **({"erp_customer": account.number} if account.in_erp else {})}
        given: Row = {"name": account.name, "external_id": account.key, "domain_names": [account.domain]}
        organization = organizations.create({**given, "organization_fields": custom})
        for number, person in enumerate(account.people):
            name = f"{person.given_name} {person.family_name}"
            made: dict[str, Any] = {"name": name, "email": person.email, "phone": person.phone, "verified": True}
            made |= {"external_id": f"{account.key}-{number + 1}" if number == 0 else None}
            made |= {
                "organization_id": organization["id"],
                "user_fields": {"role_at_customer": ("Buyer", "Technician")[number]},
            }
            persons.append(people.create(made))
    return persons


def _tickets(company: Company, ticketing: Ticketing, persons: list[Row], agent: Caller, ids: dict[str, int]) -> None:
    rng = random.Random(f"zendesk/{company.accounts[0].people[0].email}")
    for number in range(_TICKETS):
        person = persons[rng.randrange(len(persons))]
        caller = Caller(person["id"], "end-user", channel="email")
        subject = _SUBJECTS[number % len(_SUBJECTS)]
        order = [{"id": ids["order_number"], "value": f"{1000 + number}"}] if number % 4 == 1 else []
        text = f"Dear support,\n{subject.rstrip('?')}, could you look into it?\n{person['name']}"
        given: Row = {"subject": subject, "comment": {"body": text}, "custom_fields": order}
        given |= {"priority": ("normal", "high", "low", None)[number % 4]}
        ticket, _ = ticketing.create(given, caller)
        if number % 3:
            reply = {"body": "Thank you, we are looking into it.", "public": True}
            ticket, _ = ticketing.update(
                ticket, {"status": "open", "assignee_id": agent.user_id, "comment": reply}, agent
            )
        if number % 3 == 2:
            done = {
                "status": ("solved", "pending")[number % 2],
                "comment": {"body": "Talked on the phone.", "public": False},
            }
            ticketing.update(ticket, done, agent)


def _age(account: Account) -> None:
    now = account.clock.timestamp() - _AGE_S
    seeded = iso(now)
    for table in ("organization", "user", "ticket"):
        account.world.execute(
            f"UPDATE {table} SET created_at = :at, updated_at = :at, generated = :generated,"  # noqa: S608
            " body = json_set(body, '$.created_at', :at, '$.updated_at', :at)",
            {"at": seeded, "generated": now},
        )
    for table in ("comment", "audit"):
        account.world.execute(
            f"UPDATE {table} SET created_at = :at, body = json_set(body, '$.created_at', :at)",  # noqa: S608
            {"at": seeded},
        )
    sql = "UPDATE ticket SET body = json_set(body, '$.solved_at', ?) WHERE status = 'solved'"
    account.world.execute(sql, (seeded,))
