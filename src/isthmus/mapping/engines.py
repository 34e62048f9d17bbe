"""Runs what the compiler does not cover on one of two JSONata engines, behind their guards.

``jsonatapy`` (Rust) is quick but loses the difference of absent and null, and our number marker, where it calls a Python
function; so a text that calls one of ours goes to ``jsonata-python``. Both calculate in binary floats: a fraction that
comes out of them is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from isthmus.mapping.errors import Refused, shown
from isthmus.mapping.functions import NAMES, Registered
from isthmus.mapping.tree import called
from isthmus.mapping.values import ABSENT

TIMEOUT_MS: Final = 2_000
DEPTH_MAX: Final = 500
SEQUENCE_MAX: Final = 1_000_000

Run = Callable[[Any], Any]
_ONE_AT_A_TIME = threading.Lock()


def engine_for(text: str, tree: Any, functions: dict[str, Registered]) -> tuple[str, Run]:
    """The engine's name, and the function that runs this text on a context. That one raises ``Refused``."""
    if called(tree) & NAMES:
        return "jsonata-python", _jsonata_python(text, tree, functions)
    return "jsonatapy", _jsonatapy(text)


def _jsonatapy(text: str) -> Run:
    import jsonatapy

    try:
        compiled = jsonatapy.compile(
            text, timeout=TIMEOUT_MS, max_stack_depth=DEPTH_MAX, max_sequence_length=SEQUENCE_MAX
        )
    except ValueError as wrong:
        raise Refused(str(wrong)) from None

    def run(context: Any) -> Any:
        try:
            return _without_floats(compiled.evaluate(context))
        except (ValueError, TypeError, OverflowError) as wrong:
            raise Refused(str(wrong)) from None

    return run


def _jsonata_python(text: str, tree: Any, functions: dict[str, Registered]) -> Run:
    from jsonata.jexception import JException
    from jsonata.jsonata import Jsonata

    compiled = Jsonata(text, timeout=TIMEOUT_MS, stack=DEPTH_MAX)
    compiled.ast = tree
    for function in functions.values():
        compiled.register_lambda(function.name, _adapted(function.call))

    def run(context: Any) -> Any:
        # the library keeps the depth it reached beside the text, not beside the call
        with _ONE_AT_A_TIME:
            try:
                return _without_floats(compiled.evaluate(context, {}))
            except JException as wrong:
                raise Refused(str(wrong)) from None

    return run


def _adapted(call: Callable[..., Any]) -> Callable[..., Any]:
    from jsonata.utils import Utils

    def adapted(*arguments: Any) -> Any:
        given = [ABSENT if one is None else None if one is Utils.NULL_VALUE else one for one in arguments]
        result = call(*given)
        return None if result is ABSENT else Utils.NULL_VALUE if result is None else result

    return adapted


def _without_floats(value: Any) -> Any:
    if type(value) is float:
        if value.is_integer():
            return int(value)
        raise Refused(
            f"{shown(value)} was calculated in binary floats",
            "a decimal as text",
            "calculate with the $decimal_… functions",
        )
    if isinstance(value, dict):
        return {key: _without_floats(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_floats(one) for one in value]
    return value
