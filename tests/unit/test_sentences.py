"""A run in sentences: what was heard, asked, made, repeated, parked and mended, from a timeline alone."""

from __future__ import annotations

from typing import Any

from isthmus.visibility.pictures import calls_picture
from isthmus.visibility.sentences import account, spelled, took


def at(second: float) -> str:
    return f"2026-11-23T10:02:{second:09.6f}Z"


def call(
    step: str, second: float, outcome: str = "answered", status: int | None = 200, connection: str = "erp", **more: Any
) -> dict[str, Any]:
    shape = {"part": "", "operation": f"erp.{step}", "method": "POST", "path": "/x", "took_us": 900}
    return {
        "step": step,
        "at": at(second),
        "outcome": outcome,
        "status": status,
        "connection": connection,
        **shape,
        **more,
    }


def effect(operation: str, second: float, **more: Any) -> dict[str, Any]:
    shape = {
        "part": "", "state": "done", "made_harmless_by": None, "sends": 1, "undone_by": None, "in_doubt": False,
        "intended_at": at(second - 0.1), "ended_at": at(second), "reference": None, "number": None,
    }  # fmt: skip
    step = operation.partition(".")[2]
    return {"key": f"{operation}/OPP-2", "step": step, "operation": operation, "connection": "erp", **shape, **more}


def timeline(**more: Any) -> dict[str, Any]:
    order = {"operation": "erp.create_order", "key": "OPP-2", "reference": "45"}
    return {
        "id": "q2c.crm.006", "process": "quote-to-cash", "connection": "crm", "state": "done", "key": "OPP-2", "generation": 1,
        "title": "Inverters", "customer": "Kitamura KK", "amount": "1204000", "currency": "JPY", "unit": "apac", "round": 1,
        "release": "acme-1", "created_at": at(1), "updated_at": at(9), "ended_at": at(9), "trace_id": "4bf9", "problem": None,
        "messages": [{"received_at": at(1)}, {"received_at": at(2)}],
        "events": [
            {"at": at(1.1), "type": "isthmus.quote.accepted.v1", "data": {"title": "Inverters"}},
            {"at": at(5), "type": "isthmus.order.created.v1", "data": order},
        ],
        "steps": [
            {"at": at(2), "name": "check", "key": "", "kind": "read", "who": None, "due_at": None},
            {"at": at(3), "name": "approval deal-desk", "key": "", "kind": "wait", "who": "kim", "due_at": None},
        ],
        "effects": [effect("erp.create_order", 5, reference="45", number="45", made_harmless_by="probe")],
        "calls": [
            call("check", 1.5, "troubled", 429), call("check", 1.9), call("create_order", 3.1, "cut", None),
            call("create_order", 5, "looked"),
        ],
        "exceptions": [],
        **more,
    }  # fmt: skip


def texts(**more: Any) -> list[str]:
    return [line.text for line in account(timeline(**more), {"erp": "SAP", "crm": "the CRM"}).lines]


def test_a_whole_story_in_order() -> None:
    told = account(timeline(), {"erp": "SAP", "crm": "the CRM"})
    assert told.title == 'OPP-2 "Inverters" of Kitamura KK, 1,204,000 JPY, unit apac. quote-to-cash: It is complete.'
    assert [line.text for line in told.lines] == [
        "the CRM says: quote accepted (told 2 times, used once)",
        "check: SAP answered. On the way: asked us to wait once",
        "waits: approval deal desk, answered by kim",
        "SAP: order 45 created. On the way: the answer was lost once; we looked for our number and found it",
        "complete, 8.00 s after it was heard of",
    ]
    assert told.elsewhere == ["SAP 45"]


def test_parked_and_taken_up_again() -> None:
    one = {"number": "EX-7", "title": "Item X-200 is not sold", "mend": "extend it", "opened_at": at(4)}
    parked = texts(
        state="parked", ended_at=None, exceptions=[{**one, "state": "open", "ended_at": None, "ended_by": None}]
    )
    assert "parked as EX-7: Item X-200 is not sold. To do: extend it" in parked
    ended = texts(exceptions=[{**one, "state": "ended", "ended_at": at(6), "ended_by": "kim"}])
    assert "parked as EX-7: Item X-200 is not sold" in ended
    assert "EX-7 was taken up again by kim" in ended


def test_undone_refused_and_asked_over_the_api() -> None:
    undone = [
        effect("erp.create_order", 5, state="undone", number="45"),
        effect("billing.create_invoice", 6, state="refused"),
    ]
    told = texts(state="undone", messages=[], effects=undone)
    assert "asked for over the API: quote accepted" in told
    assert any(line.startswith("SAP: order 45 created, and undone since") for line in told)
    assert "SAP refused create invoice" in told
    assert "undone, 8.00 s after it was heard of" in told


def test_amounts_keep_their_digits() -> None:
    assert spelled("1204000.500") == "1,204,000.500"
    assert spelled("-1234") == "-1,234"
    assert took(timeline(ended_at=None)) == ""


def test_a_picture_has_a_column_for_each_system() -> None:
    lines = calls_picture(timeline(calls=[call("check", 1), call("tell", 2, "cut", None, "crm")]))
    assert lines[2].split() == ["isthmus", "erp", "crm"]
    assert lines[3].index("●") < lines[4].index("?")
    assert lines[-1].split() == ["●", "answered", "?", "cut"]
    assert calls_picture(timeline(calls=[])) == []
