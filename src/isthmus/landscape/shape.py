"""What ``isthmus.yaml`` may say: the models its JSON Schema is made from, and by which a checked file is read.

Every scalar is the text that stands in the file (``catalogue.document``); a ``format`` says how it is read
(``formats``). Anything that may differ between environments is written ``env:NAME`` or ``file:secrets/x``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from isthmus.catalogue.connector import Host
from isthmus.model.codes import Currency
from isthmus.model.party import Address, TaxRegistration
from isthmus.model.scalars import Language

_NAME = r"^[a-z][a-z0-9_-]*$"
_NAME_WORDS = "a name of small letters, digits, hyphens and underscores is expected"
_FIELD = r"^[a-z][a-z_]*\.extensions\.[a-z][a-z0-9_]*$"
_FIELD_WORDS = "a canonical object's extension is expected, such as  order.extensions.promo_code"
_HOUR = r"^([01]\d|2[0-3]):[0-5]\d$"
_HASH = r"^sha256:[0-9a-f]{64}$"


def _text(format_: str, example: str) -> Any:
    return Field(json_schema_extra={"format": format_, "examples": [example]})


def _keys(pattern: str, words: str) -> JsonDict:
    return {"propertyNames": {"pattern": pattern, "description": words}}


Duration = Annotated[str, _text("duration", "5 minutes")]
Event = Annotated[str, _text("event", "quote.accepted")]
Url = Annotated[str, _text("uri", "https://isthmus.example.com")]
#: what a key's holder may do; the gateway holds every route to one of these
Scope = Literal[
    "process:start",
    "runs:read",
    "exceptions:write",
    "approvals:decide",
    "system:read",
    "system:write",
    "metrics:read",
    "support-desk:read",
    "finance:read",
]
Code = Annotated[
    str, Field(pattern=r"^[^:\s]+\.py:[A-Za-z_]\w*$", description="path/to/process.py:function is expected")
]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EnvironmentShape(_Shape):
    """Where the landscape runs."""

    database: str = Field("sqlite", description="sqlite (in .isthmus/), a path, or postgresql://… as a reference")
    otlp: Url | None = Field(None, description="OpenTelemetry endpoint that traces and metrics are sent to")
    public_url: Url | None = Field(None, description="how vendors reach the gateway: the start of webhook addresses")
    console_url: Url | None = Field(None, description="how people reach the console: the start of links in alerts")


class LimitsShape(_Shape):
    """What this connection may use of the vendor's budget."""

    concurrency: int | None = Field(None, ge=1, description="calls at once")
    requests_per_s: float | None = Field(None, gt=0)


class ConnectionShape(_Shape):
    """One account at a vendor."""

    connector: str
    title: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict, description="as the connector asks; secrets as references")
    limits: LimitsShape = LimitsShape()
    hosts: list[Host] = Field(
        default_factory=list, description="further hosts of this account, to which its sign-in may send calls"
    )
    deadline: Duration | None = Field(
        None, description="how long the vendor may work on a call; default each operation's own"
    )
    settle: Duration | None = Field(None, description="how late an effect can land after an answer was lost")


class UnitShape(_Shape):
    """A selling legal entity or sales area: who it is, who works for it, its values for mappings."""

    name: str = Field(min_length=1)
    legal_name: str = Field(min_length=1)
    address: Address
    tax_registrations: list[TaxRegistration] = Field(default_factory=list)
    currency: Currency
    time_zone: str = Field(json_schema_extra={"format": "time-zone", "examples": ["Europe/Berlin"]})
    language: Language
    fiscal_calendar: Literal["month", "4-4-5", "13"] | None = None
    parent: str | None = Field(None, description="code of the unit above")
    roles: dict[str, str] = Field(min_length=1, description="role → connection")
    values: dict[str, str | bool | None] = Field(default_factory=dict, description="what mappings see as values")
    invoice_owner: Literal["erp", "billing", "erp_only"] = Field(
        "erp",
        description="whose invoice is the legal one; billing: the ERP's order is blocked for billing, for the reason"
        " values.billing_block; erp_only: the ledger alone asks for the money too",
    )


class ProcessShape(_Shape):
    """A process to play: a blueprint by name and version, or code of the landscape's own."""

    blueprint: Annotated[str, _text("blueprint", "quote_to_cash@1")] | None = None
    code: Code | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    units: list[str] | None = Field(None, min_length=1, description="business units; default all")


