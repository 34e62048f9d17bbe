"""One call, many messages."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.catalogue.connector import Inbound
from isthmus.connectivity.inbound import split
from isthmus.connectivity.inbound.split import NotReadable, Part, Splitter, parse, parse_xml

SOAP = b"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <!-- a comment --><?pi data?>
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>00D1</OrganizationId>
   <SessionId xsi:nil="true"/>
   <Notification><Id>04l1</Id><sObject xsi:type="sf:Opportunity" xmlns:sf="urn:x"><sf:Id>006A</sf:Id>
     <sf:Name>M\xc3\xbcller &amp; Co</sf:Name><sf:PO/></sObject></Notification>
   <Notification><Id>04l2</Id><sObject xsi:type="sf:Opportunity" xmlns:sf="urn:x"><sf:Id>006B</sf:Id></sObject></Notification>
   <Amount currency="EUR">1.50</Amount>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"""


def inbound(**parts: Any) -> Inbound:
    described = {
        "channel": "webhook",
        "verify": {"kind": "path_secret", "secret": "s"},
        "takes": [],
        "id": "id",
        "subject": "subject",
    }
    return Inbound.model_validate({**described, **parts})


def test_xml_by_local_names() -> None:
    first = {"@type": "sf:Opportunity", "Id": "006A", "Name": "Müller & Co", "PO": ""}
    second = {"@type": "sf:Opportunity", "Id": "006B"}
    assert parse_xml(SOAP)["Envelope"]["Body"]["notifications"] == {
        "OrganizationId": "00D1",
        "SessionId": None,
        "Notification": [{"Id": "04l1", "sObject": first}, {"Id": "04l2", "sObject": second}],
        "Amount": {"@currency": "EUR", "#text": "1.50"},
    }
    assert parse_xml(b"<a><b>1</b><b>2</b><b>3</b></a>") == {"a": {"b": ["1", "2", "3"]}}


def test_xml_messages_are_split() -> None:
    rules = inbound(
        format="xml",
        split="Envelope.Body.notifications.Notification",
        id="Id",
        subject="sObject.Id",
        type="sObject.`@type`",
    )
    splitter = Splitter(rules)
    parts = splitter.split(splitter.parse(SOAP))
    assert [(part.id, part.subject, part.type) for part in parts] == [
        ("04l1", "006A", "sf:Opportunity"),
        ("04l2", "006B", "sf:Opportunity"),
    ]
    assert parts[1].body["sObject"]["Id"] == "006B"


def test_one_message_is_a_list_of_one() -> None:
    splitter = Splitter(inbound(id="id", subject="data.object.id", type="type", version="created"))
    body = {"id": "evt_1", "type": "invoice.paid", "created": 1754611200, "data": {"object": {"id": "in_1"}}}
    assert splitter.split(body) == [Part("evt_1", "in_1", "invoice.paid", "1754611200", body)]


def test_a_polled_page_is_split() -> None:
    page = {"results": [{"SalesOrder": "1", "At": "2026"}, {"SalesOrder": "2", "At": "2027"}]}
    splitter = Splitter(inbound(split="results", id='SalesOrder & "@" & At', subject="SalesOrder", version="At"))
    assert [(part.id, part.version) for part in splitter.split(page)] == [("1@2026", "2026"), ("2@2027", "2027")]
    assert splitter.split({"results": []}) == []
    assert splitter.split({"results": page["results"][:1]})[0].subject == "1"


def test_a_list_is_split() -> None:
    splitter = Splitter(inbound(id="eventId", subject="objectId"))
    assert [part.id for part in splitter.split([{"eventId": 1, "objectId": 5}, {"eventId": 2, "objectId": 6}])] == [
        "1",
        "2",
    ]


@pytest.mark.parametrize("missing", ["id", "subject"])
def test_a_message_needs_id_and_subject(missing: str) -> None:
    whole = {"id": "1", "subject": "2"}
    for value in (None, "", {}, [1, 2], True):
        with pytest.raises(NotReadable, match=f"Message 1 of the call has no {missing}") as refused:
            Splitter(inbound()).split({**whole, missing: value})
        assert (refused.value.problem.status, refused.value.problem.field) == (400, missing)


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("json", b"{"),
        ("json", b""),
        ("json", b"\xff\xfe"),
        ("json", b"NaN"),
        ("json", b"[" * 200_000),
        ("xml", b""),
        ("xml", b"<a>"),
        ("xml", b"{}"),
        ("xml", b"<a>&x;</a>"),
        ("xml", b"<a>" * 100_000 + b"</a>" * 100_000),
    ],
)
def test_what_cannot_be_read_is_a_problem(form: str, body: bytes) -> None:
    with pytest.raises(NotReadable) as refused:
        parse(body, form)
    assert refused.value.problem.status == 400


BOMB = b"""<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]><a>&y;</a>"""
FILE = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"""
REMOTE = b"""<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>"""
PARAMETER = b"""<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x">%x;]><a/>"""


@pytest.mark.parametrize("body", [BOMB, FILE, REMOTE, PARAMETER])
def test_xml_resolves_nothing(body: bytes) -> None:
    with pytest.raises(NotReadable) as refused:
        parse(body, "xml")
    assert "root:" not in str(refused.value)


def test_a_call_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "LARGEST", 10)
    with pytest.raises(NotReadable) as refused:
        parse(b" " * 11, "json")
    assert refused.value.problem.status == 413
