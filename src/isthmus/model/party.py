"""Who: addresses, contacts, tax registrations, the party as printed on a document, the selling unit."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from isthmus.model.codes import VAT_PREFIXES, Country, Currency
from isthmus.model.money import Value
from isthmus.model.scalars import Code, Instant, Language, Name, SetOf
from isthmus.model.values import Identifier, Link, refuse


class Address(Value):
    """A postal address (UBL StreetName … Country; BT-35 to BT-40, BT-50 to BT-55, BT-75 to BT-80)."""

    lines: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4)]
    """Street with number first."""
    city: Name | None = None
    postal_code: Code | None = None
    region: Name | None = None
    """ISO 3166-2 suffix without the country (``BY``), else text."""
    country: Country
    name: Name | None = None
    """To whom."""
    attention: Name | None = None
    tax_jurisdiction: Code | None = None
    """The tax engine's own key, opaque."""


def _number(phone: str) -> str:
    """E.164 where the text begins with + or 00 and holds 7 to 15 digits, else as it stands."""
    digits = re.sub(r"[\s().\-/]", "", phone)
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    return digits if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) else phone


Phone: TypeAlias = Annotated[Name, AfterValidator(_number)]


class Contact(Value):
    """A person at a party (UBL Contact)."""

    id: Code | None = None
    name: Name
    given_name: Name | None = None
    family_name: Name | None = None
    email: Name | None = None
    phone: Phone | None = None
    """E.164 if it parses, else as it came."""
    mobile: Phone | None = None
    job_title: Name | None = None
    department: Name | None = None
    language: Language | None = None
    purposes: SetOf[Literal["orders", "billing", "delivery", "support", "decision"]] = ()
    primary: bool | None = None
    active: bool | None = None


class TaxRegistration(Value):
    """A tax number (UBL PartyTaxScheme; BT-31, BT-48), written without blanks, dots and dashes, in upper case.

    The VAT number of an EU country begins with the country's code, in Greece with EL (BR-CO-09).
    """

    scheme: Literal["VAT", "GST", "SALES_TAX", "EIN", "other"]
    number: Annotated[Code, AfterValidator(lambda number: re.sub(r"[\s.\-]", "", number).upper())]
    country: Country
    region: Name | None = None
    valid: Literal["unchecked", "valid", "invalid"] = "unchecked"
    checked_at: Instant | None = None

    @model_validator(mode="after")
    def _prefixed(self) -> TaxRegistration:
        prefix = VAT_PREFIXES.get(self.country) if self.scheme == "VAT" else None
        if prefix is not None and not self.number.startswith(prefix):
            expected = f"a VAT number of {self.country} that begins with {prefix}"
            refuse("TaxRegistration", "number", self.number, expected, "put the country's prefix before the number")
        return self


class PartySnapshot(Value):
    """The party as printed on a document, frozen with it (UBL Party)."""

    customer: Link | None = None
    supplier: Link | None = None
    name: Name
    address: Address | None = None
    tax_registrations: tuple[TaxRegistration, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    """Registers and the like: what BR-CO-26 takes instead of a tax number."""
    contact: Contact | None = None
    language: Language | None = None


class Partners(Value):
    """The customer's side of a document. Missing ``ship_to`` and ``bill_to`` are the same as ``sold_to``, a missing
    ``payer`` the same as ``bill_to``; ask ``shipped_to``, ``billed_to`` and ``paid_by`` for the party that counts."""

    sold_to: PartySnapshot
    ship_to: PartySnapshot | None = None
    bill_to: PartySnapshot | None = None
    payer: PartySnapshot | None = None

    @property
    def shipped_to(self) -> PartySnapshot:
        """Who receives the goods."""
        return self.ship_to or self.sold_to

    @property
    def billed_to(self) -> PartySnapshot:
        """Who receives the invoice."""
        return self.bill_to or self.sold_to

    @property
    def paid_by(self) -> PartySnapshot:
        """Who pays it."""
        return self.payer or self.billed_to


class InvoicePartners(Value):
    """The customer's side of an invoice: ``bill_to`` is certain, the others may be the same."""

    bill_to: PartySnapshot
    sold_to: PartySnapshot | None = None
    ship_to: PartySnapshot | None = None
    payer: PartySnapshot | None = None

    @property
    def billed_to(self) -> PartySnapshot:
        """Who receives the invoice."""
        return self.bill_to

    @property
    def paid_by(self) -> PartySnapshot:
        """Who pays it."""
        return self.payer or self.bill_to


class BusinessUnit(Value):
    """A selling legal entity or sales area. Read from the landscape, never synchronised, hence without a header."""

    object_word: ClassVar[str] = "business_unit"

    code: Code
    name: Name
    legal_name: Name
    address: Address
    tax_registrations: tuple[TaxRegistration, ...] = ()
    currency: Currency
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")]
    """IANA: ``Europe/Berlin``. Business days are days there."""
    language: Language
    fiscal_calendar: Literal["month", "4-4-5", "13"] | None = None
    parent: Code | None = None
    """Code of the unit above."""

    @model_validator(mode="after")
    def _zone_exists(self) -> BusinessUnit:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            refuse("BusinessUnit", "time_zone", self.time_zone, "an IANA time zone such as Europe/Berlin")
        return self
