"""Is isthmus.yaml YAML, and does it have the shape that its JSON Schema describes?"""

from __future__ import annotations

from isthmus.catalogue.document import Document, Position
from isthmus.landscape.conforming import Conforming, schema_of
from isthmus.landscape.finding import Findings
from isthmus.landscape.reading import FILE, Landscape
from isthmus.landscape.shape import LandscapeShape


def check_structure(landscape: Landscape, findings: Findings) -> None:
    """Unknown, missing and doubled keys, wrong types and words, at every level."""
    if landscape.missing:
        what = "there is no landscape in this folder"
        findings.error(FILE, Position(1, 1), what, mend="write one with  isthmus init, or name its folder")
        return
    report_yaml(landscape.document, findings)
    if landscape.document.mistakes and landscape.document.value is None:
        return
    schema = schema_of(LandscapeShape)
    Conforming(landscape.document, findings, schema, references=True).read(landscape.document.value, schema, ())


def report_yaml(document: Document, findings: Findings) -> None:
    """What is wrong with a document as YAML."""
    for mistake in document.mistakes:
        findings.error(document.file, mistake.position, mistake.what, mend=mistake.mend)
