"""Pins what the *.in files need to the versions that are installed here: ``python requirements/pin.py`` in the venv.

Writes one *.txt beside each *.in, without index lines, so that pip takes packages from wherever it is told to.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent


def closure(lines: list[str]) -> dict[str, str]:
    """Canonical name → ``name==version`` of everything that the requirements need here, markers and extras heeded."""
    found: dict[str, str] = {}
    waiting = [Requirement(line) for line in lines]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is needed and not installed; install requirements/*.in first") from None
        found[name] = f"{installed.metadata['Name']}=={installed.version}"
        for extra in {"", *wanted.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in installed.requires or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return found


def wanted(file: Path) -> list[str]:
    """The lines of an *.in file that name something."""
    lines = [re.sub(r"\s*#.*", "", line).strip() for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line]


def main() -> None:
    """Write every *.txt; what ``run`` pins already is not pinned again by the others."""
    run = closure(wanted(HERE / "run.in"))
    for file in sorted(HERE.glob("*.in")):
        pins = closure(wanted(file))
        mine = [pin for name, pin in sorted(pins.items()) if file.stem == "run" or name not in run]
        file.with_suffix(".txt").write_text("\n".join(mine) + "\n", "utf-8")


if __name__ == "__main__":
    main()
