"""The seed company as an SAP system holds it: organizations, customers, materials, prices, stock, credit limits.

A few materials carry scale prices from 100 pieces, and a few customers have prices of their own; both are out of
the way of ordinary deals.
"""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.availability import Availability
from isthmus.connectors.erp.sap_s4hana.sandbox.customers import PARTNER_FUNCTIONS
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import DAY_MS, scaled
from isthmus.connectors.erp.sap_s4hana.sandbox.partners import CUSTOMER_ROLES
from isthmus.connectors.erp.sap_s4hana.sandbox.system import USER, System, thousandths
from isthmus.connectors.erp.sap_s4hana.sandbox.taxes import CONDITION
from isthmus.sandkit.company import Account, Company, Product, Unit, rounded
from isthmus.sandkit.world import Row

#: unit of the seed company (UN/ECE Rec 20) -> commercial unit
_UNITS = {"C62": "PC", "DAY": "DAY"}
_CHANNEL, _DIVISION = "10", "00"
_SCALED = ("X-100", "X-101", "X-102")
_SCALES = ((100, "0.95"), (1000, "0.90"))
_OWN_PRICES = ("X-225", "X-265")
_PLANNED = {"X-163": (500, 10)}  # material -> (pieces, days from now) of a planned receipt


def seed(system: System, availability: Availability, company: Company) -> None:
    """Fill an empty world."""
    organizations = {unit.code: unit for unit in company.units}
    for unit in company.units:
        system.world.insert("_organization", _organization(unit))
    accounts = [account for account in company.accounts if account.in_erp]
    _seed_customers(system, accounts, organizations)
    for product in company.products:
        if not product.in_erp:
            system.world.insert("_unborn_product", {"material": product.number, "facts": json.dumps(_facts(product))})
    _seed_products(system, [_facts(product) for product in company.products if product.in_erp], company.units)
    _seed_own_prices(system, company)
    for material, (pieces, days) in _PLANNED.items():
        for unit in company.units:
            availability.plan(material, unit.plant, pieces * 1000, system.today() + days * DAY_MS)


def _organization(unit: Unit) -> Row:
    return {
        "sales_organization": unit.sales_organization,
        "name": unit.name,
        "plant": unit.plant,
        "company_code": unit.company_code,
        "country": unit.country,
        "currency": unit.currency,
    }


# Customers -----------------------------------------------------------------------------------------


def _seed_customers(system: System, accounts: list[Account], units: dict[str, Unit]) -> None:
    today, time = system.today(), system.time_of_day()
    marks = {"CreationDate": today, "CreatedByUser": USER}
    system.insert("A_BusinessPartner", [{**_partner(one), **marks, "CreationTime": time} for one in accounts])
    system.insert("A_BusinessPartnerAddress", [_address(place, one) for place, one in enumerate(accounts)])
    key = [{"AddressID": _address_id(place), "Person": "", "OrdinalNumber": "1"} for place in range(len(accounts))]
    mails = [one.people[0].email for one in accounts]
    system.insert(
        "A_AddressEmailAddress",
        [{**k, "EmailAddress": m, "IsDefaultEmailAddress": 1} for k, m in zip(key, mails, strict=True)],
    )
    phones = [one.people[0].phone for one in accounts]
    system.insert(
        "A_AddressPhoneNumber",
        [{**k, "PhoneNumber": p, "IsDefaultPhoneNumber": 1} for k, p in zip(key, phones, strict=True)],
    )
    system.insert(
        "A_BusinessPartnerRole",
        [{"BusinessPartner": one.number, "BusinessPartnerRole": role} for one in accounts for role in CUSTOMER_ROLES],
    )
    system.insert(
        "A_BusinessPartnerTaxNumber",
        [
            {"BusinessPartner": one.number, "BPTaxType": _tax_type(one.country), "BPTaxNumber": one.vat_number}
            for one in accounts
            if one.vat_number
        ],
    )
    system.insert(
        "A_BuPaIdentification",
        [
            {
                "BusinessPartner": one.number,
                "BPIdentificationType": "BUP001",
                "BPIdentificationNumber": f"31{one.number[1:]}",
            }
            for one in accounts[::3]
        ],
    )
    system.insert("A_Customer", [{**_customer(one), **marks} for one in accounts])
    system.insert("A_CustomerCompany", [_company(one, units[one.unit]) for one in accounts])
    system.insert("A_CustomerSalesArea", [_sales_area(one, units[one.unit]) for one in accounts])
    areas = [(one, _area_key(one, units[one.unit])) for one in accounts]
    functions = [
        {**key, "PartnerCounter": "0", "PartnerFunction": name, "BPCustomerNumber": one.number}
        for one, key in areas
        for name in PARTNER_FUNCTIONS
    ]
    system.insert("A_CustSalesPartnerFunc", functions)
    system.insert("A_CustomerSalesAreaTax", [_area_tax(one, key, units[one.unit]) for one, key in areas])
    for one in accounts:
        limit = {"customer": one.number, "currency": one.currency, "credit_limit": str(one.credit_limit)}
        system.world.insert("_credit", limit)


