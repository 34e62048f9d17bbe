"""``make bench``: Isthmus against a script that a very good engineer would write, by turns, on one mock enterprise.

``python -m benchmarks [--quick] [ROW …]`` prints a table of ratios (medians of five rounds; ``--quick``: of one short
round) and appends the figures to ``benchmarks/history.jsonl``. It ends with 1 where a row misses what it must reach.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measuring import ROOT, Enterprise, Figure
from benchmarks.rows import CORES, ROWS, Effort, Row

HISTORY = Path(__file__).parent / "history.jsonl"


def main() -> int:
    """Measure what is asked for, show it, keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--quick", action="store_true", help="one short round of each; ratios are rough")
    parser.add_argument("--rounds", type=int, help="how many rounds of each side (5)")
    parser.add_argument("--not-kept", action="store_true", help="do not add to the history")
    asked = parser.parse_args()
    if unknown := set(asked.rows) - {row.name for row in ROWS}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    effort = Effort(asked.rounds or (1 if asked.quick else 5), 0.25 if asked.quick else 1.0)
    print(
        f"{'':9}{'':7} {'must':>7} {'later':>7}   median of {effort.rounds}, {CORES} cores, load {os.getloadavg()[0]:.1f}"
    )
    enterprise, figures = Enterprise(), {}
    try:
        for row in ROWS:
            if not asked.rows or row.name in asked.rows:
                figures[row.name] = row.measure(enterprise, effort)
                show(row, figures[row.name])
    finally:
        enterprise.end()
    if not asked.not_kept:
        keep(figures, effort)
    return int(any(row.reached(figures[row.name].value) == "missed" for row in ROWS if row.name in figures))


def show(row: Row, figure: Figure) -> None:
    """One row, as soon as it is there."""
    mark = {"later": "✓✓", "must": "✓", "missed": "✗"}[row.reached(figure.value)]
    print(f"{figure.value:9.2f} {mark:<6} {row.must:7g} {row.later:7g}   {row.title} ({row.unit})")
    print(f"{'':34}{figure.said}", flush=True)


def keep(figures: dict[str, Figure], effort: Effort) -> None:
    """Append one line to the history."""
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no", "src", "benchmarks")),
        "cores": CORES,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": effort.rounds,
        "part": effort.part,
        "rows": {name: {"value": round(figure.value, 3), **figure.facts} for name, figure in figures.items()},
    }
    with HISTORY.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
