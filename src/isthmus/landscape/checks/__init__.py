"""What may be wrong with a landscape, a file a topic. ``every_finding`` runs them all."""

from __future__ import annotations

from collections.abc import Callable

from isthmus.landscape.checks.actors import check_actors
from isthmus.landscape.checks.approvers import check_approvers
from isthmus.landscape.checks.connections import check_connections
from isthmus.landscape.checks.connectors import check_connectors
from isthmus.landscape.checks.fields import check_fields
from isthmus.landscape.checks.mappings import check_mappings
from isthmus.landscape.checks.processes import check_processes
from isthmus.landscape.checks.rules import check_rules
from isthmus.landscape.checks.secrets import check_secrets
from isthmus.landscape.checks.service_levels import check_service_levels
from isthmus.landscape.checks.structure import check_structure
from isthmus.landscape.checks.units import check_units
from isthmus.landscape.finding import Finding, Findings
from isthmus.landscape.reading import FILE, Landscape

CHECKS: tuple[Callable[[Landscape, Findings], None], ...] = (
    check_structure,
    check_connections,
    check_connectors,
    check_units,
    check_processes,
    check_mappings,
    check_fields,
    check_rules,
    check_service_levels,
    check_approvers,
    check_actors,
    check_secrets,
)


def every_finding(landscape: Landscape) -> list[Finding]:
    """All mistakes, those of isthmus.yaml first, each file's in the order they stand in it."""
    findings = Findings()
    for check in CHECKS:
        check(landscape, findings)
    return sorted(findings, key=lambda found: (found.file != FILE, found.file, found.line, found.column, found.what))
