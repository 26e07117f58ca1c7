"""What was recorded of an instance: how it began, and what came from outside, in order. Everything else follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from engine.connector import Value


class InputKind(StrEnum):
    """What came."""

    TASK = "task"  # somebody completed a user task
    JOB = "job"  # a connector, or a person in its place, ended a job
    TIMER = "timer"
    MESSAGE = "message"  # or a signal
    CLAIM = "claim"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that came to an instance, at `at`, for the token that waited at `flow_node`.

    For a task `values` are those that changed, `kept` those that were given as they were before; for a job `values` are its
    outputs, unless it ended in `error` (`general`: the code to catch it by where none catches that; `says`: its message); for a
    message they are what it brought. `path` are the flow nodes that were passed then.
    """

    kind: InputKind
    at: datetime
    flow_node: str
    token: int | None
    by: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    kept: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None
    general: str | None = None
    says: str = ""
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Payment:
    """What a customer paid: minor units of a currency, and who they are at the payment service."""

    amount: int
    currency: str
    customer: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One instance. `data` is what it began with, at `start_event`. `handed` is what its hand-over gave the next instance, None
    where there was none; `end_events` None while it is active; `charged` what history says was charged, in minor units.
    """

    instance: str
    customer: str | None
    period: str | None
    version: int
    started_at: datetime
    start_event: str
    data: Mapping[str, Value]
    path: tuple[str, ...]
    inputs: tuple[Input, ...]
    handed: Mapping[str, Value] | None = None
    end_events: tuple[str, ...] | None = None
    charged: tuple[tuple[int, str], ...] = ()
