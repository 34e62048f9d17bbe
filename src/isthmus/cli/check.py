"""``isthmus check``: finds every mistake of a landscape offline, and says where it stands and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from isthmus.landscape.finding import Finding


def check(
    folder: Annotated[Path, typer.Argument(help="the landscape's folder", show_default="here")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document instead of lines")] = False,
) -> None:
    """Read a landscape without asking anybody, and point at every mistake.

    Ends with 0 where nothing keeps it from starting, else with 1.
    """
    import json

    from isthmus.catalogue.registry import registry
    from isthmus.landscape.checks import every_finding
    from isthmus.landscape.compiling import release_id
    from isthmus.landscape.reading import read_landscape

    landscape = read_landscape(folder, registry())
    findings = every_finding(landscape)
    errors = [finding for finding in findings if finding.level == "error"]
    release = None if errors else release_id(landscape)
    if as_json:
        typer.echo(json.dumps(_document(findings, release), indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(str(finding))
        typer.echo(_last_line(findings, release))
    if errors:
        raise typer.Exit(1)


def _last_line(findings: list[Finding], release: str | None) -> str:
    warnings = sum(finding.level == "warning" for finding in findings)
    also = f" ({_count(warnings, 'warning')})" if warnings else ""
    if release is None:
        return f"{_count(len(findings) - warnings, 'problem')}, nothing started{also}"
    return f"No problems: this is release {release}{also}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _document(findings: list[Finding], release: str | None) -> dict[str, Any]:
    from dataclasses import asdict

    return {"release": release, "problems": [asdict(finding) for finding in findings]}
