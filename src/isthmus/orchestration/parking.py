"""How a process says that it cannot go on until a person has mended something."""

from __future__ import annotations

from typing import NoReturn

from isthmus.connectivity.outbound.outcome import Park, ParkedWork


def park(
    title: str,
    *,
    mend: str,
    code: str,
    error_class: str = "business",
    field: str | None = None,
    said: str | None = None,
) -> NoReturn:
    """Park the run with a sentence for people, and what to do. Equal reasons have an equal ``code``: one mend for all."""
    raise Park(ParkedWork(title=title, error_class=error_class, mend=mend, code=code, field=field, said=said))
