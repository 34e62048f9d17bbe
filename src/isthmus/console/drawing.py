"""How things look: the templates' environment, values in words, and pictures as shapes that a template draws as SVG."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from isthmus.landscape.release import Release

#: a person's data and money's ways: shown to nobody by the console
_MASKED = re.compile(
    r"(e?_?mail|phone|telephone|mobile|iban|bic|account_number|card|tax_?(number|id)|vat|street|lines?_?1|address_lines"
    r"|given_name|family_name|first_?name|last_?name|contact)",
    re.IGNORECASE,
)
#: a mail address or a telephone number, also as a form encodes it
_ADDRESS = re.compile(r"[\w.+-]+(@|%40)[\w-]+\.[\w.-]+|(\+|%2B)\d{7,15}")
_COLUMN, _ROW, _HEAD = 170, 34, 46


def environment(root: str, release: Release) -> Environment:
    """The templates, with what every page needs."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    titles = {name: plan.connector.title for name, plan in release.connections.items()}

    def link(address: str, /, **query: Any) -> str:
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{root}{address}" + (f"?{urlencode(asked)}" if asked else "")

    found.globals |= {"root": root, "release": release, "titles": titles, "link": link}
    found.filters |= {
        "money": money,
        "when": when,
        "took": took,
        "shown": shown,
        "number": number,
        "words": words,
        "masked": masked,
    }
    return found


def money(amount: Any, currency: Any = "") -> str:
    """``12,480.00 EUR``; empty where there is no amount."""
    if amount in (None, ""):
        return ""
    try:
        return f"{Decimal(str(amount)):,f} {currency or ''}".strip()
    except InvalidOperation:
        return f"{amount} {currency or ''}".strip()


def number(value: int) -> str:
    """``12,480``."""
    return f"{value:,}"


def when(instant: str | None) -> str:
    """``2026-11-23 10:02:14`` in UTC; the page's script makes it local."""
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%M:%S") if instant else ""


def took(microseconds: int | float | None) -> str:
    """``38 ms``, ``1.2 s``."""
    if microseconds is None:
        return ""
    milliseconds = microseconds / 1000
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def words(name: str | None) -> str:
    """``create_order`` as ``create order``."""
    return (name or "").replace("_", " ").replace("-", " ")


def shown(value: Any) -> str:
    """JSON for people, with personal data masked; text that is no JSON stays as it is."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(masked(value), ensure_ascii=False, indent=2, default=str)


def masked(value: Any) -> Any:
    """The same value with what names a person replaced: its last two letters tell two of them apart.

    JSON within a text (the body of a request that was kept) is opened; in any other text addresses are hidden.
    """
    if isinstance(value, str):
        if value[:1] in ("{", "["):
            try:
                return masked(json.loads(value))
            except ValueError:
                pass
        return _ADDRESS.sub("•••", value)
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _hidden(item) if _MASKED.search(str(key)) else masked(item) for key, item in value.items()}


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return f"•••{value[-2:]}" if isinstance(value, str) and len(value) > 4 else "•••" if value else value


# Pictures -----------------------------------------------------------------------------------------


def sequence(calls: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> dict[str, Any] | None:
    """Who was asked what, in order: a column for Isthmus and each connection, an arrow a call. None without calls."""
    if not calls:
        return None
    names = list(dict.fromkeys(str(call["connection"]) for call in calls))
    at = {name: _COLUMN * (number + 1) + _COLUMN // 2 for number, name in enumerate(names)}
    own = _COLUMN // 2
    arrows = []
    for row, call in enumerate(calls):
        part = f" / {call['part']}" if call["part"] else ""
        y = _HEAD + _ROW * (row + 1)
        arrows.append(
            {"y": y, "x1": own, "x2": at[call["connection"]], "label": f"{words(call['step'])}{part}", "call": call}
        )
    columns = [{"x": own, "title": "Isthmus"}, *({"x": at[name], "title": titles.get(name, name)} for name in names)]
    return {
        "width": _COLUMN * (len(names) + 1),
        "height": _HEAD + _ROW * (len(calls) + 1),
        "columns": columns,
        "arrows": arrows,
        "head": _HEAD,
    }


def bars(hours: Sequence[str], series: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """A bar chart, stacked: for each hour (``2026-11-23T10``) and series a bar with its number."""
    width, height, gap = 24, 120, 4
    top = max([sum(found.get(hour, 0) for found in series.values()) for hour in hours], default=0) or 1
    drawn = []
    for place, hour in enumerate(hours):
        y = float(height)
        for name, found in series.items():
            if count := found.get(hour, 0):
                tall = height * count / top
                y -= tall
                drawn.append(
                    {"x": place * (width + gap), "y": round(y, 1), "w": width, "h": round(tall, 1), "series": name,
                     "hour": hour, "count": count}
                )  # fmt: skip
    return {"width": len(hours) * (width + gap), "height": height, "bars": drawn, "top": top, "series": list(series)}


def layers(
    rows: Sequence[tuple[str, str, Sequence[tuple[str, str, str]]]], edges: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """A map of layers: ``(id, title, boxes)`` from the top, a box ``(id, title, address)``; edges between boxes."""
    box, high, gap, left = 170, 44, 18, 150
    places: dict[str, tuple[int, int]] = {}
    drawn = []
    widest = max([len(boxes) for _, _, boxes in rows], default=1)
    for depth, (id_, title, boxes) in enumerate(rows):
        y = depth * (high + 56) + 10
        for place, (name, words_, address) in enumerate(boxes):
            places[name] = (left + place * (box + gap), y)
            drawn.append({"x": places[name][0], "y": y, "title": words_, "address": address, "layer": id_})
        drawn.append({"x": 12, "y": y, "title": title, "address": None, "layer": "name"})
    lines = [
        {"x1": places[a][0] + box // 2, "y1": places[a][1] + high, "x2": places[b][0] + box // 2, "y2": places[b][1]}
        for a, b in edges
        if a in places and b in places
    ]
    size = {"width": left + widest * (box + gap), "height": len(rows) * (high + 56)}
    return {**size, "boxes": drawn, "lines": lines, "box": box, "high": high}
