"""What makes an instance move (triggers), and what a move asks for (effects).

A token is a small integer, unique within its instance for ever, that names one visit of one flow node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from engine.connector import Value
from engine.execution.state import InstanceState

# --- triggers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Begin at this start event with this data."""

    start_event: str
    data: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class CompleteUserTask:
    """A person has completed a user task, setting these items (checked against their types already)."""

    token: int
    values: Mapping[str, Value]
    by: str


@dataclass(frozen=True, slots=True)
class CompleteJob:
    """A connector has done its work; `outputs` are its results by their own names."""

    token: int
    outputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailJob:
    """A connector's work ended in a BPMN error, for an error boundary event to catch. `general` is the code to catch it by where
    none catches `code`.
    """

    token: int
    code: str
    message: str
    general: str | None = None


@dataclass(frozen=True, slots=True)
class FireTimer:
    """A timer's time has come."""

    token: int


Trigger: TypeAlias = Start | CompleteUserTask | CompleteJob | FailJob | FireTimer

# --- effects --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserTaskOpened:
    """A user task waits for a person. `due_at` is aware UTC."""

    token: int
    flow_node: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserTaskClosed:
    """A user task is no longer open: `completed` by a person, or else withdrawn by the diagram."""

    token: int
    flow_node: str
    completed: bool


@dataclass(frozen=True, slots=True)
class JobCreated:
    """A service task waits for its connector. `parameters` are evaluated now and stay as they are."""

    token: int
    flow_node: str
    topic: str
    parameters: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class JobClosed:
    """A service task no longer waits: `completed` by its outcome, or else withdrawn by the diagram."""

    token: int
    flow_node: str
    completed: bool


@dataclass(frozen=True, slots=True)
class TimerStarted:
    """A timer event waits for its time. `due_at` is aware UTC, and not before the move: a date that has passed is due at once."""

    token: int
    flow_node: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class TimerClosed:
    """A timer no longer waits: it `fired`, or else was withdrawn by the diagram."""

    token: int
    flow_node: str
    fired: bool


@dataclass(frozen=True, slots=True)
class MessageThrown:
    """A throw event or message end event was passed; the data is as it stood then."""

    flow_node: str
    message: str
    data: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class InstanceCompleted:
    """No token is left. `end_events` are those that were reached in this step."""

    end_events: tuple[str, ...]


Effect: TypeAlias = (
    UserTaskOpened | UserTaskClosed | JobCreated | JobClosed | TimerStarted | TimerClosed | MessageThrown | InstanceCompleted
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A move: the state after it, what it asks for, in order, and the flow nodes passed on the way."""

    state: InstanceState
    effects: tuple[Effect, ...]
    path: tuple[str, ...]
