"""Isthmus: the land bridge between a company's SaaS applications and its ERP.

What users' processes import. Names are loaded when first used, so that a command answers at once.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus import model as model
    from isthmus.connectivity.outbound.outcome import ParkedWork as ParkedWork
    from isthmus.connectivity.system_api import billing as billing
    from isthmus.connectivity.system_api import crm as crm
    from isthmus.connectivity.system_api import erp as erp
    from isthmus.connectivity.system_api import support as support
    from isthmus.connectivity.system_api.operation import Search as Search
    from isthmus.orchestration.approval import Decision as Decision
    from isthmus.orchestration.enrich import Found as Found
    from isthmus.orchestration.enrich import Part as Part
    from isthmus.orchestration.enrich import ReadPlan as ReadPlan
    from isthmus.orchestration.enrich import enrich as enrich
    from isthmus.orchestration.parking import park as park
    from isthmus.orchestration.process import Refused as Refused
    from isthmus.orchestration.process import process as process
    from isthmus.orchestration.run import Ask as Ask
    from isthmus.orchestration.run import Run as Run

__version__ = "0.1.0"

_ROLES = "isthmus.connectivity.system_api"
_PLACES = {
    "model": "isthmus.model",
    **{role: f"{_ROLES}.{role}" for role in ("billing", "crm", "erp", "support")},
    "ParkedWork": "isthmus.connectivity.outbound.outcome:ParkedWork",
    "Search": f"{_ROLES}.operation:Search",
    "Decision": "isthmus.orchestration.approval:Decision",
    **{name: f"isthmus.orchestration.enrich:{name}" for name in ("Found", "Part", "ReadPlan", "enrich")},
    "park": "isthmus.orchestration.parking:park",
    "Refused": "isthmus.orchestration.process:Refused",
    "process": "isthmus.orchestration.process:process",
    "Ask": "isthmus.orchestration.run:Ask",
    "Run": "isthmus.orchestration.run:Run",
}


def days(number: int) -> timedelta:
    """So many days, for waits and approvals."""
    return timedelta(days=number)


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
    module, _, attribute = place.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found
