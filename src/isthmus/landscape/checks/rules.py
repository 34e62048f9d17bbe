"""Are the company's decision tables well formed, can every row be reached, and is there a desk for each that they name?"""

from __future__ import annotations

from typing import Any

from isthmus.catalogue.document import Document
from isthmus.landscape.checks.structure import report_yaml
from isthmus.landscape.conforming import Conforming, schema_of
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.formats import read_duration
from isthmus.landscape.reading import Landscape
from isthmus.landscape.rules import DURATIONS, RuleShape

#: what a row may decide that is the name of a desk
_DESKS = ("by", "escalate_to")


def check_rules(landscape: Landscape, findings: Findings) -> None:
    """Each file of rules/."""
    schema = schema_of(RuleShape)
    for document in landscape.rules.values():
        report_yaml(document, findings)
        if document.mistakes:
            continue
        Conforming(document, findings, schema).read(document.value, schema, ())
        rows = document.value.get("rows") if isinstance(document.value, dict) else None
        for at, row in enumerate(rows if isinstance(rows, list) else ()):
            if not isinstance(row, dict):
                continue
            if row.get("when") is None and at < len(rows or ()) - 1:
                what = f"rows[{at}] has no condition, so the rows below it are never asked"
                findings.warning(
                    document.file, document.at("rows", at), what, mend="give it a when, or make it the last"
                )
            if isinstance(row.get("then"), dict):
                _check_then(landscape, document, at, row["then"], findings)


def _check_then(landscape: Landscape, document: Document, at: int, then: dict[str, Any], findings: Findings) -> None:
    desks = landscape.names("desks")
    for name in (each for each in _DESKS if isinstance(then.get(each), str)):
        if then[name] not in desks:
            what = f'rows[{at}].then.{name} names "{then[name]}", which is not a desk'
            mend = did_you_mean(then[name], desks) if desks else f"write  desks: {{{then[name]}: {{title: …}}}}"
            findings.error(document.file, document.at("rows", at, "then", name), what, mend=mend)
    for name in (each for each in DURATIONS if each in then):
        try:
            read_duration(str(then[name]))
        except ValueError as error:
            what = f"rows[{at}].then.{name} is {then[name]!r}"
            findings.error(document.file, document.at("rows", at, "then", name), what, expected=str(error))
