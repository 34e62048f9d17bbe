"""The Stripe stand-in: who may come in, idempotency, faults, strictness of parameters, lists and expansion."""

from __future__ import annotations

import base64
import http.client
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.stripe_caller import Answer, Caller


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["stripe"]) as started:
        yield started


@pytest.fixture
def caller(running: RunningSandbox) -> Iterator[Caller]:
    yield Caller(running)
    running.desk("faults", {"rules": []})


def named(caller: Caller, name: str) -> list[str]:
    """The ids of the customers of a name."""
    found = caller.get("/customers/search", {"query": f'name:"{name}"', "limit": 100})
    return [one["id"] for one in found["data"]]


# Who may come in ------------------------------------------------------------------------------------


def test_basic_authorization_takes_the_key_as_user(caller: Caller) -> None:
    pair = base64.b64encode(f"{caller.key}:".encode()).decode()
    assert caller.ask("GET", "/balance", Authorization=f"Basic {pair}").status == 200


def test_refuses_without_key_with_a_wrong_one_and_for_another_account(caller: Caller) -> None:
    missing = caller.ask("GET", "/customers", Authorization="")
    assert (missing.status, missing.error["type"]) == (401, "invalid_request_error")
    assert missing.headers["www-authenticate"] == 'Basic realm="Stripe"'
    wrong = caller.ask("GET", "/customers", Authorization="Bearer sk_test_0123456789abcdef")
    assert "sk_test_" in wrong.error["message"] and "0123456789ab" not in wrong.error["message"]
    other = caller.ask("GET", "/customers", Stripe_Account="acct_other")
    assert (other.status, other.error["code"]) == (403, "account_invalid")


def test_unknown_address_and_json_are_refused(caller: Caller) -> None:
    unknown = caller.ask("GET", "/customer")
    assert unknown.status == 404 and "Unrecognized request URL (GET: /v1/customer)" in unknown.error["message"]
    as_json = caller.ask("POST", "/customers", '{"name": "x"}', Content_Type="application/json")
    assert as_json.status == 400 and "form-urlencoded" in as_json.error["message"]


# Idempotency ----------------------------------------------------------------------------------------


def test_validation_failures_are_not_stored_and_other_errors_are(caller: Caller) -> None:
    key = {"Idempotency_Key": "validate-1"}
    assert caller.ask("POST", "/invoices", {"colour": "red"}, **key).error["code"] == "parameter_unknown"
    customer = caller.customer()
    made = caller.ask("POST", "/invoices", {"customer": customer}, **key)
    assert made.status == 200 and "idempotent-replayed" not in made.headers
    finalize = f"/invoices/{made.body['id']}/finalize"
    caller.post(finalize)
    refused = caller.ask("POST", finalize, Idempotency_Key="again")
    assert refused.error["code"] == "invoice_not_editable"
    assert caller.ask("POST", finalize, Idempotency_Key="again").headers["idempotent-replayed"] == "true"


def test_declines_are_stored_with_what_they_recorded(caller: Caller) -> None:
    values = {"amount": 900, "currency": "eur", "confirm": True, "payment_method": "pm_card_chargeDeclined"}
    first = caller.ask("POST", "/payment_intents", values, Idempotency_Key="declined-1")
    again = caller.ask("POST", "/payment_intents", values, Idempotency_Key="declined-1")
    assert first.status == again.status == 402
    assert (first.error["code"], first.error["decline_code"]) == ("card_declined", "generic_decline")
    intent = first.error["payment_intent"]["id"]
    assert again.error["payment_intent"]["id"] == intent
    assert caller.get("/charges", {"payment_intent": intent})["data"][0]["failure_code"] == "card_declined"


def test_keys_are_forgotten_after_a_day(running: RunningSandbox) -> None:
    with RunningSandbox(only=["stripe"]) as fresh:
        caller = Caller(fresh)
        first = caller.ask("POST", "/customers", {"name": "Daily"}, Idempotency_Key="daily")
        fresh.desk("clock", {"advance_s": 23 * 3600})
        assert caller.ask("POST", "/customers", {"name": "Daily"}, Idempotency_Key="daily").body == first.body
        fresh.desk("clock", {"advance_s": 2 * 3600})
        later = caller.ask("POST", "/customers", {"name": "Daily"}, Idempotency_Key="daily")
        assert later.body["id"] != first.body["id"]


