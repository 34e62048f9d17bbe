"""Order simulation (API_SALES_ORDER_SIMULATION_SRV): price, tax, availability and credit of an order, unsaved.

Only creating is offered. The answer shows those of the nested parts that the request named, even if empty; the
order number is blank; warnings come in the header ``sap-message``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import amount_text, header_tax
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import Node
from isthmus.connectors.erp.sap_s4hana.sandbox.salesdoc import Item, SalesDesk, SalesDocument, item_columns
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System

NOTE = json.dumps(
    {
        "code": "SLS_LORD/098",
        "message": "In simulation mode, the document must not be saved.",
        "target": "",
        "severity": "warning",
        "transition": False,
        "details": [],
    }
)


class Simulation:
    """Makes the tree of an unsaved order."""

    def __init__(self, system: System, desk: SalesDesk) -> None:
        self._system, self._desk = system, desk

    def create(self, draft: Draft) -> Node:
        """The simulated order. Raises ODataError with all that speaks against it, as creating one would."""
        document = self._desk.document(dict(draft.values), draft.nested("to_Item"), draft.nested("to_Partner"))
        setting, sold_to = document.setting, document.sold_to
        today = self._system.today()
        node = self._node(
            "A_SalesOrderSimulation",
            {
                "SalesOrderDate": today,
                "RequestedDeliveryDate": today,
                "PricingDate": setting.date,
                "SDPricingProcedure": "A17J01",
                "CustomerPriceGroup": sold_to.area["CustomerPriceGroup"],
                "CustomerPaymentTerms": sold_to.area["CustomerPaymentTerms"],
                **{name: value for name, value in document.header.items() if value not in (None, "")},
                "SalesOrder": "",
                "SoldToParty": setting.customer,
                "TransactionCurrency": setting.currency,
            },
        )
        node.children["to_Item"] = [self._item(document, item) for item in document.items]
        total = {"TotalNetAmount": amount_text(document.net, setting.currency), "TransactionCurrency": setting.currency}
        node.children["to_Pricing"] = self._node("A_SalesOrderPricingSimulation", total)
        credit = {"TotalCreditCheckStatus": document.credit_status}
        node.children["to_Credit"] = self._node("A_SalesOrderCreditSimulation", credit)
        tax = header_tax(setting, document.net, document.tax)
        node.children["to_PricingElement"] = [self._node("A_SalesOrderPrcgElmntSimln", tax)]
        node.children["to_Partner"] = [
            self._node("A_SalesOrderPartnerSimulation", {"PartnerFunction": function, "Customer": number})
            for function, number in sold_to.partners.items()
        ]
        return node

    def _item(self, document: SalesDocument, item: Item) -> Node:
        node = self._node("A_SalesOrderItemSimulation", {**item_columns(document, item), "Plant": item.wish.plant})
        node.children["to_PricingElement"] = [
            self._node("A_SalesOrderItmPrcgElmntSimln", row) for row in item.line.conditions
        ]
        node.children["to_ScheduleLine"] = [self._node("A_SalesOrderScheduleLineSimln", row) for row in item.schedule]
        return node

    def _node(self, entity: str, values: Mapping[str, Any]) -> Node:
        found = self._system.entity(entity)
        return Node(found, {**found.initial, **values})
