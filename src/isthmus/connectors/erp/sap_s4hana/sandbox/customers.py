"""Customers as sales sees them: maintained in which sales area, blocked or not, taxed where."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.connectors.erp.sap_s4hana.sandbox.errors import Message
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.connectors.erp.sap_s4hana.sandbox.taxes import CONDITION, Tax, determine
from isthmus.sandkit.world import Row

ORDER_TYPES = {"OR": "OR", "TA": "OR"}
PARTNER_FUNCTIONS = ("SP", "SH", "BP", "PY")
_INTERNAL_FUNCTIONS = {"AG": "SP", "WE": "SH", "RE": "BP", "RG": "PY"}


@dataclass(frozen=True, slots=True)
class SoldTo:
    """The customer of a document in its sales area, with the organization that sells."""

    area: Row
    organization: Row
    tax: Tax
    partners: dict[str, str]

    @property
    def number(self) -> str:
        """The customer's number."""
        return str(self.area["Customer"])


def function_code(code: str) -> str:
    """The partner function as OData shows it; SAP's internal German codes are taken too."""
    return _INTERNAL_FUNCTIONS.get(code, code)


def find_sold_to(system: System, header: Row, partners: dict[str, str]) -> tuple[SoldTo | None, list[Message]]:
    """The customer that a document's header names, or the messages that speak against the header."""
    area = tuple(
        str(header.get(name, "")) for name in ("SalesOrganization", "DistributionChannel", "OrganizationDivision")
    )
    organization = system.world.row("SELECT * FROM _organization WHERE sales_organization = ?", (area[0],))
    if organization is None or area[1:] != ("10", "00"):
        return None, [
            Message("V1/305", f"Sales area {' '.join(area).strip()} is not defined", target="SalesOrganization")
        ]
    customer = str(header.get("SoldToParty") or partners.get("SP", ""))
    if not customer:
        return None, [Message("VP/089", "Please enter sold-to party or ship-to party", target="SoldToParty")]
    row = system.world.row(
        "SELECT s.*, c.OrderIsBlockedForCustomer AS central_block, c.DeletionIndicator AS central_deletion,"
        " c.VATRegistration, b.BusinessPartnerIsBlocked FROM A_CustomerSalesArea s"
        " JOIN A_Customer c ON c.Customer = s.Customer JOIN A_BusinessPartner b ON b.BusinessPartner = c.Customer"
        " WHERE s.Customer = ? AND s.SalesOrganization = ? AND s.DistributionChannel = ? AND s.Division = ?",
        (customer, *area),
    )
    if row is None:
        text = f"Sold-to party {customer} not maintained for sales area {' '.join(area)}"
        return None, [Message("VP/199", text, target="SoldToParty")]
    messages = _against(row)
    ship_to = partners.get("SH", customer)
    tax = _tax(system, row, organization["country"], ship_to)
    functions = {name: partners.get(name, customer) for name in PARTNER_FUNCTIONS}
    for name, number in {**functions, **partners}.items():
        if number != customer and system.row("A_Customer", Customer=number) is None:
            messages.append(
                Message("VP/111", f"Partner {number} of function {name} is not defined", target="to_Partner")
            )
    return SoldTo(row, organization, tax, {**functions, **partners}), messages


def _against(row: Row) -> list[Message]:
    """Blocks and deletion marks."""
    customer = row["Customer"]
    block = row["OrderIsBlockedForCustomer"] or row["central_block"]
    if block or row["BusinessPartnerIsBlocked"]:
        text = (
            f"Sold-to party {customer} has been assigned order block {block or '01'}: blocked for new orders (credit)"
        )
        return [Message("V1/045", text, target="SoldToParty")]
    if row["DeletionIndicator"] or row["central_deletion"]:
        return [Message("VP/145", f"Sold-to party {customer} is marked for deletion", target="SoldToParty")]
    return []


def _tax(system: System, row: Row, departure: str, ship_to: str) -> Tax:
    country = system.world.value("SELECT Country FROM A_BusinessPartnerAddress WHERE BusinessPartner = ?", (ship_to,))
    classification = system.world.value(
        "SELECT CustomerTaxClassification FROM A_CustomerSalesAreaTax WHERE Customer = ? AND SalesOrganization = ?"
        " AND DistributionChannel = ? AND Division = ? AND DepartureCountry = ? AND CustomerTaxCategory = ?",
        (row["Customer"], row["SalesOrganization"], row["DistributionChannel"], row["Division"], departure, CONDITION),
    )
    return determine(departure, country or departure, row["VATRegistration"], classification or "1")
