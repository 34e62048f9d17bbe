"""The roles a landscape can fill, and every operation by its role and name."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from isthmus.connectivity.system_api import billing, crm, erp, support
from isthmus.connectivity.system_api.operation import Operation

_MODULES: tuple[ModuleType, ...] = (crm, erp, billing, support)

#: role → operation name → operation
ROLES: dict[str, dict[str, Operation[Any, Any]]] = {
    module.__name__.rpartition(".")[2]: {n: o for n, o in vars(module).items() if isinstance(o, Operation)}
    for module in _MODULES
}


def operation(role: str, name: str) -> Operation[Any, Any]:
    """The operation ``role.name``. Raises KeyError that names what there is."""
    known = ROLES.get(role)
    if known is None:
        raise KeyError(f"no role is called {role!r}; there are {', '.join(ROLES)}")
    if name not in known:
        raise KeyError(f"{role} has no operation {name!r}; there are {', '.join(known)}")
    return known[name]
