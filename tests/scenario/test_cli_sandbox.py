"""``isthmus sandbox``: one line of JSON, one port for HTTP and HTTPS, and people's verbs from another terminal."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus, running, said


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def sandbox(here: Path) -> Iterator[dict[str, Any]]:
    with running("sandbox", "--port", "0", "--tls", cwd=here) as facts:
        yield facts


def test_one_line_says_where_and_how_to_sign_in(sandbox: dict[str, Any]) -> None:
    wanted = {
        "salesforce": {"base_url", "client_id", "client_secret"},
        "sap_s4hana": {"base_url", "user", "password"},
        "stripe": {"base_url", "api_key"},
        "zendesk": {"base_url", "email", "api_token"},
    }
    assert set(sandbox["vendors"]) == set(wanted)
    for vendor, keys in wanted.items():
        assert keys <= set(sandbox["vendors"][vendor])
        assert sandbox["vendors"][vendor]["base_url"].endswith(f"/{vendor}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_port_speaks_both(sandbox: dict[str, Any], scheme: str) -> None:
    about = sandbox["vendors"]["stripe"]
    url = about["base_url"].replace("https://", f"{scheme}://") + "/v1/customers?limit=1"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {about['api_key']}"})
    trusted = ssl.create_default_context(cafile=sandbox["ca"]) if scheme == "https" else None
    for _ in range(3):
        with urllib.request.urlopen(request, context=trusted) as answer:
            assert len(json.loads(answer.read())["data"]) == 1


def test_its_certificate_is_good_by_name_and_not_for_strangers(sandbox: dict[str, Any]) -> None:
    port = sandbox["url"].rpartition(":")[2]
    trusted = ssl.create_default_context(cafile=sandbox["ca"])
    with urllib.request.urlopen(f"https://localhost:{port}/_sandbox", context=trusted) as answer:
        assert "stripe" in json.loads(answer.read())["vendors"]
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://localhost:{port}/_sandbox")


def test_people_look_change_and_act_from_another_terminal(sandbox: dict[str, Any], here: Path) -> None:
    """Found by the file that the sandbox left in ``.isthmus``, so nobody types an address."""
    assert said("sandbox", "show", "sap_s4hana", "customer", "17100010", cwd=here)[0]["order_block"] == "01"
    assert (
        said("sandbox", "set", "sap_s4hana", "customer", "17100010", "order_block=none", cwd=here)["order_block"] == ""
    )
    won = said("sandbox", "play", "salesforce", "win", "opportunity=OPP-1001", cwd=here)
    assert (won["number"], won["stage"]) == ("OPP-1001", "Closed Won")
    assert "billing_run" in said("sandbox", "verbs", cwd=here)["sap_s4hana"]
    assert set(said("sandbox", "verbs", "zendesk", cwd=here)["solve"]["arguments"]) == {"ticket", "body"}
    books = json.loads(isthmus("sandbox", "books", "salesforce", cwd=here).stdout)
    assert [row["key"] for row in books if row.get("won")] == ["OPP-1001"]
    text = isthmus("sandbox", "show", "sap_s4hana", "customer", "17100010", cwd=here).stdout
    assert "Blocked AG" in text


def test_trouble_is_made_and_ended(sandbox: dict[str, Any], here: Path) -> None:
    set_ = said("sandbox", "faults", "limited:0.5:GET *:stripe", "cut_after:0.01", "--seed", "7", cwd=here)
    first = set_["rules"][0]
    assert (first["kind"], first["rate"], first["operation"], first["vendor"]) == ("limited", 0.5, "GET *", "stripe")
    assert set_["seed"] == "7"
    assert said("sandbox", "faults", "none", cwd=here)["rules"] == []
    wrong = isthmus("sandbox", "faults", "nonsense:0.5", cwd=here)
    assert wrong.returncode == 1
    assert "nonsense" in wrong.stderr


def test_days_pass(sandbox: dict[str, Any], here: Path) -> None:
    before = said("sandbox", "clock", cwd=here)["now"]
    after = said("sandbox", "clock", "3d", cwd=here)["now"]
    assert int(after[8:10]) != int(before[8:10])


def test_what_is_wrong_is_said_in_a_sentence(sandbox: dict[str, Any], here: Path) -> None:
    for arguments, sentence in (
        (["play", "salesforce", "win", "opportunity=OPP-9"], "OPP-9"),
        (["play", "salesforce", "fly"], "has no verb 'fly'"),
        (["show", "hubspot", "deal"], "no sandbox is called 'hubspot'"),
        (["set", "sap_s4hana", "customer", "17100010", "order_block"], "is not name=value"),
    ):
        done = isthmus("sandbox", *arguments, cwd=here)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_and_an_unknown_vendor(sandbox: dict[str, Any], here: Path, tmp_path: Path) -> None:
    port = sandbox["url"].rpartition(":")[2]
    taken = isthmus("sandbox", "--port", port, "--only", "zendesk", cwd=tmp_path)
    assert taken.returncode == 1
    assert f"port {port} of 127.0.0.1 cannot be had" in taken.stderr
    unknown = isthmus("sandbox", "--port", "0", "--only", "zendusk", cwd=tmp_path)
    assert "no sandbox is called zendusk" in unknown.stderr


def test_worlds_in_a_folder_survive_and_nothing_is_left_behind(tmp_path: Path) -> None:
    arguments = ["sandbox", "--port", "0", "--only", "salesforce", "--folder", "worlds"]
    with running(*arguments, cwd=tmp_path):
        said("sandbox", "play", "salesforce", "win", "opportunity=OPP-1002", cwd=tmp_path)
        assert (tmp_path / ".isthmus/sandbox.json").exists()
    assert not (tmp_path / ".isthmus/sandbox.json").exists()
    with running(*arguments, cwd=tmp_path):
        row = said("sandbox", "show", "salesforce", "opportunity", "OPP-1002", cwd=tmp_path)[0]
        assert row["StageName"] == "Closed Won"