def test_parameters_in_another_order_are_the_same_and_accounts_have_their_own_keys(
    running: RunningSandbox, caller: Caller
) -> None:
    first = caller.ask("POST", "/customers", "name=Order&phone=1", Idempotency_Key="order")
    assert caller.ask("POST", "/customers", "phone=1&name=Order", Idempotency_Key="order").body == first.body
    other = Caller(running, "api_key_apac").ask("POST", "/customers", "name=Order&phone=1", Idempotency_Key="order")
    assert other.body["id"] != first.body["id"]
    assert caller.ask("POST", "/customers", {}, Idempotency_Key="x" * 256).status == 400


# Faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("limited", 429, "rate_limit"),
        ("locked", 429, "lock_timeout"),
        ("down", 503, None),
        ("expired", 401, "api_key_expired"),
    ],
)
def test_troubles_have_stripes_shape_and_no_effect(caller: Caller, kind: str, status: int, code: str | None) -> None:
    caller.faults({"kind": kind, "operation": "POST *", "times": 1})
    answer = caller.ask("POST", "/customers", {"name": f"Troubled {kind}"}, Idempotency_Key=f"trouble-{kind}")
    assert (answer.status, answer.error.get("code")) == (status, code)
    assert answer.headers["request-id"].startswith("req_") and answer.error["request_log_url"]
    assert named(caller, f"Troubled {kind}") == []
    assert (
        caller.ask("POST", "/customers", {"name": f"Troubled {kind}"}, Idempotency_Key=f"trouble-{kind}").status == 200
    )


def test_broken_did_its_work_and_its_500_is_what_is_stored(caller: Caller) -> None:
    caller.faults({"kind": "broken", "operation": "POST *", "times": 1})
    values, key = {"name": "Broken in two"}, {"Idempotency_Key": "broken-1"}
    first = caller.ask("POST", "/customers", values, **key)
    assert (first.status, first.error["type"]) == (500, "api_error")
    assert len(named(caller, "Broken in two")) == 1
    again = caller.ask("POST", "/customers", values, **key)
    assert (again.status, again.headers["idempotent-replayed"]) == (500, "true")
    assert again.headers["stripe-should-retry"] == "false"
    assert caller.ask("POST", "/customers", values, Idempotency_Key="broken-2").status == 200
    assert len(named(caller, "Broken in two")) == 2


def test_broken_replay_gives_the_stored_answer(caller: Caller) -> None:
    first = caller.ask("POST", "/customers", {"name": "Whole"}, Idempotency_Key="whole")
    caller.faults({"kind": "broken", "operation": "POST *", "times": 1})
    assert caller.ask("POST", "/customers", {"name": "Whole"}, Idempotency_Key="whole").body == first.body


def test_cut_answer_hides_a_row_that_is_there(caller: Caller) -> None:
    caller.faults({"kind": "cut_after", "operation": "POST *", "times": 1})
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        caller.ask("POST", "/customers", {"name": "Cut off"}, Idempotency_Key="cut-1")
    hidden = named(caller, "Cut off")
    assert len(hidden) == 1
    again = caller.ask("POST", "/customers", {"name": "Cut off"}, Idempotency_Key="cut-1")
    assert (again.body["id"], again.headers["idempotent-replayed"]) == (hidden[0], "true")


def test_late_effect_comes_after_the_cut_and_its_key_is_in_use_until_then(caller: Caller) -> None:
    caller.faults({"kind": "late", "operation": "POST *", "times": 1, "delay_s": 0.3})
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        caller.ask("POST", "/customers", {"name": "Late"}, Idempotency_Key="late-1")
    assert named(caller, "Late") == []
    meanwhile = caller.ask("POST", "/customers", {"name": "Late"}, Idempotency_Key="late-1")
    assert (meanwhile.status, meanwhile.error["code"]) == (409, "idempotency_key_in_use")
    assert meanwhile.headers["stripe-should-retry"] == "true"
    time.sleep(0.4)
    assert caller.ask("POST", "/customers", {"name": "Late"}, Idempotency_Key="late-1").status == 200
    assert len(named(caller, "Late")) == 1


