"""How long work asks a vendor: through the connection's gate, and again after a pause where time may mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from isthmus.connectivity.outbound.outcome import Later
from isthmus.connectivity.transport.answer import Answer, Call, NoAnswer, NotSent, SignInRefused
from isthmus.orchestration.engine import Engine

#: seconds before a step that met trouble is done again
PAUSE_S = 2.0
#: and at most, where somebody asked for more: a step is recorded now and then
PAUSE_MAX_S = 60.0


class Again(Exception):
    """Nothing was lost: the step is to be done again; the pause is over."""


async def ask(engine: Engine, connection: str, call: Call, *, timeout_s: float = 60) -> Answer:
    """The answer. Raises Again, after a pause, for what time may mend, and ValueError for what was refused."""
    wire, gate = engine.connections[connection], engine.throttles[connection]
    try:
        async with gate.permit():
            answer = await wire.send(call, timeout_s=timeout_s)
    except Later as later:
        await _pause((later.at - engine.store.clock()).total_seconds())
        raise Again from later
    except SignInRefused as error:
        raise ValueError(f"{connection} does not let us in: {error}") from error
    except (NotSent, NoAnswer) as error:
        await _pause(PAUSE_S)
        raise Again from error
    if (budget := wire.budget(answer)) is not None:
        gate.heed(budget)
    if (failure := wire.failure(answer, _NOTHING)) is not None:
        if failure.verdict == "reject":
            raise ValueError(f"{connection} refused {call.method} {call.path}: {failure.code} {failure.message}")
        if failure.error_class == "limit":
            gate.block(failure.pause_s or PAUSE_S)
        await _pause(failure.pause_s or PAUSE_S)
        raise Again
    return answer


async def _pause(seconds: float) -> None:
    await asyncio.sleep(min(max(seconds, 0.1), PAUSE_MAX_S))


_NOTHING: Mapping[str, Any] = {}
