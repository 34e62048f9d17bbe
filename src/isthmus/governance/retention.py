"""How long contents are kept, and a person's right to be forgotten: contents go, hashes and numbers stay.

A landscape says for each kind of data how long; nothing of a run that is still in work is ever touched. What is done is
noted in the audit, whose own chain still verifies when contents of its lines are erased.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from isthmus.model.problems import Problem, Rejected
from isthmus.store import audit, retention
from isthmus.store.clock import instant
from isthmus.store.retention import KINDS
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

PAGE = 500
#: shorter words stand in too many places to name a person
SHORTEST_WORD = 5

#: what a landscape's owner reads of each kind
SAYS: Mapping[str, str] = {
    "calls": "bodies of calls and messages that came in",
    "runs": "inputs, results, requests and answers of runs that have ended, their exceptions and approvals",
    "attempts": "paths and details of single calls to vendors",
    "events": "data of business events",
    "known": "the read model; what is needed is read again at the vendors",
    "audit": "before and after of audit lines; the chain still verifies",
}


@dataclass(frozen=True)
class Due:
    """One kind of data: how long it is kept (None: for ever), and how many rows would be emptied now."""

    kind: str
    says: str
    keep: timedelta | None
    rows: int


@dataclass(frozen=True)
class Mentions:
    """Where a person is mentioned in one table: rows whose work is over, and rows that are still in work."""

    table: str
    over: int
    in_work: int


async def plan(store: Store, keep: Mapping[str, timedelta]) -> list[Due]:
    """What retention would do now. Nothing is changed."""
    found = []
    for kind in KINDS:
        rows = 0
        if kind in keep:
            before = _before(store.clock(), keep[kind])
            rows = await store.read(lambda tx, kind=kind, before=before: retention.due(tx, kind, before))  # type: ignore[misc]
        found.append(Due(kind, SAYS[kind], keep.get(kind), rows))
    return found


async def forget_page(store: Store, kind: str, keep: timedelta) -> int:
    """Empty up to a page of rows of each of a kind's tables; how many. 0: nothing is left to forget."""
    before = _before(store.clock(), keep)
    return await store.write(lambda tx: retention.forget(tx, kind, before, PAGE))


async def apply(
    store: Store, keep: Mapping[str, timedelta], *, who: str, told: Callable[[str, int], None] = lambda kind, rows: None
) -> dict[str, int]:
    """Forget everything that is due, page by page; kind → rows. ``told`` hears of each page."""
    done = dict.fromkeys(keep, 0)
    for kind in keep:
        while rows := await forget_page(store, kind, keep[kind]):
            done[kind] += rows
            told(kind, rows)
    if any(done.values()):
        await store.write(lambda tx: _note(tx, store, who, "retention.apply", "retention", done))
    return done


async def mentions(store: Store, words: Sequence[str]) -> list[Mentions]:
    """Where a person is mentioned, by any of the words that name them. Nothing is changed.

    Raises Rejected where a word is too short to name a person.
    """
    words, now = _words(words), instant(store.clock())
    found = []
    for part in (part for parts in KINDS.values() for part in parts):

        def counted(tx: Transaction, part: retention.Contents = part) -> Mentions:
            keys = list(retention.mentions(tx, part, words))
            over = sum(retention.is_over(tx, part, key, now) for key in keys)
            return Mentions(part.table, over, len(keys) - over)

        found.append(await store.read(counted))
    return found


async def erase(
    store: Store,
    words: Sequence[str],
    *,
    who: str,
    request: str,
    told: Callable[[str, int], None] = lambda table, rows: None,
) -> list[Mentions]:
    """Forget the contents of every row in which a person is mentioned and whose work is over; what was found.

    The audit names ``request`` (the number under which the person asked), never the person. Raises Rejected where a
    word is too short to name a person.
    """
    words, now, found = _words(words), instant(store.clock()), []
    await store.write(retention.overwrite_deleted)
    for part in (part for parts in KINDS.values() for part in parts):
        keys = await store.read(lambda tx, part=part: list(retention.mentions(tx, part, words)))  # type: ignore[misc]
        over = 0
        for start in range(0, len(keys), PAGE):
            page: list[Row] = keys[start : start + PAGE]

            def emptied(tx: Transaction, part: retention.Contents = part, page: list[Row] = page) -> int:
                return sum(retention.forget_row(tx, part, key) for key in page if retention.is_over(tx, part, key, now))

            rows = await store.write(emptied)
            over += rows
            told(part.table, rows)
        found.append(Mentions(part.table, over, len(keys) - over))
    emptied_rows = {each.table: each.over for each in found if each.over}
    await store.write(lambda tx: _note(tx, store, who, "person.erase", request, emptied_rows))
    return found


def _before(now: datetime, keep: timedelta) -> str:
    return instant(now - keep)


def _words(words: Sequence[str]) -> list[str]:
    short = next((word for word in words if len(word.strip()) < SHORTEST_WORD), None)
    if short is None and words:
        return [word.strip().casefold() for word in words]
    raise Rejected(
        Problem(
            title=f"{short!r} names too many" if words else "Nobody is named",
            field="person",
            value=short,
            expected=f"an e-mail address, a full name, a telephone number: at least {SHORTEST_WORD} characters",
            mend="name the person by something that is theirs alone",
        )
    )


def _note(tx: Transaction, store: Store, who: str, did: str, about: str, rows: Mapping[str, int]) -> None:
    audit.note(tx, at=instant(store.clock()), who=who, did=did, about=about, after=dict(rows))
