"""The organization: its world, metadata, rows, queries and sessions, as every resource of the API needs them."""

from __future__ import annotations

from datetime import date
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.conditions import Conditions
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, not_found
from isthmus.connectors.crm.salesforce.sandbox.metadata import Catalogue, ObjectType
from isthmus.connectors.crm.salesforce.sandbox.plans import Plans
from isthmus.connectors.crm.salesforce.sandbox.rows import Rows
from isthmus.connectors.crm.salesforce.sandbox.sign_in import SignIn
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.routes import Request
from isthmus.sandkit.world import World


class Org:
    """Everything of one organization that lives as long as the stand-in."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock
        self.catalogue = Catalogue(world)
        self.plans = Plans(self.catalogue)
        self.conditions = Conditions(world, self.catalogue, self.plans, clock)
        self.rows = Rows(world, self.catalogue, clock, self.conditions)
        self.sign_in = SignIn(world, clock)
        #: objects that the profile of API users does not let them query
        self.unreadable: set[str] = set()

    def kind(self, name: str) -> ObjectType:
        """An object type by name in an address. Raises VendorError NOT_FOUND."""
        kind = self.catalogue.object(name)
        if kind is None:
            raise not_found()
        return kind

    def today(self) -> date:
        """The current day, in UTC."""
        return self.clock.now().date()

    def row_json(self, kind: ObjectType, row_id: str, base: str, fields: list[str] | None = None) -> str | None:
        """One row as JSON text, by its id; None where it does not exist. Deleted rows are found too."""
        plan = self.plans.of_fields(kind, fields)
        found = plan.rows(self.world, [row_id], self.today())
        return plan.render(self.world, found, [row_id], self.today(), base)[0] if found else None


def base_of(request: Request) -> str:
    """The path before ``/sobjects`` in the addresses of an answer."""
    return f"/services/data/v{request.params['version']}"


def body_of(request: Request) -> Any:
    """The body as JSON. Raises VendorError JSON_PARSER_ERROR."""
    try:
        return request.json()
    except ValueError as error:
        raise VendorError("JSON_PARSER_ERROR", f"Unexpected character in the body: {error}") from None


def fields_of(request: Request) -> dict[str, Any]:
    """The body as one row's fields. Raises VendorError JSON_PARSER_ERROR."""
    given = body_of(request)
    if not isinstance(given, dict):
        raise VendorError("JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object")
    return given
