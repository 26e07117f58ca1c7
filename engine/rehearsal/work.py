"""What stands on a stage: instances, the work that waits in them, what they threw, and the moves they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from engine.connector import Value
from engine.execution.executable import Executable
from engine.execution.state import InstanceState
from engine.execution.transition import Transition, Trigger


@dataclass(frozen=True, slots=True)
class Instance:
    """A process instance. `path` and `flows` hold the flow nodes and sequence flows that it passed so far, in order.

    `end_events` is None while it is active. `customer` and `period` are those of its bill, None where the process has none.
    `previous` is the instance that handed over to it, `previous_values` what forms show beside empty fields. `uncaught` is the
    code of an error that ended it because nothing caught it: a person would be told, or whoever called it. `called_by` is the
    instance that called it, `depth` in how many calls it is; `cancelled`: its caller has gone on without it.
    """

    id: int
    executable: Executable
    state: InstanceState
    started_at: datetime
    customer: str | None = None
    period: str | None = None
    previous: int | None = None
    previous_values: Mapping[str, Value] | None = None
    path: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    end_events: tuple[str, ...] | None = None
    ended_at: datetime | None = None
    uncaught: str | None = None
    called_by: int | None = None
    depth: int = 0
    cancelled: bool = False

    @property
    def process(self) -> str:
        """The process's id."""
        return self.executable.definition.id

    @property
    def data(self) -> Mapping[str, Value]:
        """The data items that have a value."""
        return self.state.data

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.end_events is None


@dataclass(frozen=True, slots=True)
class Task:
    """An open user task. `group` is the one that it is offered to, None for everyone."""

    id: int
    instance: int
    token: int
    flow_node: str
    name: str
    group: str | None
    created_at: datetime
    due_at: datetime | None
    claimed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A service task that waits for its connector. `trouble` says why it needs a person, None while it doesn't."""

    id: int
    instance: int
    token: int
    flow_node: str
    topic: str
    parameters: Mapping[str, Value]
    created_at: datetime
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that waits for its time."""

    id: int
    instance: int
    token: int
    flow_node: str
    started_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Subscription:
    """A wait for a message or signal (`kind`): of messages of this name, for the one with this correlation key."""

    id: int
    instance: int
    token: int
    flow_node: str
    kind: str
    name: str
    key: str | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """A call activity that waits for the instance which it has called, `called`. `trouble` says why it can't go on with what that
    has ended with, None while it can.
    """

    id: int
    instance: int
    token: int
    flow_node: str
    process: str
    called_at: datetime
    called: int | None = None
    trouble: str | None = None


Work: TypeAlias = Task | Job | Timer | Subscription | Call
"""What an instance waits for."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that has not arrived yet. For a hand-over, `data` and `previous` are what the carry-over map gives for the next
    instance; any other has a correlation key and the values that its sender names. `instance` is None for one from outside.
    """

    id: int
    instance: int | None
    flow_node: str | None
    name: str
    data: Mapping[str, Value]
    previous: Mapping[str, Value]
    thrown_at: datetime
    key: str | None = None
    hand_over: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """One move of an instance. `trigger` made it, `work` is what was done (None for a start), `instance` is as it is now, and
    `thrown` are the messages that it threw.
    """

    at: datetime
    trigger: Trigger
    work: Work | None
    transition: Transition
    instance: Instance
    thrown: tuple[Message, ...] = ()
