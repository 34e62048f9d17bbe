"""What ``connector.yaml`` may say: what a vendor's application *is*, as data.

Expressions are JSONata and nothing else. ``{name}`` in a request line, query, header or key is a placeholder: a
dotted path into the context (see ``Context`` in ``mapping``), quoted as the transport demands.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from isthmus.catalogue.bulk import Bulk
from isthmus.catalogue.described import Described as _Described
from isthmus.catalogue.described import Duration as Duration
from isthmus.catalogue.described import Jsonata as Jsonata

#: a host's name; ``*.`` before it stands for whatever is below it
Host = Annotated[str, Field(pattern=r"^(\*\.)?([a-z0-9-]+\.)+[a-z0-9-]+$", examples=["*.example.com"])]
Verdict = Literal["retry", "reauthenticate", "reject"]
#: why it did not work, for grouping and for automatic retry
ErrorClass = Literal["limit", "locked", "down", "access", "business", "missing", "conflict", "format"]


class Auth(_Described):
    """How a connection signs in. Values are templates over ``settings``; ``basic`` and ``bearer`` need no call."""

    kind: Literal["none", "basic", "bearer", "oauth2_client_credentials", "oauth2_jwt_bearer"]
    user: str | None = None
    password: str | None = None
    token: str | None = None
    token_path: str | None = Field(None, description="relative to base_url")
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    assertion: dict[str, str] = Field(default_factory=dict, description="claims of the JWT, templates")
    private_key: str | None = None
    lifetime: Duration | None = Field(None, description="assumed where the answer names no expires_in")
    base_url: Jsonata | None = Field(None, description="JSONata over the token answer: where calls go from then on")


class Limits(_Described):
    """What the vendor allows one connection, until its headers say otherwise."""

    concurrency: int = 10
    requests_per_s: float | None = None
    remaining: str | None = Field(None, description="header with the calls left, or JSONata over {headers} ")
    reset_s: Jsonata | None = Field(None, description="JSONata over {headers}: seconds until the budget is full again")


class ErrorRule(_Described):
    """One rule about the vendor's errors; all given conditions must hold, the first rule that matches counts."""

    status: int | list[int] | None = None
    code: str | list[str] | None = None
    says: str | None = Field(None, description="regular expression searched in the message")
    verdict: Verdict
    error_class: ErrorClass = Field(alias="class")
    pause: Duration | None = Field(None, description="before a retry, where the vendor does not say Retry-After")


class ErrorShape(_Described):
    """Where an error body keeps its parts: JSONata over the parsed body."""

    code: Jsonata
    message: Jsonata
    field: Jsonata | None = None
    gone: Jsonata | None = Field(
        None, description="the field that the vendor says it has not got (any more), if it does"
    )


class ProblemText(_Described):
    """A vendor's code in words an order clerk knows; placeholders over {input, message, field, key}."""

    means: str
    mend: str


class Probe(_Described):
    """Looks for what a doubtful write may have left: by our key, in the vendor's own field, by a direct filter."""

    request: str
    query: dict[str, str] = Field(default_factory=dict)
    found: Jsonata = Field(description="JSONata over the body: the object, or nothing")
    all: Jsonata | None = Field(None, description="JSONata over the body: every living match, first one first")
    with_context: bool = Field(
        False, description="found and all are over {…context, body}: where the vendor cannot filter by our key itself"
    )


class Native(_Described):
    """The vendor remembers our key itself, in a header, for a while."""

    header: str
    keeps: Duration
    replayed: str | None = Field(None, description="response header (name, or name: value) of a stored answer")


class Once(_Described):
    """How a repeat of a write is made harmless. ``native`` needs a ``probe`` behind it."""

    native: Native | None = None
    upsert: Literal[True] | None = None
    probe: Probe | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Once:
        if self.native and not self.probe:
            raise ValueError("once.native needs a probe behind it, for the time after the vendor forgot the key")
        if not (self.upsert or self.probe):
            raise ValueError("once needs one of: upsert, probe, or native with probe")
        return self

    @property
    def rule(self) -> Literal["native", "upsert", "probe"]:
        """The rule's name."""
        return "native" if self.native else "upsert" if self.upsert else "probe"


class ReferenceShape(_Described):
    """What the vendor calls the object: JSONata over the object found in the answer."""

    type: Jsonata
    id: Jsonata
    number: Jsonata | None = None
    version: Jsonata | None = None


class LinkShape(_Described):
    """Another object that an answer tells about: our id of it and what the vendor calls it. JSONata over the context."""

    of: Jsonata = Field(description="our canonical id, such as input.customer.id")
    type: Jsonata
    id: Jsonata
    number: Jsonata | None = None


