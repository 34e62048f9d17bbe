"""pyodata, unmodified, against the SAP S/4HANA stand-in: metadata, reads, pages, writes, errors, batches, expiry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyodata
import pytest
import requests
from pyodata.exceptions import HttpError
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import order_body

ROOT = "/sap/opu/odata/sap"
Service = Callable[..., Any]
ONE = {"Material": "X-100", "RequestedQuantity": "1"}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture(scope="module")
def session(running: RunningSandbox) -> requests.Session:
    made = requests.Session()
    credentials = running.credentials("sap_s4hana")
    made.auth = (credentials["user"], credentials["password"])
    fetch_token(made, running)
    return made


def fetch_token(session: requests.Session, running: RunningSandbox) -> None:
    address = f"{running.base_url('sap_s4hana')}{ROOT}/API_SALES_ORDER_SRV/"
    answer = session.head(address, headers={"x-csrf-token": "Fetch"})
    session.headers["x-csrf-token"] = answer.headers["x-csrf-token"]


@pytest.fixture
def service(running: RunningSandbox, session: requests.Session) -> Service:
    def opened(name: str, **given: Any) -> Any:
        return pyodata.Client(f"{running.base_url('sap_s4hana')}{ROOT}/{name}", session, **given)

    return opened


def order_values(key: str, **more: Any) -> dict[str, Any]:
    return order_body(key, ("X-100", "3"), ("S-108", "1"), **more)


@pytest.fixture
def order(service: Service, request: pytest.FixtureRequest) -> Any:
    sales = service("API_SALES_ORDER_SRV")
    return sales.entity_sets.A_SalesOrder.create_entity().set(**order_values(request.node.name[:40])).execute()


SERVICES = {
    "API_SALES_ORDER_SRV": "A_SalesOrder",
    "API_SALES_ORDER_SIMULATION_SRV": "A_SalesOrderSimulation",
    "API_BUSINESS_PARTNER": "A_BusinessPartner",
    "API_PRODUCT_SRV": "A_Product",
    "API_OUTBOUND_DELIVERY_SRV;v=0002": "A_OutbDeliveryHeader",
    "API_OUTBOUND_DELIVERY_SRV": "A_OutbDeliveryItem",
    "API_BILLING_DOCUMENT_SRV": "A_BillingDocument",
    "API_CREDIT_MEMO_REQUEST_SRV": "A_CreditMemoRequest",
    "API_MATERIAL_DOCUMENT_SRV": "A_MaterialDocumentHeader",
}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_metadata_that_pyodata_takes(service: Service, name: str) -> None:
    assert SERVICES[name] in [one.name for one in service(name).schema.entity_sets]


def test_metadata_tells_types_keys_and_lengths(service: Service) -> None:
    order = service("API_SALES_ORDER_SRV").schema.entity_type("A_SalesOrderType")
    assert [prop.name for prop in order.key_proprties] == ["SalesOrder"]
    assert order.proprty("LastChangeDateTime").typ.name == "Edm.DateTimeOffset"
    assert order.proprty("PurchaseOrderByCustomer").max_length == 35
    assert order.proprty("TotalNetAmount").scale == 3
    item = service("API_SALES_ORDER_SRV").schema.entity_type("A_SalesOrderItemType")
    assert [prop.name for prop in item.key_proprties] == ["SalesOrder", "SalesOrderItem"]


def test_an_unknown_service_is_refused(service: Service) -> None:
    with pytest.raises(HttpError, match="404"):
        service("API_NO_SUCH_SRV")


# Reads --------------------------------------------------------------------------------------------


def test_reads_a_customer_with_what_hangs_on_it(service: Service, running: RunningSandbox) -> None:
    account = running.company.accounts[0]
    partners = service("API_BUSINESS_PARTNER")
    found = (
        partners.entity_sets.A_BusinessPartner.get_entity(account.number)
        .expand("to_BusinessPartnerAddress,to_BusinessPartnerTax,to_Customer,to_Customer/to_CustomerSalesArea")
        .execute()
    )
    assert found.BusinessPartnerName == account.name
    assert found.to_BusinessPartnerAddress[0].CityName == account.city
    assert found.to_BusinessPartnerTax[0].BPTaxNumber == account.vat_number
    assert found.to_Customer.to_CustomerSalesArea[0].Currency == account.currency


def test_leading_zeros_do_not_matter(service: Service) -> None:
    partners = service("API_BUSINESS_PARTNER").entity_sets.A_BusinessPartner
    assert partners.get_entity("0017100001").execute().BusinessPartner == "17100001"
    found = partners.get_entities().filter("BusinessPartner eq '0017100001'").execute()
    assert [one.BusinessPartner for one in found] == ["17100001"]


def test_filters_by_pyodatas_own_expressions(service: Service) -> None:
    partners = service("API_BUSINESS_PARTNER").entity_sets.A_BusinessPartner
    asked = partners.get_entities()
    asked = asked.filter(asked.BusinessPartnerName == "Blocked AG")
    assert [one.BusinessPartner for one in asked.execute()] == ["17100010"]
    started = partners.get_entities().filter(OrganizationBPName1__startswith="Acme").execute()
    assert sorted(one.BusinessPartnerName for one in started) == ["Acme Energy S.p.A.", "Acme Solar GmbH"]
    inside = partners.get_entities().filter(OrganizationBPName1__contains="locked").execute()
    assert len(inside) == 1
    either = partners.get_entities().filter(BusinessPartner__in=["17100001", "17100002"]).execute()
    assert len(either) == 2


def test_selects_orders_tops_and_skips(service: Service) -> None:
    products = service("API_PRODUCT_SRV").entity_sets.A_Product
    asked = products.get_entities().select("Product,ProductGroup").order_by("Product desc").top(2).skip(1)
    assert [one.Product for one in asked.execute()] == ["X-296", "X-295"]


def test_counts(service: Service, running: RunningSandbox) -> None:
    products = service("API_PRODUCT_SRV").entity_sets.A_Product
    known = sum(product.in_erp for product in running.company.products)
    assert products.get_entities().count().execute() == known
    assert products.get_entities().filter("ProductGroup eq 'P001'").count().execute() == 40
    page = products.get_entities().count(inline=True).top(3).execute()
    assert (len(page), page.total_count) == (3, known)


def test_reads_all_products_page_by_page(service: Service, running: RunningSandbox) -> None:
    products = service("API_PRODUCT_SRV").entity_sets.A_Product
    page = products.get_entities().select("Product").execute()
    read, pages = [one.Product for one in page], 1
    while page.next_url is not None:
        page = products.get_entities().next_url(page.next_url).execute()
        read += [one.Product for one in page]
        pages += 1
    assert pages == 2
    assert sorted(read) == sorted(product.number for product in running.company.products if product.in_erp)


def test_reads_filtered_pages_with_expand(service: Service) -> None:
    descriptions = service("API_PRODUCT_SRV").entity_sets.A_ProductDescription
    asked = descriptions.get_entities().filter("Language eq 'EN'").expand("to_Product")
    page, read = asked.execute(), 0
    while True:
        assert all(one.to_Product.Product == one.Product for one in page)
        read += len(page)
        if page.next_url is None:
            break
        page = descriptions.get_entities().next_url(page.next_url).execute()
    assert read == 199


def test_follows_navigation_and_reads_one_property(service: Service, order: Any) -> None:
    sales = service("API_SALES_ORDER_SRV").entity_sets
    items = sales.A_SalesOrder.get_entity(order.SalesOrder).nav("to_Item").get_entities().execute()
    assert [(one.SalesOrderItem, one.Material) for one in items] == [("10", "X-100"), ("20", "S-108")]
    item = sales.A_SalesOrderItem.get_entity(SalesOrder=order.SalesOrder, SalesOrderItem="20").execute()
    assert item.SalesOrderItemCategory == "TAD"
    lazy = sales.A_SalesOrder.get_entity(order.SalesOrder).select("SalesOrder").execute()
    assert lazy.SoldToParty == "17100001"
    above = sales.A_SalesOrderItem.get_entity(SalesOrder=order.SalesOrder, SalesOrderItem="10").nav("to_SalesOrder")
    assert above.execute().SalesOrder == order.SalesOrder


# Writes -------------------------------------------------------------------------------------------


def test_creates_an_order_with_its_items(order: Any, running: RunningSandbox) -> None:
    goods, service = running.company.product("X-100"), running.company.product("S-108")
    net = goods.prices["EUR"] * 3 + service.prices["EUR"]
    assert order.SalesOrder.startswith("45000")
    assert Decimal(order.TotalNetAmount) == net
    assert [Decimal(item.NetAmount) for item in order.to_Item] == [goods.prices["EUR"] * 3, service.prices["EUR"]]
    tax = sum(Decimal(item.TaxAmount) for item in order.to_Item)
    assert tax == (net * 19 / 100).quantize(Decimal("0.01"))
    assert isinstance(order.LastChangeDateTime, datetime)
    assert abs(order.LastChangeDateTime - running.clock.now()) < timedelta(minutes=1)


def test_finds_an_order_by_our_own_key(service: Service, order: Any) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder.get_entities()
    found = orders.filter(ExternalDocumentID=order.ExternalDocumentID, SenderBusinessSystemName="ISTHMUS").execute()
    assert [one.SalesOrder for one in found] == [order.SalesOrder]


def test_reads_changes_since_a_moment(service: Service, order: Any) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
    asked = orders.get_entities()
    before = order.LastChangeDateTime - timedelta(milliseconds=1)
    since = asked.filter(asked.LastChangeDateTime > before).order_by("LastChangeDateTime,SalesOrder").execute()
    assert order.SalesOrder in [one.SalesOrder for one in since]
    later = orders.get_entities()
    assert later.filter(later.LastChangeDateTime > datetime.now(UTC) + timedelta(hours=1)).execute() == []


def test_changes_an_order_under_its_etag(service: Service, order: Any) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
    change = orders.update_entity(order.SalesOrder).set(PurchaseOrderByCustomer="PO-2")
    change.add_headers({"If-Match": order.etag})
    change.execute()
    after = orders.get_entity(order.SalesOrder).execute()
    assert after.PurchaseOrderByCustomer == "PO-2"
    assert after.etag != order.etag
    stale = orders.update_entity(order.SalesOrder).set(PurchaseOrderByCustomer="PO-3")
    stale.add_headers({"If-Match": order.etag})
    with pytest.raises(HttpError, match="412"):
        stale.execute()


def test_changes_by_merge_and_put(service: Service, order: Any) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
    for method, text in (("MERGE", "PO-4"), ("PUT", "PO-5")):
        change = orders.update_entity(order.SalesOrder, method=method).set(PurchaseOrderByCustomer=text)
        change.add_headers({"If-Match": "*"})
        change.execute()
        assert orders.get_entity(order.SalesOrder).execute().PurchaseOrderByCustomer == text
    assert orders.get_entity(order.SalesOrder).execute().ExternalDocumentID == ""


def test_rejects_and_adds_items(service: Service, order: Any) -> None:
    sales = service("API_SALES_ORDER_SRV").entity_sets
    change = sales.A_SalesOrderItem.update_entity(SalesOrder=order.SalesOrder, SalesOrderItem="10")
    change.set(SalesDocumentRjcnReason="60").execute()
    after = sales.A_SalesOrder.get_entity(order.SalesOrder).execute()
    assert after.OverallSDDocumentRejectionSts == "B"
    items = sales.A_SalesOrder.get_entity(order.SalesOrder).nav("to_Item")
    made = items.create_entity().set(Material="X-101", RequestedQuantity="2").execute()
    assert made.SalesOrderItem == "30"
    total = sales.A_SalesOrder.get_entity(order.SalesOrder).execute().TotalNetAmount
    assert Decimal(total) == Decimal(order.to_Item[1].NetAmount) + Decimal(made.NetAmount)


def test_deletes_an_order(service: Service, order: Any) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
    gone = orders.delete_entity(order.SalesOrder)
    gone.add_headers({"If-Match": "*"})
    gone.execute()
    with pytest.raises(HttpError, match="404"):
        orders.get_entity(order.SalesOrder).execute()


def test_creates_a_business_partner(service: Service) -> None:
    partners = service("API_BUSINESS_PARTNER").entity_sets
    values = {
        "BusinessPartnerCategory": "2",
        "OrganizationBPName1": "Neue Sonne GmbH",
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}],
        "to_BusinessPartnerAddress": [{"Country": "DE", "CityName": "Kiel", "StreetName": "Markt"}],
        "to_BuPaIdentification": [{"BPIdentificationType": "ISTHMS", "BPIdentificationNumber": "C-9001"}],
    }
    made = partners.A_BusinessPartner.create_entity().set(**values).execute()
    assert made.BusinessPartner == made.Customer
    found = partners.A_BuPaIdentification.get_entities().filter(BPIdentificationNumber="C-9001").execute()
    assert [one.BusinessPartner for one in found] == [made.BusinessPartner]
    assert partners.A_Customer.get_entity(made.Customer).execute().CustomerName == "Neue Sonne GmbH"


def test_simulates_an_order(service: Service) -> None:
    simulations = service("API_SALES_ORDER_SIMULATION_SRV").entity_sets.A_SalesOrderSimulation
    values = {
        name: value for name, value in order_values("").items() if "External" not in name and "Sender" not in name
    }
    values["to_Item"] = [{**item, "to_ScheduleLine": []} for item in values["to_Item"]]
    made = simulations.create_entity().set(**values).execute()
    assert made.SalesOrder == ""
    confirmed = [line.ConfdOrderQtyByMatlAvailCheck for item in made.to_Item for line in item.to_ScheduleLine]
    assert confirmed == ["3.000", "1.000"]


def test_calls_functions(service: Service, running: RunningSandbox, order: Any) -> None:
    availability = service("API_PRODUCT_AVAILY_INFO_BASIC").functions
    asked = availability.DetermineAvailabilityAt.parameter("SupplyingPlant", "1710").parameter("Material", "X-101")
    asked = asked.parameter("ATPCheckingRule", "A").parameter("RequestedUTCDateTime", datetime.now(UTC))
    found = asked.execute()["DetermineAvailabilityAt"]
    assert Decimal(found["AvailableQuantityInBaseUnit"]) > 90_000
    running.desk("sap_s4hana/play/deliver", {"order": order.SalesOrder})
    running.desk("sap_s4hana/play/goods_issue", {"order": order.SalesOrder})
    invoice = running.desk("sap_s4hana/play/billing_run", {"order": order.SalesOrder})["billing_documents"][0]
    printed = service("API_BILLING_DOCUMENT_SRV").functions.GetPDF.parameter("BillingDocument", invoice).execute()
    assert printed["GetPDF"]["BillingDocumentBinary"].startswith("JVBERi0")


def test_reads_and_changes_in_a_batch(service: Service, order: Any) -> None:
    sales = service("API_SALES_ORDER_SRV")
    batch, changes = sales.create_batch(), sales.create_changeset()
    batch.add_request(sales.entity_sets.A_SalesOrder.get_entity(order.SalesOrder))
    changes.add_request(sales.entity_sets.A_SalesOrder.create_entity().set(**order_values("batch-1")))
    change = sales.entity_sets.A_SalesOrder.update_entity(order.SalesOrder).set(PurchaseOrderByCustomer="by batch")
    change.add_headers({"If-Match": "*"})
    changes.add_request(change)
    batch.add_request(changes)
    read, changed = batch.execute()
    assert read.SalesOrder == order.SalesOrder
    assert changed[0].ExternalDocumentID == "batch-1"
    after = sales.entity_sets.A_SalesOrder.get_entity(order.SalesOrder).execute()
    assert after.PurchaseOrderByCustomer == "by batch"


def test_a_change_set_happens_whole_or_not_at_all(service: Service) -> None:
    sales = service("API_SALES_ORDER_SRV")
    batch, changes = sales.create_batch(), sales.create_changeset()
    changes.add_request(sales.entity_sets.A_SalesOrder.create_entity().set(**order_values("batch-good")))
    changes.add_request(
        sales.entity_sets.A_SalesOrder.create_entity().set(**order_values("batch-bad", SoldToParty="4711"))
    )
    batch.add_request(changes)
    with pytest.raises(HttpError, match="400"):
        batch.execute()
    orders = sales.entity_sets.A_SalesOrder.get_entities()
    assert orders.filter("startswith(ExternalDocumentID,'batch-good')").execute() == []


# Errors and expiry --------------------------------------------------------------------------------


def test_errors_name_their_reason(service: Service) -> None:
    sales = service("API_SALES_ORDER_SRV").entity_sets
    refusals = {
        "V1/302": order_values("e1", to_Item=[{**ONE, "Material": "X-122"}]),
        "VP/199": order_values("e2", SoldToParty="99999999"),
        "V1/045": order_values("e3", SoldToParty="17100010", SalesOrganization="3010"),
        "V1/305": order_values("e4", SalesOrganization="9999"),
        "V1/384": order_values("e5", to_Item=[{**ONE, "RequestedQuantityUnit": "KG"}]),
    }
    for code, values in refusals.items():
        with pytest.raises(HttpError) as refused:
            sales.A_SalesOrder.create_entity().set(**values).execute()
        error = refused.value.response.json()["error"]
        assert (refused.value.response.status_code, error["code"]) == (400, code)
        assert error["innererror"]["errordetails"][0]["message"] == error["message"]["value"]


def test_a_change_without_if_match_is_refused(service: Service, order: Any) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
    with pytest.raises(HttpError, match="428"):
        orders.update_entity(order.SalesOrder).set(PurchaseOrderByCustomer="x").execute()
    with pytest.raises(HttpError) as refused:
        orders.delete_entity(order.SalesOrder).execute()
    assert refused.value.response.status_code == 428


def test_a_filter_on_an_unknown_property_is_refused(service: Service) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
    with pytest.raises(HttpError, match="400"):
        orders.get_entities().filter("NoSuchProperty eq '1'").execute()
    with pytest.raises(HttpError, match="404"):
        orders.get_entity("1").execute()


def test_a_wrong_password_is_refused(running: RunningSandbox) -> None:
    stranger = requests.Session()
    stranger.auth = ("ISTHMUS_COMM", "guess")
    with pytest.raises(HttpError, match="401"):
        pyodata.Client(f"{running.base_url('sap_s4hana')}{ROOT}/API_PRODUCT_SRV", stranger)


def test_a_session_ends_and_a_new_token_mends_it(
    service: Service, session: requests.Session, running: RunningSandbox
) -> None:
    orders = service("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
    running.desk("clock", {"advance_s": 3600})
    with pytest.raises(HttpError) as refused:
        orders.create_entity().set(**order_values("expired")).execute()
    assert refused.value.response.status_code == 403
    assert refused.value.response.headers["x-csrf-token"] == "Required"
    fetch_token(session, running)
    assert orders.create_entity().set(**order_values("expired")).execute().SalesOrder


def test_a_bearer_token_ends(running: RunningSandbox) -> None:
    credentials = running.credentials("sap_s4hana")
    form = {"grant_type": "client_credentials", "client_id": credentials["client_id"]}
    form["client_secret"] = credentials["client_secret"]
    issued = requests.post(f"{running.base_url('sap_s4hana')}/sap/bc/sec/oauth2/token", data=form).json()
    bearer = requests.Session()
    bearer.headers["Authorization"] = f"{issued['token_type']} {issued['access_token']}"
    products = pyodata.Client(f"{running.base_url('sap_s4hana')}{ROOT}/API_PRODUCT_SRV", bearer).entity_sets.A_Product
    assert products.get_entity("X-100").execute().Product == "X-100"
    running.desk("clock", {"advance_s": int(issued["expires_in"]) + 1})
    with pytest.raises(HttpError, match="401"):
        products.get_entity("X-100").execute()
