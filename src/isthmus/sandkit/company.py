"""The seed company: who buys what from whom, as plain facts that every stand-in turns into its own rows.

All invented. The same seed gives the same company in every vendor's world, so that the systems agree
where real systems would, and differ where real systems do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

#: decimals of the currencies that the seed company uses (ISO 4217)
MINOR_UNITS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "NOK": 2, "JPY": 0, "AUD": 2, "SGD": 2, "KWD": 3}
#: list prices are made in EUR and turned into other currencies at these rates, once
_RATES = {
    "EUR": Decimal(1),
    "USD": Decimal("1.10"),
    "GBP": Decimal("0.85"),
    "CHF": Decimal("0.95"),
    "NOK": Decimal("11.60"),
    "JPY": Decimal(165),
    "AUD": Decimal("1.65"),
    "SGD": Decimal("1.45"),
    "KWD": Decimal("0.340"),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A selling unit: its sales area in the ERP, its account at the payment platform, its home."""

    code: str
    name: str
    sales_organization: str
    plant: str
    company_code: str
    country: str
    currency: str
    stripe_key: str  # the secret key of its own account in the Stripe sandbox


@dataclass(frozen=True, slots=True)
class Person:
    given_name: str
    family_name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Account:
    """A customer. ``number`` is the ERP's; ``in_erp`` is False for one whom only the CRM knows yet."""

    key: str
    number: str
    name: str
    unit: str
    street: str
    postal_code: str
    city: str
    region: str
    country: str
    vat_number: str  # "" where the country has none
    currency: str
    domain: str
    people: tuple[Person, ...]
    price_group: str
    credit_limit: Decimal
    card: str  # "" (pays by transfer), "visa", or "declined"
    in_erp: bool
    order_block: bool
    tax_exempt: bool


@dataclass(frozen=True, slots=True)
class Product:
    """Something sold. Prices are net list prices; the ERP's own differ where ``erp_price_factor`` is not 1."""

    number: str
    name: str
    kind: str  # goods, service, subscription
    unit: str  # UN/ECE Rec 20
    plan: str  # "" or the support plan that comes with it: Bronze, Silver, Gold
    months: int  # service time in months, 0 for goods
    prices: dict[str, Decimal]
    erp_price_factor: Decimal
    stock: Decimal
    in_erp: bool

    def erp_price(self, currency: str) -> Decimal:
        """The ERP's own net price."""
        return rounded(self.prices[currency] * self.erp_price_factor, currency)


@dataclass(frozen=True, slots=True)
class OpportunityLine:
    product: str
    quantity: Decimal
    unit_price: Decimal
    start_date: date | None
    end_date: date | None


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A deal that waits to be won. ``number`` is the CRM's readable number of it."""

    number: str
    name: str
    account: str  # Account.key
    unit: str
    currency: str
    stage: str
    close_date: date
    purchase_order: str
    lines: tuple[OpportunityLine, ...]


@dataclass(frozen=True, slots=True)
class Company:
    """Everything at once. ``today`` is the day on which the company is looked at."""

    today: date
    units: tuple[Unit, ...]
    accounts: tuple[Account, ...]
    products: tuple[Product, ...]
    opportunities: tuple[Opportunity, ...] = field(default=())

    def account(self, key: str) -> Account:
        """The account with this key."""
        return next(a for a in self.accounts if a.key == key)

    def product(self, number: str) -> Product:
        """The product with this number."""
        return next(p for p in self.products if p.number == number)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Half up to the currency's decimals."""
    return amount.quantize(Decimal(1).scaleb(-MINOR_UNITS[currency]), ROUND_HALF_UP)


UNITS = (
    Unit("emea", "Sonnwerk Europe", "1710", "1710", "1710", "DE", "EUR", "sk_test_emea_sonnwerk"),
    Unit("apac", "Sonnwerk Asia Pacific", "3010", "3010", "3010", "JP", "JPY", "sk_test_apac_sonnwerk"),
)

