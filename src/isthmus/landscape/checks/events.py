"""Which business events a landscape can ever see: what arrives, what operations do, what processes say."""

from __future__ import annotations

from isthmus.landscape.reading import Landscape, parsed_blueprint

_PAST = {"cancel": "cancelled", "void": "voided", "send": "sent", "pay": "paid", "put": "put"}


def emitted_events(landscape: Landscape) -> set[str]:
    """Event types in full: of the inbound channels, of every write a process uses, and those its code names."""
    events: set[str] = set()
    for connection in landscape.connections:
        descriptor = landscape.descriptor(connection)
        for channel in descriptor.inbound.values() if descriptor else ():
            events |= {take.event for take in channel.takes}
    for name, entry in landscape.entries("processes"):
        folder = landscape.blueprint(entry)
        blueprint = parsed_blueprint(folder) if folder else None
        if folder is None or blueprint is None or name not in blueprint.processes:
            continue
        process = blueprint.processes[name]
        events |= {f"isthmus.{event}.v1" if event.count(".") == 1 else event for event in process.starts_on}
        for role, operations in process.uses.items():
            known = landscape.operations(role)
            writes = [name for name in operations if any(not way.reads for way in known.get(name, ()))]
            events |= {done(operation) for operation in writes}
            events |= {f"isthmus.{role}.{operation}.done.v1" for operation in writes}
        for file in folder.code_files():
            events |= landscape.source(file, blueprint).events
    return events


def done(operation: str) -> str:
    """The event of an operation that was done: ``create_order`` gives ``isthmus.order.created.v1``."""
    verb, _, word = operation.partition("_")
    past = _PAST.get(verb) or (f"{verb}d" if verb.endswith("e") else f"{verb}ed")
    return f"isthmus.{word or operation}.{past}.v1"
