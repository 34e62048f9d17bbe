"""Is every business unit one, and does it give its roles to connections that exist and can play them?"""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from isthmus.landscape.conforming import dotted
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.reading import FILE, Landscape
from isthmus.model.party import BusinessUnit
from isthmus.model.problems import problems_of


def check_units(landscape: Landscape, findings: Findings) -> None:
    """Roles, connections, parents, and what the model itself says of a business unit."""
    connections = landscape.names("connections")
    units = landscape.names("business_units")
    for code, unit in landscape.entries("business_units"):
        for role, connection in landscape.roles(unit):
            if connection in connections:
                _check_role(landscape, code, role, connection, findings)
            else:
                path = ("business_units", code, "roles", role)
                what = f'{dotted(path)} names "{connection}", which is not a connection'
                able = [name for name in landscape.connections if role in landscape.played(name)]
                mend = did_you_mean(connection, able or connections)
                findings.error(FILE, landscape.document.at(*path), what, mend=mend)
        parent = unit.get("parent")
        if isinstance(parent, str) and (parent not in units or parent == code):
            at = landscape.document.at("business_units", code, "parent")
            what = f'business_units.{code}.parent names "{parent}", which is not another business unit'
            findings.error(FILE, at, what, mend=did_you_mean(parent, [unit for unit in units if unit != code]))
        _check_model(landscape, code, unit, findings)


def business_unit(code: str, unit: dict[str, Any]) -> BusinessUnit:
    """The canonical business unit of an entry. Raises ValidationError."""
    known = {name: value for name, value in unit.items() if name in BusinessUnit.model_fields}
    return BusinessUnit.model_validate({**known, "code": code})


def _check_role(landscape: Landscape, code: str, role: str, connection: str, findings: Findings) -> None:
    descriptor = landscape.descriptor(connection)
    path = ("business_units", code, "roles", role)
    if descriptor is None or role in landscape.played(connection):
        return
    if role in landscape.known_roles:
        what = f'{dotted(path)} names "{connection}"; {descriptor.title} does not play the role "{role}"'
        mend = f"it plays {', '.join(descriptor.roles)}; name a connection that plays {role}"
        findings.error(FILE, landscape.document.at(*path), what, mend=mend)
    else:
        what = f'{dotted(path)}: no connection plays a role called "{role}"'
        findings.error(FILE, landscape.document.key_at(*path), what, mend=did_you_mean(role, landscape.known_roles))


def _check_model(landscape: Landscape, code: str, unit: dict[str, Any], findings: Findings) -> None:
    """What only the model knows, such as a VAT number's prefix; places that are reported already are left alone."""
    reported = {(finding.line, finding.column) for finding in findings if finding.file == FILE}
    try:
        business_unit(code, unit)
    except ValidationError as error:
        for problem in problems_of(error):
            path = ("business_units", code, *_steps(problem.field or ""))
            at = landscape.document.at(*path)
            if problem.value is not None and at not in reported:
                what = f"{dotted(path)} is {problem.value!r}"
                expected = f"{problem.expected} is expected"
                findings.error(FILE, at, what, expected=expected, mend=problem.mend or "")


def _steps(field: str) -> list[str | int]:
    """``address.lines[0]`` as its steps."""
    return [int(index) if index else word for word, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", field)]
