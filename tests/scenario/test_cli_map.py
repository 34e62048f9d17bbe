"""``isthmus map test``: what goes in, what comes out, how it differs, and whether it is what the mapping says it writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.test_cli import isthmus, said
from tests.support.whole import SAMPLE
from typer.testing import Result

from isthmus.catalogue.registry import connectors

ORDER = "order.outbound.jsonata"
SAP = connectors()["sap_s4hana"]


def context_of(case: str) -> Any:
    """What goes into one of the connector's examples."""
    return json.loads((SAP.path / f"golden/{case}.json").read_text())["context"]


@pytest.fixture
def landscape(tmp_path: Path) -> Path:
    """The sample landscape; its SAP mappings are the connector's until a test writes others."""
    shutil.copytree(SAMPLE, tmp_path / "acme")
    (tmp_path / "acme/mappings/sap").mkdir(parents=True)
    return tmp_path / "acme"


def override(landscape: Path, file: str, old: str, new: str) -> None:
    """The landscape's own mapping: the connector's with one thing changed."""
    text = SAP.mapping_text(file)
    assert old in text
    (landscape / "mappings/sap" / file).write_text(text.replace(old, new))


def tried(landscape: Path, file: str, given: Any, *how: str) -> Result:
    """Try a mapping of the landscape on an object."""
    path = landscape / "given.json"
    path.write_text(json.dumps(given))
    return isthmus("map", "test", "sap", file, "--landscape", str(landscape), "--input", str(path), *how)


def outcome(landscape: Path, file: str, given: Any) -> tuple[int, Any]:
    """Exit code, and what is said with --json."""
    result = tried(landscape, file, given, "--json")
    assert result.stdout, repr(result.exception)
    return result.exit_code, json.loads(result.stdout)[0]


@pytest.mark.parametrize("connector", ["salesforce", "sap_s4hana", "stripe", "zendesk"])
def test_every_example_comes_out_as_expected_and_is_what_the_mapping_writes(connector: str) -> None:
    found = said("map", "test", connector)
    assert found
    assert all(one["differs"] == [] for one in found)
    assert [one["case"] for one in found if one["problems"]] in ([], ["quote.without_account_and_lines"])
    held = {one["contract"] for one in found if one["mapping"].endswith((".inbound.jsonata", ".outbound.jsonata"))}
    assert held and None not in held, "every mapping that is no question is held against a contract"


def test_input_output_and_the_difference_are_shown(tmp_path: Path) -> None:
    case = said("map", "test", "salesforce", "customer.inbound.jsonata")[0]
    context, wanted = tmp_path / "context.json", tmp_path / "wanted.json"
    context.write_text(json.dumps(case["input"]))
    wanted.write_text(json.dumps({**case["output"], "added": "x"}))
    arguments = ["map", "test", "salesforce", case["mapping"], "--input", str(context), "--expect", str(wanted)]
    result = isthmus(*arguments, "--json")
    assert result.exit_code == 1
    one = json.loads(result.stdout)[0]
    assert one["differs"] == [{"path": "added", "expected": "x", "got": None}]
    assert one["output"] == case["output"]
    shown = isthmus(*arguments).stdout
    assert 'expected "x"' in shown
    assert "1 is wrong" in shown
    assert "  a valid customer" in shown


def test_an_inbound_result_is_held_against_the_canonical_model(landscape: Path) -> None:
    override(landscape, "invoice.inbound.jsonata", '"tax_inclusive_amount": $gross', '"tax_inclusive_amount": $net')
    code, one = outcome(landscape, "invoice.inbound.jsonata", context_of("invoice"))
    assert code == 1
    problem = one["problems"][0]
    assert problem["field"] == "totals.tax_inclusive_amount"
    assert problem["expected"] and problem["value"] and problem["mend"]
    shown = tried(landscape, "invoice.inbound.jsonata", context_of("invoice")).stdout
    assert "no valid invoice" in shown
    assert "totals.tax_inclusive_amount must be" in shown


def test_an_object_alone_is_read_as_the_landscape_would(landscape: Path) -> None:
    code, one = outcome(landscape, "invoice.inbound.jsonata", context_of("invoice")["body"])
    assert (code, one["problems"]) == (0, [])
    assert one["output"]["seller"]["name"] == "Sonnwerk Europe GmbH", "the unit is the landscape's"


@pytest.mark.parametrize(
    ("old", "new", "field", "said_of_it", "mend"),
    [
        ("$substring(name, 0, 40)", "name", "to_Item[0].SalesOrderItemText", "at most 40 characters (it has 60)", "$substring"),
        ('"SalesOrderItemText": $substring(name, 0, 40)', '"SalesOrderItemText": quantity', "to_Item[0].SalesOrderItemText",
         "must be text (it is dict of 2)", "change the mapping"),
        ('"CompleteDeliveryIsDefined": input.complete_delivery ? true', '"CompleteDeliveryIsDefined": "perhaps"',
         "CompleteDeliveryIsDefined", "must be true or false (it is perhaps)", "change the mapping"),
        ('"RequestedQuantity": quantity.value', '"RequestedQuantity": "three"', "to_Item[0].RequestedQuantity",
         "must be a decimal number, best as text (it is three)", "change the mapping"),
    ],
    ids=["too long", "of the wrong kind", "no truth", "no number"],
)  # fmt: skip
def test_an_outbound_result_is_held_against_the_vendors_schema(
    landscape: Path, old: str, new: str, field: str, said_of_it: str, mend: str
) -> None:
    override(landscape, ORDER, old, new)
    given = context_of("order")
    given["input"]["lines"][0]["name"] = "Panel" * 12
    code, one = outcome(landscape, ORDER, given)
    assert code == 1
    problem = next(problem for problem in one["problems"] if problem["field"] == field)
    assert said_of_it in problem["detail"]
    assert problem["mend"].startswith(mend)


def test_what_is_written_under_a_name_that_is_made_up_on_the_way_is_seen_too(landscape: Path) -> None:
    """A static look at the file cannot know such a name."""
    override(landscape, ORDER, '"SoldToParty": ids.customer,', '"SoldTo" & "Partie": ids.customer,')
    code, one = outcome(landscape, ORDER, context_of("order"))
    assert code == 1
    (problem,) = one["problems"]
    assert (problem["field"], problem["expected"]) == ("SoldToPartie", "a field that A_SalesOrder has")
    assert "SoldToParty" in problem["mend"]


def test_a_companys_own_field_is_no_breach(landscape: Path) -> None:
    file = landscape / "isthmus.yaml"
    file.write_text(file.read_text() + "\nfields:\n  order.extensions.promo_code: {sap: YY1_PromoCode_SDH}\n")
    given = context_of("order")
    given["input"]["extensions"] = {"promo_code": "SUMMER-26"}
    code, one = outcome(landscape, ORDER, given)
    assert (code, one["problems"]) == (0, [])
    assert one["output"]["YY1_PromoCode_SDH"] == "SUMMER-26"


def test_an_unknown_name_is_told_with_what_there_is() -> None:
    assert "did you mean" in str(isthmus("map", "test", "salesforc").exception)
    assert "name it" in str(isthmus("map", "test", "stripe", "--input", "x.json").exception)
