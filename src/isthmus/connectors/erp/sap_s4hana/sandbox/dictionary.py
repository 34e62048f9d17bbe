"""SAP's data dictionary of this system: which services exist, which entity types they offer, which fields were added.

Custom fields (``YY1_…``) come and go while the system lives; they are kept in the world, so that they survive it.
"""

from __future__ import annotations

from dataclasses import replace

from isthmus.connectors.erp.sap_s4hana.sandbox import objects_documents, objects_masters, objects_orders, objects_stock
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import KINDS, Property
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import (
    Complex,
    EntityType,
    Function,
    ODataService,
    read_entities,
    read_properties,
)
from isthmus.sandkit.world import World

_LETTERS = {
    "Edm.String": "S40",
    "Edm.Decimal": "N16.3",
    "Edm.DateTime": "D",
    "Edm.DateTimeOffset": "O",
    "Edm.Boolean": "B",
    "Edm.Int32": "I",
    "Edm.Int64": "L",
    "Edm.Time": "T",
    "Edm.Guid": "G",
}
#: indexes for the look-ups that integrations do
_INDEXES = (
    ("A_SalesOrder", "ExternalDocumentID"),
    ("A_SalesOrder", "PurchaseOrderByCustomer"),
    ("A_SalesOrder", "LastChangeDateTime"),
    ("A_SalesOrder", "SoldToParty"),
    ("A_SalesOrder", "OverallOrdReltdBillgStatus"),
    ("A_SalesOrderItem", "Material"),
    ("A_BusinessPartner", "Customer"),
    ("A_BusinessPartner", "SearchTerm1"),
    ("A_BusinessPartner", "OrganizationBPName1"),
    ("A_BuPaIdentification", "BPIdentificationNumber"),
    ("A_BusinessPartnerTaxNumber", "BPTaxNumber"),
    ("A_Product", "LastChangeDateTime"),
    ("A_OutbDeliveryHeader", "OverallDelivReltdBillgStatus"),
    ("A_OutbDeliveryItem", "ReferenceSDDocument"),
    ("A_BillingDocument", "LastChangeDateTime"),
    ("A_BillingDocument", "SoldToParty"),
    ("A_BillingDocumentItem", "SalesDocument"),
    ("A_BillingDocumentItem", "ReferenceSDDocument"),
    ("A_CreditMemoRequest", "LastChangeDateTime"),
    ("A_CreditMemoRequest", "PurchaseOrderByCustomer"),
    ("A_CreditMemoRequest", "OverallOrdReltdBillgStatus"),
    ("A_CreditMemoRequestItem", "ReferenceSDDocument"),
)


