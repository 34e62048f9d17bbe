"""``$metadata``: the EDMX document of a service, written from the living dictionary.

Namespaces and attributes as SAP Gateway writes them (OData v2 CSDL with the ``sap:`` annotations).
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import Property
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import EntityType, Function, Navigation, ODataService

_EDMX = "http://schemas.microsoft.com/ado/2007/06/edmx"
_EDM = "http://schemas.microsoft.com/ado/2008/09/edm"
_METADATA = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
_SAP = "http://www.sap.com/Protocols/SAPData"
_DEFAULT: Any = {None: _EDM}


def _inside(parent: Any, name: str, **attributes: str) -> Any:
    made = etree.SubElement(parent, f"{{{_EDM}}}{name}")
    for key, value in attributes.items():
        prefix, _, local = key.partition("_")
        if prefix in ("m", "sap") and local:
            made.set(f"{{{_METADATA if prefix == 'm' else _SAP}}}{local.replace('_', '-')}", value)
        else:
            made.set(key, value)
    return made


def metadata_document(service: ODataService, changeable: dict[str, set[str]]) -> bytes:
    """The service's EDMX. ``changeable`` says of each entity set which of POST, PATCH and DELETE it takes."""
    root = etree.Element(f"{{{_EDMX}}}Edmx", nsmap={"edmx": _EDMX, "m": _METADATA, "sap": _SAP}, Version="1.0")
    data = etree.SubElement(root, f"{{{_EDMX}}}DataServices")
    data.set(f"{{{_METADATA}}}DataServiceVersion", "2.0")
    schema = etree.SubElement(data, f"{{{_EDM}}}Schema", nsmap=_DEFAULT, Namespace=service.name)
    schema.set(f"{{{_SAP}}}schema-version", "1")
    for entity in service.entities.values():
        _entity_type(schema, service, entity)
    for result in {f.returns.name: f.returns for f in service.functions.values()}.values():
        made = _inside(schema, "ComplexType", Name=result.name)
        for prop in result.properties.values():
            _property(made, prop)
    ways = [(entity, nav) for entity in service.entities.values() for nav in service.navigations[entity.name]]
    for entity, nav in ways:
        _association(schema, service, entity, nav)
    container = _inside(schema, "EntityContainer", Name=f"{service.name}_Entities", m_IsDefaultEntityContainer="true")
    for entity in service.entities.values():
        _entity_set(container, service, entity, changeable.get(entity.name, set()))
    for entity, nav in ways:
        name = _association_name(entity, nav)
        made = _inside(container, "AssociationSet", Name=f"{name}Set", Association=f"{service.name}.{name}")
        _inside(made, "End", EntitySet=entity.name, Role=f"FromRole_{name}")
        _inside(made, "End", EntitySet=nav.target, Role=f"ToRole_{name}")
    for function in service.functions.values():
        _function(container, service, function)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def _entity_type(schema: Any, service: ODataService, entity: EntityType) -> None:
    made = _inside(schema, "EntityType", Name=entity.type_name, sap_content_version="1")
    key = _inside(made, "Key")
    for prop in entity.keys:
        _inside(key, "PropertyRef", Name=prop.name)
    for prop in entity.properties.values():
        written = _property(made, prop)
        if prop.name == entity.etag:
            written.set("ConcurrencyMode", "Fixed")
    for nav in service.navigations[entity.name]:
        name = _association_name(entity, nav)
        _inside(
            made,
            "NavigationProperty",
            Name=nav.name,
            Relationship=f"{service.name}.{name}",
            FromRole=f"FromRole_{name}",
            ToRole=f"ToRole_{name}",
        )


def _property(parent: Any, prop: Property) -> Any:
    made = _inside(parent, "Property", Name=prop.name, Type=prop.edm)
    if prop.key or prop.edm == "Edm.Boolean":
        made.set("Nullable", "false")
    if prop.length:
        made.set("MaxLength", str(prop.length))
    if prop.edm == "Edm.Decimal":
        made.set("Precision", str(prop.precision))
        made.set("Scale", str(prop.scale))
    if prop.edm in ("Edm.DateTime", "Edm.DateTimeOffset"):
        made.set("Precision", "0" if prop.date_only else "7")
    if prop.date_only:
        made.set(f"{{{_SAP}}}display-format", "Date")
    if not prop.creatable:
        made.set(f"{{{_SAP}}}creatable", "false")
    if not prop.updatable:
        made.set(f"{{{_SAP}}}updatable", "false")
    made.set(f"{{{_SAP}}}label", prop.name)
    return made


def _association_name(entity: EntityType, nav: Navigation) -> str:
    return f"assoc_{entity.name}_{nav.name}"


def _association(schema: Any, service: ODataService, entity: EntityType, nav: Navigation) -> None:
    name = _association_name(entity, nav)
    made = _inside(schema, "Association", Name=name, sap_content_version="1")
    target = service.entities[nav.target]
    ends = (
        (entity, "1" if nav.many or not nav.required else "*", f"FromRole_{name}"),
        (target, "*" if nav.many else "1" if nav.required else "0..1", f"ToRole_{name}"),
    )
    for one, multiplicity, role in ends:
        _inside(made, "End", Type=f"{service.name}.{one.type_name}", Multiplicity=multiplicity, Role=role)


def _entity_set(container: Any, service: ODataService, entity: EntityType, methods: set[str]) -> None:
    made = _inside(container, "EntitySet", Name=entity.name, EntityType=f"{service.name}.{entity.type_name}")
    for word, method in (("creatable", "POST"), ("updatable", "PATCH"), ("deletable", "DELETE")):
        if method not in methods:
            made.set(f"{{{_SAP}}}{word}", "false")
    made.set(f"{{{_SAP}}}content-version", "1")


def _function(container: Any, service: ODataService, function: Function) -> None:
    returns = f"{service.name}.{function.returns.name}"
    made = _inside(
        container,
        "FunctionImport",
        Name=function.name,
        ReturnType=f"Collection({returns})" if function.many else returns,
        m_HttpMethod=function.method,
    )
    for prop in function.parameters.values():
        written = _inside(made, "Parameter", Name=prop.name, Type=prop.edm, Mode="In")
        if prop.length:
            written.set("MaxLength", str(prop.length))
        if prop.edm == "Edm.Decimal":
            written.set("Precision", str(prop.precision))
            written.set("Scale", str(prop.scale))
