"""A scenario: what an analyst lets happen to one customer, step by step, and what is expected of the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from engine.connector import Value
from engine.definition.finding import Position

SUFFIX = ".scenarios.yaml"
"""`NAME.scenarios.yaml` stands beside `NAME.bpmn`. It is never deployed: a definition is the same with other scenarios."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was written, None for an empty one: what it means depends on what it is for. `plain`: without quotes."""

    text: str | None
    position: Position
    plain: bool = True


Values: TypeAlias = Mapping[str, Given]
"""By the name of a data item, a parameter or an output."""


def typed(values: Values) -> dict[str, Value]:
    """The values as a person would type them."""
    return {name: given.text for name, given in values.items()}


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be true. None: it was not asked. An empty tuple: nothing of the kind.

    `tasks` are all user tasks that are open, `group` whom they are offered to; `ended` the end events that were reached; `ran`
    maps a topic to its jobs that succeeded, each with some of its parameters; `thrown` names messages; `passed` are flow nodes in
    the order in which they were passed, others between them. `following` is data of the next instance.
    """

    position: Position
    tasks: tuple[str, ...] | None = None
    group: str | None = None
    data: Values = field(default_factory=dict)
    ran: Mapping[str, tuple[Values, ...]] = field(default_factory=dict)
    thrown: tuple[str, ...] | None = None
    ended: tuple[str, ...] | None = None
    passed: tuple[str, ...] = ()
    following: Values | None = None


# --- steps ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CompleteTask:
    """The task `node` is offered to `group` (None: not asked) and `by` completes it. `refused`: the product refuses that, and
    says so in words that hold this text.
    """

    node: str
    group: str | None
    by: str | None
    values: Values
    refused: str | None


@dataclass(frozen=True, slots=True)
class ClaimTask:
    """`by` claims the task `node`."""

    node: str
    by: str | None


@dataclass(frozen=True, slots=True)
class SucceedJob:
    """The job of the flow node or topic `job` succeeds. Outputs that aren't given are made up."""

    job: str
    outputs: Values


@dataclass(frozen=True, slots=True)
class FailJob:
    """The job ends in the BPMN error `code`."""

    job: str
    code: str
    says: str | None


@dataclass(frozen=True, slots=True)
class BreakJob:
    """The job can't be done, and stays open."""

    job: str
    why: str


@dataclass(frozen=True, slots=True)
class PassTime:
    """Time passes; timers fire."""

    duration: str


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A message arrives: the hand-over, which the scenario follows into the next instance, or any other."""

    name: str
    key: str | None
    values: Values


@dataclass(frozen=True, slots=True)
class SendSignal:
    """A signal is thrown outside."""

    name: str


@dataclass(frozen=True, slots=True)
class Look:
    """Nothing happens: the step only expects."""


Action: TypeAlias = CompleteTask | ClaimTask | SucceedJob | FailJob | BreakJob | PassTime | SendMessage | SendSignal | Look


@dataclass(frozen=True, slots=True)
class Step:
    """One step, and what is expected after it: of what it did, and of how things stand then."""

    action: Action
    position: Position
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `start` is the data it begins with, `start_event` where (None: the start for people), `now` when."""

    name: str
    position: Position
    start: Values
    start_event: str | None
    now: datetime
    steps: tuple[Step, ...]
    expected: Expected | None
