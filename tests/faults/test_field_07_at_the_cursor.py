"""Field test 7: a second record with just the time at which the cursor stands is read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.asking import asking
from tests.support.inside import copies, inside
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import SapCaller
from tests.support.ways_in import Waker

from isthmus.orchestration.poll import Poller


@pytest.mark.parametrize("vendor", ["sap_s4hana", "salesforce"])
async def test_with_no_overlap_at_all(vendor: str, tmp_path: Path) -> None:
    connection, channel, role = {
        "sap_s4hana": ("sap", "orders", "erp"),
        "salesforce": ("salesforce", "opportunities", "crm"),
    }[vendor]
    with RunningSandbox([vendor]) as running:
        if vendor == "sap_s4hana":
            SapCaller(running).order("FIRST", ("S-108", "1"))
        else:
            running.desk("salesforce/play/win", {"opportunity": "OPP-1001"})
        async with asking(tmp_path, running, {role: vendor}) as ask:
            inbound = ask.release.connections[connection].connector.inbound[channel]
            assert inbound.cursor is not None
            bare = inbound.model_copy(update={"cursor": inbound.cursor.model_copy(update={"overlap": timedelta(0)})})
            poller = Poller(ask.engine, Waker())
            assert await poller.poll(connection, channel, bare) > 0
            _second(running, vendor)
            ask.clock.advance(timedelta(minutes=1))
            assert await poller.poll(connection, channel, bare) == 1
            ask.clock.advance(timedelta(minutes=1))
            assert await poller.poll(connection, channel, bare) == 0


def _second(running: RunningSandbox, vendor: str) -> None:
    """One more record, with the newest time that there is."""
    if vendor == "sap_s4hana":
        newest = inside(
            running, vendor, lambda world: world.value('SELECT max("LastChangeDateTime") FROM "A_SalesOrder"')
        )
        copies(running, vendor, "A_SalesOrder", "SalesOrder", ["7000000001"], LastChangeDateTime=newest)
        return
    running.desk("salesforce/play/win", {"opportunity": "OPP-1002"})
    inside(
        running,
        vendor,
        lambda world: world.execute(
            'UPDATE "Opportunity" SET "SystemModstamp" = (SELECT "SystemModstamp" FROM "Opportunity"'
            " WHERE \"Opportunity_Number__c\" = 'OPP-1001') WHERE \"Opportunity_Number__c\" = 'OPP-1002'"
        ),
    )
