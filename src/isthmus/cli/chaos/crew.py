"""The processes of Isthmus in a chaos run: started, killed, frozen, woken, started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from isthmus.cli.chaos.plan import Blow

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

    @property
    def runs(self) -> bool:
        """It lives and is not frozen."""
        return self.process is not None and self.process.poll() is None and not self.frozen


class Crew:
    """All processes: one that does everything, or a gateway and as many workers as asked for."""

    def __init__(self, folder: Path, serve: list[str], port: int, workers: int) -> None:
        """``serve``: the arguments of ``isthmus serve`` that all share."""
        self._folder = folder
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
            self._start(hand)
        end = time.monotonic() + _READY_S
        for hand in self.hands:
            while not self._file(hand, "out").stat().st_size:
                if not hand.runs or time.monotonic() > end:
                    raise OSError(f"isthmus serve ({hand.name}) did not start:\n{self.said(hand)[-2000:]}")
                time.sleep(0.05)

    def strike(self, blow: Blow) -> bool:
        """Kill or freeze one of those that run; False where none does just now."""
        living = [hand for hand in self.hands if hand.runs]
        if not living:
            return False
        hand = living[min(int(blow.whom * len(living)), len(living) - 1)]
        assert hand.process is not None
        if blow.kind == "kill":
            hand.process.kill()
            hand.process.wait()
            self.kills += 1
        else:
            hand.process.send_signal(signal.SIGSTOP)
            hand.frozen = True
            self.freezes += 1
        hand.back_at = time.monotonic() + blow.lasts_s
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
        return time.monotonic() - begun

    def said(self, hand: Hand) -> str:
        """What a process wrote to its log."""
        return self._file(hand, "log").read_text("utf-8", "replace")

    def _file(self, hand: Hand, kind: str) -> Path:
        return self._folder / f"{hand.name}.{kind}"

    def _back(self, hand: Hand) -> None:
        hand.back_at = None
        if hand.frozen:
            assert hand.process is not None
            hand.process.send_signal(signal.SIGCONT)
            hand.frozen = False
        else:
            self._start(hand)

    def _start(self, hand: Hand) -> None:
        """Start it; what it prints and logs goes to files, behind what it said in its earlier lives."""
        home = self._folder / hand.name
        home.mkdir(exist_ok=True)
        command = [*_COMMAND, "serve", *hand.arguments, "--json"]
        with self._file(hand, "out").open("ab") as out, self._file(hand, "log").open("ab") as log:
            hand.process = subprocess.Popen(command, cwd=home, stdout=out, stderr=log)
