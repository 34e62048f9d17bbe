"""The processes of Isthmus in a chaos run: started, killed, frozen, woken, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_READY_S = 90.0
_DRAIN_S = 40.0
_COMMAND = [sys.executable, "-c", "from isthmus.cli import main; main()"]


@dataclass
class Hand:
    """One process. ``back_at``: when it is woken, or started again (of the monotonic clock)."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    frozen: bool = False
    back_at: float | None = None
    log: IO[bytes] | None = field(default=None, repr=False)

    @property
    def runs(self) -> bool:
        """It lives and is not frozen."""
        return self.process is not None and self.process.poll() is None and not self.frozen


class Crew:
    """All processes: one that does everything, or a gateway and as many workers as asked for."""

    def __init__(self, folder: Path, serve: list[str], port: int, workers: int, environment: Mapping[str, str]) -> None:
        """``serve``: the arguments of ``isthmus serve`` that all share."""
        self._folder, self._environment = folder, environment
        web = ["--port", str(port)]
        if workers == 1:
            self.hands = [Hand("all", [*serve, "--as", "all", *web])]
        else:
            self.hands = [Hand("web", [*serve, "--as", "web", *web])]
            self.hands += [Hand(f"worker-{n}", [*serve, "--as", "worker"]) for n in range(1, workers + 1)]
        self.kills = self.freezes = 0
        self.ended: list[str] = []

    def start(self) -> None:
        """Start all and wait until each has said that it is ready. Raises OSError with what it said instead."""
        for hand in self.hands:
            self._start(hand, subprocess.PIPE)
        for hand in self.hands:
            assert hand.process is not None and hand.process.stdout is not None
            if not hand.process.stdout.readline():
                hand.process.wait(_READY_S)
                raise OSError(f"isthmus serve ({hand.name}) did not start:\n{self.said(hand)[-2000:]}")
            hand.process.stdout.close()

    def strike(self, kind: str, whom: float, lasts_s: float) -> bool:
        """Kill or freeze one of those that run; False where none does just now."""
        living = [hand for hand in self.hands if hand.runs]
        if not living:
            return False
        hand = living[min(int(whom * len(living)), len(living) - 1)]
        assert hand.process is not None
        if kind == "kill":
            hand.process.kill()
            hand.process.wait()
            self.kills += 1
        else:
            hand.process.send_signal(signal.SIGSTOP)
            hand.frozen = True
            self.freezes += 1
        hand.back_at = time.monotonic() + lasts_s
        return True

    def tend(self) -> None:
        """Wake the frozen and replace the killed whose time has come; note whoever ended without being killed."""
        now = time.monotonic()
        for hand in self.hands:
            if hand.back_at is not None:
                if now >= hand.back_at:
                    self._back(hand)
            elif hand.process is not None and hand.process.poll() is not None:
                self.ended.append(
                    f"{hand.name} ended by itself with {hand.process.returncode}: {self.said(hand)[-300:]}"
                )
                hand.back_at = now + 1.0

    def all_back(self) -> bool:
        """Whether none is frozen or missing."""
        return all(hand.runs for hand in self.hands)

    def stop(self) -> float:
        """Ask all to end in order, and see that they do; the seconds that the slowest took."""
        begun = time.monotonic()
        for hand in self.hands:
            if hand.frozen:
                self._back(hand)
            if hand.process is not None and hand.process.poll() is None:
                hand.process.terminate()
        for hand in self.hands:
            if hand.process is None:
                continue
            try:
                hand.process.wait(max(0.1, _DRAIN_S - (time.monotonic() - begun)))
            except subprocess.TimeoutExpired:
                self.ended.append(f"{hand.name} did not end within {_DRAIN_S:.0f} s of SIGTERM")
                hand.process.kill()
                hand.process.wait()
            if hand.log is not None:
                hand.log.close()
        return time.monotonic() - begun

    def said(self, hand: Hand) -> str:
        """What a process wrote to its log."""
        return self._log(hand).read_text("utf-8", "replace")

    def _log(self, hand: Hand) -> Path:
        return self._folder / f"{hand.name}.log"

    def _back(self, hand: Hand) -> None:
        hand.back_at = None
        if hand.frozen:
            assert hand.process is not None
            hand.process.send_signal(signal.SIGCONT)
            hand.frozen = False
        else:
            self._start(hand, subprocess.DEVNULL)

    def _start(self, hand: Hand, stdout: Any) -> None:
        home = self._folder / hand.name
        home.mkdir(exist_ok=True)
        hand.log = hand.log or self._log(hand).open("ab")
        environment = {**os.environ, **self._environment}
        hand.process = subprocess.Popen(
            [*_COMMAND, "serve", *hand.arguments, "--json"], cwd=home, env=environment, stdout=stdout, stderr=hand.log
        )
