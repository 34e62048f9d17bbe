"""The code lists that canonical objects are checked against: dated, shipped, closed.

The lists stand in ``codes.json`` with their dates. Currencies and minor units are ISO 4217 as published on
2026-01-01; countries ISO 3166-1; units UN/ECE Recommendation 20 (and 21 for packages, with X) as far as companies
use them; payment means, allowance and charge reasons, exemption reasons and identifier schemes are the lists that
EN 16931 names (UNCL 4461, 5189, 7161, VATEX, ISO 6523).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from importlib.resources import files
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

LISTS: dict[str, Any] = json.loads(files(__package__).joinpath("codes.json").read_text("utf-8"))

#: decimals of every currency that has them; metals, funds and test codes have none and are refused
MINOR_UNITS: dict[str, int] = {
    code: int(decimals) for decimals, codes in LISTS["currency"]["minor_units"].items() for code in codes
}
#: the smallest amount of a currency: EUR 0.01, JPY 1, KWD 0.001
MINOR_UNIT: dict[str, Decimal] = {code: Decimal(1).scaleb(-decimals) for code, decimals in MINOR_UNITS.items()}
#: Rec 20 code to its name in English
UNITS: dict[str, str] = LISTS["unit"]["codes"]
#: reasons of allowances (UNCL 5189) and of charges (UNCL 7161)
ALLOWANCE_REASONS: frozenset[str] = frozenset(LISTS["allowance_reason"]["codes"])
CHARGE_REASONS: frozenset[str] = frozenset(LISTS["charge_reason"]["codes"])
#: countries whose VAT numbers begin with their own code (BR-CO-09): the EU; Greece writes EL
VAT_PREFIXES: dict[str, str] = {
    **{
        code: code
        for code in [
            "AT",
            "BE",
            "BG",
            "CY",
            "CZ",
            "DE",
            "DK",
            "EE",
            "ES",
            "FI",
            "FR",
            "HR",
            "HU",
            "IE",
            "IT",
            "LT",
            "LU",
            "LV",
            "MT",
            "NL",
            "PL",
            "PT",
            "RO",
            "SE",
            "SI",
            "SK",
        ]
    },
    "GR": "EL",
}


class CodeList:
    """Annotation: the text is a code of the named list, exactly as written there (so in upper case)."""

    def __init__(self, word: str, codes: Iterable[str] | None = None, also: Iterable[str] = ()) -> None:
        listed = LISTS[word]
        self.name = "".join(part.capitalize() for part in word.split("_")) + "Code"
        self.title = f"{listed['name']} of {listed['date']}"
        self.codes = [*(listed["codes"] if codes is None else codes), *also]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        expected = f"a code of {self.title}"
        return core_schema.custom_error_schema(
            core_schema.literal_schema(self.codes),
            custom_error_type="unknown_code",
            custom_error_message="Input should be {expected}",
            custom_error_context={"expected": expected},
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "enum": sorted(self.codes), "title": self.name, "$comment": self.title}


Currency: TypeAlias = Annotated[str, CodeList("currency", MINOR_UNITS)]
Country: TypeAlias = Annotated[str, CodeList("country")]
UnitCode: TypeAlias = Annotated[str, CodeList("unit")]
PaymentMeansCode: TypeAlias = Annotated[str, CodeList("payment_means")]
ExemptionCode: TypeAlias = Annotated[str, CodeList("exemption")]
IdentifierScheme: TypeAlias = Annotated[str, CodeList("identifier_scheme", also=["registration"])]
