"""The seed company as Stripe holds it: an account for each selling unit, with about half of the unit's customers."""

from __future__ import annotations

from typing import Any

from isthmus.sandkit.company import Account as CompanyAccount
from isthmus.sandkit.company import Company, Unit
from isthmus.sandkit.world import World

from .account import Account
from .customers import create
from .door import Door
from .operation import Ask
from .tax_rule import EUROPEAN_UNION

#: how long ago the seed's customers came: longer than events are kept
_SINCE_S = 200 * 24 * 3600
_TAX_ID_TYPES = {"GB": "gb_vat", "CH": "ch_vat", "NO": "no_vat", "JP": "jp_trn", "AU": "au_abn", "SG": "sg_gst"}
_LOCALES = {"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "IT": "it", "NO": "nb", "JP": "ja"}
#: a card that can be saved and then declines, as real ones do
_CARDS = {"visa": "pm_card_visa", "declined": "pm_card_chargeCustomerFail"}


def seed(world: World, door: Door, company: Company) -> None:
    """Fill an empty world."""
    for unit in company.units:
        account = _open(world, door, unit)
        account.now -= _SINCE_S
        for customer in _known(company, unit):
            create(account, _ask(customer))


def _open(world: World, door: Door, unit: Unit) -> Account:
    row = {
        "id": f"acct_1{unit.code.capitalize()}Sonnwerk",
        "unit": unit.code,
        "name": unit.name,
        "country": unit.country,
        "currency": unit.currency.lower(),
    }
    world.insert("account", row)
    world.insert("api_key", {"key": unit.stripe_key, "account": row["id"]})
    return door.open(row)


def _known(company: Company, unit: Unit) -> list[CompanyAccount]:
    """Every other customer of the unit that the ERP knows too, and those whose card declines."""
    of_unit = [account for account in company.accounts if account.unit == unit.code]
    return [one for at, one in enumerate(of_unit) if one.in_erp and (at % 2 == 0 or one.card == "declined")]


def _ask(customer: CompanyAccount) -> Ask:
    person = customer.people[0]
    address = {
        "line1": customer.street,
        "postal_code": customer.postal_code,
        "city": customer.city,
        "state": customer.region or None,
        "country": customer.country,
    }
    given: dict[str, Any] = {
        "name": customer.name,
        "email": person.email,
        "phone": person.phone,
        "description": f"{customer.name}, {customer.city}",
        "address": address,
        "shipping": {"name": customer.name, "address": address},
        "preferred_locales": [_LOCALES.get(customer.country, "en")],
        "tax_exempt": "exempt" if customer.tax_exempt else "none",
        "metadata": {"erp_customer": customer.number, "account_key": customer.key},
    }
    if customer.vat_number:
        kind = "eu_vat" if customer.country in EUROPEAN_UNION else _TAX_ID_TYPES[customer.country]
        given["tax_id_data"] = [{"type": kind, "value": customer.vat_number}]
    if customer.card:
        method = _CARDS[customer.card]
        given |= {"payment_method": method, "invoice_settings": {"default_payment_method": method}}
    return Ask({}, given)
