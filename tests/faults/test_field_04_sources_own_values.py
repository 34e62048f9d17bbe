"""Field test 4: a cursor is set only from a value that the source has returned, or from where the first poll began.

What our clock says has no place in it: the source's may be behind, and what it shows may be late.
"""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from tests.support.asking import asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.ways_in import poll

from isthmus.catalogue.connector import Connector, Inbound
from isthmus.catalogue.registry import connectors
from isthmus.connectivity.transport.answer import Answer
from isthmus.orchestration.paging import Paging

SOURCE = Path(__file__).parents[2] / "src/isthmus"
POLLS = [
    pytest.param(folder.descriptor, channel, id=f"{name}.{at}")
    for name, folder in connectors().items()
    for at, channel in folder.descriptor.inbound.items()
    if channel.channel == "poll"
]


@cache
def texts() -> dict[str, str]:
    return {str(path.relative_to(SOURCE)): path.read_text() for path in SOURCE.rglob("*.py")}


def calls_of(name: str) -> dict[str, list[ast.Call]]:
    """Calls of a function or class by its name, whatever stands before it, in each module that has some."""
    trees = {path: ast.parse(text) for path, text in texts().items() if re.search(rf"\b{name}\(", text)}
    found = {path: [node for node in ast.walk(tree) if isinstance(node, ast.Call)] for path, tree in trees.items()}
    named = {
        path: [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) == name]
        for path, calls in found.items()
    }
    return {path: calls for path, calls in named.items() if calls}


# The rule of the code ---------------------------------------------------------------------------------


def test_nothing_but_a_mark_moves_a_cursor() -> None:
    moved = calls_of("keep_poll")
    assert list(moved) == ["orchestration/poll.py"]
    (call,) = moved["orchestration/poll.py"]
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    assert given["value"] == "mark.value if mark else None"
    assert given["tie"] == "mark.tie if mark else None"
    statements = re.compile(r"(UPDATE|INTO|DELETE FROM) cursor\b|\"cursor\", \{")
    assert [path for path, text in texts().items() if statements.search(text)] == ["store/polls.py"]


def test_a_mark_is_made_of_a_page_or_of_the_mark_before() -> None:
    assert {path: {ast.unparse(call) for call in calls} for path, calls in calls_of("Mark").items()} == {
        "orchestration/paging.py": {"Mark(str(position))", "Mark(str(value), str(tie))"},
        "orchestration/poll.py": {"Mark(taken['value'], taken['tie'])"},
        "orchestration/jobs/works.py": {"Mark(*cursor['asked'])"},
    }


def test_where_marks_are_made_no_clock_is_known() -> None:
    tree = ast.parse(texts()["orchestration/paging.py"])
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    named |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not named & {"clock", "now", "utcnow", "today", "system_clock", "monotonic", "sleep"}


@pytest.mark.parametrize(("descriptor", "channel"), POLLS)
def test_a_poll_reads_in_the_order_of_its_cursor(descriptor: Connector, channel: Inbound) -> None:
    """Pages by number or by how many to skip are never right: what changes meanwhile shifts them."""
    cursor, asked = channel.cursor, {"request": str(channel.request), **channel.query}
    assert cursor is not None
    if cursor.position:
        assert "{position}" in f"{cursor.request} {cursor.query}"
        return
    text = " ".join(f"{name} {value}" for name, value in asked.items())
    if cursor.pages == "keyset":
        after = dict.fromkeys(re.findall(r"(\w+) gt (?:[a-z]+)?'\{cursor", text))
        assert asked["$orderby"].split(",") == list(after), "sorted by just what stands after the cursor, the tie last"
        assert "{cursor_tie}" in text
        return
    by_cursor = re.search(rf"order by {cursor.field}, {cursor.tie}", text, re.IGNORECASE)
    assert (by_cursor and descriptor.transport.next == "nextRecordsUrl") or "starting_after" in str(
        descriptor.transport.next
    ), "the vendor's next page is one of a result that stands, or begins after a row by its id"


# What comes of it -------------------------------------------------------------------------------------


async def test_the_sources_clock_may_be_behind_ours(tmp_path: Path) -> None:
    with RunningSandbox(["salesforce"]) as running:
        async with asking(tmp_path, running, {"crm": "salesforce"}) as ask:
            running.desk("salesforce/play/win", {"opportunity": "OPP-1001"})
            assert await poll(ask, "salesforce", "opportunities") == 1
            ask.clock.advance(timedelta(minutes=50))
            assert await poll(ask, "salesforce", "opportunities") == 0
            running.desk("salesforce/play/win", {"opportunity": "OPP-1002"})
            ask.clock.advance(timedelta(minutes=50))
            assert await poll(ask, "salesforce", "opportunities") == 1, "its clock is an hour and a half behind"
            (cursor,) = await ask.store.read(lambda tx: tx.rows("SELECT * FROM cursor"))
            (row,) = running.desk("salesforce/show/opportunity/OPP-1002")
            assert (cursor["value"], cursor["tie"]) == (row["SystemModstamp"], row["Id"]), "in the source's own words"


async def test_what_came_while_we_were_off_is_read_though_nothing_had_ever_come(tmp_path: Path) -> None:
    with RunningSandbox(["salesforce"]) as running:
        async with asking(tmp_path, running, {"crm": "salesforce"}) as ask:
            assert await poll(ask, "salesforce", "opportunities") == 0
            running.desk("salesforce/play/win", {"opportunity": "OPP-1001"})
            running.clock.advance(timedelta(hours=30))
            ask.clock.advance(timedelta(hours=30))
            assert await poll(ask, "salesforce", "opportunities") == 1


async def test_what_comes_newest_first_moves_no_cursor_before_its_last_page(tmp_path: Path) -> None:
    with RunningSandbox(["stripe"]) as running:
        async with asking(tmp_path, running, {"billing": "stripe"}) as ask:
            name = next(name for name, plan in ask.release.connections.items() if plan.connector.connector == "stripe")
            channel = ask.release.connections[name].connector.inbound["events_listed"]
            paging = Paging(ask.release, ask.engine.connections[name], name, "events_listed", channel)
            event = {
                "id": "evt_1",
                "created": 1763900000,
                "type": "invoice.paid",
                "data": {"object": {"object": "invoice", "id": "in_1"}},
            }
            page = paging.page(Answer(200, {}, {"data": [event], "has_more": False}, b"", None), None)
            assert page.mark is not None and not page.in_order
