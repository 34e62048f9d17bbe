"""Does every connection name a connector that is installed, with the settings it asks for and no secret in sight?"""

from __future__ import annotations

from typing import Any

from isthmus.landscape.conforming import Conforming
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.reading import FILE, Landscape
from isthmus.landscape.release import secret_names
from isthmus.landscape.secrets import is_reference


def check_connections(landscape: Landscape, findings: Findings) -> None:
    """Connector, settings, secrets."""
    known = landscape.registry.connectors
    for name, entry in landscape.entries("connections"):
        connector = entry.get("connector")
        if not isinstance(connector, str):
            continue
        if connector not in known:
            at = landscape.document.at("connections", name, "connector")
            what = f'connections.{name}.connector names "{connector}", which is not a connector'
            findings.error(FILE, at, what, mend=did_you_mean(connector, known))
        elif schema := landscape.settings_schema(name):
            _check_settings(landscape, name, entry.get("settings", {}), schema, findings)


def _check_settings(
    landscape: Landscape, name: str, settings: Any, declared: dict[str, Any], findings: Findings
) -> None:
    if not isinstance(settings, dict):
        return
    path = ("connections", name, "settings")
    schema = {"type": "object", "additionalProperties": False, **declared}
    Conforming(landscape.document, findings, schema, references=True).read(settings, schema, path)
    for setting in sorted(secret_names(declared)):
        value = settings.get(setting)
        if value is not None and not is_reference(value):
            findings.error(
                FILE,
                landscape.document.at(*path, setting),
                f"connections.{name}.settings.{setting} holds a secret in clear text",
                mend=f"put it in the environment and write  env:{_variable(name, setting)}"
                f"  or in a file and write  file:secrets/{name}-{setting}",
            )


def _variable(connection: str, setting: str) -> str:
    return f"ISTHMUS_{connection}_{setting}".upper().replace("-", "_")
