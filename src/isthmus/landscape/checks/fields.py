"""Does every own field extend a canonical object, and name a connection and a vendor's object that exist?"""

from __future__ import annotations

from isthmus.landscape.additions import WORDS, vendor_place
from isthmus.landscape.conforming import dotted
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.reading import FILE, Landscape
from isthmus.model.schemas import OBJECTS


def check_fields(landscape: Landscape, findings: Findings) -> None:
    """Each line of ``fields``."""
    extensible = [name for name, model in OBJECTS.items() if "extensions" in model.model_fields]
    for path, entry in landscape.entries("fields"):
        word, _, name = path.partition(".extensions.")
        if not name:
            continue  # its form is reported with the structure
        if word not in extensible:
            at = landscape.document.key_at("fields", path)
            what = f'fields.{path} extends "{word}", which is not a canonical object with extensions'
            findings.error(FILE, at, what, mend=did_you_mean(word, extensible))
            continue
        for owner, place in entry.items():
            if owner not in WORDS and isinstance(place, str):
                _check_place(landscape, path, word, owner, place, findings)


def _check_place(landscape: Landscape, path: str, word: str, owner: str, place: str, findings: Findings) -> None:
    here = ("fields", path, owner)
    folder = landscape.connections.get(owner) or landscape.connectors.get(owner)
    if folder is None:
        known = {*landscape.names("connections"), *landscape.connectors}
        if owner not in known:
            what = f'{dotted(here)} names "{owner}", which is neither a connection nor a connector in use'
            mend = did_you_mean(owner, {*known, *WORDS})
            findings.error(FILE, landscape.document.key_at(*here), what, mend=mend)
        return
    connections = [name for name, used in landscape.connections.items() if used.name == folder.name]
    descriptor = landscape.descriptor(connections[0])
    if descriptor is None or vendor_place(folder, descriptor, word, place):
        return
    at = landscape.document.at(*here)
    first, _, rest = place.partition(".")
    if rest:
        what = f'{dotted(here)} names "{first}", which is not an object of {descriptor.title} that we know'
        findings.error(FILE, at, what, mend=did_you_mean(first, folder.schema_objects()))
    else:
        what = f"{dotted(here)} does not say which object of {descriptor.title} carries {place}"
        mend = f"write  <Object>.{place}; {did_you_mean(word, folder.schema_objects())}"
        findings.error(FILE, at, what, mend=mend)
