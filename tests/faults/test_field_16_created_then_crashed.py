"""Field test 16: killed after the vendor's 201, before the id was stored: adopted by its key, never made again."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.engine import Place


def test_kill_9_after_the_201() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        said = {"database": place.url, "vendor": place.world.url, "messages": place.messages}
        number = _point("after call POST things")
        command = [sys.executable, "-m", "tests.faults.killed_child", json.dumps(said | {"kill_at": number})]
        assert subprocess.run(command, check=False, capture_output=True).returncode == -9
        assert len(place.world.things("thing")) == 1
        assert place.effects()[0]["state"] == "intended"
        place.finish()
        assert place.world.calls["POST things"] == 1
        assert place.effects()[0]["rule"] == "probe"
        assert place.effects()[0]["reference_id"] == str(place.world.things("thing")[0]["id"])
        place.audit()


def _point(name: str) -> int:
    from tests.support.engine import Points

    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        points = Points()
        assert place.live(points)
    return points.names.index(name) + 1
