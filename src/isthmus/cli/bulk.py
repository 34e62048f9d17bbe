"""What ``isthmus jobs bulk`` reads: canonical objects, one a line, each held against its contract before any is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from isthmus.connectivity.system_api.operation import Operation
    from isthmus.store.store import Store

_SHOWN = 10


async def asked_for(
    store: Store, landscape: Path | None, environment: str, name: str, file: Path, unit: str
) -> dict[str, Any]:
    """Keep the rows of a bulk write; the arguments of its job. Raises ValueError or LookupError in words."""
    from isthmus.cli.nearby import who
    from isthmus.landscape.finding import did_you_mean
    from isthmus.landscape.release import compile_release
    from isthmus.orchestration.jobs.bulk import bulk_of, keep_rows

    if landscape is None:
        raise LookupError("no landscape is named and none is here; say --landscape FOLDER")
    release = compile_release(landscape, environment)
    known = {str(each): each for each in _writes()}
    if name not in known:
        raise ValueError(f"nothing is called {name!r} that writes; {did_you_mean(name, known)}")
    what = known[name]
    bulk_of(release, unit, what)
    return await keep_rows(store, release, what, list(_objects(file, what)), unit=unit, who=who())


def _writes() -> Iterator[Operation[Any, Any]]:
    from isthmus.connectivity.system_api.roles import ROLES

    for operations in ROLES.values():
        yield from (each for each in operations.values() if each.writes)


def _objects(file: Path, what: Operation[Any, Any]) -> Iterator[BaseModel]:
    from pydantic import ValidationError

    from isthmus.model.problems import InvalidObject

    wrong: list[str] = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield what.takes.model_validate_json(line)
            except ValidationError as error:
                wrong.append(f"{file}:{number}: {InvalidObject(error, what.takes.__name__)}")
    if wrong:
        more = f"\n… and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise ValueError("\n".join(wrong[:_SHOWN]) + more)
