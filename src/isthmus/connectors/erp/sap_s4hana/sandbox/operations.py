"""Which application does what: for each entity set what creates, changes and deletes, and what functions do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.availability import Availability
from isthmus.connectors.erp.sap_s4hana.sandbox.billing import Billing
from isthmus.connectors.erp.sap_s4hana.sandbox.billing_documents import BillingDocuments
from isthmus.connectors.erp.sap_s4hana.sandbox.credit import Credit
from isthmus.connectors.erp.sap_s4hana.sandbox.credit_memos import CreditMemoRequests
from isthmus.connectors.erp.sap_s4hana.sandbox.deliveries import Deliveries
from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.order_changes import OrderChanges
from isthmus.connectors.erp.sap_s4hana.sandbox.orders import Orders
from isthmus.connectors.erp.sap_s4hana.sandbox.partners import Partners
from isthmus.connectors.erp.sap_s4hana.sandbox.products import Products
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import Node
from isthmus.connectors.erp.sap_s4hana.sandbox.salesdoc import SalesDesk
from isthmus.connectors.erp.sap_s4hana.sandbox.simulation import NOTE, Simulation
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.sandkit.world import Row

Create = Callable[[Draft], Row | Node]
Update = Callable[[Row, Row], None]
Delete = Callable[[Row], None]
Act = Callable[[Mapping[str, Any]], list[Row]]


class Applications:
    """The applications of one system, wired together."""

    def __init__(self, system: System) -> None:
        self.availability, self.credit = Availability(system), Credit(system)
        desk = SalesDesk(system, self.availability, self.credit)
        self.orders = Orders(system, desk)
        self.order_changes = OrderChanges(self.orders)
        self.simulation = Simulation(system, desk)
        self.deliveries = Deliveries(self.orders)
        self.documents = BillingDocuments(system, self.credit)
        self.billing = Billing(system, self.credit, self.documents)
        self.credit_memos = CreditMemoRequests(system)
        self.partners, self.products = Partners(system), Products(system)


@dataclass(slots=True)
class Operations:
    """What is offered, by entity set or function; an entity set without an entry does not offer it."""

    readable: set[str]
    create: dict[str, Create] = field(default_factory=dict)
    update: dict[str, Update] = field(default_factory=dict)
    delete: dict[str, Delete] = field(default_factory=dict)
    functions: dict[tuple[str, str], Act] = field(default_factory=dict)

    def methods(self) -> dict[str, set[str]]:
        """The modifying methods of each entity set, for the metadata."""
        offered = {"POST": set(self.create), "PATCH": set(self.update), "DELETE": set(self.delete)}
        names = set[str]().union(*offered.values())
        return {name: {method for method, taken in offered.items() if name in taken} for name in names}

    def notes(self, entity: str) -> dict[str, str]:
        """Headers with warnings that come with a successful creation."""
        return {"sap-message": NOTE} if entity == "A_SalesOrderSimulation" else {}


def operations(system: System, apps: Applications) -> Operations:
    """The operations of one system."""
    simulated = set(system.dictionary.services["API_SALES_ORDER_SIMULATION_SRV"].entities)
    offered = Operations(readable=set(system.dictionary.entities) - simulated)
    _orders(offered, apps)
    _partners(offered, apps.partners)
    _products(offered, apps.products)
    _documents(offered, apps)
    return offered


def _orders(offered: Operations, apps: Applications) -> None:
    orders, changes = apps.orders, apps.order_changes
    offered.create |= {
        "A_SalesOrder": orders.create,
        "A_SalesOrderItem": changes.create_item,
        "A_SalesOrderItemPrElement": changes.create_price,
        "A_SalesOrderSimulation": apps.simulation.create,
    }
    offered.update |= {
        "A_SalesOrder": changes.update_header,
        "A_SalesOrderItem": changes.update_item,
        "A_SalesOrderItemPrElement": changes.update_price,
    }
    offered.delete |= {
        "A_SalesOrder": orders.delete,
        "A_SalesOrderItem": changes.delete_item,
        "A_SalesOrderItemPrElement": changes.delete_price,
    }
    for entity in ("A_SalesOrderHeaderPartner", "A_SalesOrderText", "A_SalesOrderItemText"):
        offered.create[entity] = changes.create_part(entity)
        offered.update[entity] = changes.update_part(entity)
        offered.delete[entity] = changes.delete_part(entity)
    offered.functions |= {
        ("API_SALES_ORDER_SRV", "releaseApprovalRequest"): orders.release_approval,
        ("API_SALES_ORDER_SRV", "rejectApprovalRequest"): orders.reject_approval,
    }


def _partners(offered: Operations, partners: Partners) -> None:
    offered.create |= {
        "A_BusinessPartner": partners.create,
        "A_CustomerCompany": partners.create_company,
        "A_CustomerSalesArea": partners.create_sales_area,
    }
    offered.update["A_BusinessPartner"] = partners.update
    dependent = (
        "A_BusinessPartnerAddress",
        "A_BusinessPartnerRole",
        "A_BusinessPartnerTaxNumber",
        "A_BuPaIdentification",
    )
    for entity in dependent:
        offered.create[entity] = partners.create_dependent(entity)
        offered.update[entity] = partners.update_part(entity)
        offered.delete[entity] = partners.delete_part(entity)
    for entity in ("A_Customer", "A_CustomerCompany", "A_CustomerSalesArea", "A_CustomerSalesAreaTax",
                   "A_CustSalesPartnerFunc", "A_AddressEmailAddress", "A_AddressPhoneNumber"):  # fmt: skip
        offered.update[entity] = partners.update_part(entity)


def _products(offered: Operations, products: Products) -> None:
    offered.create["A_Product"] = products.create
    offered.update["A_Product"] = products.update
    for entity in ("A_ProductDescription", "A_ProductPlant", "A_ProductSalesDelivery", "A_ProductUnitsOfMeasure"):
        offered.create[entity] = products.create_part(entity)
        offered.update[entity] = products.update_part(entity)


def _documents(offered: Operations, apps: Applications) -> None:
    deliveries, requests, documents = apps.deliveries, apps.credit_memos, apps.documents
    offered.create |= {"A_OutbDeliveryHeader": deliveries.create, "A_CreditMemoRequest": requests.create}
    offered.update |= {
        "A_OutbDeliveryHeader": deliveries.update,
        "A_CreditMemoRequest": requests.update,
        "A_CreditMemoRequestItem": requests.update_item,
    }
    offered.delete |= {"A_OutbDeliveryHeader": deliveries.delete, "A_CreditMemoRequest": requests.delete}
    offered.functions |= {
        ("API_OUTBOUND_DELIVERY_SRV", "PostGoodsIssue"): deliveries.goods_issue,
        ("API_OUTBOUND_DELIVERY_SRV", "ReverseGoodsIssue"): deliveries.reverse,
        ("API_OUTBOUND_DELIVERY_SRV", "PickAllItems"): deliveries.pick,
        ("API_OUTBOUND_DELIVERY_SRV", "ConfirmPickingAllItems"): deliveries.pick,
        ("API_CREDIT_MEMO_REQUEST_SRV", "releaseApprovalRequest"): requests.release,
        ("API_CREDIT_MEMO_REQUEST_SRV", "rejectApprovalRequest"): requests.reject,
        ("API_BILLING_DOCUMENT_SRV", "Cancel"): documents.cancel,
        ("API_BILLING_DOCUMENT_SRV", "GetPDF"): documents.pdf,
        ("API_PRODUCT_AVAILY_INFO_BASIC", "DetermineAvailabilityAt"): apps.availability.at,
        ("API_PRODUCT_AVAILY_INFO_BASIC", "DetermineAvailabilityOf"): apps.availability.of,
        ("API_PRODUCT_AVAILY_INFO_BASIC", "CalculateAvailabilityTimeseries"): apps.availability.series,
    }
