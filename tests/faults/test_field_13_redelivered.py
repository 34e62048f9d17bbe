"""Field test 13: the same order delivered five times over 72 hours, each time with another timestamp, makes one order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import SECRETS

DOOR = f"/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"


def told(organization: str, opportunity: str, number: int, changed_at: str) -> str:
    """What Salesforce pushes: a notification with an id of its own, and the time of the latest change."""
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{organization}</OrganizationId><Notification><Id>04l{number}</Id>"
        f'<sObject xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{opportunity}</sf:Id>'
        f"<sf:StageName>Closed Won</sf:StageName><sf:SystemModstamp>{changed_at}</sf:SystemModstamp></sObject>"
        "</Notification></notifications></soapenv:Body></soapenv:Envelope>"
    )


async def test_five_deliveries_over_72_hours(tmp_path: Path) -> None:
    with RunningSandbox() as running:
        organization = running.credentials("salesforce")["organization_id"]
        async with House(running, tmp_path / "house", polls=False) as house:
            await house.win("OPP-1001")
            (row,) = await house.desk("salesforce/show/opportunity/OPP-1001")
            for number in range(5):
                changed_at = (house.clock() + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
                body = told(organization, row["Id"], number, changed_at)
                async with house.http.post(DOOR, data=body, headers={"Content-Type": "text/xml"}) as answer:
                    assert answer.status == 200, await answer.text()
                run = await house.until("OPP-1001", "done")
                while await house.rows("SELECT id FROM message WHERE state = 'new'"):
                    await asyncio.sleep(0.02)
                if number < 4:
                    house.clock.advance(timedelta(hours=18))
            messages = await house.rows("SELECT state FROM message ORDER BY id")
            assert [row["state"] for row in messages] == ["claimed", "seen", "seen", "seen", "seen"]
            assert (run["generation"], await house.rows("SELECT count(*) AS n FROM run")) == (1, [{"n": 1}])
            assert len(await house.books("sap_s4hana", "order")) == 1
            assert len(await house.books("stripe", "invoice")) == 1
