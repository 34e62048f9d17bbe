"""The OpenAPI document says what is served, every door asks for its key, and nothing undocumented is answered."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.house import KEY, StandingHouse
from tests.support.running_sandbox import RunningSandbox

from isthmus.gateway.access import gate_of
from isthmus.gateway.experience.desk_shapes import CustomerView
from isthmus.gateway.experience.field_access import marked
from isthmus.governance.access import SCOPES, key_hash
from isthmus.model.problems import MEDIA_TYPE
from isthmus.store import keys

#: who may come in without a key: probes, readers of the document, and vendors, who prove themselves otherwise
OPEN = ("/health/live", "/health/ready", "/openapi.json", "/webhooks/")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingHouse]:
    with RunningSandbox() as sandbox, StandingHouse(sandbox, tmp_path_factory.mktemp("doors")) as house:
        yield house


@pytest.fixture(scope="module")
def document(standing: StandingHouse) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        standing.house.app.openapi_schema = None
        found: dict[str, Any] = standing.house.app.openapi()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, what is said of it)."""
    for path, item in document["paths"].items():
        for method, said in item.items():
            yield method.upper(), path, said


def filled(path: str) -> str:
    """A path with something in its placeholders."""
    for name, value in {"number": "EX-1", "run_id": "r", "approval_id": "a", "id": "1", "secret": "s"}.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def test_the_document_is_made_without_a_warning_and_served(standing: StandingHouse, document: dict[str, Any]) -> None:
    assert requests.get(f"{standing.url}/openapi.json", timeout=10).json() == document
    assert document["openapi"].startswith("3.1")


def test_it_describes_every_route_and_no_other(standing: StandingHouse, document: dict[str, Any]) -> None:
    described = {(method, path) for method, path, _ in operations(document)}
    served = {
        (method, route.path_format)
        for route in standing.house.app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    doors = {
        ("POST", "/webhooks/salesforce/{secret}"),
        *(("POST", f"/webhooks/{name}") for name in ("stripe-emea", "stripe-apac", "zendesk")),
    }
    assert described == served | doors | {("GET", "/openapi.json")}


def test_its_words_are_tidy(document: dict[str, Any]) -> None:
    names = [said["operationId"] for _, _, said in operations(document)]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalnum() and name == name.lower() and len(name) < 40 for name in names), names
    known = {tag["name"] for tag in document["tags"]}
    for method, path, said in operations(document):
        assert said["summary"], (method, path)
        assert set(said["tags"]) <= known and len(said["tags"]) == 1
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas and "ValidationError" not in schemas
    assert not [name for name in schemas if "__" in name], "a schema is called by its own name"
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert name


def test_every_error_is_a_problem_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for method, path, said in operations(document):
        for status, answer in said["responses"].items():
            assert answer["description"]
            if status >= "400":
                assert answer["content"] == problem, (method, path, status)
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def test_without_a_key_every_route_but_the_open_ones_answers_401(
    standing: StandingHouse, document: dict[str, Any]
) -> None:
    for method, path, said in operations(document):
        is_open = path.startswith(OPEN)
        assert (said["security"] == []) == is_open, (method, path)
        for headers in (
            {},
            {"Authorization": "Bearer isthmus_guessed"},
            {"X-API-Key": "guessed"},
            {"Authorization": "Basic x"},
        ):
            answer = requests.request(method, standing.url + filled(path), headers=headers, timeout=10)
            if is_open:
                assert answer.status_code in (200, 401), "a vendor without its proof is nobody either"
            else:
                assert answer.status_code == 401, (method, path, answer.text)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            if answer.status_code == 401:
                assert answer.headers["Content-Type"] == MEDIA_TYPE and answer.json()["title"]


def test_beside_the_api_there_are_known_doors_only(standing: StandingHouse) -> None:
    """What the document does not describe is described here: vendors' doors, and the link that a decider was sent."""
    others = [route.path for route in standing.house.app.routes if not isinstance(route, APIRoute)]
    webhooks = ["/webhooks/{connection}", "/webhooks/{connection}/{secret}"]
    assert sorted(others) == sorted(["/openapi.json", *webhooks, *["/approvals/{token}"] * 2])
    for link in ("guessed", "a.b.c", "%2e%2e"):
        form = {"confirm": "yes", "verdict": "approved"}
        for answer in (
            requests.get(f"{standing.url}/approvals/{link}", timeout=10),
            requests.post(f"{standing.url}/approvals/{link}", data=form, timeout=10),
        ):
            assert answer.status_code in (404, 410), (link, answer.text)


def test_with_every_scope_but_its_own_a_route_answers_403(standing: StandingHouse, document: dict[str, Any]) -> None:
    store = standing.house.store
    for scope in SCOPES:
        others = " ".join(each for each in SCOPES if each != scope)
        tx = store.open_connection(store.url)
        tx.begin()
        keys.put_key(tx, hash_=key_hash(f"all-but-{scope}"), holder=f"all but {scope}", scopes=others, now="2026")
        tx.commit()
    gates = {
        (method, route.path_format): gate.scope
        for route in standing.house.app.routes
        if isinstance(route, APIRoute) and (gate := gate_of(route))
        for method in route.methods or ()
    }
    fields = {scope for _, scope in marked(CustomerView)}
    assert set(gates.values()) | fields == set(SCOPES), "each scope opens something"
    for method, path, said in operations(document):
        if path.startswith(OPEN):
            continue
        scope = gates[method, path]
        assert [next(iter(way.values())) for way in said["security"]] == [[scope]] * 2
        headers = {"Authorization": f"Bearer all-but-{scope}", "Idempotency-Key": "scope"}
        answer = requests.request(method, standing.url + filled(path), headers=headers, timeout=10)
        assert answer.status_code == 403, (method, path, answer.text)
        assert scope in answer.json()["title"]


def test_every_scope_is_named_where_keys_are_declared() -> None:
    told = (Path(__file__).parents[2] / "docs/landscape.md").read_text().split("### `access`")[1].split("\n## ")[0]
    assert [scope for scope in SCOPES if f"`{scope}`" not in told] == []


# Schemathesis -------------------------------------------------------------------------------------


def test_nothing_undocumented_is_answered(standing: StandingHouse, document: dict[str, Any]) -> None:
    wandering(standing, document, examples=3, seed_of="make test")


@pytest.mark.long
def test_nothing_undocumented_is_answered_at_length(standing: StandingHouse, document: dict[str, Any]) -> None:
    wandering(standing, document, examples=50, seed_of="make test-all")


def wandering(standing: StandingHouse, document: dict[str, Any], *, examples: int, seed_of: str) -> None:
    """Call every operation with what the document allows, and with what it does not; all answers are documented."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=standing.url)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {KEY}"
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=examples, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck), database=None,
            )  # fmt: skip
            def called(case: Any) -> None:
                nonlocal count
                count += 1
                case.call_and_validate(base_url=standing.url, session=session, checks=CHECKS)

            try:
                called()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, (
                    operation.label
                )  # what takes nothing cannot be given a wrong thing
            except BaseException as error:
                error.add_note(f"{operation.label} ({mode.name.lower()} examples, {seed_of})")
                raise
    assert count > 40 * examples
