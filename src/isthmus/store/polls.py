"""Where each poll stands, and what the polls of each day brought. One poller per channel, whoever holds its lease."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction
from isthmus.store.workers import now_ms


def take_poll(
    tx: Transaction, *, connection: str, channel: str, holder: str, now: str, until: str, not_since: str, start: str
) -> Row | None:
    """Win the right to poll now, unless somebody who lives polls or somebody has since ``not_since``; the cursor.

    ``start`` is from when on the first poll looks; it stays the same until the source has returned something.
    """
    tx.insert_new("cursor", {"connection": connection, "channel": channel, "start": start})
    return tx.row(
        "UPDATE cursor SET holder = :holder, held_until = :until, begun_at = :now"
        " WHERE connection = :connection AND channel = :channel"
        " AND (held_until IS NULL OR held_until < :now"
        " OR holder NOT IN (SELECT w.holder FROM worker w WHERE w.holder IS NOT NULL AND w.expires_at >= :alive))"
        " AND (polled_at IS NULL OR polled_at < :since) RETURNING *",
        {
            "connection": connection,
            "channel": channel,
            "holder": holder,
            "now": now,
            "until": until,
            "since": not_since,
            "alive": now_ms(tx),
        },
    )


def keep_poll(
    tx: Transaction, *, connection: str, channel: str, holder: str, until: str, value: str | None, tie: str | None
) -> bool:
    """Hold the lease longer, and move the cursor to what the source returned (None: leave it); False: it was lost."""
    return (
        tx.run(
            "UPDATE cursor SET held_until = :until, tie = CASE WHEN CAST(:value AS TEXT) IS NULL THEN tie ELSE :tie END,"
            " value = coalesce(:value, value) WHERE connection = :connection AND channel = :channel AND holder = :holder",
            {
                "connection": connection,
                "channel": channel,
                "holder": holder,
                "until": until,
                "value": value,
                "tie": tie,
            },
        )
        > 0
    )


def end_poll(
    tx: Transaction, *, connection: str, channel: str, holder: str, now: str, outcome: str, said: str | None
) -> int | None:
    """Give the lease back and keep how it ended; how many polls in a row have failed, None where the lease was lost."""
    failed = int(outcome.startswith("failed"))
    found: int | None = tx.value(
        "UPDATE cursor SET held_until = NULL, polled_at = :now, outcome = :outcome, said = :said,"
        " seen_at = CASE WHEN :outcome = 'ok' THEN begun_at ELSE seen_at END,"
        " failures = CASE WHEN :failed = 1 THEN failures + 1 WHEN :outcome = 'ok' THEN 0 ELSE failures END"
        " WHERE connection = :connection AND channel = :channel AND holder = :holder RETURNING failures",
        {
            "connection": connection,
            "channel": channel,
            "holder": holder,
            "now": now,
            "outcome": outcome,
            "said": said,
            "failed": failed,
        },
    )
    return found


def let_go(tx: Transaction, connection: str, channel: str, holder: str) -> None:
    """Give the lease back of a poll that did not come to its end."""
    tx.run(
        "UPDATE cursor SET held_until = NULL WHERE connection = :connection AND channel = :channel AND holder = :holder",
        {"connection": connection, "channel": channel, "holder": holder},
    )


def free_all(tx: Transaction) -> None:
    """Give every lease back: nobody who held one is here any more."""
    tx.run("UPDATE cursor SET held_until = NULL")


def count_poll(tx: Transaction, *, connection: str, channel: str, day: str, failed: bool, new: int) -> bool:
    """Add a poll to its day; whether it is the day's first."""
    row = {"connection": connection, "channel": channel, "day": day}
    first = tx.insert_new("poll_day", {**row, "polls": 0, "failed": 0, "new": 0})
    tx.run(
        "UPDATE poll_day SET polls = polls + 1, failed = failed + :failed, new = new + :new"
        " WHERE connection = :connection AND channel = :channel AND day = :day",
        {**row, "failed": int(failed), "new": new},
    )
    return bool(first)


def days(tx: Transaction, connection: str, channel: str, before: str, most: int = 15) -> list[Row]:
    """What the days before one brought, the latest first."""
    return tx.rows(
        "SELECT * FROM poll_day WHERE connection = :connection AND channel = :channel AND day < :before"
        " ORDER BY day DESC LIMIT :most",
        {"connection": connection, "channel": channel, "before": before, "most": most},
    )


def cursors(tx: Transaction) -> list[Row]:
    """All cursors."""
    return tx.rows("SELECT * FROM cursor ORDER BY connection, channel")


def latest(tx: Transaction) -> dict[str, Row]:
    """Connection → its poll that ended badly, or else the one that ended last."""
    found: dict[str, Row] = {}
    for row in cursors(tx):
        held = found.get(row["connection"])
        if held is None or (_bad(row), row["polled_at"] or "") > (_bad(held), held["polled_at"] or ""):
            found[row["connection"]] = row
    return found


def _bad(row: Row) -> bool:
    return str(row["outcome"] or "").startswith("failed")
