"""What a simulation shows: where work piles up, what is overdue, how long it takes until a charge, and who is charged at each
month's end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from engine.billing.coverage import CoverageRow, count_states, sum_amounts
from engine.connector import Connectors
from engine.definition.process_definition import ProcessDefinition
from engine.execution.executable import Executable
from engine.rehearsal.distribution import quantile
from engine.rehearsal.people import Team
from engine.rehearsal.profile import Profile
from engine.rehearsal.simulation import Plan, Run, simulate
from engine.rehearsal.tally import Queue, TaskTally

_MOST_TROUBLES = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many tasks waited for somebody at most, and since when. `by_day` has the most of each day."""

    most: int
    most_at: datetime | None
    by_day: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TaskReport:
    """One user task, as one group did it. Waits are in seconds, from when the task could be worked on until somebody began it;
    None where nobody began one. `open` is what was not done at the end, `left_alone` what was left to a timer, `overdue` what
    was closed after its due time or is open beyond it.
    """

    task: str
    name: str
    group: str
    offered: int
    done: int
    withdrawn: int
    left_alone: int
    open: int
    overdue: int
    mean_wait: int | None
    p95_wait: int | None
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class GroupReport:
    """A group: `busy` is the share of its people's working time that went into tasks, in whole percent."""

    group: str
    people: int
    done: int
    busy: int
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """A period at its end: customers by coverage's states, and sums in minor units by currency and state."""

    period: str
    at: datetime
    states: Mapping[str, int]
    amounts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long something took, in seconds; None where it never happened."""

    number: int
    median: int | None
    p95: int | None


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """The jobs of one topic. `tried_again` counts attempts in vain while the service couldn't be reached."""

    topic: str
    done: int
    tried_again: int
    incidents: int
    errors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why instances stood still until the end."""

    reason: str
    instances: int


@dataclass(frozen=True)
class SimulationReport:
    """All of it. `charged` sums minor units by currency."""

    process: str
    customers: int
    months: int
    seed: int
    begins: datetime
    ends: datetime
    tasks: tuple[TaskReport, ...]
    groups: tuple[GroupReport, ...]
    periods: tuple[PeriodReport, ...]
    to_charge: Lengths
    to_end: Lengths
    services: tuple[ServiceReport, ...]
    troubles: tuple[Trouble, ...]
    instances: int
    ended: int
    contracts_ended: int
    charges: int
    charged: Mapping[str, int]


def simulated(
    executable: Executable, connectors: Connectors, profile: Profile, plan: Plan, at: Callable[[float], None] = lambda _: None
) -> SimulationReport:
    """Simulate, and say what came of it. `at` as there; raises as `simulate`."""
    return report_of(simulate(executable, connectors, profile, plan, at))


def report_of(run: Run) -> SimulationReport:
    """What a run shows."""
    charges = [charge for of_period in run.books.charges.values() for charge in of_period.values()]
    charged: dict[str, int] = {}
    for charge in charges:
        charged[charge.currency] = charged.get(charge.currency, 0) + charge.amount
    instances = run.company.instances.values()
    return SimulationReport(
        process=run.executable.definition.id,
        customers=run.plan.customers,
        months=run.plan.months,
        seed=run.plan.seed,
        begins=run.begins,
        ends=run.ends,
        tasks=tuple(_tasks(run)),
        groups=tuple(_group(run, team) for _, team in sorted(run.teams.items())),
        periods=tuple(_period(period, at, rows) for period, (at, rows) in run.coverage.items()),
        to_charge=_lengths(run.tally.to_charge),
        to_end=_lengths(run.tally.to_end),
        services=tuple(
            ServiceReport(topic, each.done, each.tried_again, each.incidents, dict(sorted(each.errors.items())))
            for topic, each in sorted(run.tally.jobs.items())
        ),
        troubles=tuple(_troubles(run)),
        instances=len(run.company.instances),
        ended=sum(not instance.active for instance in instances),
        contracts_ended=len(run.books.ended),
        charges=len(charges),
        charged=dict(sorted(charged.items())),
    )


def _tasks(run: Run) -> Iterator[TaskReport]:
    """In the order of the diagram."""
    places = {node: number for number, node in enumerate(run.executable.nodes)}
    overdue: dict[tuple[str, str], int] = {}
    for task, group in run.open_tasks():
        late = task.due_at is not None and task.due_at < run.ends
        overdue[task.flow_node, group] = overdue.get((task.flow_node, group), 0) + late
    for (node, group), tally in sorted(run.tally.tasks.items(), key=lambda each: (places[each[0][0]], each[0][1])):
        yield _task(run, node, group, tally, overdue.get((node, group), 0))


def _task(run: Run, node: str, group: str, tally: TaskTally, overdue_and_open: int) -> TaskReport:
    waited = sorted(tally.waited)
    return TaskReport(
        task=node,
        name=_name(run.executable.definition, node),
        group=group,
        offered=tally.offered,
        done=tally.done,
        withdrawn=tally.withdrawn,
        left_alone=tally.left_alone,
        open=tally.offered - tally.done - tally.withdrawn,
        overdue=tally.overdue + overdue_and_open,
        mean_wait=sum(waited) // len(waited) if waited else None,
        p95_wait=quantile(waited, 0.95),
        waiting=_waiting(run, tally.queue),
    )


def _name(definition: ProcessDefinition, node: str) -> str:
    return definition.process.nodes[node].name or node


def _group(run: Run, team: Team) -> GroupReport:
    habits = team.habits
    there = habits.people * habits.hours.between(run.begins, run.ends)
    busy = math.floor(100 * team.busy / there + 0.5) if there else 0
    waiting = _waiting(run, run.tally.groups.get(team.name, Queue()))
    return GroupReport(team.name, habits.people, team.done, busy, waiting)


def _waiting(run: Run, queue: Queue) -> Waiting:
    days, left = [], 0
    for day in _days(run.begins, run.ends):
        days.append(queue.by_day.get(day, left))
        left = queue.at_end_of.get(day, left)
    return Waiting(queue.most, queue.most_at, tuple(days))


def _days(begins: datetime, ends: datetime) -> Iterator[date]:
    return ((begins + timedelta(days=number)).date() for number in range(math.ceil((ends - begins) / timedelta(days=1))))


def _period(period: str, at: datetime, rows: Sequence[CoverageRow]) -> PeriodReport:
    return PeriodReport(period, at, count_states(rows), sum_amounts(rows))


def _lengths(seconds: list[int]) -> Lengths:
    inorder = sorted(seconds)
    return Lengths(len(inorder), quantile(inorder, 0.5), quantile(inorder, 0.95))


def _troubles(run: Run) -> Iterator[Trouble]:
    """Those that concern most instances."""
    found = sorted(run.tally.troubles.items(), key=lambda each: (-each[1], each[0]))
    return (Trouble(reason, number) for reason, number in found[:_MOST_TROUBLES])
