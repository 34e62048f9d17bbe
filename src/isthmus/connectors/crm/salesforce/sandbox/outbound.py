"""Outbound Messages: SOAP to a listener, at least once, until it acknowledges.

Vendor: SOAP API Developer Guide, "Outbound Messaging": up to 100 notifications in a message, a notification keeps its
Id when it is sent again, the listener answers ``<Ack>true</Ack>``; without it the pauses grow up to two hours and the
message is dropped after 24. There is no signature: the OrganizationId is all that a listener can check.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from xml.sax.saxutils import escape

from lxml import etree

from isthmus.connectors.crm.salesforce.sandbox.ids import new_id
from isthmus.connectors.crm.salesforce.sandbox.org import Org
from isthmus.connectors.crm.salesforce.sandbox.plans import Plan, Values
from isthmus.sandkit.push import Push, PushPolicy
from isthmus.sandkit.world import Row

_NOTIFICATIONS_MAX = 100
#: seconds between attempts: doubling up to two hours, in all about a day
PAUSES_S = (*(float(2**n) for n in range(13)), *(7200.0,) * 11)
_VERSION = "60.0"


def acknowledged(status: int, body: bytes) -> bool:
    """Whether a listener's answer says ``<Ack>true</Ack>``."""
    if status != 200:
        return False
    try:
        tree = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return False
    return (tree.findtext(".//{*}Ack") or "").strip().lower() in ("true", "1")


def _headers(row: Row, timestamp: float) -> Mapping[str, str]:
    return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "User-Agent": "Salesforce"}


POLICY = PushPolicy(prepare=_headers, acknowledged=acknowledged, pauses_s=PAUSES_S, timeout_s=60.0)


class Outbound:
    """Turns what the conditions collected into messages, inside the transaction that caused them."""

    def __init__(self, org: Org, push: Push) -> None:
        self._org, self._push = org, push
        self.root = "https://sonnwerk.my.salesforce.com"

    def send(self) -> int:
        """Queue all waiting messages; how many notifications they carry."""
        waiting = dict.fromkeys(self._org.conditions.waiting)
        self._org.conditions.waiting.clear()
        by_message: dict[str, list[str]] = {}
        for name, row_id in waiting:
            by_message.setdefault(name, []).append(row_id)
        for name, row_ids in by_message.items():
            message = self._org.conditions.message(name)
            remaining = iter(row_ids)
            while message is not None and (chunk := list(islice(remaining, _NOTIFICATIONS_MAX))):
                self._push.enqueue(message["url"], self._body(message, chunk), about=name, context={"rows": chunk})
        return len(waiting)

    def _body(self, message: Row, row_ids: list[str]) -> bytes:
        kind = self._org.rows.kind(message["object"])
        plan = self._org.plans.of_fields(kind, [part.strip() for part in message["fields"].split(",")])
        notifications = ""
        for row_id in row_ids:
            for values in plan.rows(self._org.world, [row_id], self._org.today()):
                notification_id = new_id(self._org.world, "04l")
                notifications += f"<Notification><Id>{notification_id}</Id>{_sobject(plan, values)}</Notification>"
        organization = self._org.sign_in.organization()
        address = f"{escape(self.root)}/services/Soap/{{}}/{_VERSION}/{organization[:15]}"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            '<soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
            f"<OrganizationId>{organization}</OrganizationId><ActionId>{message['id']}</ActionId>"
            f'<SessionId xsi:nil="true"/><EnterpriseUrl>{address.format("c")}</EnterpriseUrl>'
            f"<PartnerUrl>{address.format('u')}</PartnerUrl>{notifications}"
            "</notifications></soapenv:Body></soapenv:Envelope>"
        ).encode()


def _sobject(plan: Plan, values: Values) -> str:
    """A row in XML; empty fields are left out, as the vendor leaves them out."""
    inner = ""
    for name, kind, place in plan.columns:
        value = values[place]
        if value is None:
            continue
        if kind == "boolean":
            value = "true" if value else "false"
        elif kind == "datetime":
            value = value.replace("+0000", "Z")
        inner += f"<sf:{name}>{escape(str(value))}</sf:{name}>"
    kind_name = plan.kind.name
    return f'<sObject xsi:type="sf:{kind_name}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{inner}</sObject>'