class Request(_Described):
    """One HTTP request and how its answer is read."""

    request: str = Field(description="METHOD path, relative to base_url, with placeholders")
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    mapping: str | None = Field(None, description="file below mappings/: context → body")
    found: Jsonata | None = Field(
        None, description="JSONata over the body: the object in the answer; nothing: not found"
    )
    missing: list[int] = Field(default_factory=lambda: [404], description="statuses that mean: there is none")
    version: str | None = Field(None, description="template: sent as If-Match")


class Find(Request):
    """A look for an object that may exist already; skipped unless ``when`` (JSONata over the context) holds."""

    when: Jsonata | None = None


class Part(Request):
    """One request of a sequence; its answer is ``parts.<part>`` for the later ones."""

    part: str
    when: Jsonata | None = Field(None, description="JSONata over the context; skipped where it does not hold")
    each: Jsonata | None = Field(None, description="JSONata over the context: once per item, as context.item")
    once: Once | None = Field(None, description="absent only where the request reads")
    deadline: Duration | None = None


class Operation(_Described):
    """What a role asks, in this vendor's requests. A write says ``once``; a read says ``reads: true``."""

    request: str | None = None
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    mapping: str | None = None
    found: Jsonata | None = None
    missing: list[int] = Field(default_factory=lambda: [404])
    version: str | None = None
    reads: bool = False
    pages: bool = Field(
        False, description="follow the transport's next page until the end; found gives each page's items"
    )
    once: Once | None = None
    deadline: Duration = timedelta(seconds=30)
    bulk: Bulk | None = Field(None, description="how many of it are written in one load")
    needs: dict[str, Jsonata] = Field(
        default_factory=dict,
        description="name → JSONata over input giving a Link or canonical id; ids.<name> is its vendor id",
    )
    find: list[Find] = Field(default_factory=list, description="ensure: looks before anything is created, in order")
    sequence: list[Part] = Field(default_factory=list)
    result: str | None = Field(None, description="part whose object is the operation's; default the last one")
    answer: str | None = Field(None, description="file below mappings/: context with body → canonical object")
    reference: ReferenceShape | None = None
    links: list[LinkShape] = Field(
        default_factory=list, description="other objects of ours that a write's answer names: kept as cross-references"
    )

    @model_validator(mode="after")
    def _shape(self) -> Operation:
        if bool(self.request) == bool(self.sequence):
            raise ValueError("an operation has either a request or a sequence")
        if self.bulk and not (self.request and self.mapping and self.once and self.once.upsert):
            raise ValueError("an operation with bulk has one request with a mapping, and once: {upsert: true}")
        return self

    @cached_property
    def single(self) -> Request:
        """The operation's one request; only for operations that are no sequence."""
        return Request.model_validate(self.model_dump(include=set(Request.model_fields)))


class HmacVerify(_Described):
    """A signed webhook. ``signed`` is a template over {timestamp} and {body}; ``pair`` picks k=v in a header list."""

    kind: Literal["hmac"]
    header: str
    pair: str | None = None
    timestamp_header: str
    timestamp_pair: str | None = None
    timestamp_format: Literal["unix", "iso8601"]
    signed: str
    encoding: Literal["hex", "base64"]
    secret: str = Field(description="the setting that holds the secret")
    tolerance: Duration = timedelta(minutes=5)


class PathVerify(_Described):
    """A webhook without signature: a secret in the path, and values in the message that must equal settings."""

    kind: Literal["path_secret"]
    secret: str = Field(description="the setting that holds the secret: /webhooks/<connection>/<secret>")
    equals: dict[Jsonata, str] = Field(
        default_factory=dict, description="JSONata over the parsed body → setting's name"
    )


class Acknowledge(_Described):
    """What the vendor wants to hear once the call is stored."""

    status: int = 200
    content_type: str = "application/json"
    body: str = ""


class Take(_Described):
    """What one kind of message means. First match wins; a message that matches none is recorded and ignored."""

    when: Jsonata | None = Field(None, description="JSONata over the message, with the connection's settings")
    event: str = Field(pattern=r"^isthmus\.[a-z_]+\.[a-z_]+\.v\d+$")
    object: str = Field(description="canonical object, e.g. quote")
    subject: Jsonata | None = Field(None, description="JSONata over the message; default the channel's")
    read: str | None = Field(None, description="operation that reads the full object where the message is a hint")
    only: Jsonata | None = Field(
        None, description="JSONata over the canonical object; where it fails the message is ignored"
    )
    anew: Jsonata | None = Field(
        None, description="JSONata over the canonical object: what was undone begins anew only where this has changed"
    )
    mapping: str | None = Field(None, description="file below mappings/, where the message holds the object itself")
    wakes: Jsonata | None = Field(
        None, description="JSONata over the message: what it is about, by number; runs that wait for that look again"
    )