def _tax_type(country: str) -> str:
    """The tax number category of value added or goods and services tax."""
    return f"{country}1" if country in ("AU", "JP", "SG") else f"{country}0"


def _address_id(place: int) -> str:
    return str(22001 + place)


def _partner(account: Account) -> Row:
    return {
        "BusinessPartner": account.number,
        "Customer": account.number,
        "BusinessPartnerCategory": "2",
        "BusinessPartnerGrouping": "BP02",
        "BusinessPartnerName": account.name,
        "BusinessPartnerFullName": account.name,
        "OrganizationBPName1": account.name,
        "SearchTerm1": account.name.split()[0].upper()[:20],
        "BusinessPartnerUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, account.domain)),
        "CorrespondenceLanguage": "EN",
        "Language": "EN",
        "ETag": "1",
    }


def _address(place: int, account: Account) -> Row:
    street, _, house = account.street.rpartition(" ")
    return {
        "BusinessPartner": account.number,
        "AddressID": _address_id(place),
        "AddressUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"address.{account.domain}")),
        "FullName": account.name,
        "StreetName": street,
        "HouseNumber": house,
        "PostalCode": account.postal_code,
        "CityName": account.city,
        "Region": account.region,
        "Country": account.country,
        "Language": "EN",
    }


def _customer(account: Account) -> Row:
    return {
        "Customer": account.number,
        "CustomerName": account.name,
        "CustomerFullName": account.name,
        "CustomerAccountGroup": "CUST",
        "OrderIsBlockedForCustomer": "01" if account.order_block else "",
        "VATRegistration": account.vat_number,
    }


def _company(account: Account, unit: Unit) -> Row:
    return {
        "Customer": account.number,
        "CompanyCode": unit.company_code,
        "PaymentTerms": "NT30",
        "ReconciliationAccount": "12100000",
        "CustomerAccountGroup": "CUST",
    }


def _area_key(account: Account, unit: Unit) -> Row:
    area = {"SalesOrganization": unit.sales_organization, "DistributionChannel": _CHANNEL, "Division": _DIVISION}
    return {"Customer": account.number, **area}


def _sales_area(account: Account, unit: Unit) -> Row:
    return {
        **_area_key(account, unit),
        "Currency": account.currency,
        "CustomerPaymentTerms": "NT30",
        "CustomerPriceGroup": account.price_group,
        "CustomerPricingProcedure": "01",
        "CustomerAccountAssignmentGroup": "01",
        "CustomerGroup": "01",
        "IncotermsClassification": "EXW",
        "IncotermsLocation1": account.city,
        "ShippingCondition": "01",
        "SupplyingPlant": unit.plant,
        "OrderIsBlockedForCustomer": "01" if account.order_block else "",
    }


def _area_tax(account: Account, key: Row, unit: Unit) -> Row:
    classification = "0" if account.tax_exempt else "1"
    about = {"DepartureCountry": unit.country, "CustomerTaxCategory": CONDITION}
    return {**key, **about, "CustomerTaxClassification": classification}


# Products ------------------------------------------------------------------------------------------


def _facts(product: Product) -> dict[str, Any]:
    return {
        "material": product.number,
        "name": product.name,
        "service": product.kind != "goods",
        "unit": _UNITS[product.unit],
        "prices": {currency: str(product.erp_price(currency)) for currency in product.prices},
        "stock": str(product.stock),
    }


