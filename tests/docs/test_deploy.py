"""What stands in deploy/ is well-formed, and says of the program only what is true: flags, ports, probes, measures."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from isthmus.cli.serve import PORT
from isthmus.cli.verbs import VERBS
from isthmus.governance.access import SCOPES
from isthmus.visibility.measures import GAUGES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVE = next(verb for verb in VERBS if verb.name == "serve").command()
FLAGS = {flag for parameter in SERVE.params for flag in parameter.opts}
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS = [each for each in yaml.safe_load_all((DEPLOY / "kubernetes/isthmus.yaml").read_text()) if each]
RULES = yaml.safe_load((DEPLOY / "prometheus/rules.yaml").read_text())["groups"]
DASHBOARD = json.loads((DEPLOY / "grafana/isthmus.json").read_text())


def words_of(manifest: dict[str, Any]) -> list[str]:
    return [str(word) for word in manifest["spec"]["template"]["spec"]["containers"][0]["args"]]


def commands() -> list[list[str]]:
    docker = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    services = [service["command"] for name, service in COMPOSE["services"].items() if "command" in service]
    return [json.loads(docker[-1]), *services, *(words_of(m) for m in MANIFESTS if m["kind"] == "Deployment")]


def test_compose_holds_to_its_schema() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**COMPOSE, "services": {"web": {"comand": ["serve"]}}}, schema)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: f"{m['kind']}-{m['metadata']['name']}")
def test_manifests_hold_to_kubernetes_schemas(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.30", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**manifest, "spce": {}}, "1.30", strict=True)


@pytest.mark.parametrize("command", commands(), ids=lambda c: " ".join(map(str, c[-4:])))
def test_commands_are_the_programs_own(command: list[str]) -> None:
    assert command[0] == "serve"
    assert {word for word in command if str(word).startswith("--")} <= FLAGS
    SERVE.make_context("serve", [str(word) for word in command[1:]], resilient_parsing=False)


def test_ports_and_probes_are_served() -> None:
    from isthmus.gateway import health

    routes = set(re.findall(r'"(/health/\w+)"', Path(health.__file__).read_text()))
    web = next(m for m in MANIFESTS if m["metadata"]["name"] == "isthmus-web")
    container = web["spec"]["template"]["spec"]["containers"][0]
    assert {
        container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    } <= routes
    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    assert f"EXPOSE {PORT}" in (DEPLOY / "Dockerfile").read_text()
    assert COMPOSE["services"]["web"]["ports"] == [f"{PORT}:{PORT}"]
    assert "/health/ready" in str(COMPOSE["services"]["web"]["healthcheck"])
    service = next(m for m in MANIFESTS if m["kind"] == "Service")
    assert service["spec"]["selector"].items() <= web["spec"]["template"]["metadata"]["labels"].items()


def test_each_process_is_given_longer_to_end_than_it_takes() -> None:
    from isthmus.orchestration.dispatch import DRAIN_S

    for manifest in MANIFESTS:
        if manifest["kind"] == "Deployment":
            words = words_of(manifest)
            linger = float(words[words.index("--linger") + 1]) if "--linger" in words else 0
            assert manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > DRAIN_S + linger


def expressions() -> list[str]:
    rules = [rule["expr"] for group in RULES for rule in group["rules"]]
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    scaled = [m["external"]["metric"]["name"] for each in MANIFESTS for m in each["spec"].get("metrics", ())]
    return rules + panels + scaled


@pytest.mark.parametrize("expression", expressions())
def test_measures_and_their_labels_are_those_of_the_program(expression: str) -> None:
    known = {gauge.name: set(gauge.labels) for gauge in GAUGES}
    named = re.findall(r"\b(isthmus_\w+)", expression)
    assert named and set(named) <= set(known)
    used = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression))
    used |= {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(",")}
    assert used <= set().union(*(known[name] for name in named))


def test_every_measure_has_its_place_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    assert [gauge.name for gauge in GAUGES if gauge.name not in shown] == []
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_prometheus_signs_in_as_the_gateway_wants() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus/scrape.yaml").read_text())["scrape_configs"]
    assert job["authorization"]["type"] == "Bearer" and job["metrics_path"] == "/metrics"
    assert "metrics:read" in SCOPES and "--scope metrics:read" in (DEPLOY / "prometheus/scrape.yaml").read_text()


def test_what_the_image_copies_is_there() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
