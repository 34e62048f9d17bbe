"""One Zendesk account: its rows, its clock and its numbers, which every topic works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from isthmus.connectors.support.zendesk.sandbox.tables import TABLES, Shelf, key_of
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row, World

#: the account's number, which pushes carry
ACCOUNT_ID = 21_904_117
BRAND_ID = 360_000_000_101
GROUP_ID = 360_000_000_201
_FIRST_ID = 360_100_000_001
AGENTS = ("agent", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts, and through which channel (``api``, ``web`` or ``email``)."""

    user_id: int
    role: str
    scopes: frozenset[str] = field(default=frozenset({"read", "write"}))
    channel: str = "api"

    @property
    def is_agent(self) -> bool:
        """Agents and admins work on tickets; end users only ask."""
        return self.role in AGENTS


Act = Callable[[Request, Caller], Answer]
#: registers an act: method, path below /api/v2, act; ``admin=True`` is for admins only
On = Callable[..., None]


class Account:
    """What the topics share."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock
        #: called when a user's role or being changed, so that sign-ins are looked up again
        self.sign_ins_changed: Callable[[], None] = lambda: None
        world.script(TABLES)
        self.organizations = Shelf(
            world,
            "organization",
            lambda row: {"name_key": key_of(row["name"]), "external_key": key_of(row["external_id"])},
        )
        self.users = Shelf(
            world,
            "user",
            lambda row: {
                "external_key": key_of(row["external_id"]),
                "organization_id": row["organization_id"],
                "role": row["role"],
            },
        )
        self.tickets = Shelf(
            world,
            "ticket",
            lambda row: {
                n: row[n] for n in ("external_id", "requester_id", "organization_id", "assignee_id", "status")
            },
        )

    def now(self) -> str:
        """The instant as the vendor writes it: ISO 8601 in UTC, whole seconds."""
        return iso(self.clock.timestamp())

    def new_id(self) -> int:
        """The next id of everything but tickets."""
        return self.world.next_number("id", _FIRST_ID)

    def new_ticket_id(self) -> int:
        """Tickets are numbered 1, 2, 3 …"""
        return self.world.next_number("ticket", 1)

    def setting(self, name: str, default: str) -> str:
        """A switch of this account."""
        found = self.world.value("SELECT value FROM setting WHERE name = ?", (name,))
        return default if found is None else str(found)

    def set(self, name: str, value: str) -> None:
        """Change a switch."""
        self.world.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def user_caller(self, user: Row, channel: str = "web") -> Caller:
        """The caller that a person is."""
        return Caller(user["id"], user["role"], channel=channel)


def iso(timestamp: float) -> str:
    """Unix seconds as the vendor writes an instant."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(timestamp))


def address(root: str, kind: str, row_id: object) -> str:
    """The ``url`` that every object carries: its own address, with ``.json``."""
    return f"{root}/api/v2/{kind}/{row_id}.json"
