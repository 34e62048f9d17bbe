"""`isthmus chaos` from the command line, what it must find, and that it finds it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

import pytest
from tests.support.toy import toy_release

from isthmus.cli.chaos import leaks, plan
from isthmus.cli.chaos.watch import Watch
from isthmus.connectivity.shared_tokens import SharedTokens
from isthmus.sandbox import audit

ROOT = Path(__file__).parents[2]
SYSTEMS = {"crm": "salesforce", "erp": "sap_s4hana", "billing": "stripe", "support": "zendesk"}


def chaos(*arguments: str, timeout_s: float = 900, path: Path | None = None) -> tuple[int, dict[str, Any]]:
    """Run it, with ``path`` before all others from which Python imports; its exit code and what it told."""
    command = [sys.executable, "-c", "from isthmus.cli import main; main()", "chaos", *arguments, "--json"]
    paths = [str(path), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])] if path else []
    environment = {**os.environ, **({"PYTHONPATH": os.pathsep.join(paths)} if path else {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def held(code: int, found: dict[str, Any], orders: int) -> None:
    """Nothing lost, doubled or off, and everything accounted for."""
    assert (code, found["holds"], found["findings"]) == (0, True, []), json.dumps(found, indent=1)
    assert found["accepted"] == orders == found["completed"] + found["parked"]
    assert (found["lost"], found["doubled"], found["cents_off"], found["unasked"]) == (0, 0, 0, 0)
    assert found["completed"] > orders / 2 and found["secrets_searched"] >= 10
    assert {"limited", "down", "push_twice", "push_reordered"} <= set(found["faults_by_kind"])


def test_twelve_deals_and_a_kill_on_one_worker() -> None:
    code, found = chaos("--orders", "12", "--seed", "3", "--blows", "1")
    held(code, found, 12)
    assert (found["database"], found["kills"]) == ("sqlite", 1)
    assert found["repeats_harmless"] == sum(found["repeats_harmless_by"].values()) > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", [7, 11])
def test_three_hundred_deals_on_one_worker(seed: int) -> None:
    code, found = chaos("--orders", "300", "--seed", str(seed))
    held(code, found, 300)
    assert found["kills"] >= 9 and found["freezes"] >= 3


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.parametrize(("orders", "seed"), [(300, 7), (100, 12)])
def test_hundreds_of_deals_on_three_workers(orders: int, seed: int) -> None:
    code, found = chaos("--orders", str(orders), "--seed", str(seed), "--workers", "3", "--postgres")
    held(code, found, orders)
    assert {"late", "cut_after", "cut_before", "broken", "expired", "locked", "slow"} <= set(found["faults_by_kind"])


# Chaos can fail ------------------------------------------------------------------------------------------------------

_TAMPERED = """
import os, sys
if "serve" in sys.argv:
    print("signed in with", os.environ["ISTHMUS_ZENDESK_TOKEN"], file=sys.stderr)
if "chaos" in sys.argv:
    from isthmus.cli.chaos import verdict
    judged = verdict.judged
    def tampered(ground, watch, before, numbers):
        import json
        from tests.support.tampering import tamper
        done = tamper(ground.stage.vendors, verdict.books_of(ground))
        (ground.folder / "tampered.json").write_text(json.dumps(done))
        return judged(ground, watch, before, numbers)
    verdict.judged = tampered
"""


def test_whatever_is_done_behind_our_back_is_found(tmp_path: Path) -> None:
    """A second order, a lost invoice, a shaved one, a customer nobody asked for, a secret in a log: each is told."""
    (tmp_path / "sitecustomize.py").write_text(_TAMPERED)
    code, found = chaos("--orders", "16", "--seed", "3", "--blows", "0", path=tmp_path)
    done = json.loads((Path(found["folder"]) / "tampered.json").read_text())
    shutil.rmtree(found["folder"])
    assert code == 1 and not found["holds"]
    assert (found["doubled"], found["lost"], found["unasked"]) == (1, 1, 2) and found["cents_off"] > 0
    findings = "\n".join(found["findings"])
    assert f"{done['doubled']} has 2 living orders" in findings
    assert re.search(f"order .* of {done['lost']} has no invoice that asks for its money", findings)
    assert re.search(f"of {done['shaved']}, net: .* expected", findings)
    assert f"customer {done['unasked']} stands in billing" in findings
    assert "the secret ISTHMUS_ZENDESK_TOKEN stands in all.log" in found["findings"]
    for offender in ("doubled", "lost", "shaved"):
        told = [line for h in found["histories"] if h["key"] == done[offender] for line in h["lines"]]
        assert any("POST" in line for line in told), f"no history of what was {offender}"


_BLIND = """
import sys
if "serve" in sys.argv:
    from isthmus.connectivity.outbound import effect
    async def nothing(self, d):
        d.row.update(attempt=d.row["attempt"] + 1, repeats=0)
    effect.Deliverer._look_until_clear = nothing
    effect.Deliverer._look_later = lambda self, d: None
