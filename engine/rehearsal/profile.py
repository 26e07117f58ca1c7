"""A profile: how people, customers and services behave in a simulation. What it doesn't say, it takes from the usual values
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from engine.rehearsal.distribution import Distribution, Fixed, Skewed
from engine.rehearsal.working_hours import WorkingHours

SUFFIX = ".profile.yaml"
"""`NAME.profile.yaml` stands beside `NAME.bpmn`. It is never deployed: a definition is the same with another one."""

EVERYONE = "everyone"
"""Whom a task without a group is offered to."""

_MINUTE, _HOUR = 60, 3_600


@dataclass(frozen=True, slots=True)
class GroupHabits:
    """How a group works. Times are in seconds: `takes` is how long one of them is busy with one task, `notices` how long a task
    is there before anybody has seen it. `tasks_a_day` is the most that each begins on a day, None for as many as there is time
    for.
    """

    people: int = 3
    takes: Distribution = field(default_factory=lambda: Skewed(5 * _MINUTE, 20 * _MINUTE))
    notices: Distribution = field(default_factory=lambda: Skewed(2 * _HOUR, 24 * _HOUR))
    hours: WorkingHours = field(default_factory=WorkingHours)
    tasks_a_day: int | None = None


Weights: TypeAlias = Mapping[str, float]
"""A value as people type it -> its weight."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What people enter as an amount: in `zero` of all cases nothing, in `below_zero` a credit, else what `by_currency` says,
    in minor units; currencies that it doesn't name have the usual amounts.
    """

    by_currency: Mapping[str, Distribution] = field(default_factory=dict)
    zero: float = 0.0
    below_zero: float = 0.0

    def of(self, currency: str) -> Distribution:
        """What is usual in a currency."""
        return self.by_currency.get(currency, USUAL_AMOUNT)


USUAL_AMOUNT = Skewed(10_000, 50_000)
"""Minor units."""

Entry: TypeAlias = Weights | Amounts
"""What people enter in a form field."""


@dataclass(frozen=True, slots=True)
class TaskHabits:
    """What differs at one user task from its group's ways. `share` is how often anybody does it at all; None: always, but for a
    task that goes on by itself unless it is claimed.
    """

    takes: Distribution | None = None
    share: float | None = None
    fields: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outage:
    """A service can't be reached: when it begins, after the simulation's beginning, and how long it lasts."""

    begins_after: timedelta
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class ServiceHabits:
    """How a connector's service answers. `takes` is in seconds; `errors` says in what share of the jobs each error comes,
    `again` the same for a job of an instance in which one failed there before; None: as at first.
    """

    takes: Distribution = field(default_factory=lambda: Fixed(1))
    errors: Mapping[str, float] = field(default_factory=dict)
    again: Mapping[str, float] | None = None
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a message comes that an instance waits for, in seconds, and in what share of the cases it comes at all; None: always
    where nothing else is waited for, never on the boundary of an activity.
    """

    comes: Distribution = field(default_factory=lambda: Skewed(24 * _HOUR, 96 * _HOUR))
    share: float | None = None


@dataclass(frozen=True)
class Profile:
    """All of it. `begins` is the first period, None for the usual one. `start` gives data items of the first instance."""

    begins: str | None = None
    start: Mapping[str, Weights] = field(default_factory=dict)
    groups: Mapping[str, GroupHabits] = field(default_factory=dict)
    tasks: Mapping[str, TaskHabits] = field(default_factory=dict)
    services: Mapping[str, ServiceHabits] = field(default_factory=dict)
    messages: Mapping[str, Arrival] = field(default_factory=dict)
    incident_lasts: Distribution = field(default_factory=lambda: Skewed(4 * _HOUR, 24 * _HOUR))

    def group(self, name: str | None) -> GroupHabits:
        """How a group works."""
        return self.groups.get(name or EVERYONE, _USUAL_GROUP)

    def task(self, flow_node: str) -> TaskHabits:
        """How a user task is done."""
        return self.tasks.get(flow_node, _USUAL_TASK)

    def service(self, topic: str) -> ServiceHabits:
        """How a connector's service answers."""
        return self.services.get(topic, _USUAL_SERVICE)

    def message(self, name: str) -> Arrival:
        """When a message comes."""
        return self.messages.get(name, _USUAL_ARRIVAL)


_USUAL_GROUP, _USUAL_TASK, _USUAL_SERVICE, _USUAL_ARRIVAL = GroupHabits(), TaskHabits(), ServiceHabits(), Arrival()
