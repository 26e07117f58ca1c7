"""Worker processes made by forking a warm parent, so that a process costs milliseconds instead of a start-up.

The parent has imported everything and stays single-threaded, without any connection: a child inherits no lock that
somebody holds and no socket that somebody else writes to.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

Tell: TypeAlias = Callable[[dict[str, Any]], None]
"""What a child says to its parent; it arrives even if the child is killed right after."""


@dataclass(frozen=True)
class Ended:
    """How a child ended, and all that it told, later words over earlier ones."""

    told: dict[str, Any]
    killed: bool


@dataclass
class Child:
    """A running child of ours."""

    pid: int
    _pipe: int
    _ended: Ended | None = None

    def kill(self) -> Ended:
        """End it as `kill -9` does, whatever it is doing."""
        if self._ended is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def pause(self) -> None:
        """Stop it where it stands, as a machine does that swaps or a virtual one that is moved."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a paused one go on, unaware that time has passed."""
        os.kill(self.pid, signal.SIGCONT)

    def has_told(self) -> bool:
        """Whether it has said something, or has ended."""
        return self._ended is not None or bool(select.select([self._pipe], [], [], 0)[0])

    def wait(self) -> Ended:
        """Wait for its end."""
        if self._ended is None:
            with os.fdopen(self._pipe, "rb") as pipe:
                words = [json.loads(line) for line in pipe.read().splitlines()]
            _, status = os.waitpid(self.pid, 0)
            self._ended = _ended(words, os.waitstatus_to_exitcode(status))
        return self._ended


def _ended(words: list[dict[str, Any]], code: int) -> Ended:
    told = {name: value for word in words for name, value in word.items()}
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"Expected a child to end by itself or to be killed, but it ended with {code}: {told.get('failed')}")
    return Ended(told, code != 0)


@dataclass
class WarmParent:
    """Forks children, which all end when it ends: they hold the other end of its lifeline."""

    _lifeline: tuple[int, int] = field(default_factory=os.pipe)

    def start(self, life: Callable[[Tell], None]) -> Child:
        """A child that lives `life` and ends. What it raises is the parent's to report."""
        assert threading.active_count() == 1, "a parent with threads must not fork"
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._live(life, writing)
        os.close(writing)
        return Child(pid, reading)

    def run(self, life: Callable[[Tell], None]) -> dict[str, Any]:
        """What a child tells that lives to its end."""
        return self.start(life).wait().told

    def _live(self, life: Callable[[Tell], None], writing: int) -> NoReturn:
        def tell(word: dict[str, Any]) -> None:
            os.write(writing, json.dumps(word).encode() + b"\n")

        code = 1
        try:
            os.close(self._lifeline[1])
            threading.Thread(target=self._end_with_parent, daemon=True).start()
            life(tell)
            code = 0
        except BaseException:  # noqa: BLE001 - a child never returns into its parent's code
            tell({"failed": traceback.format_exc()})
        finally:
            os._exit(code)

    def _end_with_parent(self) -> None:
        os.read(self._lifeline[0], 1)  # nothing is ever written: it returns when the parent has gone
        os._exit(1)