"""


@pytest.mark.long
def test_an_isthmus_that_does_not_look_is_caught(tmp_path: Path) -> None:
    """Chaos can fail: a worker that repeats without looking doubles orders, and the offender's history is told."""
    (tmp_path / "sitecustomize.py").write_text(_BLIND)
    code, found = chaos("--orders", "100", "--seed", "5", path=tmp_path)
    assert code == 1 and not found["holds"]
    assert found["doubled"] > 0
    assert any("living orders" in sentence for sentence in found["findings"])
    assert any("POST" in line for history in found["histories"] for line in history["lines"])
    shutil.rmtree(found["folder"])


# The plan ------------------------------------------------------------------------------------------------------------


def test_the_plan_is_the_seeds() -> None:
    assert plan.blows(7, 300) == plan.blows(7, 300) != plan.blows(8, 300)
    assert list(plan.bursts(7, ["a"] * 50)) == list(plan.bursts(7, ["a"] * 50))
    assert sum(len(burst) for burst in plan.bursts(1, ["a"] * 50)) == 50
    assert {blow.kind for blow in plan.blows(1, 10)} == {"kill", "freeze"}
    assert len(plan.blows(1, 100_000)) > len(plan.blows(1, 10)) > len(plan.blows(1, 10, 1)) == 1


def test_a_tenth_of_the_late_effects_come_when_nobody_can_expect_them() -> None:
    late = [rule for rule in plan.rules(SYSTEMS) if rule["kind"] == "late"]
    expected, beyond = late
    assert expected["delay_max_s"] <= plan.SETTLE_S
    assert beyond["delay_s"] > plan.DEADLINE_S + plan.SETTLE_S
    assert beyond["rate"] / (beyond["rate"] + expected["rate"]) == pytest.approx(0.1)
    assert plan.latest_s() >= beyond["delay_max_s"]


def test_every_kind_of_trouble_is_planned_and_tokens_expire_only_where_there_are_tokens() -> None:
    rules = plan.rules(SYSTEMS)
    kinds = {rule["kind"] for rule in rules}
    assert kinds == {
        *("limited", "down", "broken", "slow", "cut_before", "cut_after", "late", "expired", "locked"),
        *("push_twice", "push_reordered"),
    }
    assert [rule["vendor"] for rule in rules if rule["kind"] == "expired"] == ["salesforce"]


# The audit -----------------------------------------------------------------------------------------------------------

EFFECT = {
    "key": "erp.create_order/OPP-1", "role": "erp", "operation": "create_order", "business_key": "OPP-1", "part": "",
    "run_id": "r1", "state": "done", "doubt": 0, "rule": None, "reference_id": "45",
}  # fmt: skip
ORDER = {"kind": "order", "id": "45", "key": "OPP-1", "living": True}
RUN = {"id": "r1", "subject": "s1", "state": "done", "owner": None, "due_at": None}
MESSAGE = {"source_id": "m1", "subject": "s1", "state": "claimed"}


def test_a_row_is_traced_to_the_effect_that_made_it() -> None:
    found = audit.trace({"erp": []}, {"erp": [ORDER]}, [EFFECT])
    assert (found.traced, found.unasked, found.findings) == (1, 0, [])


def test_a_row_that_nobody_asked_for_is_found() -> None:
    found = audit.trace({"erp": []}, {"erp": [ORDER, {**ORDER, "id": "46"}]}, [EFFECT])
    assert found.unasked == 1 and not found.hold
    assert found.findings == [("order 46 stands in erp under OPP-1, but no effect here made it", "OPP-1")]


def test_a_second_one_counts_as_ours_once_it_was_reversed_and_lives_no_more() -> None:
    second = {**ORDER, "id": "46"}
    repaired = {**EFFECT, "rule": "repaired"}
    assert audit.trace({}, {"erp": [ORDER, {**second, "living": False}]}, [repaired]).hold
    assert not audit.trace({}, {"erp": [ORDER, second]}, [repaired]).hold
    assert not audit.trace({}, {"erp": [ORDER, {**second, "living": False}]}, [EFFECT]).hold


