"""Promises in time: rows that the journal opens and closes, and the question which of them are in trouble."""

from __future__ import annotations

import json
from collections.abc import Sequence

from isthmus.store.transaction import Row, Transaction

_POSITION = "journal.followed"
#: open promises that are late, or whose run cannot go on in time
_TROUBLED = (
    "SELECT s.*, r.state AS run_state, r.due_at AS goes_on_at, r.connection, r.problem,"
    " e.number AS exception, e.group_key AS cause, e.title AS said, e.mend"
    " FROM service_level s JOIN run r ON r.id = s.run_id"
    " LEFT JOIN exception e ON e.run_id = s.run_id AND e.state = 'open'"
    " WHERE s.ended_at IS NULL AND (s.due_at < :now OR e.number IS NOT NULL OR (r.state = 'waiting' AND r.due_at > s.due_at))"
    " ORDER BY s.due_at"
)


def position(tx: Transaction) -> int:
    """How far the journal was followed."""
    return int(tx.value("SELECT value FROM setting WHERE name = :name", {"name": _POSITION}) or 0)


def put_position(tx: Transaction, reached: int) -> None:
    """Remember how far the journal was followed."""
    sql = "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value"
    tx.run(sql, {"name": _POSITION, "value": str(reached)})


def is_behind(tx: Transaction) -> bool:
    """Whether the journal has gone on since it was followed."""
    last = tx.value("SELECT max(position) AS last FROM journal WHERE position IS NOT NULL")
    return int(last or 0) > position(tx)


def follow_alone(tx: Transaction) -> bool:
    """Whether nobody else follows now; the right lasts until the commit."""
    return tx.dialect != "postgresql" or bool(tx.value("SELECT pg_try_advisory_xact_lock(4721) AS got"))


def began(tx: Transaction, row: Row) -> None:
    """A promise begins. The same event twice begins one; what was begun under its run's id gets its business key."""
    sets = ", ".join(f"{name} = :{name}" for name in ("about", "unit", "customer", "amount", "currency"))
    unnamed = "level = :level AND run_id = :run_id AND about = run_id AND ended_at IS NULL"
    if not tx.run(f"UPDATE service_level SET {sets} WHERE {unnamed}", row):
        tx.insert_new("service_level", {**row, "ended_at": None, "state": "open"})


def came_in_at(tx: Transaction, run_id: str, before: str) -> str | None:
    """When the first message came that belongs to a run: the promise counts from there, not from when we read it."""
    found: str | None = tx.value(
        "SELECT min(received_at) AS at FROM message WHERE run_id = :run AND received_at <= :before",
        {"run": run_id, "before": before},
    )
    return found


def kept(tx: Transaction, level: str, about: str, at: str) -> int:
    """What was promised has happened: in time, or too late."""
    return tx.run(
        "UPDATE service_level SET ended_at = :at, state = CASE WHEN :at <= due_at THEN 'met' ELSE 'missed' END"
        " WHERE level = :level AND about = :about AND ended_at IS NULL AND begun_at <= :at",
        {"level": level, "about": about, "at": at},
    )


def withdraw(tx: Transaction, now: str) -> int:
    """Promises of runs that were reversed or turned out to be nothing of ours hold no longer."""
    return tx.run(
        "UPDATE service_level SET ended_at = :now, state = 'withdrawn' WHERE ended_at IS NULL"
        " AND run_id IN (SELECT id FROM run WHERE state IN ('undone', 'ignored'))",
        {"now": now},
    )


def troubled(tx: Transaction, now: str) -> list[Row]:
    """Open promises that are late or whose run is stuck, with what is known of the cause; the most urgent first."""
    return tx.rows(_TROUBLED, {"now": now})


