"""What is known of a period of a process, as coverage judges it: small records, because there are a hundred thousand of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.billing.roster import RosterEvent


@dataclass(slots=True)
class InstanceFact:
    """An instance of the period. `billed`: it is the customer's bill. `thrown`: it has handed over. What follows `billed` is
    known of those that weren't charged; `damaged`: what it remembers can't be read.
    """

    number: int
    state: str
    billed: bool
    ended_at: datetime | None = None
    amount: int | None = None
    currency: str | None = None
    thrown: bool = False
    damaged: bool = False


@dataclass(slots=True)
class ChargeFact:
    """The ledger's row of the customer's bill."""

    instance: int
    amount: int
    currency: str
    state: str
    in_doubt: bool
    reason: str | None
    at: datetime


@dataclass(slots=True)
class TaskFact:
    """An open user task."""

    number: int
    name: str
    group: str | None
    claimed_by: str | None
    since: datetime
    due_at: datetime | None


@dataclass(slots=True)
class WorkFact:
    """A job that waits or runs, a timer, or a message or signal that is waited for: `what` names it, `next_at` is when it goes
    on, None where nobody knows when it comes.
    """

    what: str
    since: datetime
    next_at: datetime | None
    problem: str | None


@dataclass(slots=True)
class IncidentFact:
    """An open incident of an instance; `message` where it is about a hand-over that couldn't be delivered. One that only tells
    something can't be retried.
    """

    number: int
    what: str
    message: int | None
    can_be_retried: bool = True


@dataclass(slots=True)
class Before:
    """The customer's newest bill before the period, for a customer without one in it. `message`: what it threw last, as (number,
    state, when it is due).
    """

    number: int
    period: str
    state: str
    message: tuple[int, str, datetime] | None


@dataclass(frozen=True)
class Situation:
    """All that is known of a period of one process; what belongs to instances is by their number, the rest by customer."""

    process: str
    period: str
    now: datetime
    first_periods: Mapping[str, str]
    events: Mapping[str, Sequence[RosterEvent]]
    instances: Mapping[str, Sequence[InstanceFact]]
    charges: Mapping[str, ChargeFact]
    refunded: Mapping[str, int]
    tasks: Mapping[int, Sequence[TaskFact]]
    work: Mapping[int, Sequence[WorkFact]]
    incidents: Mapping[int, IncidentFact]
    before: Mapping[str, Before]
    cancellations: Mapping[int, tuple[str, str]]
    """Cancelled instance -> by whom, and why."""
    strangers: frozenset[str] = frozenset()
    """Customers with a bill up to the period who don't stand on the roster."""
