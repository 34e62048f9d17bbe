"""What the SAP S/4HANA stand-in knows about selling: prices, taxes, availability, credit, deliveries, invoices, credits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import ORDERS, SapCaller, items, order_body

CENT = Decimal("0.01")
APAC = {"SalesOrganization": "3010"}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture(scope="module")
def sap(running: RunningSandbox) -> SapCaller:
    return SapCaller(running)


def conditions(item: Any) -> dict[str, Any]:
    return {one["ConditionType"]: one for one in item["to_PricingElement"]["results"]}


def sum_of(order: Any, name: str) -> Decimal:
    return sum((Decimal(item[name]) for item in items(order)), Decimal(0))


def change(sap: SapCaller, order: str, item: str, **values: str) -> int:
    path = f"{ORDERS}/A_SalesOrderItem(SalesOrder='{order}',SalesOrderItem='{item}')"
    return sap.call("PATCH", path, values).status_code


# Prices and taxes -------------------------------------------------------------------------------------


def test_prices_come_from_saps_own_conditions(sap: SapCaller, running: RunningSandbox) -> None:
    simulated = items(sap.simulate(("X-105", "3"), ("X-100", "99"), ("X-100", "100"), ("X-225", "1"), ("X-100", "20")))
    list_price = running.company.product("X-100").prices["EUR"]
    scaled = (list_price * Decimal("0.95")).quantize(CENT, ROUND_HALF_UP)
    own = (running.company.product("X-225").erp_price("EUR") * Decimal("0.9")).quantize(CENT, ROUND_HALF_UP)
    expected = [
        running.company.product("X-105").erp_price("EUR") * 3,
        list_price * 99,
        scaled * 100,
        own,
        list_price * 20,
    ]
    assert [Decimal(item["NetAmount"]) for item in simulated] == expected
    assert running.company.product("X-105").erp_price("EUR") != running.company.product("X-105").prices["EUR"]


def test_an_agreed_price_overrides_the_list(sap: SapCaller) -> None:
    price = {
        "ConditionType": "PMP0",
        "ConditionRateValue": "9.995",
        "ConditionCurrency": "EUR",
        "ConditionQuantity": "1",
    }
    line = {"Material": "X-100", "RequestedQuantity": "3", "to_PricingElement": [price]}
    made = sap.create(f"{ORDERS}/A_SalesOrder", order_body("agreed", to_Item=[line]))
    found = conditions(items(made)[0])
    assert items(made)[0]["NetAmount"] == "29.99"  # 29.985, half up
    assert (found["PPR0"]["ConditionInactiveReason"], found["PMP0"]["ConditionInactiveReason"]) == ("M", "")
    assert found["PMP0"]["ConditionIsManuallyChanged"] is True
    line["to_PricingElement"] = [{**price, "ConditionType": "ZZZZ"}]
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", order_body("agreed", to_Item=[line]))[1] == "V1/217"
    line["to_PricingElement"] = [{**price, "ConditionCurrency": "USD"}]
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", order_body("agreed", to_Item=[line]))[1] == "SG/105"
    rate = f"{ORDERS}/A_SalesOrderItemPrElement(SalesOrder='{made['SalesOrder']}',SalesOrderItem='10',"
    rate += "PricingProcedureStep='30',PricingProcedureCounter='1')"
    assert sap.call("PATCH", rate, {"ConditionRateValue": "20"}).status_code == 204
    assert sap.read(f"{ORDERS}/A_SalesOrder('{made['SalesOrder']}')")["TotalNetAmount"] == "60.00"


def test_other_units_are_converted(sap: SapCaller, running: RunningSandbox) -> None:
    line = {"Material": "X-100", "RequestedQuantity": "2", "RequestedQuantityISOUnit": "CT", "to_ScheduleLine": []}
    item = items(sap.create(f"{ORDERS}/A_SalesOrder", order_body("carton", to_Item=[line])))[0]
    assert (item["RequestedQuantityUnit"], item["RequestedQuantitySAPUnit"]) == ("CAR", "KAR")
    assert Decimal(item["NetAmount"]) == running.company.product("X-100").prices["EUR"] * 20
    assert item["to_ScheduleLine"]["results"][0]["ConfdOrderQtyByMatlAvailCheck"] == "2.000"


@pytest.mark.parametrize(
    ("account", "percent", "code"),
    [
        (0, "19", "A1"),
        (24, "0", "AE"),
        (3, "0", "AX"),
        (2, "0", "AX"),
        (1, "10", "J1"),
        (10, "0", "AX"),
        (11, "0", "A0"),
    ],
)
def test_tax_follows_the_country_rule(
    sap: SapCaller, running: RunningSandbox, account: int, percent: str, code: str
) -> None:
    customer = running.company.accounts[account]
    area = APAC if customer.unit == "apac" else {}
    made = sap.simulate(("X-101", "1"), ("X-102", "3"), ("S-109", "7"), SoldToParty=customer.number, **area)
    places = Decimal(1) if customer.currency == "JPY" else CENT
    expected = (sum_of(made, "NetAmount") * Decimal(percent) / 100).quantize(places, ROUND_HALF_UP)
    assert sum_of(made, "TaxAmount") == expected
    assert made["TransactionCurrency"] == customer.currency
    order = sap.order(f"tax-{account}", ("X-101", "1"), SoldToParty=customer.number, **area)
    row = conditions(items(order)[0])["TTX1"]
    assert (Decimal(row["ConditionRateValue"]), row["TaxCode"], row["ConditionClass"]) == (Decimal(percent), code, "D")
    header = sap.read(f"{ORDERS}/A_SalesOrder('{order['SalesOrder']}')/to_PricingElement")["results"][0]
    assert Decimal(header["ConditionAmount"]) == sum_of(order, "TaxAmount")


def test_tax_is_rounded_once_and_split_by_largest_remainder(sap: SapCaller) -> None:
    price = {"ConditionType": "PMP0", "ConditionRateValue": "0.03", "ConditionCurrency": "EUR"}
    lines = [{"Material": "X-100", "RequestedQuantity": "1", "to_PricingElement": [price]} for _ in range(3)]
    made = sap.create(f"{ORDERS}/A_SalesOrder", order_body("cents", to_Item=lines))
    assert [item["TaxAmount"] for item in items(made)] == ["0.01", "0.01", "0.00"]  # 0.0171 of 0.09, not 3 × 0.01


def test_yen_has_no_decimals(sap: SapCaller) -> None:
    made = sap.order("yen", ("X-100", "3"), SoldToParty="17100002", **APAC)
    assert "." not in made["TotalNetAmount"] + items(made)[0]["TaxAmount"]


# Availability and credit ------------------------------------------------------------------------------


def test_short_stock_confirms_in_parts(sap: SapCaller, running: RunningSandbox) -> None:
    running.desk("sap_s4hana/set/stock/X-163@1710", {"quantity": "4"})
    lines = items(sap.simulate(("X-163", "10")))[0]["to_ScheduleLine"]["results"]
    assert [line["ConfdOrderQtyByMatlAvailCheck"] for line in lines] == ["4.000", "6.000"]
    assert [line["ScheduleLineOrderQuantity"] for line in lines] == ["10.000", "0.000"]
    days = [int(line["ConfirmedDeliveryDate"][6:-2]) for line in lines]
    assert days[1] - days[0] == 10 * 86_400_000  # the planned receipt
    none = items(sap.simulate(("X-113", "5")))[0]
    assert none["ConfdDelivQtyInOrderQtyUnit"] == "0.000"
    assert none["to_ScheduleLine"]["results"][0]["ConfirmedDeliveryDate"] is None


def test_orders_reserve_and_receipts_confirm(sap: SapCaller, running: RunningSandbox) -> None:
    running.desk("sap_s4hana/set/stock/X-213@1710", {"quantity": "5"})
    first, second = sap.order("r1", ("X-213", "4")), sap.order("r2", ("X-213", "4"))
    assert [items(one)[0]["ConfdDelivQtyInOrderQtyUnit"] for one in (first, second)] == ["4.000", "1.000"]
    query = "SupplyingPlant='1710'&Material='X-213'&ATPCheckingRule='A'&RequestedQuantityInBaseUnit=1M"
    record = sap.read(f"API_PRODUCT_AVAILY_INFO_BASIC/DetermineAvailabilityOf?{query}")["DetermineAvailabilityOf"]
    assert record["AvailableQuantityInBaseUnit"] == "0.000"
    sap.play("receive_stock", material="X-213", quantity="10", plant="1710")
    item = sap.read(f"{ORDERS}/A_SalesOrderItem(SalesOrder='{second['SalesOrder']}',SalesOrderItem='10')")
    assert item["ConfdDelivQtyInOrderQtyUnit"] == "4.000"
    assert change(sap, first["SalesOrder"], "10", SalesDocumentRjcnReason="60") == 204
    stock = {row["plant"]: row for row in running.desk("sap_s4hana/show/stock/X-213")}
    assert (stock["1710"]["on_hand"], stock["1710"]["reserved"]) == ("15.000", "4.000")


def test_the_credit_limit_stops_the_delivery(sap: SapCaller, running: RunningSandbox) -> None:
    customer = running.company.accounts[22].number
    running.desk(f"sap_s4hana/set/credit_limit/{customer}", {"limit": "100"})
    checked = sap.simulate(("X-100", "50"), SoldToParty=customer)
    assert checked["to_Credit"]["TotalCreditCheckStatus"] == "B"
    order = sap.order("credit", ("X-100", "50"), SoldToParty=customer)
    assert order["TotalCreditCheckStatus"] == "B"
    with pytest.raises(ValueError, match="credit check"):
        sap.play("deliver", order=order["SalesOrder"])
    sap.play("release_credit", order=order["SalesOrder"])
    assert sap.play("deliver", order=order["SalesOrder"])["delivery"].startswith("8")
    running.desk(f"sap_s4hana/set/credit_limit/{customer}", {"limit": "1000000"})
    assert sap.simulate(("X-100", "1"), SoldToParty=customer)["to_Credit"]["TotalCreditCheckStatus"] == "A"


def test_people_mend_what_sap_refuses(sap: SapCaller, running: RunningSandbox) -> None:
    body = order_body("mend", ("X-122", "1"))
    status, code, text = sap.refusal("POST", f"{ORDERS}/A_SalesOrder", body)
    assert (status, code, text) == (
        400,
        "V1/302",
        "Material X-122 is not defined for sales org.1710, distr.chan.10, language EN",
    )
    sap.play("extend_material", material="X-122")
    assert sap.create(f"{ORDERS}/A_SalesOrder", body)["SalesOrder"]
    blocked = order_body("mend", ("X-100", "1"), SoldToParty="17100010", **APAC)
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", blocked)[1] == "V1/045"
    running.desk("sap_s4hana/set/customer/17100010", {"order_block": "none"})
    assert sap.create(f"{ORDERS}/A_SalesOrder", blocked)["SalesOrder"]
    sap.play("block_customer", customer="17100010")
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", blocked)[1] == "V1/045"


def test_every_reason_is_told_at_once(sap: SapCaller) -> None:
    lines = [("X-100", "1"), ("NO-1", "1"), ("X-101", "0")]
    answer = sap.call("POST", f"{ORDERS}/A_SalesOrder", order_body("all", *lines)).json()["error"]
    details = answer["innererror"]["errordetails"]
    assert [one["code"] for one in details] == ["V1/302", "V1/319"]
    assert details[0]["target"] == "to_Item('20')/Material"


# Changes ----------------------------------------------------------------------------------------------


def test_every_change_moves_the_time_stamp(sap: SapCaller) -> None:
    made = sap.order("stamps", ("X-100", "2"), ("X-101", "1"))
    order, seen = made["SalesOrder"], [made["LastChangeDateTime"]]
    here = f"{ORDERS}/A_SalesOrder('{order}')"
    assert change(sap, order, "10", RequestedQuantity="5") == 204
    seen.append(sap.read(here)["LastChangeDateTime"])
    sap.create(f"{here}/to_Text", {"Language": "EN", "LongTextID": "TX01", "LongText": "Hello"})
    seen.append(sap.read(here)["LastChangeDateTime"])
    assert change(sap, order, "20", SalesDocumentRjcnReason="60") == 204
    seen.append(sap.read(here)["LastChangeDateTime"])
    sap.play("deliver", order=order)
    seen.append(sap.read(here)["LastChangeDateTime"])
    assert seen == sorted(set(seen))


def test_a_new_quantity_is_priced_taxed_and_confirmed_anew(sap: SapCaller) -> None:
    made = sap.order("anew", ("X-100", "1"), ("X-101", "1"))
    assert change(sap, made["SalesOrder"], "10", RequestedQuantity="100") == 204
    after = sap.read(f"{ORDERS}/A_SalesOrder('{made['SalesOrder']}')", expand="to_Item,to_Item/to_PricingElement")
    item = items(after)[0]
    assert Decimal(item["NetAmount"]) < Decimal(items(made)[0]["NetAmount"]) * 100  # the scale price
    assert item["ConfdDelivQtyInOrderQtyUnit"] == "100.000"
    net = sum_of(after, "NetAmount")
    assert Decimal(after["TotalNetAmount"]) == net
    assert sum_of(after, "TaxAmount") == (net * 19 / 100).quantize(CENT, ROUND_HALF_UP)
    assert sum(Decimal(conditions(one)["TTX1"]["ConditionAmount"]) for one in items(after)) == sum_of(
        after, "TaxAmount"
    )


def test_what_is_delivered_cannot_be_deleted(sap: SapCaller) -> None:
    order = sap.order("kept", ("X-100", "2"))["SalesOrder"]
    sap.play("deliver", order=order)
    item = f"{ORDERS}/A_SalesOrderItem(SalesOrder='{order}',SalesOrderItem='10')"
    assert sap.refusal("DELETE", item)[1] == "V1/497"
    assert sap.refusal("DELETE", f"{ORDERS}/A_SalesOrder('{order}')", headers={"If-Match": "*"})[1] == "V1/497"
    assert change(sap, order, "10", RequestedQuantity="1") == 400


def test_approval_is_asked_and_given(sap: SapCaller, running: RunningSandbox) -> None:
    order = sap.order("approve", ("X-100", "1"))["SalesOrder"]
    release = f"{ORDERS}/releaseApprovalRequest?SalesOrder='{order}'"
    assert sap.refusal("POST", release)[0] == 400
    running.desk(f"sap_s4hana/set/order/{order}", {"approval": "requested"})
    assert sap.call("POST", release).json()["d"]["releaseApprovalRequest"]["Boolean"] is True
    assert sap.read(f"{ORDERS}/A_SalesOrder('{order}')")["SalesDocApprovalStatus"] == "B"
