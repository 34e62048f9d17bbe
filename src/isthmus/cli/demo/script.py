"""Reads script.yaml: what the demo plays, with its gaps filled. Plain data in, plain data out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

_GAP = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True)
class Script:
    """The demo's script."""

    whole: Mapping[str, Any]

    @cached_property
    def systems(self) -> dict[str, str]:
        """Role → vendor."""
        return dict(self.whole["systems"])

    @property
    def seeded(self) -> int:
        """How many opportunities stand there from the beginning."""
        return int(self.whole["deals"]["seeded"])

    def numbers(self, count: int) -> list[str]:
        """The numbers of the first ``count`` opportunities."""
        deals = self.whole["deals"]
        return [filled(deals["number"], {"number": int(deals["first"]) + n}) for n in range(count)]

    def environment(self, vendors: Mapping[str, Mapping[str, str]], secret: str) -> dict[str, str]:
        """The variables of the landscape, but for the secrets that the applications give when webhooks are set up."""
        facts = {**vendors, "secret": secret}
        return {name: filled(f"{{{place}}}", facts) for name, place in self.whole["environment"].items()}

    def mend(self, exception: Mapping[str, Any], facts: Mapping[str, Any]) -> str | None:
        """The command that mends an exception: ``set …`` or ``play …``; None where the script knows none."""
        text = f"{exception['title']} {exception['mend'] or ''}"
        for one in self.whole["mends"]:
            if match := re.search(one["says"], text):
                return str(filled(one["do"], {**facts, **match.groupdict()}))
        return None


def read_script() -> Script:
    """The script as it stands beside this file."""
    return Script(yaml.safe_load(Path(__file__).with_name("script.yaml").read_text("utf-8")))


def filled(value: Any, facts: Mapping[str, Any]) -> Any:
    """A value with ``{dotted.names}`` filled from facts, in depth. Raises KeyError that names the gap."""
    if isinstance(value, Mapping):
        return {key: filled(each, facts) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, facts) for each in value]
    return _GAP.sub(lambda gap: str(dig(facts, gap[1])), value) if isinstance(value, str) else value


def dig(facts: Any, path: str) -> Any:
    """What stands at a dotted path."""
    for name in path.split("."):
        if not isinstance(facts, Mapping) or name not in facts:
            raise KeyError(f"the demo's script names {path!r}, which is not there")
        facts = facts[name]
    return facts


def command_path(command: str) -> tuple[list[str], dict[str, str]]:
    """A sandbox command as the desk's path and arguments: ``play erp deliver order=1`` → (erp, play, deliver), {order}."""
    word, vendor, *rest = shlex.split(command)
    values = dict(part.split("=", 1) for part in rest if "=" in part)
    return [vendor, word, *(part for part in rest if "=" not in part)], values
