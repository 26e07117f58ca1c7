"""What is counted while a simulation runs: where work waits, how long things take, what was charged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from engine.rehearsal.work import Task


@dataclass(slots=True)
class Queue:
    """How many wait, and how many at most, since when."""

    now: int = 0
    most: int = 0
    most_at: datetime | None = None
    by_day: dict[date, int] = field(default_factory=dict)  # the most of each day on which it changed
    at_end_of: dict[date, int] = field(default_factory=dict)

    def change(self, by: int, at: datetime) -> None:
        """So many more wait, or fewer."""
        before = self.now
        self.now += by
        if self.now > self.most:
            self.most, self.most_at = self.now, at
        day = at.date()
        self.by_day[day] = max(self.by_day.get(day, before), self.now)
        self.at_end_of[day] = self.now


@dataclass(slots=True)
class TaskTally:
    """One user task. `waited` holds seconds, from when it could be worked on until somebody began it."""

    queue: Queue = field(default_factory=Queue)
    offered: int = 0
    left_alone: int = 0
    done: int = 0
    withdrawn: int = 0
    overdue: int = 0
    waited: list[int] = field(default_factory=list)


@dataclass(slots=True)
class JobTally:
    """The jobs of one topic. `errors` by their codes."""

    done: int = 0
    tried_again: int = 0
    incidents: int = 0
    errors: dict[str, int] = field(default_factory=dict)


class Tally:
    """All of it. `group_of` says to whom a task is offered."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.tasks: dict[tuple[str, str], TaskTally] = {}  # (flow node, group)
        self.groups: dict[str, Queue] = {}
        self.jobs: dict[str, JobTally] = {}
        self.to_charge: list[int] = []  # seconds
        self.to_end: list[int] = []
        self.troubles: dict[str, int] = {}
        self.moves = 0
        self._clock = clock
        self._waiting: dict[int, datetime] = {}  # tasks that nobody has begun -> since when they can be

    def task(self, task: Task, group: str) -> TaskTally:
        """What is counted of a user task."""
        return self.tasks.setdefault((task.flow_node, group), TaskTally())

    def job(self, topic: str) -> JobTally:
        """What is counted of a topic's jobs."""
        return self.jobs.setdefault(topic, JobTally())

    def trouble(self, what: str) -> None:
        """An instance can't go on."""
        self.troubles[what] = self.troubles.get(what, 0) + 1

    # a task's way ...................................................................................................

    def can_begin(self, task: Task, group: str) -> None:
        """From now on a task waits for somebody."""
        self._waiting[task.id] = self._clock()
        self._queue(task, group, 1)

    def begun(self, task: Task, group: str) -> None:
        """Somebody is at it."""
        since = self._waiting.pop(task.id)
        self.task(task, group).waited.append(_seconds(self._clock() - since))
        self._queue(task, group, -1)

    def closed(self, task: Task, group: str, *, completed: bool) -> None:
        """It is completed, or withdrawn."""
        tally = self.task(task, group)
        if completed:
            tally.done += 1
        else:
            tally.withdrawn += 1
        tally.overdue += task.due_at is not None and self._clock() > task.due_at
        if self._waiting.pop(task.id, None) is not None:
            self._queue(task, group, -1)

    def _queue(self, task: Task, group: str, by: int) -> None:
        now = self._clock()
        self.task(task, group).queue.change(by, now)
        self.groups.setdefault(group, Queue()).change(by, now)


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())