def _seed_products(system: System, facts: list[dict[str, Any]], units: tuple[Unit, ...]) -> None:
    areas = [(unit.sales_organization, unit.plant) for unit in units]
    make_materials(system, facts, areas)
    for material in _SCALED:
        sql = "SELECT * FROM _condition WHERE material = ? AND from_quantity = 0 AND customer = ''"
        for row in system.world.rows(sql, (material,)):
            for pieces, factor in _SCALES:
                rate = rounded(Decimal(row["rate"]) * Decimal(factor), row["currency"])
                step = {**row, "number": None, "from_quantity": pieces * 1000, "rate": str(rate)}
                system.world.insert("_condition", step)


def make_materials(system: System, facts: list[dict[str, Any]], areas: list[tuple[str, str]]) -> None:
    """Make materials that are sold in these sales organizations from these plants, with prices and stock."""
    marks = {"CreationDate": system.today(), "CreatedByUser": USER, "LastChangeDateTime": system.now()}
    system.insert("A_Product", [{**_product(one), **marks} for one in facts])
    languages = ("EN", "DE")
    system.insert(
        "A_ProductDescription",
        [
            {"Product": one["material"], "Language": language, "ProductDescription": one["name"]}
            for one in facts
            for language in languages
        ],
    )
    goods = [one for one in facts if not one["service"]]
    system.insert(
        "A_ProductPlant",
        [
            {"Product": one["material"], "Plant": plant, "AvailabilityCheckType": "SR", "BaseUnit": one["unit"]}
            for one in facts
            for _, plant in areas
        ],
    )
    system.insert("A_ProductUnitsOfMeasure", [row for one in facts for row in _units_of_measure(one)])
    for organization, plant in areas:
        system.insert("A_ProductSalesDelivery", [_sales_delivery(one, organization, plant) for one in facts])
        conditions = [
            {"material": one["material"], "organization": organization, "currency": currency, "rate": rate}
            for one in facts
            for currency, rate in one["prices"].items()
        ]
        system.insert("_condition", conditions)
        stock = [
            {"material": one["material"], "plant": plant, "on_hand": thousandths(one["stock"]), "reserved": 0}
            for one in goods
        ]
        system.insert("_stock", stock)


def _product(facts: dict[str, Any]) -> Row:
    weight = "0.000" if facts["service"] else scaled(Decimal(1 + len(facts["name"]) % 9), 3)
    return {
        "Product": facts["material"],
        "ProductType": "SERV" if facts["service"] else "HAWA",
        "ProductGroup": "P001" if facts["service"] else "L001",
        "BaseUnit": facts["unit"],
        "ItemCategoryGroup": "LEIS" if facts["service"] else "NORM",
        "GrossWeight": weight,
        "NetWeight": weight,
        "WeightUnit": "" if facts["service"] else "KG",
    }


def _units_of_measure(facts: dict[str, Any]) -> list[Row]:
    unit = facts["unit"]
    shape = {"Product": facts["material"], "BaseUnit": unit, "QuantityDenominator": "1"}
    rows = [{**shape, "AlternativeUnit": unit, "QuantityNumerator": "1"}]
    if not facts["service"]:
        rows.append({**shape, "AlternativeUnit": "CAR", "QuantityNumerator": "10"})
    return rows


def _sales_delivery(facts: dict[str, Any], organization: str, plant: str) -> Row:
    return {
        "Product": facts["material"],
        "ProductSalesOrg": organization,
        "ProductDistributionChnl": _CHANNEL,
        "SupplyingPlant": plant,
        "ItemCategoryGroup": "LEIS" if facts["service"] else "NORM",
        "BaseUnit": facts["unit"],
        "AccountDetnProductGroup": "01",
    }


def _seed_own_prices(system: System, company: Company) -> None:
    units = {unit.code: unit.sales_organization for unit in company.units}
    for material in _OWN_PRICES:
        product = company.product(material)
        for account in company.accounts[:3]:
            rate = rounded(product.erp_price(account.currency) * Decimal("0.9"), account.currency)
            row = {
                "material": material,
                "organization": units[account.unit],
                "currency": account.currency,
                "customer": account.number,
                "rate": str(rate),
            }
            system.world.insert("_condition", row)
