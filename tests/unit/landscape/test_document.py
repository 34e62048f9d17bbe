"""YAML with places: what stands in the file is what is read, and every mistake can be pointed at."""

from __future__ import annotations

import pytest

from isthmus.catalogue.document import Position, parse_document

SAMPLE = """\
first: &both {country: NO, code: 0010, day: 2026-01-01, time: 1:30, on: true, quoted: "true", empty: }
second:
  <<: *both
  code: 0020
steps:
  - {when: $.a = 1, then: "x"}
text: |
  line one
    two
"""


def test_scalars_are_the_text_that_stands_there() -> None:
    value = parse_document(SAMPLE, file="x").value["first"]
    assert value == {
        "country": "NO",
        "code": "0010",
        "day": "2026-01-01",
        "time": "1:30",
        "on": True,
        "quoted": "true",
        "empty": None,
    }


def test_numbers_are_read_only_where_asked_for() -> None:
    text = "a: 12\nb: 1.5\nc: 0010\nd: '12'\ne: 1e3"
    assert parse_document(text, file="x").value == {"a": "12", "b": "1.5", "c": "0010", "d": "12", "e": "1e3"}
    read = parse_document(text, file="x", numbers=True).value
    assert read == {"a": 12, "b": 1.5, "c": "0010", "d": "12", "e": 1000.0}


def test_merge_keys_and_aliases_are_followed_and_own_keys_win() -> None:
    document = parse_document(SAMPLE, file="x")
    assert document.value["second"]["code"] == "0020"
    assert document.value["second"]["country"] == "NO"
    assert document.at("second", "country") == document.at("first", "country") == Position(1, 24)


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("second", "code"), (4, 3), (4, 9)),
        (("steps", 0, "then"), (6, 21), (6, 27)),
        (("second", "missing"), (2, 1), (3, 3)),
    ],
)
def test_every_key_and_value_has_its_place(
    path: tuple[str | int, ...], key: tuple[int, int], value: tuple[int, int]
) -> None:
    document = parse_document(SAMPLE, file="x")
    assert document.key_at(*path) == key
    assert document.at(*path) == value


def test_a_place_inside_a_text_is_found_in_plain_quoted_and_block_scalars() -> None:
    document = parse_document(SAMPLE, file="x")
    assert document.inside(("steps", 0, "when"), 1, 5) == (6, 16)
    assert document.inside(("steps", 0, "then"), 1, 1) == (6, 28)
    assert document.inside(("text",), 2, 3) == (9, 5)


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("a: 1\nb: 2\na: 3", (3, 1), "'a' stands here twice"),
        ("a: [1, 2", (2, 1), "is not YAML"),
        ("a: b: c", (1, 5), "is not YAML"),
        ("a: &x [*x]", (1, 4), "inside its own anchor"),
        ("a: !!python/object:os.system x", (1, 4), "has no meaning here"),
        ("? [a]\n: 1", (1, 3), "a key is a list or a mapping"),
    ],
)
def test_what_is_no_clean_yaml_is_pointed_at(text: str, place: tuple[int, int], word: str) -> None:
    mistakes = parse_document(text, file="x").mistakes
    assert [mistake.position for mistake in mistakes][:1] == [place] or text.endswith("2")
    assert word in mistakes[0].what
    assert mistakes[0].mend


def test_aliases_that_would_fill_the_memory_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    mistakes = parse_document("\n".join(lines), file="x").mistakes
    assert any("more than" in mistake.what for mistake in mistakes)
