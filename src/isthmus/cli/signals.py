"""Waiting until somebody stops us: Ctrl-C, or SIGTERM from whoever runs services."""

from __future__ import annotations

import asyncio
import signal


async def until_stopped() -> signal.Signals:
    """Return on SIGINT or SIGTERM: which it was. A second signal ends the process at once, as usual."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[signal.Signals] = loop.create_future()

    def stop(by: signal.Signals) -> None:
        stopped.set_result(by)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    return await stopped
