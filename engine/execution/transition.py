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


@dataclass(frozen=True, slots=True)
class Receive:
    """A message or signal that the token waits for has come; `values` are what it brings, by the names its sender gave them."""

    token: int
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompleteCall:
    """The instance that a call activity has started is over. `data` are its data items, of which the call activity takes what it
    names; `currencies` maps those that are amounts of money to their currency.
    """

    token: int
    data: Mapping[str, Value] = field(default_factory=dict)
    currencies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailCall:
    """The instance that a call activity has started ended by an error that nothing caught there. Where nothing catches it at the
    call activity or around it either, the calling instance ends by it too.
    """

    token: int
    code: str
    message: str


Happening: TypeAlias = CompleteUserTask | CompleteJob | FailJob | FireTimer | Receive | CompleteCall | FailCall
"""What comes to a token that waits."""
Trigger: TypeAlias = Start | Happening

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
    """A message was thrown. For the hand-over, `data` are all data items as they stood then; for any other message what its
    thrower names, and nothing else. `key` is the correlation key, None for the hand-over.
    """

    flow_node: str
    message: str
    data: Mapping[str, Value]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class SignalThrown:
    """A signal was thrown, to whoever waits for it at this moment."""

    flow_node: str
    name: str


@dataclass(frozen=True, slots=True)
class SubscriptionOpened:
    """A message (`kind` is `message`) or signal (`signal`) is waited for. Of messages of this name, it is the one with this
    correlation key; a signal has none.
    """

    token: int
    flow_node: str
    kind: str
    name: str
    key: str | None


@dataclass(frozen=True, slots=True)
class SubscriptionClosed:
    """A message or signal is no longer waited for: it was `received`, or else the wait was withdrawn by the diagram."""

    token: int
    flow_node: str
    received: bool


@dataclass(frozen=True, slots=True)
class InstanceCalled:
    """A call activity starts an instance of another process. `binding` and `version` say in which version; `data` are its first
    data items by their names there, `currencies` what those are in that are amounts of money.
    """

    token: int
    flow_node: str
    process: str
    binding: str
    version: int | None
    data: Mapping[str, Value]
    currencies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallClosed:
    """A call activity no longer waits for the instance that it started: that has ended (`returned`), or else is to be ended,
    with everything that it waits for.
    """

    token: int
    flow_node: str
    returned: bool


@dataclass(frozen=True, slots=True)
class ErrorNotCaught:
    """An error that an end event threw, or that came out of a call activity, is caught by nothing around it, so the instance
    ends; whoever called it gets the error, else a person must know.
    """

    flow_node: str
    code: str


@dataclass(frozen=True, slots=True)
class InstanceCompleted:
    """No token is left. `end_events` are those that were reached in this step, outside of sub-processes."""

    end_events: tuple[str, ...]


Effect: TypeAlias = (
    UserTaskOpened
    | UserTaskClosed
    | JobCreated
    | JobClosed
    | TimerStarted
    | TimerClosed
    | SubscriptionOpened
    | SubscriptionClosed
    | InstanceCalled
    | CallClosed
    | MessageThrown
    | SignalThrown
    | ErrorNotCaught
    | InstanceCompleted
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A move: the state after it, what it asks for, in order, and the flow nodes and sequence flows passed on the way."""

    state: InstanceState
    effects: tuple[Effect, ...]
    path: tuple[str, ...]
    flows: tuple[str, ...] = ()
