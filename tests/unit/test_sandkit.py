"""The kit of the stand-ins: worlds that roll back in parts, faults that repeat by seed, routes, pushes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import build
from isthmus.sandkit.faults import FaultRule, Faults
from isthmus.sandkit.push import Push, PushPolicy
from isthmus.sandkit.routes import Answer, Refusal, Request, Routes
from isthmus.sandkit.standin import Cut, Sandbox
from isthmus.sandkit.world import World

# World ----------------------------------------------------------------------------------------------


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.script("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)")
    yield made
    made.close()


def test_an_inner_transaction_fails_alone(world: World) -> None:
    with world.transaction():
        world.insert("thing", {"id": 1, "name": "outer"})
        with pytest.raises(RuntimeError), world.transaction():
            world.insert("thing", {"id": 2, "name": "inner"})
            with world.transaction():
                world.insert("thing", {"id": 3, "name": "innermost, done"})
            raise RuntimeError
        world.insert("thing", {"id": 4, "name": "outer again"})
    assert [row["id"] for row in world.rows("SELECT id FROM thing ORDER BY id")] == [1, 4]


def test_an_outer_failure_takes_everything_along(world: World) -> None:
    with pytest.raises(RuntimeError), world.transaction():
        with world.transaction():
            world.insert("thing", {"id": 1, "name": "done inside"})
        raise RuntimeError
    assert world.rows("SELECT * FROM thing") == []
    with world.transaction():  # and the world is usable afterwards
        world.insert("thing", {"id": 2, "name": "later"})
    assert world.value("SELECT name FROM thing") == "later"


def test_a_number_is_given_back_with_its_transaction(world: World) -> None:
    assert [world.next_number("order", 100), world.next_number("order", 100)] == [100, 101]
    with pytest.raises(RuntimeError), world.transaction():
        assert world.next_number("order") == 102
        raise RuntimeError
    assert world.next_number("order") == 102
    assert world.next_number("invoice", 7) == 7


def test_columns_come_and_go_while_the_world_lives(world: World) -> None:
    world.insert("thing", {"id": 1, "name": "before"})
    world.add_column("thing", 'odd "name"')
    world.update("thing", {'odd "name"': "x"}, {"id": 1})
    assert world.row("SELECT * FROM thing") == {"id": 1, "name": "before", 'odd "name"': "x"}
    world.drop_column("thing", 'odd "name"')
    assert world.columns("thing") == ["id", "name"]


def test_a_world_in_a_file_survives(tmp_path: Path) -> None:
    first = World(tmp_path / "w.sqlite")
    first.script("CREATE TABLE thing (id INTEGER)")
    first.insert_many("thing", [{"id": n} for n in range(3)])
    first.close()
    again = World(tmp_path / "w.sqlite")
    assert again.value("SELECT count(*) FROM thing") == 3
    again.close()


# Clock ----------------------------------------------------------------------------------------------


def test_the_clock_moves_forward_only() -> None:
    clock = Clock(datetime(2026, 11, 23, tzinfo=UTC))
    assert clock.advance(timedelta(hours=2)) >= datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    with pytest.raises(ValueError, match="forward only"):
        clock.advance(timedelta(seconds=-1))


# Faults ---------------------------------------------------------------------------------------------


def _met(seed: int, operations: list[str]) -> list[str]:
    rules = [FaultRule("down", rate=0.3), FaultRule("late", "b", "POST *", rate=0.5, delay_s=1, delay_max_s=9)]
    faults = Faults(seed, rules)
    picked = [faults.pick("b", operation) for operation in operations]
    return [f"{fault.kind} {fault.delay_s:.6f}" if fault else "-" for fault in picked]


def test_the_same_seed_meets_the_same_faults() -> None:
    traffic = ["POST /orders", "GET /orders", "POST /invoices"] * 30
    assert _met(1, traffic) == _met(1, traffic)
    assert _met(1, traffic) != _met(2, traffic)
    assert {line.split()[0] for line in _met(1, traffic)} == {"down", "late", "-"}


def test_a_rule_names_vendor_and_operation_and_ends_after_its_times() -> None:
    faults = Faults(1, [FaultRule("limited", "stripe", "POST */invoices*", times=2)])
    assert faults.pick("zendesk", "POST /v1/invoices") is None
    assert faults.pick("stripe", "GET /v1/invoices") is None
    kinds = [fault.kind if fault else None for fault in (faults.pick("stripe", "POST /v1/invoices") for _ in range(3))]
    assert kinds == ["limited", "limited", None]
    assert faults.as_json()["met"] == [{"vendor": "stripe", "kind": "limited", "count": 2}]


def test_setting_rules_starts_their_counts_again() -> None:
    faults = Faults(1, [FaultRule("down", times=1)])
    assert faults.pick("x", "GET /") is not None
    assert faults.pick("x", "GET /") is None
    faults.set([FaultRule("down", times=1)])
    assert faults.pick("x", "GET /") is not None


def test_faults_of_pushes_and_of_requests_do_not_mix() -> None:
    faults = Faults(1, [FaultRule("push_twice")])
    assert faults.pick("x", "POST /hook") is None
    assert faults.pick("x", "PUSH order.created", push=True) is not None


def test_how_late_an_effect_can_be() -> None:
    faults = Faults(1, [FaultRule("late", "a", delay_s=2), FaultRule("late", "*", delay_s=1, delay_max_s=3)])
    assert (faults.late_max_s("a"), faults.late_max_s("b")) == (3, 3)
    assert Faults(1).late_max_s("a") == 0


@pytest.mark.parametrize("wrong", [{"kind": "odd"}, {"kind": "down", "rate": 1.5}])
def test_a_wrong_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fault"):
        FaultRule(**wrong)


# Routes ---------------------------------------------------------------------------------------------


def _request(method: str, path: str, body: bytes = b"", query: str = "") -> Request:
    return Request(method, path, path, query, {}, body, "http://here")


def _named(name: str) -> Any:
    return lambda request: Answer(200, {"name": name, **request.params})


def _answer(routes: Routes, method: str, path: str) -> Any:
    request = _request(method, path)
    handler = routes.find(request)
    return handler(request).body if handler else None


def test_exact_paths_go_before_patterns_and_parameters_are_decoded() -> None:
    routes = Routes()
    routes.add("GET", "/v1/things/{id}", _named("one"))
    routes.add("GET", "/v1/things/search", _named("search"))
    routes.add("GET", "/files/{rest:path}", _named("file"))
    assert _answer(routes, "GET", "/v1/things/search") == {"name": "search"}
    assert _answer(routes, "GET", "/v1/things/a%2Fb%20c") == {"name": "one", "id": "a/b c"}
    assert _answer(routes, "GET", "/v1/things/a/b") is None
    assert _answer(routes, "GET", "/files/a/b.txt") == {"name": "file", "rest": "a/b.txt"}
    assert _answer(routes, "POST", "/v1/things/search") is None
    assert routes.methods(_request("POST", "/v1/things/search")) == ["GET"]


def test_paths_can_be_heard_without_regard_to_case() -> None:
    routes = Routes(ignore_case=True)
    routes.add("GET", "/Services/Data", _named("data"))
    assert _answer(routes, "GET", "/services/DATA") == {"name": "data"}


def test_a_body_s_fractions_stay_text() -> None:
    assert _request("POST", "/", b'{"amount": 10.10, "count": 3}').json() == {"amount": "10.10", "count": 3}
    assert _request("POST", "/").json() is None
    assert _request("GET", "/", query="a=1&a=2&b=").query == [("a", "1"), ("a", "2"), ("b", "")]
    assert _request("GET", "/", query="a=1&a=2").argument("a") == "2"
    assert _request("POST", "/", b"x=1+2&y=%C3%A4").form() == [("x", "1 2"), ("y", "ä")]


# A stand-in -----------------------------------------------------------------------------------------


class _Shop(Sandbox):
    """The smallest stand-in: it counts what it was sent."""

    name, title = "shop", "Shop"

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        super().__init__(world, clock, faults)
        world.script("CREATE TABLE sale (id INTEGER)")
        self.routes.add("POST", "/sales", self._sell)
        self.routes.add("POST", "/refused", self._refuse)

    def _sell(self, request: Request) -> Answer:
        self.world.insert("sale", {"id": 1})
        return Answer(201, {"ok": True})

    def _refuse(self, request: Request) -> Answer:
        self.world.insert("sale", {"id": 2})
        raise Refusal(Answer(422, {"no": True}))

    def sales(self) -> int:
        return int(self.world.value("SELECT count(*) FROM sale"))

    def seed(self, company: Any) -> None: ...

    def credentials(self) -> dict[str, str]:
        return {}

    def trouble(self, kind: str, request: Request) -> Answer:
        return Answer({"limited": 429, "down": 503, "not_found": 404}.get(kind, 500), {"trouble": kind})

    def verbs(self) -> dict[str, Any]:
        return {}

    def show(self, kind: str, key: str | None) -> list[dict[str, Any]]:
        return []

    def change(self, kind: str, key: str, values: Any) -> dict[str, Any]:
        return {}


def _shop(*rules: FaultRule) -> _Shop:
    return _Shop(World(), Clock(), Faults(1, list(rules)))


async def test_a_refusal_rolls_back_what_was_written() -> None:
    shop = _shop()
    assert (await shop.answer(_request("POST", "/refused"))).status == 422
    assert (await shop.answer(_request("GET", "/nowhere"))).status == 404
    assert shop.sales() == 0


@pytest.mark.parametrize(
    ("kind", "status", "sales"), [("limited", 429, 0), ("down", 503, 0), ("broken", 500, 1), ("slow", 201, 1)]
)
async def test_what_a_fault_answers_and_leaves_behind(kind: str, status: int, sales: int) -> None:
    shop = _shop(FaultRule(kind, delay_s=0.01))
    assert (await shop.answer(_request("POST", "/sales"))).status == status
    assert shop.sales() == sales


@pytest.mark.parametrize(("kind", "at_once", "afterwards"), [("cut_before", 0, 0), ("cut_after", 1, 1), ("late", 0, 1)])
async def test_what_a_cut_leaves_behind(kind: str, at_once: int, afterwards: int) -> None:
    shop = _shop(FaultRule(kind, delay_s=0.01))
    with pytest.raises(Cut) as cut:
        await shop.answer(_request("POST", "/sales"))
    assert shop.sales() == at_once
    if cut.value.later is not None:
        await cut.value.later()
    assert shop.sales() == afterwards


# Push -----------------------------------------------------------------------------------------------


class _Receiver:
    """An endpoint that answers what it is told to, and remembers what it heard."""

    def __init__(self, *statuses: int) -> None:
        self.heard: list[tuple[bytes, str]] = []
        self._statuses = list(statuses)

    async def __aenter__(self) -> _Receiver:
        self._runner = web.ServerRunner(web.Server(self._take))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/hook"  # type: ignore[union-attr]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.BaseRequest) -> web.Response:
        self.heard.append((await request.read(), request.headers["X-Attempt"]))
        return web.Response(status=self._statuses.pop(0) if self._statuses else 200)


@contextmanager
def _delivering(push: Push) -> Iterator[None]:
    running = asyncio.get_running_loop().create_task(push.run())
    try:
        yield
    finally:
        running.cancel()


def _push(clock: Clock, *rules: FaultRule, pauses_s: tuple[float, ...] = (0.05, 0.05)) -> Push:
    policy = PushPolicy(
        prepare=lambda row, timestamp: {"X-Attempt": str(row["attempts"] + 1)},
        acknowledged=lambda status, body: 200 <= status < 300,
        pauses_s=pauses_s,
    )
    return Push("shop", World(), clock, Faults(1, list(rules)), policy)


async def _until(condition: Any, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


async def test_a_push_is_sent_again_until_it_is_taken() -> None:
    async with _Receiver(500, 503, 200) as receiver:
        push = _push(Clock())
        push.enqueue(receiver.url, b"one", about="sale")
        assert push.waiting() == 1
        with _delivering(push):
            await _until(lambda: push.waiting() == 0)
        assert receiver.heard == [(b"one", "1"), (b"one", "2"), (b"one", "3")]


async def test_a_push_is_given_up_after_its_last_pause() -> None:
    async with _Receiver(*[500] * 9) as receiver:
        push = _push(Clock())
        push.enqueue(receiver.url, b"one", about="sale")
        with _delivering(push):
            await _until(lambda: push.waiting() == 0)
        assert len(receiver.heard) == 3


async def test_a_pause_ends_when_the_clock_moves() -> None:
    async with _Receiver(500) as receiver:
        clock = Clock()
        push = _push(clock, pauses_s=(3600,))
        push.enqueue(receiver.url, b"one", about="sale")
        with _delivering(push):
            await _until(lambda: len(receiver.heard) == 1)
            await asyncio.sleep(0.15)
            assert len(receiver.heard) == 1
            clock.advance(timedelta(hours=1))
            await _until(lambda: push.waiting() == 0)
        assert len(receiver.heard) == 2


async def test_pushes_come_twice_and_out_of_order_where_a_rule_says_so() -> None:
    async with _Receiver() as receiver:
        reordered = FaultRule("push_reordered", operation="PUSH first", delay_s=0.2, times=1)
        push = _push(Clock(), reordered, FaultRule("push_twice", operation="PUSH second"))
        push.enqueue(receiver.url, b"first", about="first")
        push.enqueue(receiver.url, b"second", about="second")
        with _delivering(push):
            await _until(lambda: push.waiting() == 0)
        assert [body for body, _ in receiver.heard] == [b"second", b"second", b"first"]


async def test_nothing_is_pushed_of_a_change_that_was_rolled_back() -> None:
    push = _push(Clock())
    world = push._world
    with pytest.raises(RuntimeError), world.transaction():
        push.enqueue("http://127.0.0.1:9/", b"never", about="sale")
        raise RuntimeError
    assert push.waiting() == 0


async def test_nobody_at_home_is_a_refusal_too() -> None:
    push = _push(Clock(), pauses_s=())
    push.enqueue("http://127.0.0.1:9/", b"one", about="sale")
    with _delivering(push):
        await _until(lambda: push.waiting() == 0)
    assert push._world.value("SELECT state FROM _push") == "given up"


# Company --------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_company() -> None:
    assert build(1) == build(1)
    assert build(1) != build(2)
    company = build(1)
    assert (len(company.accounts), len(company.products), len(company.opportunities)) == (50, 200, 31)
    assert all(isinstance(line.unit_price, Decimal) for o in company.opportunities for line in o.lines)
    assert len({account.name for account in company.accounts}) == 50