class Cursor(_Described):
    """How a poll moves on: only by what the source itself returned, never by our clock.

    Either by value: rows sorted by ``field``, equal ones by ``tie``, read again from ``overlap`` before the newest. Or by
    ``position``: the source's own mark of how far we are, given back to it in ``request``.
    """

    field: Jsonata | None = Field(None, description="JSONata over the message: a time")
    tie: Jsonata | None = Field(None, description="JSONata over the message: tells equal times apart")
    overlap: Duration = timedelta(minutes=10)
    pages: Literal["keyset", "locator"] = Field(
        "keyset",
        description="keyset: the next page is asked for after the last row's {cursor} and {cursor_tie};"
        " locator: the vendor's own next page, one of the rows as they were at the first, or after a row by its id",
    )
    sorted: bool = Field(
        True, description="whether rows come oldest first; else the cursor moves after the last page only"
    )
    position: Jsonata | None = Field(None, description="JSONata over the page")
    more: Jsonata | None = Field(None, description="JSONata over the page: whether another follows its position")
    request: str | None = Field(None, description="GET path from a position on; placeholder {position}")
    query: dict[str, str] = Field(default_factory=dict)
    start: Duration = Field(timedelta(days=1), description="how far back the first poll looks")

    @model_validator(mode="after")
    def _one_way(self) -> Cursor:
        by_value, by_position = (self.field, self.tie), (self.position, self.more, self.request)
        if not ((all(by_value) and not any(by_position)) or (all(by_position) and not any(by_value))):
            raise ValueError("a cursor has either field and tie, or position, more and request")
        if self.pages == "keyset" and not self.sorted:
            raise ValueError("what is not sorted cannot be read by keyset; write  pages: locator")
        return self


class Inbound(_Described):
    """One way in: a webhook, or a poll of a resource. Each part of it becomes a message."""

    channel: Literal["webhook", "poll"]
    format: Literal["json", "xml"] = "json"
    verify: Annotated[HmacVerify | PathVerify, Field(discriminator="kind")] | None = None
    acknowledge: Acknowledge = Acknowledge()
    request: str | None = Field(
        None,
        description="poll: GET path; placeholders {cursor}, {cursor_tie}, {cursor_unix}, {cursor_day} and {cursor_time}",
    )
    query: dict[str, str] = Field(default_factory=dict)
    every: Duration = timedelta(seconds=30)
    cursor: Cursor | None = None
    split: Jsonata = Field("$", description="JSONata over the parsed body (or page): the messages")
    id: Jsonata = Field(description="JSONata over the message: for deduplication")
    subject: Jsonata = Field(description="JSONata over the message: the object at its source")
    type: Jsonata | None = Field(None, description="JSONata over the message: the vendor's word for what happened")
    version: Jsonata | None = Field(None, description="JSONata over the message: to tell older from newer")
    takes: list[Take]
    follows: bool = Field(
        False, description="it sees every change of its objects: what was read of them is as fresh as the last poll"
    )
    newest_wins: bool = False

    @model_validator(mode="after")
    def _shape(self) -> Inbound:
        if self.channel == "poll" and not (self.request and self.cursor):
            raise ValueError("a poll needs request and cursor")
        if self.cursor and self.cursor.field and self.cursor.pages == "keyset":
            asked = " ".join((self.request or "", *self.query.values()))
            if not ("{cursor}" in asked or "{cursor_day}" in asked) or "{cursor_tie}" not in asked:
                raise ValueError("a poll by keyset asks for what comes after {cursor} and {cursor_tie}")
        if self.channel == "webhook" and not self.verify:
            raise ValueError("a webhook needs verify: nobody may be believed unasked")
        return self


class Transport(_Described):
    """The protocol, and what is the same in every call of this vendor."""

    kind: Literal["rest", "odata_v2"]
    encoding: Literal["json", "form"] = "json"
    base_url: str = "{settings.base_url}"
    hosts: list[Host] = Field(
        default_factory=list, description="hosts, beside that of base_url, to which a sign-in may send calls"
    )
    headers: dict[str, str] = Field(default_factory=dict)
    next: Jsonata | None = Field(None, description="JSONata over the body: address of the next page")
    identity: Jsonata | None = Field(
        None, description="JSONata over the body to confirm who we are (for `check --online`)"
    )


class Connector(_Described):
    """A vendor's application: one folder, this file, mappings, schema and few quirks."""

    connector: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    roles: list[str]
    settings: dict[str, Any] = Field(
        description="JSON Schema of a connection's settings; secret ones have writeOnly: true"
    )
    transport: Transport
    auth: Auth
    limits: Limits = Limits()
    settle: Duration = Field(timedelta(seconds=60), description="how late an effect can land after an answer was lost")
    error: ErrorShape
    errors: list[ErrorRule]
    problems: dict[str, ProblemText] = Field(default_factory=dict)
    texts: dict[str, str] = Field(
        default_factory=dict,
        description="said once, used as {texts.name}; {extra.Object} is the company's own fields of it",
    )
    inbound: dict[str, Inbound] = Field(default_factory=dict)
    operations: dict[str, Operation]
    extensions: dict[str, str] = Field(
        default_factory=dict, description="canonical object → vendor object that carries its company fields"
    )
