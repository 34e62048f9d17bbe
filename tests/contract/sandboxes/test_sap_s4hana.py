"""The SAP S/4HANA stand-in's protocol: sign-in, CSRF, formats, addresses, bodies, ETags, batches, custom fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from lxml import etree
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import BILLING, ORDERS, PARTNERS, PRODUCTS, ROOT, SapCaller, items, order_body

ATOM = "{http://www.w3.org/2005/Atom}"
DATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture(scope="module")
def sap(running: RunningSandbox) -> SapCaller:
    return SapCaller(running)


# Sign-in and CSRF ---------------------------------------------------------------------------------


def test_a_write_needs_token_and_cookies(running: RunningSandbox, sap: SapCaller) -> None:
    credentials = running.credentials("sap_s4hana")
    auth = (credentials["user"], credentials["password"])
    address, body = f"{sap.base}{ROOT}/{ORDERS}/A_SalesOrder", order_body("csrf", ("X-100", "1"))
    fetched = requests.head(f"{sap.base}{ROOT}/{ORDERS}", headers={"x-csrf-token": "fetch"}, auth=auth)
    token, cookies = fetched.headers["x-csrf-token"], fetched.raw.headers.getlist("Set-Cookie")
    sent = "; ".join(cookie.split(";")[0] for cookie in cookies)
    without_xsrf = "; ".join(cookie.split(";")[0] for cookie in cookies if "XSRF" not in cookie)
    lacking: list[dict[str, str]] = [
        {},
        {"x-csrf-token": token},
        {"x-csrf-token": "wrong", "Cookie": sent},
        {"Cookie": sent},
        {"x-csrf-token": token, "Cookie": without_xsrf},
    ]
    for headers in lacking:
        refused = requests.post(address, json=body, headers=headers, auth=auth)
        assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
        assert refused.text == "CSRF token validation failed"
    complete = {"x-csrf-token": token, "Cookie": sent, "Accept": "application/json"}
    assert requests.post(address, json=body, headers=complete, auth=auth).status_code == 201


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_token_comes_with_and_without_slash(sap: SapCaller, method: str, slash: str) -> None:
    answer = sap.call(method, f"{PARTNERS}{slash}", headers={"x-csrf-token": "Fetch"})
    assert answer.status_code == 200
    assert answer.headers["x-csrf-token"] == sap.session.headers["x-csrf-token"]  # the session is the same


@pytest.mark.parametrize("path", ["/sap/bc/sec/oauth2/token", "/oauth/token"])
def test_bearer_tokens_are_issued_and_need_csrf_too(running: RunningSandbox, sap: SapCaller, path: str) -> None:
    credentials = running.credentials("sap_s4hana")
    pair = (credentials["client_id"], credentials["client_secret"])
    issued = requests.post(f"{sap.base}{path}", data={"grant_type": "client_credentials"}, auth=pair).json()
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {issued['access_token']}", "Accept": "application/json"})
    address = f"{sap.base}{ROOT}/{ORDERS}/A_SalesOrder"
    assert session.post(address, json=order_body("bearer", ("X-100", "1"))).status_code == 403
    fetched = session.get(f"{sap.base}{ROOT}/{ORDERS}/", headers={"x-csrf-token": "Fetch"})
    session.headers["x-csrf-token"] = fetched.headers["x-csrf-token"]
    assert session.post(address, json=order_body("bearer", ("X-100", "1"))).status_code == 201
    refused = requests.post(f"{sap.base}{path}", data={"grant_type": "client_credentials"}, auth=(pair[0], "no"))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_strangers_are_shown_the_door(sap: SapCaller) -> None:
    answer = requests.get(f"{sap.base}{ROOT}/{ORDERS}/A_SalesOrder", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


# Formats ------------------------------------------------------------------------------------------


def test_atom_is_what_one_gets_without_asking(sap: SapCaller) -> None:
    plain = {"Accept": "*/*"}
    entry = sap.call("GET", f"{PRODUCTS}/A_Product('X-100')?$expand=to_Description", headers=plain)
    assert entry.headers["Content-Type"].startswith("application/atom+xml;type=entry")
    document = etree.fromstring(entry.content)
    assert document.findtext(f".//{DATA}Product") == "X-100"
    assert {node.text for node in document.iter(f"{DATA}ProductDescription")} == {"Panel 100"}
    feed = sap.call("GET", f"{PRODUCTS}/A_Product?$top=3&$inlinecount=allpages", headers=plain)
    document = etree.fromstring(feed.content)
    assert len(document.findall(f"{ATOM}entry")) == 3
    assert (
        sap.call("GET", f"{PRODUCTS}/A_Product('X-100')?$format=json", headers=plain).json()["d"]["Product"] == "X-100"
    )
    refused = sap.call("GET", f"{PRODUCTS}/A_Product('NO')", headers=plain)
    document = etree.fromstring(refused.content)
    assert (refused.status_code, etree.QName(document).localname) == (404, "error")
    service = etree.fromstring(sap.call("GET", f"{PRODUCTS}/", headers=plain).content)
    assert "A_Product" in {node.get("href") for node in service.iter("{http://www.w3.org/2007/app}collection")}


def test_json_has_dates_decimals_metadata_and_deferred(sap: SapCaller) -> None:
    made = sap.order("json", ("X-100", "1.5"))
    assert made["LastChangeDateTime"].startswith("/Date(") and made["LastChangeDateTime"].endswith("+0000)/")
    assert made["CreationDate"].startswith("/Date(") and "+" not in made["CreationDate"]
    assert made["to_Text"]["__deferred"]["uri"] == f"{made['__metadata']['uri']}/to_Text"
    assert made["__metadata"]["type"] == "API_SALES_ORDER_SRV.A_SalesOrderType"
    item = items(made)[0]
    assert item["RequestedQuantity"] == "1.500"
    assert "etag" not in item["__metadata"] and "etag" in made["__metadata"]
    answer = sap.call("GET", made["__metadata"]["uri"])
    assert answer.headers["ETag"] == made["__metadata"]["etag"]
    assert answer.headers["dataserviceversion"] == "2.0"


def test_addresses_are_those_the_caller_used(sap: SapCaller) -> None:
    headers = {"X-Forwarded-Host": "my300000-api.s4hana.cloud.sap", "X-Forwarded-Proto": "https"}
    answer = sap.call("GET", f"{PRODUCTS}/A_ProductPlant?$inlinecount=allpages", headers=headers).json()["d"]
    assert answer["__next"].startswith("https://my300000-api.s4hana.cloud.sap/sap_s4hana/sap/opu/odata/sap/")
    assert "$skiptoken=100" in answer["__next"]
    assert int(answer["__count"]) == 398


# Addresses ----------------------------------------------------------------------------------------


def test_paths_lead_to_properties_links_and_counts(sap: SapCaller) -> None:
    order = sap.order("paths", ("X-100", "1"), ("X-101", "2"))["SalesOrder"]
    here = f"{ORDERS}/A_SalesOrder('{order}')"
    assert sap.read(f"{here}/SoldToParty") == {"SoldToParty": "17100001"}
    assert sap.call("GET", f"{here}/SoldToParty/$value").text == "17100001"
    assert sap.call("GET", f"{here}/to_Item/$count").text == "2"
    assert (
        sap.call("GET", f"{ORDERS}/A_SalesOrderItem/$count", params={"$filter": f"SalesOrder eq '{order}'"}).text == "2"
    )
    links = sap.read(f"{here}/$links/to_Item")["results"]
    assert links[1]["uri"].endswith(f"A_SalesOrderItem(SalesOrder='{order}',SalesOrderItem='20')")
    nested = sap.read(f"{here}/to_Item(SalesOrder='{order}',SalesOrderItem='000020')/to_SalesOrder")
    assert nested["SalesOrder"] == order
    prices = sap.read(f"{ORDERS}/A_SalesOrderItem(SalesOrderItem='10',SalesOrder='000{order}')/to_PricingElement")
    assert [one["ConditionType"] for one in prices["results"]] == ["PPR0", "TTX1"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("A_NoSuchSet", 404),
        ("A_SalesOrder('1')/to_Nothing", 404),
        ("A_SalesOrderItem('1')", 400),
        ("A_SalesOrder(SalesOrder=1)", 400),
        ("A_SalesOrder?$expand=to_Nothing", 400),
        ("A_SalesOrder?$select=Nothing", 400),
        ("A_SalesOrder?$orderby=SalesOrder sideways", 400),
        ("A_SalesOrder?$top=many", 400),
        ("A_SalesOrder?$select=SalesOrder,to_Item/Material", 400),
    ],
)
def test_wrong_addresses_are_refused(sap: SapCaller, path: str, status: int) -> None:
    assert sap.refusal("GET", f"{ORDERS}/{path}")[0] == status


FILTERS = [
    ("Product eq 'X-100' or Product eq 'X-101'", {"X-100", "X-101"}),
    ("not (ProductGroup eq 'L001') and Product lt 'S-110'", {"S-108", "S-109"}),
    ("startswith(Product,'X-10') and endswith(Product,'5')", {"X-105"}),
    ("substringof('-26',Product) eq true and ProductType eq 'SERV'", {"S-268", "S-269"}),
    ("tolower(Product) eq 'x-100'", {"X-100"}),
    ("toupper('x-101') eq Product", {"X-101"}),
    ("length(Product) gt 5", set()),
    ("GrossWeight ge 4.000M and GrossWeight lt 5 and startswith(Product,'X-11')", {"X-117"}),
    ("CrossPlantStatusValidityDate ne null", set()),
    ("IsMarkedForDeletion eq true", set()),
    ("LastChangeDateTime lt datetimeoffset'2001-01-01T00:00:00+01:00'", set()),
    ("CreationDate lt datetime'2001-01-01T00:00'", set()),
    ("Product eq 'it''s'", set()),
    ("(Product eq 'X-100' and (ProductType ne 'SERV'))", {"X-100"}),
]


@pytest.mark.parametrize(("text", "expected"), FILTERS)
def test_filters_find(sap: SapCaller, text: str, expected: set[str]) -> None:
    found = sap.read(f"{PRODUCTS}/A_Product", filter=text, select="Product,GrossWeight")["results"]
    assert {one["Product"] for one in found} == expected


@pytest.mark.parametrize(
    "text",
    [
        "Nothing eq 'x'",
        "Product eq 1",
        "Product eq",
        "Product eq 'x' and",
        "(Product eq 'x'",
        "Product gte 'x'",
        "LastChangeDateTime gt datetime'2026-01-01T00:00:00'",
        "CreationDate gt '2026-01-01'",
        "CreationDate gt datetime'yesterday'",
        "year(CreationDate) eq 2026",
        "Product",
        "contains(Product,'x')",
        "startswith(GrossWeight,'1')",
    ],
)
def test_filters_that_sap_refuses(sap: SapCaller, text: str) -> None:
    assert sap.refusal("GET", f"{PRODUCTS}/A_Product", params={"$filter": text})[0] == 400


# Bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"NoSuchProperty": "x"},
        {"to_Item": [{"Material": "X-100", "RequestedQuantity": 1}]},
        {"to_Item": [{"Material": "X-100", "RequestedQuantity": "1.2345"}]},
        {"to_Item": [{"Material": "X-100", "RequestedQuantity": "many"}]},
        {"to_Item": [{"Material": "X-100", "RequestedQuantity": "1", "Nothing": "x"}]},
        {"to_Item": "X-100"},
        {"PurchaseOrderByCustomer": "x" * 36},
        {"PurchaseOrderByCustomer": 7},
        {"RequestedDeliveryDate": "tomorrow"},
        {"CompleteDeliveryIsDefined": "true"},
    ],
)
def test_bodies_that_sap_refuses(sap: SapCaller, wrong: dict[str, Any]) -> None:
    before = sap.call("GET", f"{ORDERS}/A_SalesOrder/$count").text
    status, _, text = sap.refusal("POST", f"{ORDERS}/A_SalesOrder", {**order_body("wrong", ("X-100", "1")), **wrong})
    assert status == 400 and text
    assert sap.call("GET", f"{ORDERS}/A_SalesOrder/$count").text == before


def test_an_unknown_property_is_named(sap: SapCaller) -> None:
    body = {**order_body("named", ("X-100", "1")), "YY1_Nothing_SDH": "x"}
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", body)[2] == "Property 'YY1_Nothing_SDH' is invalid"


def test_deep_inserts_take_arrays_and_results(sap: SapCaller) -> None:
    body = order_body("deep")
    body["to_Item"] = {"results": [{"Material": "X-100", "RequestedQuantity": "1", "SalesOrderItem": "000030"}]}
    body["to_Partner"] = [{"PartnerFunction": "WE", "Customer": "0017100002"}]
    body["to_Text"] = [{"Language": "EN", "LongTextID": "TX01", "LongText": "Ring twice"}]
    body["RequestedDeliveryDate"] = "2026-12-24T00:00:00"
    made = sap.create(f"{ORDERS}/A_SalesOrder", body)
    assert [item["SalesOrderItem"] for item in items(made)] == ["30"]
    partners = {one["PartnerFunction"]: one["Customer"] for one in made["to_Partner"]["results"]}
    assert partners == {"SP": "17100001", "SH": "17100002", "BP": "17100001", "PY": "17100001"}
    assert made["to_Text"]["results"][0]["LongText"] == "Ring twice"
    assert made["RequestedDeliveryDate"] == "/Date(1798070400000)/"


def test_what_a_creation_answers_is_what_stands_there(sap: SapCaller) -> None:
    price = {"ConditionType": "PMP0", "ConditionRateValue": "5", "ConditionCurrency": "EUR"}
    text = {"Language": "EN", "LongTextID": "0001", "LongText": "A note"}
    lines = [
        {"Material": "X-100", "RequestedQuantity": "1", "to_PricingElement": [price], "to_ScheduleLine": []},
        {"Material": "S-108", "RequestedQuantity": "2", "ExternalItemID": "b", "to_Text": [text]},
    ]
    made = sap.create(f"{ORDERS}/A_SalesOrder", order_body("same", to_Item=lines, to_Partner=[], to_Text=[text]))
    inside = ("to_PricingElement", "to_ScheduleLine", "to_Text")
    expand = ",".join(["to_Item", "to_Partner", "to_Text", *(f"to_Item/{name}" for name in inside)])
    assert sap.read(f"{ORDERS}/A_SalesOrder('{made['SalesOrder']}')", expand=expand) == made


def test_methods_travel_in_tunnels(sap: SapCaller) -> None:
    made = sap.order("tunnel", ("X-100", "1"))
    headers = {"X-HTTP-Method": "MERGE", "If-Match": made["__metadata"]["etag"]}
    assert (
        sap.call("POST", made["__metadata"]["uri"], {"PurchaseOrderByCustomer": "T"}, headers=headers).status_code
        == 204
    )
    assert sap.read(f"{ORDERS}/A_SalesOrder('{made['SalesOrder']}')")["PurchaseOrderByCustomer"] == "T"
    headers = {"X-HTTP-Method": "DELETE", "If-Match": "*"}
    assert sap.call("POST", made["__metadata"]["uri"], headers=headers).status_code == 204


def test_what_is_not_offered_is_refused(sap: SapCaller) -> None:
    assert sap.refusal("POST", f"{BILLING}/A_BillingDocument", {"BillingDocumentType": "F2"})[0] == 405
    assert sap.refusal("DELETE", f"{PRODUCTS}/A_Product('X-100')", headers={"If-Match": "*"})[0] == 405
    assert sap.refusal("GET", f"{BILLING}/Cancel?BillingDocument='1'")[0] == 405
    made = sap.order("deepupdate", ("X-100", "1"))
    deep = {"to_Item": [{"SalesOrderItem": "10", "RequestedQuantity": "2"}]}
    assert sap.refusal("PATCH", made["__metadata"]["uri"], deep, headers={"If-Match": "*"})[0] == 400
    xml = sap.session.post(
        made["__metadata"]["uri"].partition("(")[0], data="<x/>", headers={"Content-Type": "text/xml"}
    )
    assert xml.status_code == 415


# Batches ------------------------------------------------------------------------------------------


def batch(sap: SapCaller, *operations: str, inside: bool = True) -> requests.Response:
    part = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {}\r\n\r\n{}\r\n"
    parts = "".join(f"--set_1\r\n{part.format(n, one)}" for n, one in enumerate(operations, 1))
    body = f"--b\r\nContent-Type: multipart/mixed; boundary=set_1\r\n\r\n{parts}--set_1--\r\n--b--\r\n"
    if not inside:
        body = "".join(f"--b\r\n{part.format(n, one)}" for n, one in enumerate(operations, 1)) + "--b--\r\n"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    return sap.session.post(f"{sap.base}{ROOT}/{ORDERS}/$batch", data=body.encode(), headers=headers)


POST = "POST {} HTTP/1.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n\r\n{}"


def test_content_ids_stand_for_what_was_made(sap: SapCaller) -> None:
    header = '{"SalesOrderType":"OR","SalesOrganization":"1710","DistributionChannel":"10","OrganizationDivision":"00",'
    header += '"SoldToParty":"17100001","ExternalDocumentID":"content-id"}'
    item = '{"Material":"X-100","RequestedQuantity":"2"}'
    answer = batch(sap, POST.format("A_SalesOrder", header), POST.format("$1/to_Item", item))
    assert answer.status_code == 202
    assert answer.text.count("HTTP/1.1 201 Created") == 2
    found = sap.read(f"{ORDERS}/A_SalesOrder", filter="ExternalDocumentID eq 'content-id'", expand="to_Item")["results"]
    assert [item["Material"] for item in items(found[0])] == ["X-100"]


def test_a_change_set_that_fails_leaves_one_answer_and_nothing_else(sap: SapCaller) -> None:
    good = '{"SalesOrderType":"OR","SalesOrganization":"1710","DistributionChannel":"10","OrganizationDivision":"00",'
    good += '"SoldToParty":"17100001","ExternalDocumentID":"half"}'
    answer = batch(sap, POST.format("A_SalesOrder", good), POST.format("A_SalesOrder", '{"Nothing":"x"}'))
    assert answer.text.count("HTTP/1.1 ") == 1 and "HTTP/1.1 400 Bad Request" in answer.text
    assert sap.read(f"{ORDERS}/A_SalesOrder", filter="ExternalDocumentID eq 'half'")["results"] == []
    outside = batch(sap, POST.format("A_SalesOrder", good), "GET A_SalesOrder/$count HTTP/1.1\r\n", inside=False)
    assert outside.text.count("HTTP/1.1 400") == 1 and outside.text.count("HTTP/1.1 200") == 1


# Custom fields ------------------------------------------------------------------------------------


def test_a_custom_field_shows_everywhere_at_once(running: RunningSandbox, sap: SapCaller) -> None:
    name, entity = "YY1_PromoCode_SDH", "sap_s4hana/set/field/A_SalesOrder.YY1_PromoCode_SDH"
    running.desk(entity, {"type": "Edm.String", "length": "8"})
    metadata = sap.call("GET", f"{ORDERS}/$metadata").text
    assert f'<Property Name="{name}" Type="Edm.String" MaxLength="8"' in metadata
    made = sap.order("promo", ("X-100", "1"), **{name: "SUN26"})
    assert made[name] == "SUN26"
    found = sap.read(f"{ORDERS}/A_SalesOrder", filter=f"{name} eq 'SUN26'", select=f"SalesOrder,{name}")["results"]
    assert [one["SalesOrder"] for one in found] == [made["SalesOrder"]]
    changed = sap.call("PATCH", made["__metadata"]["uri"], {name: "SUN27"}, headers={"If-Match": "*"})
    assert changed.status_code == 204
    assert sap.read(f"{ORDERS}/A_SalesOrder('{made['SalesOrder']}')/{name}") == {name: "SUN27"}
    running.desk(entity, {"gone": "true"})
    assert name not in sap.call("GET", f"{ORDERS}/$metadata").text
    assert sap.refusal("GET", f"{ORDERS}/A_SalesOrder", params={"$select": name})[0] == 400
    body = {**order_body("promo", ("X-100", "1")), name: "SUN28"}
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", body)[2] == f"Property '{name}' is invalid"
    with pytest.raises(ValueError, match="YY1_"):
        running.desk("sap_s4hana/set/field/A_SalesOrder.Promo", {"type": "Edm.String"})


def test_a_standard_field_can_go_too(running: RunningSandbox, sap: SapCaller) -> None:
    running.desk("sap_s4hana/set/field/A_SalesOrder.AssignmentReference", {"gone": "true"})
    body = {**order_body("gone", ("X-100", "1")), "AssignmentReference": "x"}
    assert sap.refusal("POST", f"{ORDERS}/A_SalesOrder", body)[2] == "Property 'AssignmentReference' is invalid"
    assert sap.order("gone", ("X-100", "1"))["SalesOrder"]
