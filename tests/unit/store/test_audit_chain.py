"""The audit's chain: a line that was changed, removed, moved or slipped in is found; contents may be erased."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isthmus.governance import audit_heads
from isthmus.landscape.release import AuditPlan
from isthmus.model.problems import Rejected
from isthmus.store import audit, retention
from isthmus.store.migrate import migrate
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    url = f"sqlite:///{tmp_path / 'audit.db'}"
    migrate(url)
    connection = Store.open_connection(url)
    for number in range(1, 6):
        noted(connection, number)
    yield connection


def noted(tx: Transaction, number: int) -> None:
    audit.note(
        tx, at=f"2026-11-2{number}", who="anna", did="exception.edit", about=f"EX-{number}",
        before={"amount": f"{number}.00"}, after={"amount": f"{number}.50"},
    )  # fmt: skip


def test_untouched_it_holds(tx: Transaction) -> None:
    assert audit_heads.verify(tx) == audit_heads.Verdict(lines=5, erased=0, heads=0, broken_at=None, why=None)


@pytest.mark.parametrize(
    ("tampering", "line", "word"),
    [
        ("UPDATE audit SET who = 'bert' WHERE id = 3", 3, "changed"),
        ('UPDATE audit SET after = \'{"amount": "9.50"}\' WHERE id = 3', 3, "after was changed"),
        ("UPDATE audit SET before = NULL WHERE id = 3", 3, "before was changed"),
        ("UPDATE audit SET at = '2026-01-01' WHERE id = 1", 1, "changed"),
        ("DELETE FROM audit WHERE id = 3", 4, "removed, inserted or moved"),
        ("UPDATE audit SET id = 9 WHERE id = 2", 3, "removed, inserted or moved"),
        (
            "INSERT INTO audit SELECT 9, at, who, did, about, before, after, salt, before_digest, after_digest, previous, hash"
            " FROM audit WHERE id = 2",
            9,
            "removed, inserted or moved",
        ),
    ],
)
def test_what_was_tampered_with_is_found(tx: Transaction, tampering: str, line: int, word: str) -> None:
    tx.run(tampering)
    found = audit_heads.verify(tx)
    assert (found.holds, found.broken_at) == (False, line)
    assert word in (found.why or "")


def test_contents_may_be_erased_and_nothing_put_in_their_place(tx: Transaction) -> None:
    assert retention.forget(tx, "audit", "2026-11-24", 100) == 3
    assert tx.value("SELECT count(*) FROM audit WHERE before IS NOT NULL OR salt IS NOT NULL") == 2
    assert audit_heads.verify(tx) == audit_heads.Verdict(lines=5, erased=3, heads=0, broken_at=None, why=None)
    tx.run("UPDATE audit SET after = '{}' WHERE id = 2")
    assert audit_heads.verify(tx).broken_at == 2


def test_a_published_head_sees_what_the_chain_cannot(tx: Transaction) -> None:
    head = audit_heads.head_now(tx, "acme", "prod", NOW)
    noted(tx, 6)
    assert audit_heads.verify(tx, [head]).heads == 1
    tx.run("DELETE FROM audit WHERE id >= 5")
    assert audit_heads.verify(tx).holds, "the chain alone does not miss its end"
    assert "it is gone" in (audit_heads.verify(tx, [head]).why or "")
    rewritten(tx)
    assert audit_heads.verify(tx).holds, "the chain alone does not see that all of it is new"
    assert "rewritten" in (audit_heads.verify(tx, [head]).why or "")


def rewritten(tx: Transaction) -> None:
    """What an operator would do who wants another past."""
    tx.run("DELETE FROM audit")
    tx.run("DELETE FROM sqlite_sequence WHERE name = 'audit'")
    for number in (1, 2, 4, 3, 5):
        noted(tx, number)


def test_heads_are_signed_and_published(tx: Transaction, tmp_path: Path) -> None:
    private, public = audit_heads.new_key()
    repository, remote = tmp_path / "tags", tmp_path / "remote.git"
    for command in (
        ["init", "-q", "--bare", str(remote)],
        ["init", "-q", str(repository)],
        ["-C", str(repository), "config", "user.name", "Isthmus"],
        ["-C", str(repository), "config", "user.email", "isthmus@acme.example"],
        ["-C", str(repository), "remote", "add", "origin", str(remote)],
        ["-C", str(repository), "commit", "-q", "--allow-empty", "-m", "Begin"],
    ):
        subprocess.run(["git", *command], check=True)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "audit.pem").write_text(private)
    plan = AuditPlan("file:secrets/audit.pem", (("file", "heads.txt"), ("git", "tags")))
    head = audit_heads.head_now(tx, "acme", "prod", NOW)
    places = audit_heads.publish(head, plan, tmp_path)
    assert places == [
        str(tmp_path / "heads.txt"),
        f"tag audit/acme/prod/2026-11-23T120000Z in {repository}",
    ]
    for line in (*(tmp_path / "heads.txt").read_text().split(), *audit_heads.heads_in_git(remote)):
        assert audit_heads.read_head(line, public) == head
    assert len(audit_heads.heads_in_git(remote)) == 1

    line = (tmp_path / "heads.txt").read_text()
    with pytest.raises(Rejected, match="was not signed by this key"):
        audit_heads.read_head(line, audit_heads.new_key()[1])
    with pytest.raises(Rejected, match="no Ed25519 key"):
        audit_heads.read_head(line, "made up")


def test_a_broken_chain_is_not_signed(tx: Transaction) -> None:
    tx.run("UPDATE audit SET did = 'nothing' WHERE id = 2")
    with pytest.raises(Rejected, match="Line 2 of the audit is broken"):
        audit_heads.head_now(tx, "acme", "prod", NOW)


def test_a_place_that_refuses_does_not_keep_the_others_from_it(tx: Transaction, tmp_path: Path) -> None:
    (tmp_path / "audit.pem").write_text(audit_heads.new_key()[0])
    plan = AuditPlan("file:audit.pem", (("git", "nowhere"), ("file", "heads.txt")))
    with pytest.raises(Rejected, match="git could not publish"):
        audit_heads.publish(audit_heads.head_now(tx, "acme", "prod", NOW), plan, tmp_path)
    assert (tmp_path / "heads.txt").read_text().count("\n") == 1
