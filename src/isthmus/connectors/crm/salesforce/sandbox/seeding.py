"""The seed company as this organization holds it: customers and their people, products and prices, opportunities."""

from __future__ import annotations

from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.org import Org
from isthmus.connectors.crm.salesforce.sandbox.sign_in import new_key_pair
from isthmus.connectors.crm.salesforce.sandbox.values import plain
from isthmus.sandkit.company import Account, Company, Opportunity, Product
from isthmus.sandkit.world import Row

CLIENT_ID = "3MVG9sonnwerk.isthmus.sandbox"
CLIENT_SECRET = "sonnwerk-isthmus-sandbox-secret"
PASSWORD, SECURITY_TOKEN = "sandbox-Passw0rd", "sandboxSecurityToken"
INTEGRATION, SALES, ADMIN = (f"{name}@sonnwerk.example" for name in ("integration", "sales", "admin"))
_USERS = ((ADMIN, "Ada", "Admin"), (INTEGRATION, "Isthmus", "Integration"), (SALES, "Sam", "Seller"))
_FAMILIES = {"goods": "Goods", "service": "Service", "subscription": "Subscription"}
_TABLE = "CREATE TABLE IF NOT EXISTS _setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)"


def seed(org: Org, company: Company) -> None:
    """Fill an empty world."""
    _people(org)
    org.rows.user = user_id(org, SALES)
    book = _put(org, "Pricebook2", Name="Standard Price Book", IsActive=1, IsStandard=1)
    products = {product.number: _product(org, product, book) for product in company.products}
    for account in company.accounts:
        account_id = _account(org, account)
        for number, person in enumerate(account.people, 1):
            _put(
                org,
                "Contact",
                AccountId=account_id,
                FirstName=person.given_name,
                LastName=person.family_name,
                Name=f"{person.given_name} {person.family_name}",
                Email=person.email,
                Phone=person.phone,
                External_Id__c=f"{account.key}-{number}",
            )
    for opportunity in company.opportunities:
        make_opportunity(org, opportunity, products)


def make_opportunity(org: Org, opportunity: Opportunity, products: dict[str, str] | None = None) -> str:
    """Make an opportunity with its lines as a salesperson does; its id. ``products`` is id by number."""
    rows = org.rows
    account = rows.ids_by(rows.kind("Account"), rows.kind("Account").fields["external_id__c"], opportunity.account)
    made = rows.create(
        rows.kind("Opportunity"),
        {
            "Name": opportunity.name,
            "AccountId": account[0],
            "StageName": opportunity.stage,
            "CloseDate": opportunity.close_date.isoformat(),
            "CurrencyIsoCode": opportunity.currency,
            "Opportunity_Number__c": opportunity.number,
            "Business_Unit__c": opportunity.unit,
            "PO_Number__c": opportunity.purchase_order,
        },
    )
    for line in opportunity.lines:
        product = products[line.product] if products else product_id(org, line.product)
        rows.create(
            rows.kind("OpportunityLineItem"),
            {
                "OpportunityId": made,
                "Product2Id": product,
                "Quantity": plain(line.quantity),
                "UnitPrice": plain(line.unit_price),
                "ServiceDate": line.start_date.isoformat() if line.start_date else None,
                "End_Date__c": line.end_date.isoformat() if line.end_date else None,
            },
        )
    return made


def credentials(org: Org) -> dict[str, str]:
    """The seeded ways to sign in, and the organization's id for who receives its outbound messages."""
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "username": INTEGRATION,
        "password": PASSWORD,
        "security_token": SECURITY_TOKEN,
        "private_key": str(org.world.value("SELECT value FROM _setting WHERE name = 'private_key'")),
        "organization_id": org.sign_in.organization(),
    }


def user_id(org: Org, username: str) -> str:
    """The id of a seeded user."""
    return str(org.world.value('SELECT "Id" FROM "User" WHERE "Username" = ?', (username,)))


def product_id(org: Org, number: str) -> str:
    """The id of a product by its number. Raises ValueError."""
    found = org.world.value('SELECT "Id" FROM "Product2" WHERE "ProductCode" = ? AND "IsDeleted" = 0', (number,))
    if found is None:
        raise ValueError(f"there is no product with the ProductCode {number!r}")
    return str(found)


def _put(org: Org, object_name: str, **values: Any) -> str:
    """Insert a row that is known to be right."""
    kind = org.rows.kind(object_name)
    row: Row = {f.name: 0 if f.type == "boolean" else f.default for f in kind.fields.values()} | {"IsDeleted": 0}
    if "ownerid" in kind.fields:
        row["OwnerId"] = org.rows.user
    return org.rows.insert(kind, row | values)


def _people(org: Org) -> None:
    org.world.execute(_TABLE)
    _put(
        org,
        "Organization",
        Name="Sonnwerk",
        Country="DE",
        OrganizationType="Enterprise Edition",
        IsSandbox=0,
        InstanceName="EU98",
        DefaultCurrencyIsoCode="EUR",
        TimeZoneSidKey="Europe/Berlin",
    )
    for username, first, last in _USERS:
        made = _put(
            org,
            "User",
            Username=username,
            FirstName=first,
            LastName=last,
            Name=f"{first} {last}",
            Email=username,
            Alias=first.lower()[:8],
            IsActive=1,
            UserType="Standard",
            TimeZoneSidKey="Europe/Berlin",
            LocaleSidKey="en_IE",
            LanguageLocaleKey="en_US",
        )
        org.world.insert("_password", {"user_id": made, "password": PASSWORD, "security_token": SECURITY_TOKEN})
    private, public = new_key_pair()
    org.world.insert("_setting", {"name": "private_key", "value": private})
    app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "certificate": public, "run_as": INTEGRATION}
    org.world.insert("_connected_app", app)


def _product(org: Org, product: Product, book: str) -> str:
    product_id = _put(
        org,
        "Product2",
        Name=product.name,
        ProductCode=product.number,
        StockKeepingUnit=product.number,
        External_Id__c=product.number,
        Family=_FAMILIES[product.kind],
        QuantityUnitOfMeasure=product.unit,
        Support_Plan__c=product.plan or None,
        IsActive=1,
    )
    for currency, price in product.prices.items():
        _put(
            org,
            "PricebookEntry",
            Name=product.name,
            ProductCode=product.number,
            Pricebook2Id=book,
            Product2Id=product_id,
            UnitPrice=plain(price),
            CurrencyIsoCode=currency,
            IsActive=1,
        )
    return product_id


def _account(org: Org, account: Account) -> str:
    place = {
        "Street": account.street,
        "City": account.city,
        "State": account.region or None,
        "StateCode": account.region or None,
        "PostalCode": account.postal_code,
        "Country": account.country,
        "CountryCode": account.country,
    }
    return _put(
        org,
        "Account",
        **{f"{use}{name}": value for use in ("Billing", "Shipping") for name, value in place.items()},
        Name=account.name,
        Type="Customer - Direct" if account.in_erp else "Prospect",
        AccountNumber=account.number if account.in_erp else None,
        Phone=account.people[0].phone,
        Website=f"https://www.{account.domain}",
        Industry="Energy",
        CurrencyIsoCode=account.currency,
        External_Id__c=account.key,
        Tax_Number__c=account.vat_number or None,
        Tax_Exempt__c=int(account.tax_exempt),
        Business_Unit__c=account.unit,
    )
