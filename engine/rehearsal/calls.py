"""Calls on a stage: what a move calls is worked out before anything of it is applied, so that one that can't be made changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.clock import Clock
from engine.errors import DefinitionInvalid
from engine.execution.advance import advance
from engine.execution.calls import MOST_CALLS, beginning, result_of
from engine.execution.executable import Executable
from engine.execution.token_game import Begin
from engine.execution.transition import CompleteCall, FailCall, InstanceCalled, Start, Transition
from engine.rehearsal.board import thrown_by
from engine.rehearsal.work import Call, Instance, Message


@dataclass(frozen=True, slots=True)
class Planned:
    """An instance about to be called, and those that its first step calls in turn."""

    call: InstanceCalled
    executable: Executable
    start: Start
    transition: Transition
    thrown: Sequence[Message]
    calls: tuple[Planned, ...]


def planned(
    transition: Transition, find: Callable[[str], Executable], clock: Clock, begin: Begin, depth: int
) -> tuple[Planned, ...]:
    """What a transition calls; `find` gives a process's version. An instance that makes it is in `depth` calls itself. Raises
    DefinitionNotDeployed, DefinitionInvalid, DataRefused, and what `advance` raises.
    """
    asked = (effect for effect in transition.effects if isinstance(effect, InstanceCalled))
    return tuple(_planned(effect, find, clock, begin, depth + 1) for effect in asked)


def _planned(call: InstanceCalled, find: Callable[[str], Executable], clock: Clock, begin: Begin, depth: int) -> Planned:
    if depth > MOST_CALLS:
        raise DefinitionInvalid(
            f"Expected at most {MOST_CALLS} calls inside each other, but {call.flow_node!r} calls {call.process} once more. "
            "Do: see whether the processes call each other in a circle; draw a condition that ends it, or a loop."
        )
    executable = find(call.process)
    start = beginning(executable.definition, call)
    transition = advance(executable, None, start, clock, begin)
    thrown = thrown_by(executable, transition, clock.now())
    return Planned(call, executable, start, transition, thrown, planned(transition, find, clock, begin, depth))


def begun(plan: Planned, number: int, caller: Instance, now: datetime) -> Instance:
    """The instance that a plan calls, before its first step is noted."""
    of = (number, plan.executable, plan.transition.state, now)
    return Instance(*of, called_by=caller.id, depth=caller.depth + 1)


def told(call: Call, called: Instance) -> CompleteCall | FailCall:
    """What an instance that has ended tells its caller."""
    definition = called.executable.definition
    if called.uncaught is not None:
        return FailCall(call.token, called.uncaught, f"{definition.name} ended by the error {called.uncaught}.")
    result = result_of(definition.carry_over, called.data)
    return CompleteCall(call.token, result.values, result.currencies)
