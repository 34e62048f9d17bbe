"""Connectors and blueprints are found by entry point, as data: nothing of theirs is imported to read what they say."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from tests.support.landscapes import CONNECTORS

from isthmus.catalogue.registry import ConnectorFolder, blueprints, connectors, registry


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A third party's installed package `thirdparty` whose import would fail."""
    vendor = tmp_path / "thirdparty" / "vendor"
    shutil.copytree(CONNECTORS / "sap_s4hana", vendor)
    for folder in (vendor.parent, vendor):
        (folder / "__init__.py").write_text("raise RuntimeError('was imported')")
    text = (vendor / "connector.yaml").read_text()
    (vendor / "connector.yaml").write_text(text.replace("connector: sap_s4hana", "connector: vendor"))
    info = tmp_path / "thirdparty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thirdparty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[isthmus.connectors]\nvendor = thirdparty.vendor\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return vendor


def test_an_installed_connector_is_found_without_importing_it(package: Path) -> None:
    found = connectors()["vendor"]
    assert found.path == package
    assert found.descriptor.title == "A ledger"
    assert found.schema("A_SalesOrder") is not None
    assert found.schema_objects() == ["A_Customer", "A_SalesOrder", "A_SalesOrderItem"]
    assert found.codes()["country"]["NO"] == "NO"
    assert "thirdparty" not in sys.modules


def test_ours_are_found_the_same_way() -> None:
    before = set(sys.modules)
    assert set(connectors()) >= {"salesforce", "sap_s4hana", "stripe", "zendesk"}
    assert blueprints()["quote_to_cash"].descriptor.version == 1
    new = set(sys.modules) - before
    assert not any(name.startswith(("isthmus.connectors", "isthmus.blueprints")) for name in new)


def test_an_extra_folder_stands_before_an_installed_one() -> None:
    folder = CONNECTORS / "zendesk"
    assert registry(extra=[folder]).connectors["zendesk"] == ConnectorFolder("zendesk", folder)


def test_quirks_are_imported_only_on_demand(tmp_path: Path) -> None:
    folder = ConnectorFolder("odd", tmp_path)
    assert folder.quirks() is None
    (tmp_path / "quirks.py").write_text("def half(value):\n    return value / 2\n")
    module = folder.quirks()
    assert module is not None
    assert module.half(4) == 2
