"""Customer: one organization or person that buys, as one business unit sees it."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import model_validator

from isthmus.model.codes import Currency, PaymentMeansCode
from isthmus.model.money import Money, Value
from isthmus.model.party import Address, Contact, TaxRegistration
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Instant, Language, Name, SetOf, Text
from isthmus.model.values import Block, Canonical, Identifier, Link, PaymentTerms, Period

AddressUse: TypeAlias = Literal["sold_to", "ship_to", "bill_to", "payer", "registered", "return"]


class CustomerAddress(Value):
    """One address with its uses; there is one address type, not one for billing and one for shipping."""

    id: Code
    uses: SetOf[AddressUse]
    address: Address
    default_for: SetOf[AddressUse] = ()
    active: bool | None = None


class TaxExemption(Value):
    """Why no tax is asked: a VATEX code or the number of a state's form, with its certificate."""

    code: Code
    certificate: Code | None = None
    regions: tuple[Code, ...] = ()
    period: Period | None = None


class Credit(Value):
    """A reading of the customer's credit at ``as_of``; never edited by us."""

    limit: Money | None = None
    exposure: Money | None = None
    overdue: Money | None = None
    rating: Code | None = None
    as_of: Instant


class PartnerFunction(Value):
    """Another customer that may stand in on documents."""

    function: Literal["ship_to", "bill_to", "payer"]
    customer: Link
    default: bool = False


class AccountOwner(Value):
    """The salesperson."""

    name: Name | None = None
    email: Name | None = None


class Consent(Value):
    """What a person agreed to, or refused."""

    purpose: Code
    given: bool
    at: Instant | None = None


class Customer(Canonical):
    """Who buys (UBL CustomerParty). A view per business unit: same ``id``, other ``business_unit``."""

    object_word: ClassVar[str] = "customer"

    number: Code | None = None
    """Business number of the owner of customers; required once active."""
    kind: Literal["organization", "person"]
    name: Name
    """Legal name."""
    trading_name: Name | None = None
    status: Literal["prospect", "active", "inactive", "archived", "erased", "merged"]
    merged_into: Link | None = None
    """The winner of a merge; this id stays as an alias."""
    parent: Link | None = None
    blocks: tuple[Block, ...] = ()
    """What may not be done now. A block on orders is not the same as inactive."""
    addresses: tuple[CustomerAddress, ...] = ()
    contacts: tuple[Contact, ...] = ()
    tax_registrations: tuple[TaxRegistration, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    tax_exemption: TaxExemption | None = None
    currency: Currency | None = None
    language: Language | None = None
    payment_terms: PaymentTerms | None = None
    payment_means: PaymentMeansCode | None = None
    price_group: Code | None = None
    credit: Credit | None = None
    partners: tuple[PartnerFunction, ...] = ()
    account_owner: AccountOwner | None = None
    segment: Name | None = None
    industry: Name | None = None
    website: Text | None = None
    email_domains: tuple[Code, ...] = ()
    consent: tuple[Consent, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Customer:
        found = Findings("Customer")
        if self.status == "active":
            found.need(self.number, "number", when="status is active")
        if self.status == "merged":
            found.need(self.merged_into, "merged_into", when="status is merged")
        seen: set[str] = set()
        for index, address in enumerate(self.addresses):
            if address.id in seen:
                found.add("addresses", index, "id", value=address.id, expected="an id that no other address has")
            seen.add(address.id)
        found.check()
        return self

    def address_for(self, use: AddressUse) -> Address | None:
        """The address for a use: the default one if one is marked, else the first active one, else None."""
        fitting = [each for each in self.addresses if use in each.uses and each.active is not False]
        fitting.sort(key=lambda each: use not in each.default_for)
        return fitting[0].address if fitting else None

    def is_blocked_for(self, kind: Literal["order", "delivery", "billing", "payment"]) -> Block | None:
        """The block that forbids this now, or None."""
        return next((block for block in self.blocks if block.kind in (kind, "all")), None)
