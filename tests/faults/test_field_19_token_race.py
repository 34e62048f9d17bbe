"""Field test 19: sixteen workers at the expiry of a rotating token make one refresh, and nobody loses the grant."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from tests.support.engine import Place
from tests.support.toy import FOLDER

from isthmus.catalogue.registry import registry
from isthmus.landscape.release import Release, compile_release
from isthmus.orchestration.engine import Engine
from isthmus.store.store import Store


def signing_release(folder: Path) -> Release:
    """The toy vendor behind a sign-in whose tokens rotate: each new one makes the old one void."""
    shutil.copytree(FOLDER, folder)
    descriptor = folder / "connectors/toy/connector.yaml"
    auth = (
        "auth: {kind: oauth2_client_credentials, token_path: token, "
        'client_id: "{settings.key}", client_secret: "{settings.secret}"}'
    )
    text = descriptor.read_text().replace("auth: {kind: none}", auth)
    text = text.replace("{status: 401, verdict: reject,", "{status: 401, verdict: reauthenticate,")
    descriptor.write_text(text)
    return compile_release(folder / "landscape", "dev", registry=registry(extra=[folder / "connectors/toy"]))


async def test_sixteen_workers_one_refresh(tmp_path: Path) -> None:
    release = signing_release(tmp_path / "signing")
    with Place() as place:
        store = Store(place.url, place.clock)
        settings = {"toy": {"base_url": place.world.url, "key": "k", "secret": "s"}}
        engines = [Engine(store, release, settings) for _ in range(16)]
        place.world.plan("A1")
        place.world.token = "none has been given yet"

        async def read(engine: Engine) -> int:
            connection = engine.connections["toy"]
            call = connection.render(release.connections["toy"].connector.operations["read_plan"].single, _CONTEXT)
            return (await connection.send(call, timeout_s=10)).status

        assert set(await asyncio.gather(*(read(engine) for engine in engines))) == {200}
        assert place.world.calls["POST token"] == 1
        place.world.token = "rotated by the vendor"  # every worker's token is void at once
        assert set(await asyncio.gather(*(read(engine) for engine in engines))) == {200}
        assert place.world.calls["POST token"] == 2
        for engine in engines:
            await engine.close()
        store.close()


_CONTEXT = {"input": {"id": "A1"}, "settings": {}}