def test_same_key_twice_at_a_time_is_a_conflict(running: RunningSandbox, caller: Caller) -> None:
    caller.faults({"kind": "slow", "operation": "POST *", "times": 1, "delay_s": 0.3})
    answers: list[Answer] = []

    def ask() -> None:
        answers.append(Caller(running).ask("POST", "/customers", {"name": "Slow"}, Idempotency_Key="slow-1"))

    first = threading.Thread(target=ask)
    first.start()
    time.sleep(0.1)
    assert caller.ask("POST", "/customers", {"name": "Slow"}, Idempotency_Key="slow-1").status == 409
    first.join()
    assert answers[0].status == 200 and len(named(caller, "Slow")) == 1


# Strictness -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "values", "code", "param"),
    [
        ("/customers", {"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ("/customers", {"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
        ("/customers", {"metadata": {f"k{n}": "v" for n in range(51)}}, None, "metadata"),
        ("/customers", {"email": "nobody"}, "email_invalid", "email"),
        ("/customers", {"tax_exempt": "maybe"}, None, "tax_exempt"),
        ("/customers", {"address": "Hamburg"}, None, "address"),
        ("/customers", {"preferred_locales": "de"}, None, "preferred_locales"),
        ("/customers", {"invoice_settings": {"custom_fields": [{"name": "PO"}]}}, "parameter_missing", None),
        ("/customers", {"tax_id_data": [{"type": "de_vat", "value": "DE1"}]}, None, "type"),
        ("/customers", {"tax_id_data": [{"type": "eu_vat", "value": "CH123"}]}, "tax_id_invalid", "value"),
        ("/customers", {"payment_method": "pm_nobody"}, "resource_missing", "payment_method"),
        ("/products", {"description": "nameless"}, "parameter_missing", "name"),
        ("/products", {"name": ""}, "parameter_invalid_empty", "name"),
        ("/prices", {"product": "prod_no", "currency": "eur", "unit_amount": 1}, "resource_missing", "product"),
        ("/tax_rates", {"display_name": "VAT", "inclusive": "perhaps", "percentage": 19}, None, "inclusive"),
        ("/tax_rates", {"display_name": "VAT", "inclusive": False, "percentage": 119}, None, "percentage"),
        (
            "/tax_rates",
            {"display_name": "VAT", "inclusive": False, "percentage": 9, "tax_type": "VAT"},
            None,
            "tax_type",
        ),
        ("/payment_intents", {"amount": 49, "currency": "eur"}, "amount_too_small", "amount"),
        ("/payment_intents", {"amount": 100_000_000, "currency": "eur"}, "amount_too_large", "amount"),
        ("/payment_intents", {"amount": 5124, "currency": "kwd"}, "invalid_charge_amount", "amount"),
        (
            "/payment_intents",
            {"amount": 12050, "currency": "isk"},
            "invalid_charge_amount_no_decimal_compatible",
            "amount",
        ),
        ("/payment_intents", {"amount": 500, "currency": "xyz"}, None, "currency"),
        ("/payment_intents", {"amount": "10.5", "currency": "eur"}, "parameter_invalid_integer", "amount"),
        ("/invoiceitems", {"customer": "cus_x", "price": "price_x"}, "parameter_unknown", "price"),
        ("/refunds", {"amount": 5}, "parameter_missing", "charge"),
        ("/webhook_endpoints", {"url": "/hook", "enabled_events": ["*"]}, "url_invalid", "url"),
        (
            "/webhook_endpoints",
            {"url": "https://a.example", "enabled_events": ["invoice.payed"]},
            None,
            "enabled_events[0]",
        ),
    ],
)
def test_refuses_what_stripe_refuses(
    caller: Caller, path: str, values: Any, code: str | None, param: str | None
) -> None:
    answer = caller.ask("POST", path, values)
    assert (answer.status, answer.error.get("code")) == (400, code), answer.body
    if param is not None:
        assert answer.error["param"] == param


def test_empty_string_clears(caller: Caller) -> None:
    identity = caller.customer(phone="1", address={"city": "Hamburg"}, metadata={"a": "1", "b": "2"})
    changed = caller.post(f"/customers/{identity}", phone="", address="", metadata={"a": ""})
    assert (changed["phone"], changed["address"], changed["metadata"]) == (None, None, {"b": "2"})
    assert caller.post(f"/customers/{identity}", metadata="")["metadata"] == {}


def test_arrays_take_brackets_with_and_without_numbers(caller: Caller) -> None:
    made = caller.ask("POST", "/customers", "preferred_locales[]=de&preferred_locales[]=en&metadata[a b]=1%2B1+%26")
    assert (made.body["preferred_locales"], made.body["metadata"]) == (["de", "en"], {"a b": "1+1 &"})
    text = "tax_id_data[][type]=eu_vat&tax_id_data[][value]=DE123456789&tax_id_data[][type]=ch_vat&tax_id_data[][value]=CHE1"
    made = caller.ask("POST", "/customers", text + "&expand[]=tax_ids")
    assert sorted(one["type"] for one in made.body["tax_ids"]["data"]) == ["ch_vat", "eu_vat"]


# Lists, search, expansion ----------------------------------------------------------------------------


def test_lists_filter_by_time_and_by_object(caller: Caller) -> None:
    customer = caller.customer()
    ids = [caller.draft(100, customer=customer)["id"] for _ in range(3)]
    now = caller.get(f"/invoices/{ids[0]}")["created"]
    mine = {"customer": customer, "created": {"gte": now - 60, "lt": now + 60}}
    assert [one["id"] for one in caller.get("/invoices", mine)["data"]] == ids[::-1]
    assert caller.get("/invoices", {"customer": customer, "created": {"gt": now + 60}})["data"] == []
    assert caller.get("/invoices", {"customer": customer, "status": "open"})["data"] == []
    after = caller.get("/invoices", {**mine, "limit": 1, "starting_after": ids[2]})
    assert ([one["id"] for one in after["data"]], after["has_more"], after["url"]) == ([ids[1]], True, "/v1/invoices")
    assert caller.ask("GET", "/invoices", {"limit": 101}).error["param"] == "limit"
    assert caller.ask("GET", "/invoices", {"starting_after": "in_no"}).error["code"] == "resource_missing"


def test_search_reads_the_query_language(caller: Caller) -> None:
    customer = caller.customer(name="Search AG")
    for total in (100, 200, 300):
        caller.open_invoice(total, customer=customer, metadata={"lot": f"L{total}", "it's": "quoted"})

    def totals(query: str) -> list[int]:
        found = caller.get("/invoices/search", {"query": f"customer:'{customer}' {query}"})["data"]
        return sorted(one["total"] for one in found)

    assert totals("total>100 AND total<=300") == [200, 300]
    assert totals("-metadata['lot']:'L200'") == [100, 300]
    assert totals('metadata["it\'s"]:"quoted" status:"open"') == [100, 200, 300]
    assert totals("-metadata['absent']:null") == []
    either = caller.get("/invoices/search", {"query": "metadata['lot']:'L100' OR metadata['lot']:'L300'"})["data"]
    assert sorted(one["total"] for one in either) == [100, 300]
    for wrong in ("total", "metadata['a']:'b' AND status:'open' OR total>1", "number>5", "metadata:'x'"):
        assert caller.ask("GET", "/invoices/search", {"query": wrong}).error["param"] == "query"


def test_search_can_lag_behind(caller: Caller, running: RunningSandbox) -> None:
    running.desk("stripe/set/account/emea", {"search_delay_s": "60"})
    caller.customer(name="Lagging AG")
    assert named(caller, "Lagging AG") == []
    running.desk("clock", {"advance_s": 61})
    assert len(named(caller, "Lagging AG")) == 1
    running.desk("stripe/set/account/emea", {"search_delay_s": "0"})


def test_expansion_follows_four_levels_and_no_wrong_path(caller: Caller) -> None:
    invoice = caller.draft(500, customer=caller.customer("pm_card_visa"))
    caller.post(f"/invoices/{invoice['id']}/pay")
    path = "payments.data.payment.payment_intent.latest_charge"
    whole = caller.get(
        f"/invoices/{invoice['id']}", {"expand": [path, "customer.invoice_settings.default_payment_method"]}
    )
    assert whole["payments"]["data"][0]["payment"]["payment_intent"]["latest_charge"]["paid"] is True
    assert whole["customer"]["invoice_settings"]["default_payment_method"]["card"]["last4"] == "4242"
    listed = caller.get("/invoices", {"limit": 1, "expand": ["data.customer"]})
    assert listed["data"][0]["customer"]["object"] == "customer"
    for wrong in ("colour", "total", f"{path}.balance_transaction.source"):
        assert caller.ask("GET", f"/invoices/{invoice['id']}", {"expand": [wrong]}).error["param"] == "expand"
    assert "payments" not in caller.get(f"/invoices/{invoice['id']}")
