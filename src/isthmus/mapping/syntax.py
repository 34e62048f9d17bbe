"""Reads JSONata text into a syntax tree whose nodes know where they begin, and says exactly where it cannot.

The tree is jsonata-python's. Its own tokens remember where they end; a lexer of ours lets them remember where they
begin, closes two holes (a comment that ends the text, and one that never ends) and refuses numbers that a binary float
would change.
"""

from __future__ import annotations

import re
import threading
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

from jsonata.jexception import JException
from jsonata.parser import Parser
from jsonata.regex_engine import default_regex_engine
from jsonata.tokenizer import Tokenizer

from isthmus.mapping.errors import MappingError, place

MAX_LENGTH: Final = 100_000
_END: Final = "(end)"
_ONE = threading.local()
_EXACT_INTEGER: Final = 2**53
_BLANK: Final = re.compile(r"[ \t\n\r]+|/\*.*?\*/", re.DOTALL)
_MENDS: Final = {
    "S0101": "close the text with the quote it began with",
    "S0102": "write it as text and calculate with $decimal_…",
    "S0103": r"write a backslash as \\, a quote as \"",
    "S0105": "close the field name with a backquote",
    "S0106": "close the comment with */",
    "S0201": "remove it, or put an operator, a comma or a semicolon before it",
    "S0202": "add what is missing before it",
    "S0203": "add what is missing at the end",
    "S0207": "the expression ends where a value must follow",
    "S0204": "JSONata has no such operator: != is not equal, $not(…) is not, ~> hands on",
    "S0211": "something is missing before it, or there is one comma too many",
    "S0212": "only a variable such as $x can stand on the left of :=",
    "S0213": "a number cannot be a step of a path; for a field of that name write it in backquotes",
}


class _Lexer(Tokenizer):  # type: ignore[misc]
    """Tokens that know where they begin."""

    position: int
    path: str

    def next(self, prefix: bool) -> Any:
        """The next token, ``None`` at the end."""
        while blank := _BLANK.match(self.path, self.position):
            self.position = blank.end()
        start = self.position
        if self.path.startswith("/*", start):
            raise JException("S0106", start)
        try:
            token = super().next(prefix)
        except JException as wrong:
            raise _from_start(wrong, start) from None
        if token is not None:
            token.position = start
            if token.type == "number":
                _check_number(self.path[start : self.position], start)
            elif token.type == "operator" and token.value in ("!", "~"):
                raise JException("S0204", start, token.value)
        return token


def _copied(symbol: Any) -> Any:
    """A shallow copy: each token is one of its symbol, and the general way of making it is half of a parse."""
    made = object.__new__(type(symbol))
    made.__dict__.update(symbol.__dict__)
    return made


Parser.Symbol.__copy__ = _copied


class _Parser(Parser):  # type: ignore[misc]
    """The library's parser on our lexer. Its table of symbols is made once for a thread, and read by every parse."""

    def parse(self, jsonata: str | None, regex_engine: Any = default_regex_engine) -> Any:
        """The syntax tree. Raises ``JException``."""
        self.ancestor_label, self.ancestor_index = 0, 0
        self.ancestry: list[Any] = []
        self.source = jsonata
        self.lexer = _Lexer(jsonata, regex_engine)
        self.advance()
        tree = self.expression(0)
        if self.node.id != _END:
            raise JException("S0201", self.node.position, self.node.value)
        tree = self.process_ast(tree)
        if tree.type == "parent" or tree.seeking_parent is not None:
            raise JException("S0217", tree.position, tree.type)
        return tree


def parse(text: str, *, file: str, line: int = 1) -> Any:
    """The syntax tree of a JSONata text; ``line`` is the line of ``file`` that the text begins on.

    Raises ``MappingError`` at the very character that cannot be read.
    """
    if len(text) > MAX_LENGTH:
        raise MappingError(f"a text of {len(text)} characters", file=file, line=line, column=1,
                           expected=f"at most {MAX_LENGTH}", mend="split it")  # fmt: skip
    try:
        return _tree(text)
    except JException as wrong:
        raise _located(wrong, text, file, line) from None
    except RecursionError:
        raise MappingError("nested too deeply to be read", file=file, line=line, column=1) from None
    except Exception as wrong:  # the library meets some texts unprepared: KeyError, IndexError, AttributeError …
        row, column = place(text, len(text))
        raise MappingError(f"this is not JSONata ({wrong})", file=file, line=line + row - 1, column=column) from wrong


@lru_cache(maxsize=2)
def _tree(text: str) -> Any:
    """The tree of a text. A check asks twice in a row: to compile the text, and for what it writes. Nobody changes it."""
    if not hasattr(_ONE, "parser"):
        _ONE.parser = _Parser()
    return _ONE.parser.parse(text)


def near(name: str, names: Any) -> str:
    """``did you mean …?`` for a misspelt name, or nothing."""
    found = get_close_matches(name, names, 1, 0.6)
    return f"did you mean ${found[0]}?" if found else ""


def begin(node: Any) -> int:
    """The offset where a node begins."""
    if node.type == "path" and node.steps:
        return begin(node.steps[0])
    if node.type in ("binary", "bind", "apply") and node.lhs is not None:
        return begin(node.lhs)
    if node.type in ("function", "partial") and node.procedure is not None:
        return begin(node.procedure)
    if node.type == "condition" and node.condition is not None:
        return begin(node.then if node.condition.position == 0 and node.then is not None else node.condition)
    return int(node.position or 0)


def _from_start(wrong: JException, start: int) -> JException:
    """What never ends is shown where it begins; an escape is told from a regular expression (they share a code)."""
    if wrong.error in ("S0101", "S0105", "S0302"):
        return JException(wrong.error, start)
    if wrong.error == "S0301" and wrong.current is not None:
        return JException("S0103", wrong.location, wrong.current)
    return wrong


def _check_number(text: str, start: int) -> None:
    if not text.lstrip("-").isdigit():
        raise JException("S0102", start, text)
    if abs(int(text)) > _EXACT_INTEGER:
        raise JException("S0102", start, text)


def _located(wrong: JException, text: str, file: str, line: int) -> MappingError:
    code = str(wrong.error)
    offset = wrong.location if isinstance(wrong.location, int) and wrong.location >= 0 else 0
    token = wrong.expected if code in ("S0202", "S0203") else wrong.current
    row, column = place(text, offset)
    message, expected = _words(code, wrong, token)
    return MappingError(
        message, file=file, line=line + row - 1, column=column, expected=expected, mend=_MENDS.get(code, "")
    )


def _words(code: str, wrong: JException, token: Any) -> tuple[str, str]:
    if code == "S0102":
        return f"the number {token} would lose digits: numbers here are integers up to 2^53", "an integer, or text"
    if code == "S0202":
        return f"{str(token)!r} cannot stand here", f"{str(wrong.current)!r}"
    if code == "S0203":
        return "the text ends too early", f"{str(wrong.current)!r}"
    if code == "S0207":
        return "the text ends too early", "a value"
    if code == "S0211" and token == _END:
        return "the text ends too early", "a value"
    if code in ("S0201", "S0211"):
        return f"{str(token)!r} cannot stand here", "the end" if code == "S0201" else "a value"
    return str(wrong).split(" {code", 1)[0], ""
