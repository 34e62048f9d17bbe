"""Business partners (API_BUSINESS_PARTNER): create with deep insert, change, and their dependent entities.

A business partner becomes a customer by the roles FLCU00 (company code) and FLCU01 (sales); only then can it carry
``to_Customer``. Numbers come from an internal range. Customer and business partner have the same number here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from isthmus.connectors.erp.sap_s4hana.sandbox.customers import PARTNER_FUNCTIONS, function_code
from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.system import USER, System
from isthmus.connectors.erp.sap_s4hana.sandbox.taxes import CONDITION
from isthmus.sandkit.world import Row

FIRST_PARTNER, FIRST_ADDRESS = 17100101, 25001
CUSTOMER_ROLES = ("FLCU00", "FLCU01")
ROLES = (*CUSTOMER_ROLES, "BUP001", "FLVN00", "FLVN01", "UKM000", "000000")
#: identification types of this system; ISTHMS was added for numbers that other systems give
IDENTIFICATION_TYPES = ("BUP001", "BUP002", "BUP003", "BUP004", "BUP005", "HCM001", "ISTHMS")
_COUNTRY_CODES = (
    "AT AU BE BG BR CA CH CN CY CZ DE DK EE ES FI FR GB GR HR HU IE IN IT JP KR KW LT LU LV MT MX NL NO NZ PL PT RO"
    " SE SG SI SK US ZA"
)
_COUNTRIES = frozenset(_COUNTRY_CODES.split())
_DEPENDENT = (
    "A_BusinessPartnerAddress",
    "A_BusinessPartnerRole",
    "A_BusinessPartnerTaxNumber",
    "A_BuPaIdentification",
)


class Partners:
    """Creates and changes business partners and customers."""

    def __init__(self, system: System) -> None:
        self._system = system

    # Creating -----------------------------------------------------------------------------------------------

    def create(self, draft: Draft) -> Row:
        """Create a business partner with everything nested in it. Raises ODataError where SAP refuses."""
        values, system = dict(draft.values), self._system
        _check_names(values)
        given = values.get("BusinessPartner", "")
        if given:
            raise business(
                "R11/401", f"Number {given} is not allowed: grouping BP02 numbers internally", "BusinessPartner"
            )
        partner = system.number("business_partner", FIRST_PARTNER)
        roles = [one.values.get("BusinessPartnerRole", "") for one in draft.nested("to_BusinessPartnerRole")]
        customer = draft.first("to_Customer")
        if customer is not None and not set(roles) & set(CUSTOMER_ROLES):
            raise business("CVI_EI/053", "Customer data needs role FLCU00 or FLCU01", "to_BusinessPartnerRole")
        names = _names(values)
        row = {
            **values,
            **names,
            "BusinessPartner": partner,
            "Customer": partner if set(roles) & set(CUSTOMER_ROLES) else "",
            "BusinessPartnerGrouping": values.get("BusinessPartnerGrouping") or "BP02",
            "BusinessPartnerUUID": str(uuid.uuid4()),
            "CreatedByUser": USER,
            "CreationDate": system.today(),
            "CreationTime": system.time_of_day(),
            "ETag": self._etag(""),
        }
        system.insert("A_BusinessPartner", [row])
        for entity, navigation in zip(_DEPENDENT, _NAVIGATIONS, strict=True):
            for one in draft.nested(navigation):
                self._dependent(entity, {**one.values, "BusinessPartner": partner}, one)
        if row["Customer"]:
            self._create_customer(partner, names["BusinessPartnerName"], customer)
        made = system.row("A_BusinessPartner", BusinessPartner=partner)
        assert made is not None
        return made

    def _create_customer(self, partner: str, name: str, draft: Draft | None) -> None:
        system = self._system
        vat = system.world.value(
            "SELECT BPTaxNumber FROM A_BusinessPartnerTaxNumber WHERE BusinessPartner = ?"
            " AND (BPTaxType LIKE '__0' OR BPTaxType IN ('AU1', 'JP1', 'SG1'))",
            (partner,),
        )
        row = {
            "CustomerAccountGroup": "CUST",
            **(draft.values if draft else {}),
            "Customer": partner,
            "CustomerName": name,
            "CustomerFullName": name,
            "VATRegistration": vat or "",
            "CreatedByUser": USER,
            "CreationDate": system.today(),
        }
        system.insert("A_Customer", [row])
        for company in draft.nested("to_CustomerCompany") if draft else ():
            self.create_company(_with(company, Customer=partner))
        for area in draft.nested("to_CustomerSalesArea") if draft else ():
            self.create_sales_area(_with(area, Customer=partner))

    def create_company(self, draft: Draft) -> Row:
        """Extend a customer to a company code."""
        self._customer(draft.values.get("Customer", ""))
        code = draft.values.get("CompanyCode", "")
        if self._system.world.row("SELECT 1 AS found FROM _organization WHERE company_code = ?", (code,)) is None:
            raise business("F2/102", f"Company code {code} is not defined", "CompanyCode")
        defaults = {"ReconciliationAccount": "12100000", "PaymentTerms": "NT30", "CustomerAccountGroup": "CUST"}
        return self._insert("A_CustomerCompany", {**defaults, **_filled(draft.values)})

    def create_sales_area(self, draft: Draft) -> Row:
        """Extend a customer to a sales area, with its partner functions and tax classifications."""
        values = draft.values
        customer = self._customer(values.get("Customer", ""))
        area = tuple(values.get(name, "") for name in ("SalesOrganization", "DistributionChannel", "Division"))
        organization = self._system.world.row("SELECT * FROM _organization WHERE sales_organization = ?", (area[0],))
        if organization is None or area[1:] != ("10", "00"):
            raise business("F2/152", f"Sales area {' '.join(area).strip()} is not defined", "SalesOrganization")
        defaults = {
            "Currency": organization["currency"],
            "CustomerPaymentTerms": "NT30",
            "CustomerPriceGroup": "01",
            "CustomerPricingProcedure": "01",
            "CustomerAccountAssignmentGroup": "01",
            "ShippingCondition": "01",
            "SupplyingPlant": organization["plant"],
            "IncotermsClassification": "EXW",
        }
        row = self._insert("A_CustomerSalesArea", {**defaults, **_filled(values)})
        key = {
            "Customer": customer["Customer"],
            "SalesOrganization": area[0],
            "DistributionChannel": area[1],
            "Division": area[2],
        }
        functions = {function_code(one.values.get("PartnerFunction", "")) for one in draft.nested("to_PartnerFunction")}
        for one in draft.nested("to_PartnerFunction"):
            self._insert("A_CustSalesPartnerFunc", {"PartnerCounter": "0", **one.values, **key})
        for name in PARTNER_FUNCTIONS:
            if name not in functions:
                own = {"PartnerCounter": "0", "PartnerFunction": name, "BPCustomerNumber": customer["Customer"]}
                self._insert("A_CustSalesPartnerFunc", {**key, **own})
        taxes = draft.nested("to_SalesAreaTax")
        for one in taxes:
            self._insert("A_CustomerSalesAreaTax", {**one.values, **key})
        if not taxes:
            own = {"DepartureCountry": organization["country"], "CustomerTaxCategory": CONDITION}
            self._insert("A_CustomerSalesAreaTax", {**key, **own, "CustomerTaxClassification": "1"})
        return row

    def _customer(self, number: str) -> Row:
        row = self._system.row("A_Customer", Customer=number)
        if row is None:
            raise no_entity("A_CustomerType")
        return row

    # Dependent entities -----------------------------------------------------------------------------------------

    def create_dependent(self, entity: str) -> Callable[[Draft], Row]:
        """The function that adds an address, role, tax number or identification to a business partner."""

        def create(draft: Draft) -> Row:
            partner = draft.values.get("BusinessPartner", "")
            if self._system.row("A_BusinessPartner", BusinessPartner=partner) is None:
                raise no_entity("A_BusinessPartnerType")
            made = self._dependent(entity, draft.values, draft)
            if entity == "A_BusinessPartnerRole" and made["BusinessPartnerRole"] in CUSTOMER_ROLES:
                self._become_customer(partner)
            self._touch(partner)
            return made

        return create

    def _become_customer(self, partner: str) -> None:
        if self._system.row("A_Customer", Customer=partner) is None:
            row = self._system.row("A_BusinessPartner", BusinessPartner=partner)
            assert row is not None
            self._system.update("A_BusinessPartner", row, {"Customer": partner})
            self._create_customer(partner, row["BusinessPartnerName"], None)

    def _dependent(self, entity: str, values: Row, draft: Draft) -> Row:
        _CHECKS[entity](values)
        if entity != "A_BusinessPartnerAddress":
            return self._insert(entity, values)
        address = self._system.number("address", FIRST_ADDRESS)
        made = self._insert(
            entity, {"Language": "EN", **values, "AddressID": address, "AddressUUID": str(uuid.uuid4())}
        )
        for name, navigation in (
            ("A_AddressEmailAddress", "to_EmailAddress"),
            ("A_AddressPhoneNumber", "to_PhoneNumber"),
        ):
            for place, one in enumerate(draft.nested(navigation), 1):
                key = {"AddressID": address, "Person": "", "OrdinalNumber": str(place)}
                self._system.insert(name, [{**one.values, **key}])
        return made

    def _insert(self, entity: str, values: Row) -> Row:
        key = {prop.name: values.get(prop.name, "") for prop in self._system.entity(entity).keys}
        missing = [name for name, value in key.items() if not value]
        if missing:
            raise business("R1/129", f"Enter {missing[0]}", missing[0])
        if self._system.row(entity, **key) is not None:
            raise business("R11/120", f"{entity}: entry {', '.join(map(str, key.values()))} exists already")
        self._system.insert(entity, [values])
        made = self._system.row(entity, **key)
        assert made is not None
        return made

    # Changing ---------------------------------------------------------------------------------------------------

    def update(self, row: Row, changes: Row) -> None:
        """Change a business partner; its name moves to its customer."""
        merged = {**row, **changes}
        names = _names(merged)
        self._system.update("A_BusinessPartner", row, {**changes, **names})
        if row["Customer"]:
            name = names["BusinessPartnerName"]
            self._system.world.update(
                "A_Customer", {"CustomerName": name, "CustomerFullName": name}, {"Customer": row["Customer"]}
            )
        self._touch(row["BusinessPartner"])

    def update_part(self, entity: str) -> Callable[[Row, Row], None]:
        """The function that changes a dependent entity of a business partner or customer."""

        def update(row: Row, changes: Row) -> None:
            if entity == "A_BusinessPartnerAddress":
                _check_address({**row, **changes})
            self._system.update(entity, row, changes)
            if entity == "A_BusinessPartnerTaxNumber" and str(row["BPTaxType"]).endswith("0"):
                number = {**row, **changes}["BPTaxNumber"]
                self._system.world.update(
                    "A_Customer", {"VATRegistration": number}, {"Customer": row["BusinessPartner"]}
                )
            self._touch(row.get("BusinessPartner") or row.get("Customer") or "")

        return update

    def delete_part(self, entity: str) -> Callable[[Row], None]:
        """The function that deletes a dependent entity of a business partner."""

        def delete(row: Row) -> None:
            self._system.delete(entity, **{prop.name: row[prop.name] for prop in self._system.entity(entity).keys})
            self._touch(row.get("BusinessPartner") or row.get("Customer") or "")

        return delete

    def _touch(self, partner: str) -> None:
        row = self._system.row("A_BusinessPartner", BusinessPartner=partner)
        if row is not None:
            changes = {
                "LastChangeDate": self._system.today(),
                "LastChangeTime": self._system.time_of_day(),
                "LastChangedByUser": USER,
                "ETag": self._etag(row["ETag"]),
            }
            self._system.update("A_BusinessPartner", row, changes)

    def _etag(self, before: str) -> str:
        return f"{max(self._system.now(), int(before or 0) + 1)}"


_NAVIGATIONS: Sequence[str] = (
    "to_BusinessPartnerAddress",
    "to_BusinessPartnerRole",
    "to_BusinessPartnerTax",
    "to_BuPaIdentification",
)


def _with(draft: Draft, **values: str) -> Draft:
    draft.values.update(values)
    return draft


def _filled(values: Row) -> Row:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _names(values: Row) -> Row:
    """The names that SAP builds: of an organization its name lines, of a person first and last name."""
    if values.get("BusinessPartnerCategory") == "1":
        name = f"{values.get('FirstName', '')} {values.get('LastName', '')}".strip()
    else:
        lines = (values.get(f"OrganizationBPName{number}", "") for number in (1, 2))
        name = " ".join(line for line in lines if line)
    return {"BusinessPartnerName": name[:81], "BusinessPartnerFullName": name[:81]}


def _check_names(values: Row) -> None:
    category = values.get("BusinessPartnerCategory", "")
    if category not in ("1", "2", "3"):
        raise business("R11/132", f"Business partner category {category!r} is not defined", "BusinessPartnerCategory")
    needed = "LastName" if category == "1" else "OrganizationBPName1"
    if not values.get(needed):
        raise business("R11/133", f"Enter the name of the business partner ({needed})", needed)


def _check_address(values: Row) -> None:
    country = values.get("Country", "")
    if country not in _COUNTRIES:
        raise business(
            "AM/228", f"Country/Region {country} is not defined" if country else "Enter a country", "Country"
        )


def _check_role(values: Row) -> None:
    role = values.get("BusinessPartnerRole", "")
    if role not in ROLES:
        raise business("R11/657", f"Business partner role {role} is not defined", "BusinessPartnerRole")


def _check_tax_number(values: Row) -> None:
    kind = values.get("BPTaxType", "")
    if len(kind) != 3 or kind[:2] not in _COUNTRIES or not kind[2].isdigit():
        raise business("BUPA_TAX/001", f"Tax number category {kind} is not defined", "BPTaxType")
    if not values.get("BPTaxNumber") and not values.get("BPTaxLongNumber"):
        raise business("BUPA_TAX/002", f"Enter a tax number for category {kind}", "BPTaxNumber")


def _check_identification(values: Row) -> None:
    kind = values.get("BPIdentificationType", "")
    if kind not in IDENTIFICATION_TYPES:
        raise business("R11/540", f"Identification type {kind} is not defined", "BPIdentificationType")


_CHECKS: dict[str, Callable[[Row], None]] = {
    "A_BusinessPartnerAddress": _check_address,
    "A_BusinessPartnerRole": _check_role,
    "A_BusinessPartnerTaxNumber": _check_tax_number,
    "A_BuPaIdentification": _check_identification,
}
