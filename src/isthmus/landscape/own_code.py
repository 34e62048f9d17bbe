"""Imports a landscape's own code, such as an ejected process, so that its files may import their neighbours.

A folder becomes a package of a name of its own, so that two landscapes in one worker do not meet.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def import_file(path: Path) -> ModuleType:
    """The module of a Python file below a landscape, imported once. Raises ImportError or what its code raises."""
    folder = path.resolve().parent
    package = f"isthmus_own_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if package not in sys.modules:
        _open_package(package, folder)
    return importlib.import_module(f"{package}.{path.stem}")


def _open_package(name: str, folder: Path) -> None:
    """The folder as a package; its ``__init__.py`` is run where it has one."""
    init = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not init.exists():
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
        return
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    try:
        spec.loader.exec_module(package)
    except BaseException:
        del sys.modules[name]
        raise