class Dictionary:
    """All entity types by entity set and all services by path segment."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stored = {
            **read_entities(objects_orders.SALES_ORDERS),
            **read_entities(objects_masters.PARTNERS),
            **read_entities(objects_masters.PRODUCTS),
            **read_entities(objects_documents.DELIVERIES),
            **read_entities(objects_documents.BILLING),
            **read_entities(objects_documents.CREDIT_MEMO_REQUESTS),
            **read_entities(objects_stock.MATERIAL_DOCUMENTS),
        }
        self.entities: dict[str, EntityType] = {**self._stored, **read_entities(objects_orders.SIMULATION)}
        self.version = 0
        self._make_tables()
        self.services = self._services()
        for row in world.rows("SELECT * FROM _field ORDER BY rowid"):
            self._show(row["entity"], row["name"], row["type"], row["length"], bool(row["gone"]))

    def _make_tables(self) -> None:
        script = [entity.table() for entity in self._stored.values()]
        script += [
            f'CREATE INDEX IF NOT EXISTS "{table}_{column}" ON "{table}" ("{column}");' for table, column in _INDEXES
        ]
        script.append(
            "CREATE TABLE IF NOT EXISTS _field (entity TEXT, name TEXT, type TEXT, length INTEGER, gone INTEGER,"
            " PRIMARY KEY (entity, name));"
        )
        self._world.script("\n".join(script))

    def _services(self) -> dict[str, ODataService]:
        texts = {
            "API_SALES_ORDER_SRV": objects_orders.SALES_ORDERS,
            "API_SALES_ORDER_SIMULATION_SRV": objects_orders.SIMULATION,
            "API_BUSINESS_PARTNER": objects_masters.PARTNERS,
            "API_PRODUCT_SRV": objects_masters.PRODUCTS,
            "API_PRODUCT_AVAILY_INFO_BASIC": "",
            "API_OUTBOUND_DELIVERY_SRV": objects_documents.DELIVERIES,
            "API_OUTBOUND_DELIVERY_SRV;v=0002": objects_documents.DELIVERIES,
            "API_BILLING_DOCUMENT_SRV": objects_documents.BILLING,
            "API_CREDIT_MEMO_REQUEST_SRV": objects_documents.CREDIT_MEMO_REQUESTS,
            "API_MATERIAL_DOCUMENT_SRV": objects_stock.MATERIAL_DOCUMENTS,
        }
        results = {name: Complex(name, read_properties(words)) for name, words in objects_documents.RESULTS.items()}
        services = {}
        for path, text in texts.items():
            name = path.partition(";")[0]
            names = [line.split()[0] for line in text.splitlines() if line and not line.startswith(" ")]
            functions = {
                function: Function(function, method, read_properties(words), results[result], many)
                for function, method, words, result, many in objects_documents.FUNCTIONS.get(name, ())
            }
            services[path] = ODataService(name, path, {n: self.entities[n] for n in names}, functions)
        return services

    def add_field(self, entity: str, name: str, edm: str, length: int) -> None:
        """Add a custom field to an entity set, as its administrators do in the custom fields app.

        Raises ValueError where the entity set is unknown, the name is taken or does not begin with YY1_, or the
        type is not a simple Edm type.
        """
        found = self._entity(entity)
        if not name.startswith("YY1_"):
            raise ValueError(f"custom field {name!r}: expected a name that begins with YY1_, such as YY1_PromoCode_SDH")
        if name in found.properties:
            raise ValueError(f"{entity} has a property {name} already")
        if edm not in KINDS:
            raise ValueError(f"type {edm!r}: expected one of {', '.join(KINDS)}")
        self._world.execute("INSERT OR REPLACE INTO _field VALUES (?, ?, ?, ?, 0)", (entity, name, edm, length))
        made = self._show(entity, name, edm, length, gone=False)
        if made and entity in self._stored:
            self._world.add_column(entity, name, f"{made.sql} DEFAULT {_default(made)}")

    def remove_field(self, entity: str, name: str) -> None:
        """Take a field away: requests that name it are refused from now on. Raises ValueError for an unknown one."""
        found = self._entity(entity)
        if name not in found.properties or found.properties[name].key:
            raise ValueError(f"{entity} has no property {name} that could be taken away")
        custom = name.startswith("YY1_")
        self._show(entity, name, "", 0, gone=True)
        if custom:
            self._world.execute("DELETE FROM _field WHERE entity = ? AND name = ?", (entity, name))
            if entity in self._stored:
                self._world.drop_column(entity, name)
        else:
            self._world.execute("INSERT OR REPLACE INTO _field VALUES (?, ?, '', 0, 1)", (entity, name))

    def _entity(self, name: str) -> EntityType:
        if name not in self.entities:
            raise ValueError(f"entity set {name!r} is unknown; there are {', '.join(self.entities)}")
        return self.entities[name]

    def _show(self, entity: str, name: str, edm: str, length: int, gone: bool) -> Property | None:
        found, made = self.entities[entity], None
        if gone:
            found.properties.pop(name, None)
        else:
            letters = next(iter(read_properties(f"{name}:{_LETTERS[edm]}").values()))
            made = replace(letters, length=length) if edm == "Edm.String" and length else letters
            found.properties[name] = made
        found.refresh()
        self.version += 1
        return made


def _default(prop: Property) -> str:
    if prop.default is None:
        return "NULL"
    return str(prop.default) if isinstance(prop.default, int) else f"'{prop.default}'"
