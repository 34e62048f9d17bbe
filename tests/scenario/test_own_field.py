"""A company's own field, from the CRM's screen to the ERP's order, by uncommenting one line of the landscape."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import ORDERS, SapCaller
from tests.support.whole import Whole


def with_promo_code(text: str) -> str:
    """The sample landscape with its example of an own field in force."""
    lines = (
        "fields:",
        "  order.extensions.promo_code: {salesforce: Opportunity.Promo_Code__c, sap: YY1_PromoCode_SDH}",
    )
    for line in lines:
        assert f"# {line}\n" in text, f"the sample landscape does not show {line!r}"
        text = text.replace(f"# {line}\n", f"{line}\n")
    return text


async def test_one_line_takes_a_field_from_the_quote_to_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunningSandbox() as sandbox:
        sandbox.desk("salesforce/set/field/Opportunity.Promo_Code__c", {"type": "text", "length": "20"})
        sandbox.desk("sap_s4hana/set/field/A_SalesOrder.YY1_PromoCode_SDH", {"length": "20"})
        sandbox.desk("salesforce/set/opportunity/OPP-1001", {"Promo_Code__c": "SUMMER-26"})
        async with Whole(sandbox, tmp_path, monkeypatch, change=with_promo_code) as w:
            await w.win("OPP-1001", "OPP-1003")
            for number in ("OPP-1001", "OPP-1003"):
                await w.until(number, "done")
            sap = SapCaller(sandbox)
            shown = {}
            for number in ("OPP-1001", "OPP-1003"):
                found = sap.read(f"{ORDERS}/A_SalesOrder", filter=f"ExternalDocumentID eq '{number}'")
                (shown[number],) = [order["YY1_PromoCode_SDH"] for order in found["results"]]
            assert shown["OPP-1001"] == "SUMMER-26"
            assert not shown["OPP-1003"], "an order without the field has none"