class FieldShape(_Shape):
    """A company's own field: where each connection (or connector) keeps it, ``Object.Field`` or ``Field``."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, str]

    type: Literal["text", "decimal", "bool", "date"] = "text"
    title: str | None = None


class ServiceLevelShape(_Shape):
    """No more than so long between two events of one document, or somebody is told."""

    begins: Event = Field(alias="from")
    ends: Event = Field(alias="to")
    within: Duration
    tell: str = Field(description="a desk")


class QuietShape(_Shape):
    """When a desk is not told of alerts; what comes up meanwhile is told at the end."""

    begins: str = Field(alias="from", pattern=_HOUR, description='a time of day is expected, such as "20:00"')
    ends: str = Field(alias="to", pattern=_HOUR, description='a time of day is expected, such as "07:00"')
    time_zone: str = Field(json_schema_extra={"format": "time-zone", "examples": ["Europe/Berlin"]})


class DeskShape(_Shape):
    """People who are told, decide and mend."""

    title: str = Field(min_length=1)
    alert_url: str | None = Field(None, description="where alerts are posted as CloudEvents; may be a reference")
    tell: list[str] = Field(default_factory=list, description="addresses of Apprise (mail, chat) as references")
    quiet: QuietShape | None = None
    members: list[str] = Field(default_factory=list, description="who decides its approvals; none: whoever may decide")


class AccessShape(_Shape):
    """Who holds an API key. Only the key's SHA-256 is written here."""

    title: str | None = None
    key_hash: str = Field(pattern=_HASH, description="sha256: and 64 hexadecimal digits are expected")
    scopes: list[Scope] = Field(min_length=1)
    expires: Annotated[str, _text("date", "2027-12-31")] | None = None


class RetentionShape(_Shape):
    """How long contents are kept, by kind of data. What is not named is kept for ever; numbers and hashes always are."""

    calls: Duration | None = Field("30 days", description="bodies of calls and messages that came in")
    runs: Duration | None = Field(None, description="inputs, results, requests and answers of runs that have ended")
    attempts: Duration | None = Field(None, description="paths and details of single calls to vendors")
    events: Duration | None = Field(None, description="data of business events")
    known: Duration | None = Field(None, description="the read model; what is needed is read again at the vendors")
    audit: Duration | None = Field(None, description="before and after of audit lines; the chain still verifies")


class PublishShape(_Shape):
    """One place outside, where the audit's signed head is published every day."""

    file: str | None = Field(None, description="a file that heads are appended to, best where nothing is written twice")
    git: str | None = Field(None, description="a git repository that is tagged, and pushed where it has a remote")
    tell: str | None = Field(None, description="an address of Apprise (mail, chat), as a reference")


class AuditShape(_Shape):
    """How the head of the audit's chain is signed and published, so that nobody can rewrite the chain unseen."""

    key: str = Field(description="Ed25519 private key in PEM, as a reference; isthmus audit key makes one")
    publish: list[PublishShape] = Field(min_length=1)


class OidcShape(_Shape):
    """People sign in to the console at a provider of OpenID Connect. Its redirect address is …/console/oidc/back."""

    issuer: Url = Field(description="as it stands in its tokens; https, or on this machine")
    client_id: str = Field(min_length=1)
    client_secret: str | None = Field(
        None, pattern=r"^(env:[A-Za-z_]\w*|file:\S+)$", description="env:NAME or file:secrets/name; none: PKCE alone"
    )
    scopes: list[str] = Field(default_factory=lambda: ["openid", "profile", "email"])
    name_claim: str = Field(
        "email", description="what the audit calls somebody; nobody may be able to choose it freely"
    )
    roles_claim: str = Field("groups", description="whose values give access roles")
    roles: dict[str, Literal["viewer", "operator", "approver", "admin"]] = Field(
        min_length=1, description="value of the claim → access role"
    )


class ConsoleShape(_Shape):
    """Who may sign in to the console."""

    local: bool = Field(True, description="whether people of isthmus people may sign in by password")
    oidc: OidcShape | None = None


class LandscapeShape(_Shape):
    """A company's landscape."""

    landscape: str = Field(pattern=_NAME, description=_NAME_WORDS)
    environments: dict[str, EnvironmentShape] = Field(
        default_factory=lambda: {"dev": EnvironmentShape(database="sqlite")},
        min_length=1,
        json_schema_extra=_keys(_NAME, _NAME_WORDS),
    )
    connections: dict[str, ConnectionShape] = Field(min_length=1, json_schema_extra=_keys(_NAME, _NAME_WORDS))
    business_units: dict[str, UnitShape] = Field(min_length=1, json_schema_extra=_keys(_NAME, _NAME_WORDS))
    desks: dict[str, DeskShape] = Field(default_factory=dict, json_schema_extra=_keys(_NAME, _NAME_WORDS))
    processes: dict[str, ProcessShape] = Field(default_factory=dict, json_schema_extra=_keys(_NAME, _NAME_WORDS))
    fields: dict[str, FieldShape] = Field(default_factory=dict, json_schema_extra=_keys(_FIELD, _FIELD_WORDS))
    service_levels: dict[str, ServiceLevelShape] = Field(
        default_factory=dict, json_schema_extra=_keys(_NAME, _NAME_WORDS)
    )
    access: dict[str, AccessShape] = Field(default_factory=dict, json_schema_extra=_keys(_NAME, _NAME_WORDS))
    retention: RetentionShape = RetentionShape()
    audit: AuditShape | None = None
    console: ConsoleShape = ConsoleShape()
