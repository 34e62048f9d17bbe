"""Are the company's decision tables well formed, and can every row be reached?"""

from __future__ import annotations

from isthmus.landscape.checks.structure import report_yaml
from isthmus.landscape.conforming import Conforming, schema_of
from isthmus.landscape.finding import Findings
from isthmus.landscape.reading import Landscape
from isthmus.landscape.rules import RuleShape


def check_rules(landscape: Landscape, findings: Findings) -> None:
    """Each file of rules/."""
    schema = schema_of(RuleShape)
    for document in landscape.rules.values():
        report_yaml(document, findings)
        if document.mistakes:
            continue
        Conforming(document, findings, schema).read(document.value, schema, ())
        rows = document.value.get("rows") if isinstance(document.value, dict) else None
        for at, row in enumerate(rows[:-1] if isinstance(rows, list) else ()):
            if isinstance(row, dict) and row.get("when") is None:
                what = f"rows[{at}] has no condition, so the rows below it are never asked"
                findings.warning(
                    document.file, document.at("rows", at), what, mend="give it a when, or make it the last"
                )
