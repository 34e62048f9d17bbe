"""The SAP S/4HANA stand-in from delivery to credit memo: goods issue, billing, cancellation, payment, credits."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import BILLING, CREDITS, DELIVERIES, ORDERS, SapCaller, items


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture(scope="module")
def sap(running: RunningSandbox) -> SapCaller:
    return SapCaller(running)


def read_invoice(sap: SapCaller, number: str) -> Any:
    return sap.read(f"{BILLING}/A_BillingDocument('{number}')", expand="to_Item,to_Item/to_PricingElement,to_Partner")


def billed(sap: SapCaller, order: str) -> Any:
    """The invoice of an order that is delivered and billed now."""
    sap.play("deliver", order=order)
    sap.play("goods_issue", order=order)
    return read_invoice(sap, sap.play("billing_run", order=order)["billing_documents"][0])


def statuses(sap: SapCaller, order: str) -> tuple[str, str]:
    row = sap.read(f"{ORDERS}/A_SalesOrder('{order}')")
    return row["OverallSDProcessStatus"], row["OverallDeliveryStatus"]


def sum_of(document: Any, name: str) -> Decimal:
    return sum((Decimal(item[name]) for item in items(document)), Decimal(0))


def test_an_order_goes_from_delivery_to_payment(sap: SapCaller, running: RunningSandbox) -> None:
    made = sap.order("whole", ("X-100", "3"), ("X-101", "2"), ("S-109", "1"))
    order = made["SalesOrder"]
    assert statuses(sap, order) == ("A", "A")
    with pytest.raises(ValueError, match="nothing is due"):
        sap.play("billing_run", order=order)
    delivery = sap.play("deliver", order=order)["delivery"]
    assert statuses(sap, order) == ("B", "C")
    lines = sap.read(f"{DELIVERIES}/A_OutbDeliveryHeader('{delivery}')/to_DeliveryDocumentItem")["results"]
    assert [(line["Material"], line["ActualDeliveryQuantity"]) for line in lines] == [
        ("X-100", "3.000"),
        ("X-101", "2.000"),
    ]
    post = f"{DELIVERIES}/PostGoodsIssue?DeliveryDocument='{delivery}'"
    assert len(sap.call("POST", post).json()["d"]["results"]) == 2
    assert sap.refusal("POST", post)[1] == "VL/609"
    assert sap.play("prove_delivery", delivery=delivery)["status"] == "C"
    number = sap.play("billing_run")["billing_documents"][0]
    invoice = read_invoice(sap, number)
    assert (invoice["TotalNetAmount"], invoice["TaxAmount"]) == (made["TotalNetAmount"], str(sum_of(made, "TaxAmount")))
    assert Decimal(invoice["TotalGrossAmount"]) == Decimal(invoice["TotalNetAmount"]) + Decimal(invoice["TaxAmount"])
    assert {(item["SalesDocument"], item["ReferenceSDDocument"]) for item in items(invoice)} == {
        (order, delivery),
        (order, order),
    }
    assert statuses(sap, order) == ("C", "C")
    assert sap.play("billing_run")["billing_documents"] == []
    flow = sap.read(f"{ORDERS}/A_SalesOrder('{order}')/to_SubsequentProcFlowDoc")["results"]
    assert {one["SubsequentDocument"] for one in flow} == {delivery, number}
    assert sap.play("clear_invoice", invoice=number)["clearing"] == "C"
    assert sap.refusal("POST", f"{BILLING}/Cancel?BillingDocument='{number}'")[0] == 400
    printed = sap.read(f"{BILLING}/GetPDF?BillingDocument='{number}'")["GetPDF"]["BillingDocumentBinary"]
    text = base64.b64decode(printed)
    assert text.startswith(b"%PDF-1.4") and f"Invoice {number}".encode() in text and text.rstrip().endswith(b"%%EOF")


def test_partial_invoices_add_up_to_the_cent(sap: SapCaller) -> None:
    price = {"ConditionType": "PMP0", "ConditionRateValue": "3.335", "ConditionCurrency": "EUR"}
    line = {"Material": "X-100", "RequestedQuantity": "3", "to_PricingElement": [price]}
    made = sap.order("parts", to_Item=[line])
    invoices = []
    for _ in range(3):
        sap.play("deliver", order=made["SalesOrder"], item="10", quantity="1")
        sap.play("goods_issue", order=made["SalesOrder"])
        number = sap.play("billing_run", order=made["SalesOrder"])["billing_documents"][0]
        invoices.append(read_invoice(sap, number))
    assert [invoice["TotalNetAmount"] for invoice in invoices] == ["3.34", "3.34", "3.33"]  # 10.01 in all
    assert made["TotalNetAmount"] == "10.01"


def test_services_wait_for_the_last_goods(sap: SapCaller) -> None:
    order = sap.order("wait", ("X-100", "2"), ("S-108", "1"))["SalesOrder"]
    sap.play("deliver", order=order, item="10", quantity="1")
    sap.play("goods_issue", order=order)
    first = read_invoice(sap, sap.play("billing_run", order=order)["billing_documents"][0])
    assert [item["Material"] for item in items(first)] == ["X-100"]
    assert sorted(item["Material"] for item in items(billed(sap, order))) == ["S-108", "X-100"]


def test_the_billing_run_leaves_an_order_alone_as_long_as_its_header_is_blocked(sap: SapCaller) -> None:
    made = sap.order("elsewhere", ("X-100", "1"), ("S-108", "1"), HeaderBillingBlockReason="01")
    order = made["SalesOrder"]
    assert made["HeaderBillingBlockReason"] == "01"
    sap.play("deliver", order=order)
    sap.play("goods_issue", order=order)
    assert sap.play("billing_run")["billing_documents"] == []
    with pytest.raises(ValueError, match="is blocked for billing: 01"):
        sap.play("billing_run", order=order)
    lifted = sap.call(
        "PATCH", f"{ORDERS}/A_SalesOrder('{order}')", {"HeaderBillingBlockReason": ""}, headers={"If-Match": "*"}
    )
    assert lifted.status_code == 204, lifted.text
    (number,) = sap.play("billing_run")["billing_documents"]
    assert {item["SalesDocument"] for item in items(read_invoice(sap, number))} == {order}


def test_a_cancelled_invoice_is_due_again(sap: SapCaller) -> None:
    order = sap.order("again", ("X-100", "1"), ("S-108", "1"))["SalesOrder"]
    invoice = billed(sap, order)
    result = sap.call("POST", f"{BILLING}/Cancel?BillingDocument='{invoice['BillingDocument']}'").json()["d"][
        "results"
    ][0]
    counter = read_invoice(sap, result["CancellationBillingDocument"])
    assert (counter["SDDocumentCategory"], counter["CancelledBillingDocument"]) == ("N", invoice["BillingDocument"])
    after = read_invoice(sap, invoice["BillingDocument"])
    assert after["BillingDocumentIsCancelled"] is True
    assert after["LastChangeDateTime"] > invoice["LastChangeDateTime"]
    assert sap.refusal("POST", f"{BILLING}/Cancel?BillingDocument='{invoice['BillingDocument']}'")[1] == "VF/068"
    again = read_invoice(sap, sap.play("billing_run", order=order)["billing_documents"][0])
    assert again["TotalGrossAmount"] == invoice["TotalGrossAmount"]


def test_goods_issue_can_be_reversed_before_billing(sap: SapCaller, running: RunningSandbox) -> None:
    order = sap.order("reverse", ("X-103", "5"))["SalesOrder"]
    before = running.desk("sap_s4hana/show/stock/X-103")[0]
    delivery = sap.play("deliver", order=order)["delivery"]
    sap.play("goods_issue", delivery=delivery)
    moved = running.desk("sap_s4hana/show/stock/X-103")[0]
    assert Decimal(before["on_hand"]) - Decimal(moved["on_hand"]) == 5
    assert Decimal(before["reserved"]) - Decimal(moved["reserved"]) == 5
    path = f"{DELIVERIES}/ReverseGoodsIssue?DeliveryDocument='{delivery}'&ActualGoodsMovementDate=datetime'2026-11-23T00:00:00'"
    assert sap.call("POST", path).status_code == 200
    assert running.desk("sap_s4hana/show/stock/X-103")[0] == before
    assert sap.call("DELETE", f"{DELIVERIES}/A_OutbDeliveryHeader('{delivery}')").status_code == 204
    assert statuses(sap, order) == ("A", "A")


def test_deliveries_can_be_made_by_the_api(sap: SapCaller) -> None:
    order = sap.order("api", ("X-100", "4"))["SalesOrder"]
    line = {"ReferenceSDDocument": order, "ReferenceSDDocumentItem": "10", "ActualDeliveryQuantity": "3"}
    made = sap.create(f"{DELIVERIES}/A_OutbDeliveryHeader", {"to_DeliveryDocumentItem": [line]})
    assert made["to_DeliveryDocumentItem"]["results"][0]["ActualDeliveryQuantity"] == "3.000"
    line["ActualDeliveryQuantity"] = "2"
    assert sap.refusal("POST", f"{DELIVERIES}/A_OutbDeliveryHeader", {"to_DeliveryDocumentItem": [line]})[1] == "VL/363"


def test_blocks_stop_billing_and_delivery(sap: SapCaller, running: RunningSandbox) -> None:
    order = sap.order("blocks", ("X-100", "1"))["SalesOrder"]
    running.desk(f"sap_s4hana/set/order/{order}", {"delivery_block": "01"})
    with pytest.raises(ValueError, match="blocked for delivery"):
        sap.play("deliver", order=order)
    running.desk(f"sap_s4hana/set/order/{order}", {"delivery_block": "none", "billing_block": "02"})
    with pytest.raises(ValueError, match="blocked for billing"):
        billed(sap, order)
    changes = {"HeaderBillingBlockReason": ""}
    assert sap.call("PATCH", f"{ORDERS}/A_SalesOrder('{order}')", changes, headers={"If-Match": "*"}).status_code == 204
    assert len(sap.play("billing_run", order=order)["billing_documents"]) == 1


# Credit memos -----------------------------------------------------------------------------------------


def request_for(sap: SapCaller, invoice: Any, *lines: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "CreditMemoRequestType": "CR",
        "SoldToParty": invoice["SoldToParty"],
        "ReferenceSDDocument": invoice["BillingDocument"],
        "ReferenceSDDocumentCategory": "M",
        "SDDocumentReason": "003",
        "PurchaseOrderByCustomer": "DISPUTE-1",
    }
    return {**body, "to_Item": list(lines)} if lines else body


def test_a_credit_memo_comes_from_a_released_request(sap: SapCaller) -> None:
    invoice = billed(sap, sap.order("credit", ("X-100", "4"), ("X-101", "1"))["SalesOrder"])
    line = {"ReferenceSDDocumentItem": "10", "RequestedQuantity": "1"}
    made = sap.create(f"{CREDITS}/A_CreditMemoRequest", request_for(sap, invoice, line))
    number = made["CreditMemoRequest"]
    assert (made["HeaderBillingBlockReason"], made["SalesDocApprovalStatus"]) == ("08", "A")
    assert Decimal(made["TotalNetAmount"]) == Decimal(items(invoice)[0]["NetAmount"]) / 4
    with pytest.raises(ValueError, match="cannot be billed"):
        sap.play("billing_run", request=number)
    release = f"{CREDITS}/releaseApprovalRequest?CreditMemoRequest='{number}'"
    assert sap.call("POST", release).status_code == 200
    assert sap.refusal("POST", release)[1] == "APM_SD/010"
    memo = read_invoice(sap, sap.play("billing_run", request=number)["billing_documents"][0])
    assert (memo["BillingDocumentType"], memo["SDDocumentCategory"]) == ("G2", "O")
    assert memo["TotalNetAmount"] == made["TotalNetAmount"]
    assert Decimal(memo["TaxAmount"]) == (Decimal(memo["TotalNetAmount"]) * 19 / 100).quantize(Decimal("0.01"))
    assert {item["SalesDocument"] for item in items(memo)} == {number}
    assert sap.refusal("DELETE", f"{CREDITS}/A_CreditMemoRequest('{number}')", headers={"If-Match": "*"})[1] == "V1/497"


def test_not_more_is_credited_than_was_invoiced(sap: SapCaller) -> None:
    invoice = billed(sap, sap.order("limit", ("X-100", "2"))["SalesOrder"])
    path = f"{CREDITS}/A_CreditMemoRequest"
    over = {"ReferenceSDDocumentItem": "10", "RequestedQuantity": "3"}
    assert sap.refusal("POST", path, request_for(sap, invoice, over))[1] == "V1/428"
    price = {"ConditionType": "PMP0", "ConditionRateValue": "1.50", "ConditionCurrency": "EUR"}
    part = {"ReferenceSDDocumentItem": "10", "RequestedQuantity": "2", "to_PricingElement": [price]}
    first = sap.create(path, request_for(sap, invoice, part))
    assert first["TotalNetAmount"] == "3.00"
    assert sap.refusal("POST", path, request_for(sap, invoice))[1] == "V1/429"
    reject = f"{CREDITS}/rejectApprovalRequest?CreditMemoRequest='{first['CreditMemoRequest']}'"
    assert sap.call("POST", reject).status_code == 200
    after = sap.read(f"{CREDITS}/A_CreditMemoRequest('{first['CreditMemoRequest']}')")
    assert (after["OverallSDDocumentRejectionSts"], after["TotalNetAmount"]) == ("C", "0.00")
    whole = sap.create(path, request_for(sap, invoice))
    assert whole["TotalNetAmount"] == invoice["TotalNetAmount"]
    headers = {"If-Match": whole["__metadata"]["etag"]}
    assert (
        sap.call("PATCH", whole["__metadata"]["uri"], {"HeaderBillingBlockReason": ""}, headers=headers).status_code
        == 204
    )
    assert len(sap.play("billing_run")["billing_documents"]) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ReferenceSDDocument": ""}, "V1/423"),
        ({"ReferenceSDDocument": "90009999"}, "VF/024"),
        ({"CreditMemoRequestType": "OR"}, "V1/301"),
        ({"SoldToParty": "17100002"}, "V1/435"),
        ({"to_Item": [{"ReferenceSDDocumentItem": "990", "RequestedQuantity": "1"}]}, "V1/424"),
    ],
)
def test_requests_that_sap_refuses(sap: SapCaller, change: dict[str, Any], code: str) -> None:
    invoice = billed(sap, sap.order("refused", ("X-100", "1"))["SalesOrder"])
    body = {**request_for(sap, invoice), **change}
    assert sap.refusal("POST", f"{CREDITS}/A_CreditMemoRequest", body)[1] == code


MOVEMENTS = "API_MATERIAL_DOCUMENT_SRV"


def test_whatever_changes_a_stock_is_a_material_document(sap: SapCaller, running: RunningSandbox) -> None:
    order = sap.order("moved", ("X-101", "2"))["SalesOrder"]
    sap.play("receive_stock", material="X-101", quantity="7", plant="1710")
    delivery = sap.play("deliver", order=order)["delivery"]
    sap.play("goods_issue", delivery=delivery)
    sap.play("reverse_goods_issue", delivery=delivery)
    running.desk("sap_s4hana/set/stock/X-101@1710", {"quantity": "9"})
    headers = sap.read(
        f"{MOVEMENTS}/A_MaterialDocumentHeader",
        expand="to_MaterialDocumentItem",
        select="MaterialDocument,CreationDate,CreationTime,to_MaterialDocumentItem/Material,"
        "to_MaterialDocumentItem/GoodsMovementType,to_MaterialDocumentItem/QuantityInBaseUnit",
        orderby="CreationDate,CreationTime,MaterialDocument",
    )["results"]
    lines = [(header, item) for header in headers for item in header["to_MaterialDocumentItem"]["results"]]
    moved = [
        (item["GoodsMovementType"], item["QuantityInBaseUnit"]) for _, item in lines if item["Material"] == "X-101"
    ]
    assert moved[-4:-1] == [("501", "7.000"), ("601", "2.000"), ("602", "2.000")]
    assert moved[-1][0] in ("701", "702"), "a count that differs is a movement too"
    last = headers[-1]
    day = datetime.fromtimestamp(int(last["CreationDate"][6:-2]) / 1000, UTC)
    newer = (
        f"CreationDate eq datetime'{day:%Y-%m-%dT%H:%M:%S}' and CreationTime ge time'{last['CreationTime']}'"
        f" and MaterialDocument ge '{last['MaterialDocument']}'"
    )
    found = sap.read(f"{MOVEMENTS}/A_MaterialDocumentHeader", filter=newer)["results"]
    assert [one["MaterialDocument"] for one in found] == [last["MaterialDocument"]]
    assert sap.refusal("POST", f"{MOVEMENTS}/A_MaterialDocumentHeader", {})[0] >= 400
