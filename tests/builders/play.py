"""Plays small diagrams in memory: between every two steps the state goes through its stored form and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.clock import TurnedClock
from engine.definition.process_definition import read_definition
from engine.errors import EngineError
from engine.execution.advance import advance
from engine.execution.executable import Executable
from engine.execution.state import InstanceState, dump_state, load_state
from engine.execution.transition import (
    CallClosed,
    CompleteCall,
    CompleteJob,
    CompleteUserTask,
    Effect,
    FailCall,
    FailJob,
    FireTimer,
    InstanceCalled,
    InstanceCompleted,
    JobClosed,
    JobCreated,
    MessageThrown,
    Receive,
    SignalThrown,
    Start,
    SubscriptionClosed,
    SubscriptionOpened,
    TimerClosed,
    TimerStarted,
    Transition,
    Trigger,
    UserTaskClosed,
    UserTaskOpened,
)
from tests.builders.drawing import ITEMS, carry_over, diagram, files
from tests.doubles.context import START


def executable_of(*parts: str, items: Mapping[str, str] = ITEMS, **map_options: Any) -> Executable:
    """A process drawn in text, read as a deployed one is, and made ready to run. Nothing is checked."""
    return Executable(read_definition(files(diagram(*parts), carry_over(items, **map_options))))


class Play:
    """One instance being played. `open` maps tokens to flow nodes, `effects` and `path` are those of the last step.

    Every step is also made a second time, from the same stored state: it must come out the same, and leave the state alone.
    """

    def __init__(self, executable: Executable, clock: TurnedClock | None = None) -> None:
        self.executable = executable
        self.clock = clock or TurnedClock(START)
        self.stored: str | None = None
        self.open: dict[int, str] = {}
        self.effects: tuple[Effect, ...] = ()
        self.path: tuple[str, ...] = ()
        self.walked: list[str] = []
        self.thrown: list[MessageThrown] = []
        self.signals: list[str] = []
        self.end_events: tuple[str, ...] | None = None

    # --- moves ------------------------------------------------------------------------------------------------------

    def start(self, event: str = "start", **data: Any) -> Play:
        return self.step(Start(event, data))

    def complete(self, node: str, by: str = "ann", **values: Any) -> Play:
        return self.step(CompleteUserTask(self.token(node), values, by))

    def done(self, node: str, **outputs: Any) -> Play:
        return self.step(CompleteJob(self.token(node), outputs))

    def fail(self, node: str, code: str, message: str = "It failed.", general: str | None = None) -> Play:
        return self.step(FailJob(self.token(node), code, message, general))

    def fire(self, node: str) -> Play:
        return self.step(FireTimer(self.token(node)))

    def returned(self, node: str, currencies: Mapping[str, str] | None = None, **data: Any) -> Play:
        """The called instance is over, with this data."""
        return self.step(CompleteCall(self.token(node), data, currencies or {}))

    def call_failed(self, node: str, code: str, message: str = "It failed.") -> Play:
        return self.step(FailCall(self.token(node), code, message))

    def receive(self, node: str, **values: Any) -> Play:
        return self.step(Receive(self.token(node), values))

    def step(self, trigger: Trigger) -> Play:
        transition = self._advance(trigger)
        self.stored = dump_state(transition.state)
        assert load_state(self.stored) == transition.state
        self.effects, self.path = transition.effects, transition.path
        self.walked += transition.path
        for effect in transition.effects:
            self._note(effect)
        return self

    def _advance(self, trigger: Trigger) -> Transition:
        before = self.stored
        given = load_state(before) if before is not None else None
        try:
            first = advance(self.executable, given, trigger, self.clock)
        except EngineError:
            assert before is None or dump_state(given) == before  # type: ignore[arg-type] # given is None with before alone
            raise
        assert before is None or dump_state(given) == before, "advance changed the state that it was given"  # type: ignore[arg-type]
        again = advance(self.executable, load_state(before) if before is not None else None, trigger, self.clock)
        assert dump_state(again.state) == dump_state(first.state)
        assert (again.effects, again.path) == (first.effects, first.path)
        return first

    def _note(self, effect: Effect) -> None:
        match effect:
            case UserTaskOpened() | JobCreated() | TimerStarted() | SubscriptionOpened() | InstanceCalled():
                assert effect.token not in self.open, "a token was given twice"
                self.open[effect.token] = effect.flow_node
            case UserTaskClosed() | JobClosed() | TimerClosed() | SubscriptionClosed() | CallClosed():
                assert self.open.pop(effect.token) == effect.flow_node
            case MessageThrown():
                self.thrown.append(effect)
            case SignalThrown():
                self.signals.append(effect.name)
            case InstanceCompleted():
                self.end_events = effect.end_events

    # --- questions --------------------------------------------------------------------------------------------------

    @property
    def state(self) -> InstanceState:
        assert self.stored is not None
        return load_state(self.stored)

    @property
    def data(self) -> Mapping[str, Any]:
        return self.state.data

    @property
    def completed(self) -> bool:
        return self.end_events is not None

    @property
    def waiting(self) -> list[str]:
        """The flow nodes with open work and the timers that wait, oldest first; one as often as it waits."""
        return list(self.open.values())

    def token(self, node: str) -> int:
        """The oldest open token of a node."""
        return min(token for token, at in self.open.items() if at == node)

    def of_type(self, kind: type[Effect]) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]
