"""What went wrong, in words: RFC 9457 problems, and errors named by what to do next.

A problem names the field, its value, what was expected and how to mend it. An error's class is a verdict: rejected
(a person must decide), try again (later, unchanged), reauthenticate (sign in, then again).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

PROBLEMS_AT = "https://isthmus.dev/problems/"
MEDIA_TYPE = "application/problem+json"
_SHOWN = 200
#: the remedy for whoever writes mappings; a caller of the API just gives the value
MAP_IT = "map it, or give it a fixed value"


class Problem(BaseModel):
    """One problem as RFC 9457 has it. ``field``, ``value``, ``expected`` and ``mend`` are our extension members;
    others may be added by name."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    type: str = "about:blank"
    title: str
    status: int = 500
    detail: str | None = None
    instance: str | None = None
    field: str | None = None
    """Where: ``lines[0].quantity``."""
    value: str | None = None
    """What stood there, as text, at most 200 characters."""
    expected: str | None = None
    mend: str | None = None
    problems: tuple[Problem, ...] = ()
    """The single problems, where this one sums up several."""

    def sentence(self) -> str:
        """The problem as one sentence: where and what, and the remedy."""
        said = f"{self.title}: {self.detail}" if self.detail and self.field is None else self.detail or self.title
        return f"{said}; {self.mend}" if self.mend else said

    def to_json(self) -> dict[str, Any]:
        """The body of an ``application/problem+json`` answer: absent members left out."""
        found = self.model_dump(mode="json", exclude_none=True, exclude={"problems"})
        if self.problems:
            found["problems"] = [each.to_json() for each in self.problems]
        return found


class IsthmusError(Exception):
    """Whatever Isthmus says it cannot do. ``problem`` says why; its text is the problem's sentence."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.sentence())
        self.problem = problem


class Rejected(IsthmusError):
    """Said no, and would say no again: a person or another input is needed."""


class TryAgain(IsthmusError):
    """Not now: the same request may go out again, after ``after_s`` seconds if that is known."""

    def __init__(self, problem: Problem, after_s: float | None = None) -> None:
        super().__init__(problem)
        self.after_s = after_s


class Reauthenticate(IsthmusError):
    """The sign-in is not valid any more: sign in, then send the same request again."""


class InvalidObject(Rejected):
    """Something is no canonical object. ``problem.problems`` has one problem a field."""

    def __init__(self, error: ValidationError, word: str = "") -> None:
        found = problems_of(error)
        what = word or error.title
        if len(found) == 1:
            summary = found[0]
        else:
            summary = Problem(
                type=PROBLEMS_AT + "invalid-object",
                title=f"This is no valid {what}: {len(found)} fields are wrong",
                status=422,
                detail="\n".join(each.sentence() for each in found),
            )
        super().__init__(summary.model_copy(update={"problems": tuple(found)}))
        self.problems = tuple(found)

    def __str__(self) -> str:
        return "\n".join(each.sentence() for each in self.problems)


def problems_of(error: ValidationError) -> list[Problem]:
    """One problem for each thing that Pydantic found, in our words.

    Pydantic also counts a list with a wrong item as too short; that is no news beside the item.
    """
    return problems_in(error.errors(include_url=False))


def problems_in(found: Sequence[ErrorDetails]) -> list[Problem]:
    """The same of the details that Pydantic gives of an error."""
    inside = {each["loc"][:depth] for each in found for depth in range(len(each["loc"]))}
    return [_problem(each) for each in found if each["type"] != "too_short" or each["loc"] not in inside]


def field_path(location: Sequence[str | int]) -> str:
    """``('lines', 0, 'quantity')`` as ``lines[0].quantity``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _problem(found: ErrorDetails) -> Problem:
    field = field_path(found["loc"])
    context = found.get("ctx") or {}
    mend: str | None = context.get("mend")
    value = None if found["input"] is None else _shown(found["input"])
    if found["type"] == "missing":
        expected, verdict, value = "a value", "is missing", None
        mend = mend or MAP_IT
    elif found["type"] == "extra_forbidden":
        expected, verdict = "no such field", "is no field of the model"
        mend = mend or "correct its name, or declare it under extensions"
    else:
        said = found["msg"].removeprefix("Input should be ")
        expected = str(context.get("expected") or said)
        _, _, rule = expected.partition(" should ")
        verdict = f"must {rule}" if rule and not context.get("expected") else f"must be {expected}"
    shown = f" (it is {value})" if value is not None and found["type"] != "extra_forbidden" else ""
    return Problem(
        type=PROBLEMS_AT + "invalid-field",
        title=f"{_spoken(found['loc'])} {verdict}",
        detail=f"{field} {verdict}{shown}" if field else None,
        status=422,
        field=field or None,
        value=value,
        expected=expected,
        mend=mend,
    )


def _spoken(location: Sequence[str | int]) -> str:
    """The last name on the path, as people say it: ``Line extension amount``; the value of a quantity is the quantity."""
    names = [part for part in location if isinstance(part, str)]
    if len(names) > 1 and names[-1] == "value":
        names.pop()
    return names[-1].replace("_", " ").capitalize() if names else "The whole"


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple | BaseModel):
        return f"{type(value).__name__} of {len(value)}" if not isinstance(value, BaseModel) else type(value).__name__
    text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


class Findings:
    """Collects what an object's own rules find, so that all of it is told at once, each with its field."""

    __slots__ = ("_found", "_title")

    def __init__(self, title: str) -> None:
        self._title = title
        self._found: list[InitErrorDetails] = []

    def add(self, *field: str | int, value: object, expected: str, mend: str = "", rule: str = "rule") -> None:
        """``field`` is the path from this object down; ``rule`` the number of the invariant (``L2``)."""
        context = {"expected": expected, "mend": mend} if mend else {"expected": expected}
        error = PydanticCustomError(rule, "Input should be {expected}", context)
        self._found.append(InitErrorDetails(type=error, loc=field, input=value))

    def need(self, given: object, *field: str | int, when: str) -> None:
        """``given`` may not be missing ``when`` something is the case."""
        if given is None or given == () or given == "":
            self.add(*field, value=given, expected=f"given when {when}", rule="required")

    def __bool__(self) -> bool:
        return bool(self._found)

    def error(self) -> ValidationError:
        """All of it as one ValidationError; Pydantic prefixes each path with where this object stands."""
        return ValidationError.from_exception_data(self._title, self._found)

    def check(self) -> None:
        """Raise what was found, if anything was."""
        if self._found:
            raise self.error()
