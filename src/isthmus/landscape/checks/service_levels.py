"""Can a service level ever begin and end, and is somebody there to be told?"""

from __future__ import annotations

from isthmus.landscape.checks.events import emitted_events
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.formats import read_event
from isthmus.landscape.reading import FILE, Landscape


def check_service_levels(landscape: Landscape, findings: Findings) -> None:
    """Events that nobody emits (a warning: a later connector may), and desks that nobody sits at."""
    emitted = emitted_events(landscape)
    desks = landscape.names("desks")
    for name, entry in landscape.entries("service_levels"):
        for key in ("from", "to"):
            _check_event(landscape, name, key, entry.get(key), emitted, findings)
        tell = entry.get("tell")
        if isinstance(tell, str) and tell not in desks:
            at = landscape.document.at("service_levels", name, "tell")
            what = f'service_levels.{name}.tell names "{tell}", which is not a desk'
            mend = did_you_mean(tell, desks) if desks else f"write  desks: {{{tell}: {{title: …}}}}"
            findings.error(FILE, at, what, mend=mend)


def _check_event(
    landscape: Landscape, name: str, key: str, word: object, emitted: set[str], findings: Findings
) -> None:
    if not isinstance(word, str):
        return
    try:
        event = read_event(word)
    except ValueError:
        return  # its form is reported with the structure
    if event not in emitted:
        at = landscape.document.at("service_levels", name, key)
        known = {event.removeprefix("isthmus.").removesuffix(".v1") for event in emitted}
        what = f'service_levels.{name}.{key} waits for "{word}", which nothing in this landscape emits'
        short = event.removeprefix("isthmus.").removesuffix(".v1")
        findings.warning(FILE, at, what, mend=did_you_mean(short, known))
