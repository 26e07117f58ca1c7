"""A company in memory that nobody watches: what can't go on is told, and stands still, and everything else goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from engine.clock import TurnedClock
from engine.errors import DefinitionInvalid, EngineError
from engine.execution.executable import Executable
from engine.execution.token_game import Remembering
from engine.rehearsal.stage import Stage
from engine.rehearsal.work import Instance, Move, Timer

_T = TypeVar("_T")


class Company(Stage):
    """A stage whose moves don't raise what an instance's data or diagram is to blame for: `stuck` is told instead, by whose
    number and why.
    """

    def __init__(self, clock: TurnedClock, watch: Callable[[Move], None], stuck: Callable[[int, str], None]) -> None:
        super().__init__(clock, watch=watch, begin_game=Remembering().begin)
        self._stuck = stuck

    def attempt(self, instance: int, move: Callable[[], _T]) -> _T | None:
        """Make a move of an instance; None where it can't be made."""
        try:
            return move()
        except EngineError as error:
            self._stuck(instance, str(error))
            return None

    def _fire(self, timer: Timer, due_at: datetime) -> Instance:
        """A timer that can't fire is an incident, as on a real engine: it holds up no other."""
        try:
            return super()._fire(timer, due_at)
        except EngineError as error:
            self.timers.pop(timer.id, None)  # it stays open in its instance, and is not due any more
            self._stuck(timer.instance, str(error))
            return self.instances[timer.instance]


def refuse_calls(executable: Executable) -> None:
    """Raise DefinitionInvalid for a definition that calls another process: here each runs alone."""
    called = next(executable.definition.process.of_kind("callActivity"), None)
    if called is not None:
        raise DefinitionInvalid(
            f"Expected a process that calls no other, but {called.name or called.id!r} does, and simulations and replays run one "
            "process alone. Do: try it with scenarios, or simulate the called process."
        )
