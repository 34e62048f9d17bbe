"""Business partners and products in the SAP S/4HANA stand-in: what it refuses, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import AREA, ORDERS, PARTNERS, PRODUCTS, SapCaller, order_body

ROLES = [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}]
SALES = {"SalesOrganization": "1710", "DistributionChannel": "10", "Division": "00"}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture(scope="module")
def sap(running: RunningSandbox) -> SapCaller:
    return SapCaller(running)


def partner(name: str, country: str = "DE", **more: Any) -> dict[str, Any]:
    return {
        "BusinessPartnerCategory": "2",
        "OrganizationBPName1": name,
        "to_BusinessPartnerAddress": [{"Country": country, "CityName": "Somewhere"}],
        "to_BusinessPartnerRole": ROLES,
        "to_Customer": {
            "to_CustomerCompany": [{"CompanyCode": "1710"}],
            "to_CustomerSalesArea": [{**SALES, "Currency": "EUR"}],
        },
        **more,
    }


def test_a_new_customer_can_buy_at_once(sap: SapCaller) -> None:
    number = [{"BPTaxType": "AT0", "BPTaxNumber": "ATU00000001"}]
    made = sap.create(f"{PARTNERS}/A_BusinessPartner", partner("Alpenstrom GmbH", "AT", to_BusinessPartnerTax=number))
    assert made["Customer"] == made["BusinessPartner"] and made["BusinessPartner"].startswith("171001")
    order = sap.order("new-customer", ("X-100", "1"), SoldToParty=made["Customer"])
    assert order["to_Item"]["results"][0]["TaxAmount"] == "0.00"  # reverse charge, thanks to the VAT number
    plain = sap.create(f"{PARTNERS}/A_BusinessPartner", partner("Ohne Nummer GmbH", "AT"))
    taxed = sap.order("no-number", ("X-100", "1"), SoldToParty=plain["Customer"])
    assert taxed["to_Item"]["results"][0]["TaxAmount"] != "0.00"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"BusinessPartnerCategory": "9"}, "R11/132"),
        ({"OrganizationBPName1": ""}, "R11/133"),
        ({"BusinessPartner": "4711"}, "R11/401"),
        ({"to_BusinessPartnerRole": []}, "CVI_EI/053"),
        ({"to_BusinessPartnerRole": [{"BusinessPartnerRole": "BOSS"}]}, "CVI_EI/053"),
        ({"to_BusinessPartnerAddress": [{"CityName": "Nowhere"}]}, "AM/228"),
        ({"to_BusinessPartnerTax": [{"BPTaxType": "XX9", "BPTaxNumber": "1"}]}, "BUPA_TAX/001"),
        ({"to_BuPaIdentification": [{"BPIdentificationType": "NONE", "BPIdentificationNumber": "1"}]}, "R11/540"),
        ({"to_Customer": {"to_CustomerSalesArea": [{**SALES, "SalesOrganization": "9"}]}}, "F2/152"),
        ({"to_Customer": {"to_CustomerCompany": [{"CompanyCode": "9999"}]}}, "F2/102"),
    ],
)
def test_partners_that_sap_refuses(sap: SapCaller, change: dict[str, Any], code: str) -> None:
    before = sap.call("GET", f"{PARTNERS}/A_BusinessPartner/$count").text
    assert sap.refusal("POST", f"{PARTNERS}/A_BusinessPartner", {**partner("Refused GmbH"), **change})[1] == code
    assert sap.call("GET", f"{PARTNERS}/A_BusinessPartner/$count").text == before


def test_a_partner_becomes_a_customer_step_by_step(sap: SapCaller) -> None:
    body = {"BusinessPartnerCategory": "1", "FirstName": "Ada", "LastName": "Sonne"}
    made = sap.create(f"{PARTNERS}/A_BusinessPartner", body)
    number, etag = made["BusinessPartner"], made["__metadata"]["etag"]
    assert (made["Customer"], made["BusinessPartnerFullName"]) == ("", "Ada Sonne")
    sap.create(f"{PARTNERS}/A_BusinessPartner('{number}')/to_BusinessPartnerRole", {"BusinessPartnerRole": "FLCU01"})
    sap.create(f"{PARTNERS}/A_BusinessPartner('{number}')/to_BusinessPartnerAddress", {"Country": "DE"})
    assert (
        sap.refusal("POST", f"{ORDERS}/A_SalesOrder", order_body("s", ("X-100", "1"), SoldToParty=number))[1]
        == "VP/199"
    )
    sap.create(f"{PARTNERS}/A_CustomerSalesArea", {"Customer": number, **SALES})
    assert sap.order("steps", ("X-100", "1"), SoldToParty=number)["SalesOrder"]
    here = f"{PARTNERS}/A_BusinessPartner('{number}')"
    assert sap.refusal("PATCH", here, {"LastName": "Mond"}, headers={"If-Match": etag})[0] == 412
    fresh = sap.read(here)["__metadata"]["etag"]
    assert sap.call("PATCH", here, {"LastName": "Mond"}, headers={"If-Match": fresh}).status_code == 204
    assert sap.read(f"{PARTNERS}/A_Customer('{number}')")["CustomerName"] == "Ada Mond"


def test_blocks_set_by_the_api_count(sap: SapCaller) -> None:
    area = f"{PARTNERS}/A_CustomerSalesArea(Customer='17100001',SalesOrganization='1710',DistributionChannel='10',Division='00')"
    for block, status in (("01", 400), ("", 201)):
        assert sap.call("PATCH", area, {"OrderIsBlockedForCustomer": block}).status_code == 204
        assert sap.call("POST", f"{ORDERS}/A_SalesOrder", order_body("area", ("X-100", "1"))).status_code == status


def test_a_new_product_needs_a_price(sap: SapCaller) -> None:
    body = {
        "Product": "X-900",
        "ProductType": "HAWA",
        "BaseUnit": "PC",
        "to_Description": [{"Language": "EN", "ProductDescription": "Solar tile"}],
        "to_Plant": [{"Plant": "1710"}],
        "to_SalesDelivery": [{"ProductSalesOrg": "1710", "ProductDistributionChnl": "10", "ItemCategoryGroup": "NORM"}],
    }
    body["to_SalesDelivery"][0]["SupplyingPlant"] = "1710"  # type: ignore[index]
    sap.create(f"{PRODUCTS}/A_Product", body)
    order = order_body("tile", ("X-900", "2"))
    status, code, text = sap.refusal("POST", f"{ORDERS}/A_SalesOrder", order)
    assert (status, code) == (400, "V1/801") and "PPR0" in text
    sap.play("change_price", material="X-900", price="12.50", currency="EUR")
    made = sap.create(f"{ORDERS}/A_SalesOrder", order)
    assert made["TotalNetAmount"] == "25.00"
    assert made["to_Item"]["results"][0]["ConfdDelivQtyInOrderQtyUnit"] == "0.000"
    sap.play("receive_stock", material="X-900", quantity="5")
    item = sap.read(f"{ORDERS}/A_SalesOrder('{made['SalesOrder']}')/to_Item")["results"][0]
    assert item["ConfdDelivQtyInOrderQtyUnit"] == "2.000"
    assert sap.refusal("POST", f"{PRODUCTS}/A_Product", body)[1] == "M3/025"


def test_a_product_can_be_taken_out_of_sale(sap: SapCaller, running: RunningSandbox) -> None:
    shown = running.desk("sap_s4hana/set/product/X-104", {"sold": "false"})
    assert shown["sold_in"] is None
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", order_body("out", ("X-104", "1")))[1] == "V1/302"
    sap.play("extend_material", material="X-104", sales_organization="1710")
    assert sap.order("in", ("X-104", "1"))["SalesOrganization"] == AREA["SalesOrganization"]


def test_the_desk_shows_everything_and_refuses_nonsense(running: RunningSandbox) -> None:
    for kind in ("customer", "product", "stock", "price", "order", "invoice", "delivery", "credit_limit", "receipt"):
        assert isinstance(running.desk(f"sap_s4hana/show/{kind}"), list)
    assert running.desk("sap_s4hana/show/customer/17100010")[0]["order_block"] == "01"
    limits = running.desk("sap_s4hana/set/credit_limit/*", {"limit": "5000000"})
    assert limits["credit_limit"] == "5000000"
    wrong = {
        "customer/17100001": {"colour": "red"},
        "customer/1": {"order_block": "none"},
        "stock/NO-1": {"quantity": "1"},
        "stock/X-100": {"quantity": "many"},
        "field/A_Nothing.YY1_A": {"type": "Edm.String"},
        "field/A_Product.YY1_A": {"type": "Text"},
        "weather/today": {"sun": "yes"},
    }
    for path, values in wrong.items():
        with pytest.raises(ValueError, match=r"\w"):
            running.desk(f"sap_s4hana/set/{path}", values)
    with pytest.raises(ValueError, match="needs order"):
        running.desk("sap_s4hana/play/deliver", {})
