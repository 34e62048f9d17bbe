"""A company's own field in one line from end to end: what the landscape's ``fields`` add to which mapping.

``order.extensions.promo_code: {crm-connection: Deal.Promo__c, erp-connection: YY1_Promo}`` adds the field to every
mapping that writes the vendor's object, and to every mapping that reads a canonical object from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from isthmus.catalogue.connector import Connector
from isthmus.catalogue.registry import ConnectorFolder
from isthmus.landscape.reading import Landscape
from isthmus.mapping.additions import FieldAddition, Kind

#: keys of a field's entry that name no connection
WORDS = ("type", "title")


@dataclass(frozen=True, slots=True)
class OwnField:
    """One company field at one connection: ``name`` in extensions, ``target`` in the vendor's object.

    ``written`` is the target in what is sent, where the vendor wraps the object (``{"organization": {…}}``: a field of
    the object's own name that holds the object).
    """

    canonical: str
    name: str
    vendor_object: str
    target: str
    written: str
    kind: Kind


def additions(landscape: Landscape, connection: str) -> list[OwnField]:
    """The own fields that a connection keeps; what cannot be understood is left out (``check_fields`` reports it)."""
    folder, descriptor = landscape.connections[connection], landscape.descriptor(connection)
    found = []
    for path, entry in landscape.entries("fields"):
        canonical, _, name = path.partition(".extensions.")
        place = entry.get(connection, entry.get(folder.name))
        if descriptor is None or not isinstance(place, str) or not name:
            continue
        if split := vendor_place(folder, descriptor, canonical, place):
            word, target = split
            kind = cast(Kind, entry.get("type", "text"))
            found.append(OwnField(canonical, name, word, target, f"{_wrapped(folder, word)}{target}", kind))
    return found


def vendor_place(folder: ConnectorFolder, connector: Connector, canonical: str, place: str) -> tuple[str, str] | None:
    """Vendor's object and field of ``Object.Field`` or ``Field``; None where there is no such object."""
    first, _, rest = place.partition(".")
    if rest and folder.schema(first):
        return first, rest
    carrier = connector.extensions.get(canonical)
    schema: dict[str, Any] | None = folder.schema(carrier) if carrier else None
    if carrier is None or schema is None or (rest and first not in schema["fields"]):
        return None
    return carrier, place


def _wrapped(folder: ConnectorFolder, word: str) -> str:
    schema = folder.schema(word) or {"fields": {}}
    wrapper = schema["fields"].get(word.lower(), {})
    return f"{word.lower()}." if wrapper.get("object") == word else ""


def of_mapping(fields: list[OwnField], connector: Connector, written: str | None) -> list[FieldAddition]:
    """What the own fields add to a mapping that writes ``written``, a vendor's object or a canonical one."""
    added = []
    for field in fields:
        if written == field.vendor_object:
            added.append(FieldAddition(field.written, f"input.extensions.{field.name}", field.kind))
        elif written and _carrier(connector, written, field) == field.vendor_object:
            added.append(FieldAddition(f"extensions.{field.name}", f"body.{field.target}", field.kind))
    return added


def _carrier(connector: Connector, canonical: str, field: OwnField) -> str | None:
    return connector.extensions.get(canonical, field.vendor_object if canonical == field.canonical else None)