# city, postal code, region (ISO 3166-2 suffix), country, currency, VAT number pattern, legal form, unit
_PLACES = (
    ("Hamburg", "20095", "HH", "DE", "EUR", "DE{:09d}", "GmbH", "emea"),
    ("Wien", "1010", "9", "AT", "EUR", "ATU{:08d}", "GmbH", "emea"),
    ("Lyon", "69002", "ARA", "FR", "EUR", "FR40{:09d}", "SARL", "emea"),
    ("Milano", "20121", "25", "IT", "EUR", "IT{:011d}", "S.p.A.", "emea"),
    ("London", "EC2A 4NE", "LND", "GB", "GBP", "GB{:09d}", "Ltd", "emea"),
    ("Zürich", "8001", "ZH", "CH", "CHF", "CHE{:09d}", "AG", "emea"),
    ("Oslo", "0150", "03", "NO", "NOK", "NO{:09d}MVA", "AS", "emea"),
    ("Boston", "02110", "MA", "US", "USD", "", "Inc.", "emea"),
    ("Osaka", "530-0001", "27", "JP", "JPY", "T{:013d}", "KK", "apac"),
    ("Sydney", "2000", "NSW", "AU", "AUD", "AU{:011d}", "Pty Ltd", "apac"),
    ("Singapore", "018956", "", "SG", "SGD", "SG{:09d}", "Pte Ltd", "apac"),
)
_FIRST = (  # noqa: SIM905 - reads better as words
    "Acme Nordlicht Kitamura Alpen Rhein Delta Helio Lumen Terra Vega Orion Baltic Aster Cobalt Ember Fjord Garnet "
    "Harbor Iris Juniper Kestrel Lagoon Meridian Nimbus Opal"
).split()
_SECOND = ("Solar", "Energy")
_STREETS = ("Hauptstraße", "Harbour Road", "Via Roma", "Rue du Port", "Storgata", "Sakura-dori", "Mill Lane")
_GIVEN = ("Anna", "Kenji", "Lucie", "Marco", "Ingrid", "Tom", "Aiko", "Priya", "Jonas", "Ruth")
_FAMILY = ("Weber", "Sato", "Moreau", "Rossi", "Hansen", "Baker", "Tanaka", "Lim", "Keller", "Okafor")
_THINGS = ("Panel", "Inverter", "Battery", "Mounting rail", "Cable set", "Smart meter", "Connector", "Optimizer")
_SERVICES = ("Installation day", "Remote commissioning", "Site survey", "Training day")
_PLANS = ("Bronze", "Silver", "Gold")


def build(seed: int | str = 1, today: date | None = None) -> Company:
    """The company of a seed: 50 accounts, 200 products, 31 open opportunities, two units."""
    rng = random.Random(f"company/{seed}")
    day = today or date(2026, 11, 23)
    products = _products(rng)
    accounts = tuple(_account(rng, n) for n in range(50))
    company = Company(day, UNITS, accounts, products)
    deals = tuple(make_opportunity(company, rng, n) for n in range(31))
    return Company(day, UNITS, accounts, products, deals)


def _account(rng: random.Random, n: int) -> Account:
    # the first accounts have fixed fates, so that a demo always meets them
    place = _PLACES[{0: 0, 1: 8, 2: 6, 3: 5, 4: 7}.get(n, n % len(_PLACES))]
    city, postal_code, region, country, currency, vat, legal_form, unit = place
    stem = f"{_FIRST[n % len(_FIRST)]} {_SECOND[n // len(_FIRST)]}"
    name = f"{stem} {legal_form}"
    domain = stem.lower().replace(" ", "-") + ".example"
    people = tuple(
        Person(given, family, f"{given.lower()}.{family.lower()}@{domain}", f"+4940555{n:03d}{i}")
        for i, (given, family) in enumerate(zip(rng.sample(_GIVEN, 2), rng.sample(_FAMILY, 2), strict=True))
    )
    return Account(
        key=f"C-{1001 + n}",
        number=f"{17100001 + n}",
        name="Blocked AG" if n == 9 else name,
        unit=unit,
        street=f"{rng.choice(_STREETS)} {rng.randint(1, 240)}",
        postal_code=postal_code,
        city=city,
        region=region,
        country=country,
        vat_number=vat.format(100000000 + n * 7919) if vat else "",
        currency=currency,
        domain=domain,
        people=people,
        price_group=("01", "02")[n % 2],
        credit_limit=rounded(Decimal(rng.choice((250_000, 500_000, 1_000_000))) * _RATES[currency], currency),
        card=("visa", "", "visa", "")[n % 4] if n != 14 else "declined",
        in_erp=n % 7 != 6,
        order_block=n == 9,
        tax_exempt=n == 11,
    )


