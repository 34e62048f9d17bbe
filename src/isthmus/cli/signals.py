"""Waiting until somebody stops us: Ctrl-C, or SIGTERM from whoever runs services."""

from __future__ import annotations

import asyncio
import signal


async def until_stopped() -> None:
    """Return on SIGINT or SIGTERM. A second signal ends the process at once, as usual."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stopped.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await stopped.wait()
