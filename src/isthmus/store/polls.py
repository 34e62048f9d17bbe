"""Where each poll stands. One poller per channel, whoever holds its lease."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def take_poll(
    tx: Transaction, *, connection: str, channel: str, holder: str, now: str, until: str, not_since: str
) -> Row | None:
    """Win the right to poll now, unless somebody polls or has polled since ``not_since``; the cursor as it stands."""
    tx.insert_new("cursor", {"connection": connection, "channel": channel})
    return tx.row(
        "UPDATE cursor SET holder = :holder, held_until = :until WHERE connection = :connection AND channel = :channel"
        " AND (held_until IS NULL OR held_until < :now) AND (polled_at IS NULL OR polled_at < :since) RETURNING *",
        {
            "connection": connection,
            "channel": channel,
            "holder": holder,
            "now": now,
            "until": until,
            "since": not_since,
        },
    )


def move_cursor(
    tx: Transaction,
    *,
    connection: str,
    channel: str,
    holder: str,
    value: str | None,
    tie: str | None,
    now: str,
    done: bool,
) -> bool:
    """Move a cursor to a value that the source returned; False where the lease was lost."""
    return (
        tx.run(
            "UPDATE cursor SET value = coalesce(:value, value), tie = coalesce(:tie, tie),"
            " polled_at = CASE WHEN :done = 1 THEN :now ELSE polled_at END, held_until = CASE WHEN :done = 1 THEN NULL ELSE held_until END"
            " WHERE connection = :connection AND channel = :channel AND holder = :holder",
            {
                "connection": connection,
                "channel": channel,
                "holder": holder,
                "value": value,
                "tie": tie,
                "now": now,
                "done": int(done),
            },
        )
        > 0
    )


def cursors(tx: Transaction) -> list[Row]:
    """All cursors."""
    return tx.rows("SELECT * FROM cursor ORDER BY connection, channel")
