"""Reminders: who is to be told which tasks are overdue or due soon, and which are escalated to whom.

A task's reminder goes to the person who has claimed it, where they have an address, else to its group. Whoever gets mail at an
address gets all of it in one reminder, whichever groups and people it stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ReminderRules:
    """Where reminders go and what they are about.

    `addresses`: the e-mail addresses of a group or a user. A task that is due in less than `due_within` is reminded of before it
    is overdue. One that has been overdue for `escalate_after` is told to `escalate_to` as well; both are None where nothing is.
    """

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    due_within: timedelta = timedelta(days=2)
    escalate_after: timedelta | None = None
    escalate_to: str | None = None


@dataclass(frozen=True, slots=True)
class DueTask:
    """An open task with a due time. `group` None: it is offered to everyone."""

    number: int
    name: str
    customer: str | None
    period: str | None
    group: str | None
    claimed_by: str | None
    due_at: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Whether its due time has passed."""
        return self.due_at < now


@dataclass(frozen=True, slots=True)
class Reminder:
    """What one address is told: `tasks` are those of the groups and users that it stands for, `escalated` those of others."""

    address: str
    names: tuple[str, ...]
    tasks: tuple[DueTask, ...]
    escalated: tuple[DueTask, ...]


@dataclass(frozen=True, slots=True)
class Unaddressed:
    """Tasks whose group (or user, where they were offered to everyone) has no address. `name` None: everyone."""

    name: str | None
    tasks: tuple[DueTask, ...]


@dataclass(frozen=True, slots=True)
class ReminderPlan:
    """All that is to be sent, by address, and what can't be, by name."""

    reminders: tuple[Reminder, ...]
    unaddressed: tuple[Unaddressed, ...]


def plan_reminders(tasks: Iterable[DueTask], rules: ReminderRules, now: datetime) -> ReminderPlan:
    """Who is to be reminded of which of the open `tasks`; in each reminder those due first come first."""
    due = sorted((task for task in tasks if task.due_at - now < rules.due_within), key=lambda task: (task.due_at, task.number))
    drafts: dict[str, _Draft] = {}
    unaddressed: dict[str | None, list[DueTask]] = {}
    for task in due:
        name = _whose(task, rules)
        for address in _addresses(name, rules):
            drafts.setdefault(address, _Draft()).add(name, task)
        if not _addresses(name, rules):
            unaddressed.setdefault(name, []).append(task)
    for task in due:
        if _is_escalated(task, rules, now):
            for address in _addresses(rules.escalate_to, rules):
                drafts.setdefault(address, _Draft()).escalate(rules.escalate_to, task)
    without = sorted(unaddressed, key=lambda name: (name is None, name or ""))
    return ReminderPlan(
        tuple(drafts[address].reminder(address) for address in sorted(drafts)),
        tuple(Unaddressed(name, tuple(unaddressed[name])) for name in without),
    )


@dataclass(slots=True)
class _Draft:
    """A reminder that is being put together."""

    names: set[str] = field(default_factory=set)
    tasks: list[DueTask] = field(default_factory=list)
    escalated: list[DueTask] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def add(self, name: str | None, task: DueTask) -> None:
        self._put(self.tasks, name, task)

    def escalate(self, name: str | None, task: DueTask) -> None:
        """Unless it stands among those that are theirs."""
        self._put(self.escalated, name, task)

    def _put(self, place: list[DueTask], name: str | None, task: DueTask) -> None:
        if task.number not in self.seen:
            place.append(task)
            self.seen.add(task.number)
        self.names.update({name} if name is not None else ())

    def reminder(self, address: str) -> Reminder:
        return Reminder(address, tuple(sorted(self.names)), tuple(self.tasks), tuple(self.escalated))


def _whose(task: DueTask, rules: ReminderRules) -> str | None:
    claimed_by = task.claimed_by
    if claimed_by is not None and (task.group is None or _addresses(claimed_by, rules)):
        return claimed_by
    return task.group


def _addresses(name: str | None, rules: ReminderRules) -> tuple[str, ...]:
    return rules.addresses.get(name, ()) if name is not None else ()


def _is_escalated(task: DueTask, rules: ReminderRules, now: datetime) -> bool:
    return rules.escalate_after is not None and now - task.due_at >= rules.escalate_after