def at_risk(tx: Transaction, now: str) -> dict[str, int]:
    """Level → how many open promises are in time still, but their run is stuck."""
    sql = (
        "SELECT s.level, count(*) AS n FROM service_level s JOIN run r ON r.id = s.run_id"
        " WHERE s.ended_at IS NULL AND s.due_at >= :now AND ((r.state = 'waiting' AND r.due_at > s.due_at)"
        " OR EXISTS (SELECT 1 FROM exception e WHERE e.run_id = s.run_id AND e.state = 'open')) GROUP BY s.level"
    )
    return {row["level"]: row["n"] for row in tx.rows(sql, {"now": now})}


def unread(tx: Transaction) -> dict[str, Row]:
    """Connection → how many of its messages nobody has taken yet, and since when the oldest waits."""
    rows = tx.rows(
        "SELECT connection, count(*) AS n, min(received_at) AS since FROM message WHERE state = 'new' GROUP BY connection"
    )
    return {row["connection"]: row for row in rows}


def counts(tx: Transaction, since: str, now: str) -> list[Row]:
    """For each level: open promises in time and late, and those that ended since an instant by how."""
    open_ = (
        "SELECT level, CASE WHEN due_at < :now THEN 'late' ELSE 'on_time' END AS state, count(*) AS n"
        " FROM service_level WHERE ended_at IS NULL GROUP BY 1, 2"
    )
    # grouped by what no index knows, so that the index of the time is used
    ended = "SELECT max(level) AS level, state, count(*) AS n FROM service_level WHERE ended_at >= :since GROUP BY level || '', state"
    return [*tx.rows(open_, {"now": now}), *tx.rows(ended, {"since": since})]


def spans(tx: Transaction, level: str, since: str, most: int) -> list[Row]:
    """Begin and end of what ended since an instant, the newest first."""
    return tx.rows(
        "SELECT begun_at, ended_at FROM service_level WHERE level || '' = :level AND ended_at >= :since"
        " AND state IN ('met', 'missed') ORDER BY ended_at DESC LIMIT :most",
        {"level": level, "since": since, "most": most},
    )


# Alerts -------------------------------------------------------------------------------------------


def open_alerts(tx: Transaction) -> list[Row]:
    """Alerts that are not over, by their group."""
    return _read(tx.rows("SELECT * FROM alert WHERE state = 'open' ORDER BY group_key"))


def list_alerts(tx: Transaction, limit: int = 100) -> list[Row]:
    """Alerts, open ones first, then the newest."""
    return _read(tx.rows("SELECT * FROM alert ORDER BY state DESC, number DESC LIMIT :limit", {"limit": limit}))


def open_alert(tx: Transaction, row: Row) -> bool:
    """Open an alert unless one of its group stands open; whether it was new."""
    return tx.insert_new("alert", {**row, "state": "open", "told_to": "[]", "data": json.dumps(row["data"])})


def tell_once(tx: Transaction, row: Row) -> None:
    """Have a desk told something that is no incident: there is nothing to follow afterwards."""
    tx.insert("alert", {**row, "state": "ended", "told_to": "[]", "data": json.dumps(row["data"])})


def change_alert(tx: Transaction, number: int, values: Row) -> None:
    """Change columns of an alert."""
    texts: Row = {name: json.dumps(values[name]) for name in ("data", "told_to") if name in values}
    sets = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(f"UPDATE alert SET {sets} WHERE number = :number", {**values, **texts, "number": number})


def is_due(tx: Transaction, now: str) -> bool:
    """Whether an alert is to be told now that nobody is telling."""
    sql = "SELECT 1 AS due FROM alert WHERE tell_at <= :now AND (held_until IS NULL OR held_until < :now) LIMIT 1"
    return tx.value(sql, {"now": now}) is not None


def take_due_alerts(tx: Transaction, now: str, until: str) -> list[Row]:
    """Alerts that are to be told now, held so that no other worker tells them too."""
    return _read(
        tx.rows(
            "UPDATE alert SET held_until = :until WHERE tell_at <= :now AND (held_until IS NULL OR held_until < :now)"
            " RETURNING *",
            {"now": now, "until": until},
        )
    )


def _read(rows: Sequence[Row]) -> list[Row]:
    return [{**row, "data": json.loads(row["data"]), "told_to": json.loads(row["told_to"])} for row in rows]
