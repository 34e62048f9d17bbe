"""The stand-in itself: puts the topics together, signs callers in, and says how this vendor's troubles look."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from isthmus.connectors.support.zendesk.sandbox.account import Account, Act
from isthmus.connectors.support.zendesk.sandbox.administration import Administration
from isthmus.connectors.support.zendesk.sandbox.agent_page import AgentPage
from isthmus.connectors.support.zendesk.sandbox.answers import forbidden, limited, ok, refusal
from isthmus.connectors.support.zendesk.sandbox.bulk import Bulk
from isthmus.connectors.support.zendesk.sandbox.events import Events
from isthmus.connectors.support.zendesk.sandbox.exports import Exports
from isthmus.connectors.support.zendesk.sandbox.fields import Fields
from isthmus.connectors.support.zendesk.sandbox.limits import Limits
from isthmus.connectors.support.zendesk.sandbox.organizations import Organizations
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.connectors.support.zendesk.sandbox.play import Play
from isthmus.connectors.support.zendesk.sandbox.rules import Rules
from isthmus.connectors.support.zendesk.sandbox.search import Search
from isthmus.connectors.support.zendesk.sandbox.seeding import (
    ADMIN_EMAIL,
    API_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    DISPUTE_FORM,
    OAUTH_TOKEN,
    seed,
)
from isthmus.connectors.support.zendesk.sandbox.signin import SignIn
from isthmus.connectors.support.zendesk.sandbox.ticketing import Ticketing
from isthmus.connectors.support.zendesk.sandbox.tickets import Tickets
from isthmus.connectors.support.zendesk.sandbox.users import Users
from isthmus.connectors.support.zendesk.sandbox.webhooks import Webhooks
from isthmus.connectors.support.zendesk.sandbox.workplace import Workplace
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import Company
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.standin import Sandbox, Verb
from isthmus.sandkit.world import Row, World

API = "/api/v2"
TOKEN_PATH = "/oauth/tokens"
#: what an integration calls the fields of the dispute form, and their keys here
_FORM = {
    "invoice_field": "invoice_number",
    "order_field": "order_number",
    "dispute_field": "dispute_reason",
    "amount_field": "disputed_amount",
    "line_field": "disputed_line",
    "quantity_field": "disputed_quantity",
}


class VendorSandbox(Sandbox):
    """Zendesk Support, one account. Paths are heard with and without ``.json``."""

    name = "zendesk"
    title = "Zendesk"

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        super().__init__(world, clock, faults)
        self._account = account = Account(world, clock)
        self._signin, self._limits, self._fields = SignIn(account), Limits(account), Fields(account)
        self._events = Events(account, faults)
        self.pushes.append(self._events.push)
        self._people = People(account, self._fields, self._events)
        self._organizations = Organizations(account, self._fields, self._events)
        rules = Rules(account, self._events)
        self._ticketing = Ticketing(account, self._fields, self._people, self._events, rules)
        self._workplace = Workplace(account)
        webhooks = Webhooks(account, self._events)
        self._bulk = Bulk(account, self._ticketing, self._people, self._organizations)
        shows = {
            "ticket": self._ticketing.present,
            "user": self._people.present,
            "organization": self._organizations.present,
        }
        tickets = Tickets(account, self._ticketing, self._people, self._organizations)
        users = Users(account, self._people, self._organizations)
        served = (self._organizations, tickets, self._bulk, Search(account, shows), users, Exports(account, shows))
        for topic in (*served, self._fields, webhooks, rules, self._workplace):
            topic.serve(self._on)
        self.routes.add("POST", TOKEN_PATH, self._signin.token)
        AgentPage(account, self._fields).serve(self.routes)
        self._administration = Administration(
            account,
            fields=self._fields,
            organizations=self._organizations,
            people=self._people,
            ticketing=self._ticketing,
            webhooks=webhooks,
            limits=self._limits,
            signin=self._signin,
        )
        self._play = Play(account, self._fields, self._organizations, self._people, self._ticketing)

    def seed(self, company: Company) -> None:
        """Fill the empty account."""
        seed(
            self._account,
            company,
            fields=self._fields,
            organizations=self._organizations,
            people=self._people,
            ticketing=self._ticketing,
            workplace=self._workplace,
            signin=self._signin,
        )

    def credentials(self) -> dict[str, str]:
        """An admin's API token; for OAuth, a client and a token that does not expire; the ids of the dispute form."""
        oauth = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "oauth_token": OAUTH_TOKEN}
        ids = {name: str(self._fields.named("ticket", key).id) for name, key in _FORM.items()}
        ids["dispute_form"] = str(self._workplace.form_named(DISPUTE_FORM))
        return {"email": ADMIN_EMAIL, "api_token": API_TOKEN, **oauth, **ids}

    def play(self, request: Request) -> Answer:
        """Play one request; what is below ``/api/v2`` is counted, limited and stamped."""
        request.raw_path = request.raw_path.removesuffix(".json")
        if not request.raw_path.startswith(f"{API}/"):
            return super().play(request)
        with self.world.transaction():
            self._bulk.play_due()
        return self._stamped(request, self._limits.refuse(request) or super().play(request))

    def trouble(self, kind: str, request: Request) -> Answer:
        """This vendor's own troubles."""
        return self._stamped(request, self._trouble(kind, request))

    def verbs(self) -> Mapping[str, Verb]:
        """What people do there."""
        return self._play.verbs()

    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows for ``isthmus sandbox show``."""
        return self._administration.show(kind, key)

    def change(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        """One row changed as an administrator would, for ``isthmus sandbox set``."""
        return self._administration.change(kind, key, values)

    def faultless(self, request: Request) -> bool:
        """Sign-in, settings and the page for people meet no faults."""
        path = request.raw_path.removesuffix(".json")
        return path in (TOKEN_PATH, f"{API}/account/settings") or path.startswith("/agent/")

    def summary(self) -> str:
        """How much stands in the account."""
        counts = {
            kind: self.world.value(f"SELECT count(*) FROM {kind} WHERE deleted = 0")  # noqa: S608
            for kind in ("organization", "user", "ticket")
        }
        return ", ".join(f"{count} {kind}s" for kind, count in counts.items())

    def _on(self, method: str, path: str, act: Act, *, admin: bool = False, anybody: bool = False) -> None:
        def handle(request: Request) -> Answer:
            caller = self._signin.caller(request)
            if (admin and caller.role != "admin") or not (anybody or caller.is_agent):
                raise forbidden()
            return act(request, caller)

        self.routes.add(method, f"{API}{path}", handle)

    def _stamped(self, request: Request, answer: Answer) -> Answer:
        answer.headers.setdefault("x-request-id", secrets.token_hex(16))
        return self._limits.stamp(request, answer)

    def _trouble(self, kind: str, request: Request) -> Answer:
        match kind:
            case "limited":
                return limited(1)
            case "down":
                page = "<html><body><h1>503 Service Unavailable</h1></body></html>"
                return Answer(503, page, {"Retry-After": "1"}, content_type="text/html; charset=utf-8")
            case "expired":
                with self.world.transaction():
                    answer = self._signin.revoke(request)
                return answer or self.play(request)
            case "locked":
                return refusal(409, "DatabaseConflict", "Database collision").answer
            case "not_found":
                return refusal(404, "InvalidEndpoint", "Not found").answer
        title, message = "Internal Server Error", "Something went wrong on our side. Please try again."
        return ok({"error": {"title": title, "message": message}}, 500)
