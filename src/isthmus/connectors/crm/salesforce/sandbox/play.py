"""What salespeople and administrators do in this organization: the verbs of ``isthmus sandbox play salesforce``."""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox import seeding
from isthmus.connectors.crm.salesforce.sandbox.desk import KINDS, found, given, the_row
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.metadata import ObjectType
from isthmus.connectors.crm.salesforce.sandbox.org import Org
from isthmus.connectors.crm.salesforce.sandbox.outbound import Outbound
from isthmus.connectors.crm.salesforce.sandbox.values import instant_text
from isthmus.sandkit.company import Company, Opportunity, OpportunityLine, build, make_opportunity
from isthmus.sandkit.standin import Verb
from isthmus.sandkit.world import Row, quoted

Arguments = Mapping[str, Any]
_RANGE = re.compile(r"([A-Z]+-)(\d+)\.\.(?:[A-Z]+-)?(\d+)")


class Play:
    """The verbs. Everybody here acts as the seeded salesperson."""

    def __init__(self, org: Org, outbound: Outbound) -> None:
        self._org, self._outbound = org, outbound
        self.company: Company | None = None

    def verbs(self) -> Mapping[str, Verb]:
        """Name → what it does and what it takes."""
        table: dict[str, tuple[str, tuple[str, ...], Callable[[Arguments], Mapping[str, Any]]]] = {
            "win": ("close an opportunity as won", ("opportunity",), self._win),
            "win_many": (
                "close opportunities as won: OPP-1001..OPP-1025 or a list with commas",
                ("opportunities",),
                self._win_many,
            ),
            "lose": ("close an opportunity as lost", ("opportunity",), self._lose),
            "reopen": ("put a closed opportunity back into negotiation", ("opportunity",), self._reopen),
            "create_opportunity": (
                "make opportunity number n (seed=…), or one of account=, product=, quantity=, unit_price=, name=, stage=",
                ("n", "seed", "account", "product", "quantity", "unit_price", "name", "stage", "number"),
                self._create_opportunity,
            ),
            "create_opportunities": (
                "make count opportunities of the company's endless row, from number first on",
                ("first", "count", "seed"),
                self._create_opportunities,
            ),
            "create": ("make a row of any object", ("object", "FIELD=value"), self._create),
            "edit": (
                "change fields of a row; visible_late_s=600 makes the change look 600 s old (a long transaction)",
                ("object", "key", "FIELD=value", "visible_late_s"),
                self._edit,
            ),
            "delete": ("put a row into the recycle bin", ("object", "key"), self._delete),
            "merge": ("merge the second account or contact into the first", ("object", "master", "loser"), self._merge),
        }
        return {name: Verb(summary, names, self._acting(act)) for name, (summary, names, act) in table.items()}

    def _acting(self, act: Callable[[Arguments], Mapping[str, Any]]) -> Callable[[Arguments], Mapping[str, Any]]:
        def run(arguments: Arguments) -> Mapping[str, Any]:
            self._org.rows.user = seeding.user_id(self._org, seeding.SALES)
            try:
                with self._org.conditions.undone_on_error():
                    done = act(arguments)
            except VendorError as error:
                raise ValueError(f"{error.code}: {error.message}") from None
            except KeyError as error:
                raise ValueError(f"the argument {error} is missing") from None
            return {**done, "outbound_messages": self._outbound.send()}

        return run

    def _win(self, arguments: Arguments) -> Mapping[str, Any]:
        return self._set_stage(arguments["opportunity"], "Closed Won")

    def _lose(self, arguments: Arguments) -> Mapping[str, Any]:
        return self._set_stage(arguments["opportunity"], "Closed Lost")

    def _reopen(self, arguments: Arguments) -> Mapping[str, Any]:
        return self._set_stage(arguments["opportunity"], "Negotiation/Review")

    def _win_many(self, arguments: Arguments) -> Mapping[str, Any]:
        numbers = _listed(arguments["opportunities"])
        for number in numbers:
            self._set_stage(number, "Closed Won")
        return {"won": numbers}

    def _set_stage(self, key: str, stage: str) -> Mapping[str, Any]:
        row = the_row(self._org, "opportunity", key)
        self._org.rows.update(self._org.rows.kind("Opportunity"), row["Id"], {"StageName": stage})
        return {"id": row["Id"], "number": row["Opportunity_Number__c"], "stage": stage, "amount": row["Amount"]}

    def _create_opportunity(self, arguments: Arguments) -> Mapping[str, Any]:
        wanted = self._numbered(arguments) if arguments.get("n") else self._described(arguments)
        known = found(self._org, "opportunity", wanted.number)
        if known:
            raise ValueError(f"there is an opportunity {wanted.number} already")
        made = seeding.make_opportunity(self._org, wanted)
        row = self._org.rows.get(self._org.rows.kind("Opportunity"), made)
        return {"id": made, "number": wanted.number, "stage": row["StageName"], "amount": row["Amount"]}

    def _create_opportunities(self, arguments: Arguments) -> Mapping[str, Any]:
        first, count = int(arguments["first"]), int(arguments["count"])
        made = [self._create_opportunity({**arguments, "n": n})["number"] for n in range(first, first + count)]
        return {"numbers": made}

    def _numbered(self, arguments: Arguments) -> Opportunity:
        """The n-th opportunity of the company's endless row, the same for the same seed."""
        n, seed = int(arguments["n"]), arguments.get("seed", "1")
        return make_opportunity(self._company(seed), random.Random(f"opportunity/{seed}/{n}"), n)

    def _described(self, arguments: Arguments) -> Opportunity:
        account = the_row(self._org, "customer", arguments["account"])
        product = the_row(self._org, "product", arguments["product"])
        currency, today = account["CurrencyIsoCode"], self._org.today()
        price = arguments.get("unit_price") or self._org.world.value(
            'SELECT "UnitPrice" FROM "PricebookEntry" WHERE "Product2Id" = ? AND "CurrencyIsoCode" = ? '
            'AND "IsDeleted" = 0',
            (product["Id"], currency),
        )
        if price is None:
            raise ValueError(f"product {product['ProductCode']} has no price in {currency}; give unit_price")
        quantity = Decimal(str(arguments.get("quantity", "1")))
        service = product["Family"] == "Subscription"
        start = today + timedelta(days=7) if service else None
        end = start + timedelta(days=364) if start else None
        line = OpportunityLine(product["ProductCode"], quantity, Decimal(str(price)), start, end)
        return Opportunity(
            number=arguments.get("number") or f"OPP-{self._org.world.next_number('opportunity/own', 90001)}",
            name=arguments.get("name") or f"Deal with {account['Name']}",
            account=account["External_Id__c"],
            unit=account["Business_Unit__c"] or "emea",
            currency=currency,
            stage=arguments.get("stage") or "Negotiation/Review",
            close_date=today,
            purchase_order=arguments.get("purchase_order") or "",
            lines=(line,),
        )

    def _company(self, seed: str) -> Company:
        if self.company is None:
            self.company = build(seed, self._org.today())
        return self.company

    def _create(self, arguments: Arguments) -> Mapping[str, Any]:
        kind = self._kind(arguments["object"])
        values = {name: value for name, value in arguments.items() if name != "object"}
        return {"id": self._org.rows.create(kind, given(values))}

    def _edit(self, arguments: Arguments) -> Mapping[str, Any]:
        kind, row = self._row(arguments["object"], arguments["key"])
        values = {n: v for n, v in arguments.items() if n not in ("object", "key", "visible_late_s")}
        self._org.rows.update(kind, row["Id"], given(values))
        if late := arguments.get("visible_late_s"):
            stamp = instant_text(self._org.clock.now() - timedelta(seconds=float(late)))
            self._org.world.update(kind.name, {"SystemModstamp": stamp, "LastModifiedDate": stamp}, {"Id": row["Id"]})
        after = self._org.rows.get(kind, row["Id"])
        return {"id": row["Id"], "stamp": after["SystemModstamp"]}

    def _delete(self, arguments: Arguments) -> Mapping[str, Any]:
        kind, row = self._row(arguments["object"], arguments["key"])
        self._org.rows.delete(kind, row["Id"])
        return {"id": row["Id"], "deleted": True}

    def _merge(self, arguments: Arguments) -> Mapping[str, Any]:
        """The loser's dependants move to the master; the loser goes to the bin with MasterRecordId set."""
        kind, master = self._row(arguments.get("object", "customer"), arguments["master"])
        _, loser = self._row(arguments.get("object", "customer"), arguments["loser"])
        if kind.name not in ("Account", "Contact") or master["Id"] == loser["Id"]:
            raise ValueError("two different accounts or contacts can be merged, nothing else")
        moved = 0
        for object_name, field in kind.dependants:
            child = self._org.rows.kind(object_name)
            for row_id in self._org.rows.ids_by(child, field, loser["Id"]):
                self._org.rows.touch(object_name, row_id, **{field.name: master["Id"]})
                moved += 1
        self._org.rows.delete(kind, loser["Id"])
        self._org.world.update(kind.name, {"MasterRecordId": master["Id"]}, {"Id": loser["Id"]})
        self._org.rows.touch(kind.name, master["Id"])
        return {"id": master["Id"], "loser": loser["Id"], "moved": moved}

    def _row(self, name: str, key: str) -> tuple[ObjectType, Row]:
        """A row by what people call its kind (customer) or by its object (Account), and by key or id."""
        by_object = {object_name.lower(): kind for kind, (object_name, _) in KINDS.items()}
        kind = name if name in KINDS else by_object.get(name.lower(), "")
        if kind:
            return self._org.rows.kind(KINDS[kind][0]), the_row(self._org, kind, key)
        object_type = self._kind(name)
        row = self._org.world.row(f'SELECT * FROM {quoted(object_type.name)} WHERE "Id" = ?', (key,))
        if row is None:
            raise ValueError(f"there is no {object_type.name} with the id {key!r}")
        return object_type, row

    def _kind(self, name: str) -> ObjectType:
        kind = self._org.catalogue.object(KINDS[name][0] if name in KINDS else name)
        if kind is None:
            raise ValueError(f"there is no object {name!r}")
        return kind


def _listed(text: str | list[str]) -> list[str]:
    """``OPP-1001..OPP-1003,OPP-1007`` as single numbers."""
    numbers: list[str] = []
    for part in text if isinstance(text, list) else text.split(","):
        if match := _RANGE.fullmatch(part.strip()):
            numbers += [f"{match[1]}{n}" for n in range(int(match[2]), int(match[3]) + 1)]
        elif part.strip():
            numbers.append(part.strip())
    return numbers