def _products(rng: random.Random) -> tuple[Product, ...]:
    made = []
    for n in range(200):
        if n % 10 == 8:
            kind, name, plan, months = "service", f"{_SERVICES[n // 10 % 4]} {n}", "", 0
        elif n % 10 == 9:
            plan = _PLANS[n // 10 % 3]
            kind, name, months = "subscription", f"Care plan {plan} {n}", 12
        else:
            kind, name, plan, months = "goods", f"{_THINGS[n % 8]} {100 + n}", "", 0
        base = Decimal(rng.randint(900, 90_000)) / 100
        prices = {currency: rounded(base * rate, currency) for currency, rate in _RATES.items()}
        made.append(
            Product(
                number=f"{'S' if kind != 'goods' else 'X'}-{100 + n}",
                name=name,
                kind=kind,
                unit="C62" if kind != "service" else "DAY",
                plan=plan,
                months=months,
                prices=prices,
                erp_price_factor=Decimal("1.05") if n % 40 == 5 else Decimal(1),
                stock=Decimal(0) if n % 50 == 13 else Decimal(100_000),
                in_erp=n != 22,
            )
        )
    return tuple(made)


def make_opportunity(company: Company, rng: random.Random, n: int) -> Opportunity:
    """Opportunity number ``n``: an ordinary deal of one to five lines, with a fate of its own for some numbers.

    Of every 31: n=3, 13 and 26 sell a product whose ERP price differs, n=7 one the ERP does not know, n=12 one
    out of stock; n=16 goes to the blocked customer, n=19 to the tax-exempt one, n=21 to one whose card declines.
    """
    fate = n % 31
    special_account = {16: 9, 19: 11, 21: 14}.get(fate)
    account = _ordinary_account(company, n) if special_account is None else company.accounts[special_account]
    special = {3: "X-105", 7: "X-122", 12: "X-113", 13: "X-145", 26: "X-185"}.get(fate)
    ordinary = [p for p in company.products if p.in_erp and p.stock > 0 and p.erp_price_factor == 1]
    chosen = rng.sample(ordinary, rng.randint(1, 4))
    plans = [p for p in ordinary if p.kind == "subscription"]
    if not any(p.plan for p in chosen):
        chosen.append(rng.choice(plans))
    if special:
        chosen[0] = company.product(special)
    start = company.today + timedelta(days=7)
    lines = tuple(
        OpportunityLine(
            product=p.number,
            quantity=Decimal(rng.randint(1, 40)),
            unit_price=p.prices[account.currency],
            start_date=start if p.months else None,
            end_date=date(start.year + p.months // 12, start.month, start.day) - timedelta(days=1)
            if p.months
            else None,
        )
        for p in chosen
    )
    return Opportunity(
        number=f"OPP-{1001 + n}",
        name=f"{rng.choice(('Rooftop', 'Warehouse', 'Carport', 'Farm', 'School'))} array {n + 1}",
        account=account.key,
        unit=account.unit,
        currency=account.currency,
        stage="Negotiation/Review",
        close_date=company.today,
        purchase_order=f"PO-{rng.randint(10_000, 99_999)}",
        lines=lines,
    )


def _ordinary_account(company: Company, n: int) -> Account:
    ordinary = [a for a in company.accounts if not a.order_block and not a.tax_exempt and a.card != "declined"]
    return ordinary[n % len(ordinary)]