def test_a_second_one_that_lost_its_key_is_known_by_who_retired_it() -> None:
    retired = {**EFFECT, "key": "erp.retire/c1", "operation": "retire_customer", "reference_id": "17"}
    customer = {"kind": "customer", "id": "17", "key": "", "living": False}
    assert audit.trace({}, {"erp": [customer]}, [retired]).hold
    assert not audit.trace({}, {"erp": [{**customer, "living": True}]}, [retired]).hold
    assert not audit.trace({}, {"erp": [{**customer, "id": "18"}]}, [retired]).hold


def test_what_stood_there_before_is_not_ours() -> None:
    assert audit.trace({"erp": [ORDER]}, {"erp": [ORDER]}, []).traced == 0


def test_a_user_must_be_somebodys_contact() -> None:
    user = {"kind": "user", "id": "1", "email": "A@example.com"}
    contact = {"kind": "contact", "email": "a@example.com"}
    assert audit.trace({}, {"support": [user], "crm": [contact]}, []).hold
    assert not audit.trace({}, {"support": [user], "crm": []}, []).hold


def ended(**change: Any) -> audit.Traces:
    found = audit.Traces()
    given: dict[str, Any] = {"messages": [MESSAGE], "runs": [RUN], "effects": [EFFECT], "open_runs": set(), **change}
    audit.ends(found, **given)
    return found


def test_what_has_come_to_its_end_is_well() -> None:
    assert ended().hold
    parked = {**RUN, "state": "parked"}
    assert ended(runs=[parked], open_runs={"r1"}).hold
    assert ended(runs=[parked], open_runs={"r1"}, messages=[{**MESSAGE, "state": "new"}]).hold, "it waits behind it"


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [{**MESSAGE, "state": "new"}]},
        {"runs": [{**RUN, "state": "waiting"}]},
        {"runs": [{**RUN, "owner": "w1"}]},
        {"runs": [{**RUN, "due_at": "2026-11-23T00:00:00.000000Z"}]},
        {"runs": [{**RUN, "state": "parked"}]},
        {"effects": [{**EFFECT, "state": "intended", "doubt": 1}]},
    ],
    ids=["message unclaimed", "run waits", "run held", "run due", "parked unseen", "effect in doubt"],
)
def test_what_has_no_end_is_found(change: dict[str, Any]) -> None:
    found = ended(**change)
    assert found.unended == 1 and not found.hold


def test_what_was_never_sent_needs_no_end() -> None:
    assert ended(effects=[{**EFFECT, "state": "intended"}]).hold


# What is left behind -------------------------------------------------------------------------------------------------

SECRET = 'sk+test/"a&b=c'


@pytest.mark.parametrize("before", ["", "u:", "user:"])
@pytest.mark.parametrize(
    "shown",
    [
        lambda text: text,
        lambda text: quote(text, safe=""),
        lambda text: urlencode({"key": text}),
        lambda text: json.dumps({"key": text}),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"{text} and more".encode()).decode(),
    ],
    ids=["plain", "quoted", "form", "json", "base64", "base64 for addresses"],
)
def test_a_planted_secret_is_found_in_files_and_rows(shown: Any, before: str, tmp_path: Path) -> None:
    text = f"it was {shown(before + SECRET)} so"
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker/some.log").write_text(text)
    url = f"sqlite:///{tmp_path}/s.sqlite"
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        connection.execute("CREATE TABLE call (id INTEGER, body BLOB)")
        # so long that it lies on several pages of the file
        connection.execute("INSERT INTO call VALUES (1, ?)", (b"x" * 4000 + text.encode(),))
        connection.commit()
    watch = Watch(url)
    found = leaks.leaks({"THE_KEY": SECRET, "OTHER": "not there"}, leaks.left_behind(tmp_path, watch))
    watch.close()
    assert {"the secret THE_KEY stands in worker/some.log", "the secret THE_KEY stands in table call"} <= set(found)
    assert not any("OTHER" in sentence or SECRET in sentence for sentence in found)


def test_what_every_setting_may_show_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    release = toy_release()
    environment = {"TOY_URL": "http://toys.example", "TOY_KEY": "the key", "TOY_SECRET": "k", "ELSE": "something else"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store = {"toy": release.secret_settings("toy")}
    sealed = SharedTokens(cast(Any, None), store)._seals["toy"].encrypt(b"a token").decode()
    found = leaks.secrets_of(release, environment, {("toy", sealed)})
    assert found == {"TOY_KEY": "the key", "ELSE": "something else", "token 1 of toy": "a token"}
