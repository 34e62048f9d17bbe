"""What describe tells of the organization: made from its fields each time, so an added field is there at once."""

from __future__ import annotations

from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.metadata import IDS, NUMBERS, TEXTS, Catalogue, Field, ObjectType

_SOAP_TYPES = {
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "id": "tns:ID",
    "reference": "tns:ID",
}


def everything(catalogue: Catalogue, base: str) -> dict[str, Any]:
    """GET sobjects."""
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [summary(kind, base) for kind in catalogue.objects.values()],
    }


def summary(kind: ObjectType, base: str) -> dict[str, Any]:
    """One object as the list of objects tells it."""
    path = f"{base}/sobjects/{kind.name}"
    return {
        "activateable": False,
        "createable": kind.open,
        "custom": kind.name.endswith("__c"),
        "deletable": kind.open,
        "deprecatedAndHidden": False,
        "keyPrefix": kind.prefix,
        "label": Field(kind.name, "string").label,
        "labelPlural": kind.plural,
        "layoutable": True,
        "mergeable": kind.name in ("Account", "Contact"),
        "name": kind.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": kind.open,
        "updateable": True,
        "urls": {"sobject": path, "describe": f"{path}/describe", "rowTemplate": f"{path}/{{ID}}"},
    }


def in_full(catalogue: Catalogue, kind: ObjectType, base: str) -> dict[str, Any]:
    """GET sobjects/T/describe."""
    children = [
        {
            "cascadeDelete": field.on_delete == "cascade",
            "childSObject": object_name,
            "deprecatedAndHidden": False,
            "field": field.name,
            "relationshipName": field.child_relationship or None,
            "restrictedDelete": field.on_delete == "restrict",
        }
        for object_name, field in kind.dependants
    ]
    return {
        **summary(kind, base),
        "childRelationships": children,
        "fields": [_field(kind, field) for field in kind.fields.values()],
        "recordTypeInfos": [
            {
                "available": True,
                "defaultRecordTypeMapping": True,
                "developerName": "Master",
                "master": True,
                "name": "Master",
                "recordTypeId": "012000000000000AAA",
            }
        ],
        "supportedScopes": [{"label": f"All {kind.plural.lower()}", "name": "everything"}],
    }


def _field(kind: ObjectType, field: Field) -> dict[str, Any]:
    text = field.type in TEXTS | IDS
    return {
        "autoNumber": field.auto_number,
        "byteLength": field.length * 3 if field.type in TEXTS else field.length,
        "calculated": False,
        "caseSensitive": False,
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": False if field.type == "boolean" else field.default,
        "defaultedOnCreate": field.defaulted or field.auto_number or field.type == "boolean",
        "deprecatedAndHidden": False,
        "digits": 8 if field.type == "int" else 0,
        "externalId": field.external_id,
        "filterable": field.filterable,
        "groupable": field.filterable and field.type not in NUMBERS | {"datetime"},
        "idLookup": field.external_id or field.type == "id" or (field.type == "email" and kind.name == "Contact"),
        "label": field.label,
        "length": field.length if text else 0,
        "name": field.name,
        "nameField": field.name == kind.name_field,
        "nillable": field.nillable,
        "picklistValues": [
            {"active": True, "defaultValue": value == field.default, "label": value, "validFor": None, "value": value}
            for value in field.picklist
        ],
        "polymorphicForeignKey": len(field.targets) > 1,
        "precision": field.precision,
        "referenceTo": list(field.targets),
        "relationshipName": field.relationship or None,
        "restrictedPicklist": bool(field.picklist),
        "scale": field.scale,
        "soapType": _soap_type(field),
        "sortable": field.filterable,
        "type": field.type,
        "unique": field.unique,
        "updateable": field.updateable,
    }


def _soap_type(field: Field) -> str:
    return _SOAP_TYPES.get(field.type, "xsd:string" if field.type in TEXTS else "xsd:double")
