"""A mistake in a landscape: where it stands, what is wrong, what was expected, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from isthmus.catalogue.document import Position

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. ``line`` and ``column`` count from 1; ``file`` is relative to the landscape's folder."""

    file: str
    line: int
    column: int
    what: str
    expected: str = ""
    mend: str = ""
    level: Level = "error"

    @property
    def place(self) -> str:
        """``file:line:column``, as editors and terminals follow it."""
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def remedy(self) -> str:
        """What was expected and how to mend it, in one line; empty where neither is known."""
        return "; ".join(part for part in (self.expected, self.mend) if part)

    def __str__(self) -> str:
        mark = "warning: " if self.level == "warning" else ""
        first = f"{self.place}  {mark}{self.what}"
        return f"{first}\n{' ' * (len(self.place) + 2)}{self.remedy}" if self.remedy else first


class LandscapeProblems(Exception):
    """The landscape does not hold together; ``findings`` says where. Nothing was started."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class Findings(list[Finding]):
    """Collects findings, each once."""

    def error(self, file: str, at: Position, what: str, *, expected: str = "", mend: str = "") -> None:
        """Add a mistake that keeps the landscape from starting."""
        self._add(Finding(file, at.line, at.column, what, expected, mend))

    def warning(self, file: str, at: Position, what: str, *, expected: str = "", mend: str = "") -> None:
        """Add something that is allowed and probably not meant."""
        self._add(Finding(file, at.line, at.column, what, expected, mend, "warning"))

    def _add(self, finding: Finding) -> None:
        if finding not in self:
            self.append(finding)

    def errors(self) -> list[Finding]:
        """Those that keep the landscape from starting."""
        return [finding for finding in self if finding.level == "error"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "x"?`` where something close is known, else what there is (at most ten)."""
    known = sorted(known)
    close = get_close_matches(word, known, 1, 0.6) or get_close_matches(word.lower(), known, 1, 0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    if not known:
        return "there is none"
    if len(known) == 1:
        return f'there is only "{known[0]}"'
    return f"there are {', '.join(known[:10])}{', …' if len(known) > 10 else ''}"
