"""What the connectors claim of themselves: each done rule names tests that are there, and the check has no finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.landscapes import SAMPLE

from isthmus.catalogue.registry import ConnectorFolder, connectors, registry
from isthmus.cli.connectors import claims_of
from isthmus.landscape.checks import every_finding
from isthmus.landscape.reading import read_landscape

TESTS = Path(__file__).parents[2]
FOLDERS = {name: folder for name, folder in connectors().items() if (folder.path / "quality.yaml").exists()}
#: what house rules ask of every connector
RULES = (
    *("sign-in and refresh", "401, 429 and 5xx", "pagination with ties", "incremental read with overlap"),
    *("deletes and merges", "custom fields", "every write's once, with doubt played", "undo"),
    *("bulk with a result per record", "push verified, repeated, reordered", "minor units and rounding"),
    *("time zones", "problems in words", "conformance with an unmodified client"),
    "descriptor, mapping and schema agree",
)


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_every_claim_is_kept(folder: ConnectorFolder) -> None:
    claims = list(claims_of(folder, TESTS))
    assert [claim for claim in claims if claim.verdict == "broken"] == []
    assert {claim.rule for claim in claims} >= set(RULES)


def test_the_sample_landscape_has_no_finding() -> None:
    assert [str(finding) for finding in every_finding(read_landscape(SAMPLE, registry()))] == []
