"""Credits and notes by the vendors' unmodified clients: a credit memo request by pyodata; and what a ticket keeps of a note."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyodata
import pytest
import requests
from pyodata.exceptions import HttpError
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import SapCaller
from tests.support.zendesk_desk import Desk

ROOT = "/sap/opu/odata/sap"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana", "zendesk"]) as started:
        yield started


def test_a_credit_memo_request_lives_and_is_deleted(running: RunningSandbox) -> None:
    sap = SapCaller(running)
    order = sap.order("credit-by-pyodata", ("X-100", "3"))["SalesOrder"]
    sap.play("deliver", order=order)
    sap.play("goods_issue", order=order)
    invoice = sap.play("billing_run", order=order)["billing_documents"][0]
    client = pyodata.Client(f"{running.base_url('sap_s4hana')}{ROOT}/API_CREDIT_MEMO_REQUEST_SRV", _session(running))
    credits = client.entity_sets.A_CreditMemoRequest
    values: dict[str, Any] = {
        "CreditMemoRequestType": "CR",
        "ReferenceSDDocument": invoice,
        "ReferenceSDDocumentCategory": "M",
        "SDDocumentReason": "100",
        "PurchaseOrderByCustomer": "ISTHMUS-77",
        "to_Item": [{"ReferenceSDDocumentItem": "10", "RequestedQuantity": "1"}],
    }
    made = credits.create_entity().set(**values).execute()
    assert made.HeaderBillingBlockReason == "08"
    found = credits.get_entities().filter(PurchaseOrderByCustomer="ISTHMUS-77").execute()
    assert [(one.CreditMemoRequest, one.ReferenceSDDocument) for one in found] == [(made.CreditMemoRequest, invoice)]
    released = credits.update_entity(made.CreditMemoRequest).set(HeaderBillingBlockReason="")
    released.add_headers({"If-Match": "*"})
    released.execute()
    after = credits.get_entity(made.CreditMemoRequest).execute()
    assert (after.HeaderBillingBlockReason, Decimal(after.TotalNetAmount)) == ("", Decimal(made.TotalNetAmount))
    gone = credits.delete_entity(made.CreditMemoRequest)
    gone.add_headers({"If-Match": "*"})
    gone.execute()
    with pytest.raises(HttpError, match="404"):
        credits.get_entity(made.CreditMemoRequest).execute()


def _session(running: RunningSandbox) -> requests.Session:
    session, known = requests.Session(), running.credentials("sap_s4hana")
    session.auth = (known["user"], known["password"])
    answer = session.get(
        f"{running.base_url('sap_s4hana')}{ROOT}/API_CREDIT_MEMO_REQUEST_SRV/", headers={"x-csrf-token": "Fetch"}
    )
    session.headers["x-csrf-token"] = answer.headers["x-csrf-token"]
    return session


def test_what_an_update_says_of_itself_is_kept_with_its_comment(running: RunningSandbox) -> None:
    """``metadata`` of an update is its audit's, and shown at the comment; the dispute form has its fields."""
    desk = Desk(running)
    person = running.company.accounts[0].people[0].email
    opened = running.desk(
        "zendesk/play/open_dispute", {"email": person, "invoice_number": "90000001", "disputed_amount": "5 EUR"}
    )
    path, known = f"/tickets/{opened['ticket']}", running.credentials("zendesk")
    note = {"comment": {"body": "Looked at", "public": False}, "status": "hold", "metadata": {"isthmus": "77:evidence"}}
    assert desk.ask("PUT", path, {"ticket": note}).body["audit"]["metadata"]["custom"] == {"isthmus": "77:evidence"}
    comments = desk.get(f"{path}/comments", sort="-created_at")["comments"]
    assert [each["metadata"]["custom"] for each in comments if each["body"] == "Looked at"] == [
        {"isthmus": "77:evidence"}
    ]
    ticket = desk.get(path)["ticket"]
    assert (ticket["status"], str(ticket["ticket_form_id"])) == ("hold", known["dispute_form"])
    values = {str(field["id"]): field["value"] for field in ticket["custom_fields"]}
    assert (values[known["invoice_field"]], values[known["amount_field"]]) == ("90000001", "5 EUR")
    (form,) = [each for each in desk.get("/ticket_forms")["ticket_forms"] if str(each["id"]) == known["dispute_form"]]
    ids = {
        known[name]
        for name in ("invoice_field", "order_field", "dispute_field", "amount_field", "line_field", "quantity_field")
    }
    assert ids <= {str(each) for each in form["ticket_field_ids"]}
