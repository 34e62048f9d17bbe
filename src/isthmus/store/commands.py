"""What people ask of a running Isthmus, written as rows: the worker carries them out, the asker reads the answer."""

from __future__ import annotations

import json
from typing import Any

from isthmus.store.transaction import Row, Transaction


def ask(tx: Transaction, *, at: str, who: str, verb: str, about: str, arguments: dict[str, Any]) -> int:
    """Write a command; its number."""
    row = {"at": at, "who": who, "verb": verb, "about": about, "arguments": json.dumps(arguments, ensure_ascii=False)}
    found = tx.value(
        "INSERT INTO command (at, who, verb, about, arguments) VALUES (:at, :who, :verb, :about, :arguments) RETURNING id",
        row,
    )
    return int(found)


def open_commands(tx: Transaction, most: int = 20) -> list[Row]:
    """Commands that nobody has carried out."""
    return tx.rows("SELECT * FROM command WHERE done_at IS NULL ORDER BY id LIMIT :most" + tx.skip, {"most": most})


def answer_command(tx: Transaction, number: int, answer: dict[str, Any], now: str) -> None:
    """Note how a command ended."""
    tx.run(
        "UPDATE command SET done_at = :now, answer = :answer WHERE id = :id",
        {"id": number, "now": now, "answer": json.dumps(answer, ensure_ascii=False)},
    )


def get_command(tx: Transaction, number: int) -> Row | None:
    """One command."""
    return tx.row("SELECT * FROM command WHERE id = :id", {"id": number})
