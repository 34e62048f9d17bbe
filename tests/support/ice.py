"""Lives that are frozen at a point of what they do, as SIGSTOP freezes a process, and are woken later."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.support.engine import Life

#: where a life can freeze: before a write, before its last write (when it lets go of a run), before it sends, and when
#: it has looked at the clock for the last time and the first byte is about to go out
PLACES = ("write", "last write", "send", "first byte")


class Ice:
    """Freezes one life, once, when it comes to a place for the ``number``-th time."""

    def __init__(self, life: Life, place: str, number: int = 1) -> None:
        self.life, self._place, self._number = life, place, number
        #: what it was about to do, once it is frozen, and whether something was being made at a vendor meanwhile
        self.at, self.makes = "", False
        self._frozen, self._thawed = asyncio.Event(), asyncio.Event()
        self._playing: asyncio.Task[Any] | None = None
        self._making = 0
        self._put_around()

    def do_until_frozen(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Do something in the life; whether it froze before the end. Raises what the work raised."""
        self.life.do(self._until_frozen(work))
        assert self._playing is not None
        return not self._playing.done()

    def thaw(self) -> None:
        """Wake it and let it come to the end of what it was doing. Raises what that raised."""
        self.life.do(self._woken())

    async def _until_frozen(self, work: Coroutine[Any, Any, Any]) -> None:
        self._playing = asyncio.ensure_future(work)
        freezing = asyncio.ensure_future(self._frozen.wait())
        await asyncio.wait({self._playing, freezing}, return_when=asyncio.FIRST_COMPLETED)
        freezing.cancel()
        if self._playing.done():
            self._number = 0
            self._playing.result()

    async def _woken(self) -> None:
        assert self._playing is not None
        self._thawed.set()
        await self._playing

    async def _comes(self, place: str, name: str) -> None:
        if place != self._place or self._number <= 0:
            return
        self._number -= 1
        if self._number == 0:
            self.at, self.makes = name, self._making > 0
            self._frozen.set()
            await self._thawed.wait()

    def _put_around(self) -> None:
        store, connection = self.life.store, self.life.engine.connections["toy"]
        write, send, exchange = store.write, connection.send, connection._wire.exchange

        async def writing(work: Any, **more: Any) -> Any:
            name = work.__qualname__
            await self._comes("write", name)
            if name.startswith("Player._let_go"):
                await self._comes("last write", name)
            return await write(work, **more)

        async def sending(call: Any, **more: Any) -> Any:
            self._making += call.method == "POST"
            try:
                await self._comes("send", f"{call.method} {call.path}")
                return await send(call, **more)
            finally:
                self._making -= call.method == "POST"

        async def exchanging(method: str, url: str, *rest: Any, **more: Any) -> Any:
            if self._place == "first byte" and self._number > 0:
                look, more["last_look"] = more.get("last_look"), None
                if look is not None:
                    look()
                await self._comes("first byte", f"{method} {url}")
            return await exchange(method, url, *rest, **more)

        store.write, connection.send = writing, sending  # type: ignore[method-assign]
        connection._wire.exchange = exchanging  # type: ignore[method-assign]
