"""The tables of approvals: what is asked of people, what each of them said, and which links were used."""

from __future__ import annotations

from sqlalchemy import Index, Table

from isthmus.store.columns import metadata
from isthmus.store.columns import number_column as _number
from isthmus.store.columns import text_column as _text
from isthmus.store.columns import where as _where

approval = Table(
    "approval",
    metadata,
    _text("id", key=True),
    _text("run_id"),
    _text("name"),
    _text("policy"),  # the desk that decides
    _text("about"),
    _text("state"),  # requested, approved, rejected, expired, withdrawn
    _text("requested_at"),
    _text("requested_by", null=True),  # names, as JSON: they may not decide
    _text("deciders", null=True),  # who may, as JSON; none: anybody who has the scope
    _text("delegates", null=True),  # who may too, because somebody of the desk asked them to, as JSON
    _number("needed", 1),  # so many people must agree
    _text("amount", null=True),  # what is decided about
    _text("most", null=True),  # how far the amount may be changed
    _text("currency", null=True),
    _text("facts", null=True),  # label, words, link: as JSON
    _text("because", null=True),  # the rule's words
    _text("due_at", null=True),
    _text("remind_at", null=True),
    _number("remind_every_s"),
    _text("escalate_at", null=True),
    _text("escalate_to", null=True),  # the desk that may decide too, from then on
    _text("escalate_deciders", null=True),
    _text("escalated_at", null=True),
    _text("decided_at", null=True),
    _text("decided_by", null=True),
    _text("decided_amount", null=True),
    _text("comment", null=True),
    Index("approval_state", "state", "requested_at"),
    Index("approval_run", "run_id"),
    Index("approval_decided", "decided_at", **_where("decided_at IS NOT NULL")),
    Index("approval_remind", "remind_at", **_where("state = 'requested' AND remind_at IS NOT NULL")),
    Index("approval_escalate", "escalate_at", **_where("state = 'requested' AND escalate_at IS NOT NULL")),
)

consent = Table(
    "consent",  # what one person said about an approval
    metadata,
    _text("approval_id", key=True),
    _text("who", key=True),
    _text("verdict"),  # approved, rejected
    _text("amount", null=True),
    _text("comment", null=True),
    _text("way"),  # api, command, console, link
    _text("at"),
)

used_link = Table(
    "used_link",  # a link decides once
    metadata,
    _text("hash", key=True),
    _text("approval_id"),
    _text("at"),
)
