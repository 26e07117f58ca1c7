"""The people of a group, who do its tasks one at a time, in the order in which they notice them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random

from engine.definition.carry_over import kept_apart
from engine.rehearsal.agenda import Agenda
from engine.rehearsal.distribution import draw
from engine.rehearsal.profile import EVERYONE, Profile
from engine.rehearsal.stage import Stage
from engine.rehearsal.work import Task


class Team:
    """One group at work. `do` completes a task in somebody's name; `begun` is told when they begin one; `stuck` when nobody of
    the group may do it. `busy` is how long they have worked, all together, `done` how many tasks they have completed.
    """

    def __init__(
        self,
        name: str | None,
        profile: Profile,
        stage: Stage,
        agenda: Agenda,
        chance: Random,
        *,
        do: Callable[[Task, str], None],
        begun: Callable[[Task], None],
        stuck: Callable[[Task], None],
    ) -> None:
        self.name = name or EVERYONE
        self.habits = profile.group(name)
        self.busy = timedelta()
        self.done = 0
        self._profile, self._stage, self._agenda, self._chance = profile, stage, agenda, chance
        self._do, self._begun, self._stuck = do, begun, stuck
        self._idle = [f"{self.name} {number}" for number in range(1, self.habits.people + 1)]
        self._begun_on: dict[str, tuple[date, int]] = {}  # somebody -> the last day on which they began tasks, and how many
        self._noticed: dict[int, None] = {}  # tasks that wait for somebody, in order
        self._wakes_at: datetime | None = None

    def offer(self, task: Task) -> None:
        """A task is there; somebody notices it after a while."""
        after = timedelta(seconds=draw(self.habits.notices, self._chance))
        self._agenda.put(self._stage.clock.now() + after, lambda: self._notice(task.id))

    def _notice(self, number: int) -> None:
        task = self._stage.tasks.get(number)
        if task is None:
            return
        if all(self._is_kept_apart(task, each) for each in self._everyone()):
            self._stuck(task)
            return
        self._noticed[number] = None
        self._begin_tasks()

    def _everyone(self) -> list[str]:
        return [f"{self.name} {number}" for number in range(1, self.habits.people + 1)]

    def _is_kept_apart(self, task: Task, person: str) -> bool:
        instance = self._stage.instances[task.instance]
        return kept_apart(instance.executable.definition.carry_over, task.flow_node, instance.state.people, person) is not None

    def _begin_tasks(self) -> None:
        """Whoever is free begins the task that was noticed first, of those that they may do."""
        now = self._stage.clock.now()
        opens = self.habits.hours.next_open(now)
        if opens > now:
            self._wake(opens)
            return
        while (pair := self._next(now.date())) is not None:
            self._begin(*pair, now)
        if self._noticed and self._idle and self.habits.tasks_a_day is not None:
            self._wake(self.habits.hours.next_day(now))

    def _next(self, today: date) -> tuple[Task, str] | None:
        free = [person for person in self._idle if not self._has_done_enough(person, today)]
        for number in self._noticed if free else ():
            task = self._stage.tasks.get(number)
            person = next((each for each in free if not self._is_kept_apart(task, each)), None) if task is not None else None
            if task is not None and person is not None:
                return task, person
        return None

    def withdrawn(self, task: Task) -> None:
        """A task that nobody has begun is there no more."""
        self._noticed.pop(task.id, None)

    def _has_done_enough(self, person: str, today: date) -> bool:
        day, number = self._begun_on.get(person, (today, 0))
        return self.habits.tasks_a_day is not None and day == today and number >= self.habits.tasks_a_day

    def _begin(self, task: Task, person: str, now: datetime) -> None:
        del self._noticed[task.id]
        self._idle.remove(person)
        day, number = self._begun_on.get(person, (now.date(), 0))
        self._begun_on[person] = (now.date(), number + 1 if day == now.date() else 1)
        self._stage.claim(task.id, person)
        self._begun(task)
        takes = timedelta(seconds=draw(self._profile.task(task.flow_node).takes or self.habits.takes, self._chance))
        self._agenda.put(self.habits.hours.after(now, takes), lambda: self._finish(task.id, person, takes))

    def _finish(self, number: int, person: str, took: timedelta) -> None:
        self._idle.append(person)
        self.busy += took
        task = self._stage.tasks.get(number)
        if task is not None:  # else it was withdrawn while they were at it
            self.done += 1
            self._do(task, person)
        self._begin_tasks()

    def _wake(self, at: datetime) -> None:
        if self._wakes_at is None or at < self._wakes_at:
            self._wakes_at = at
            self._agenda.put(at, self._woken)

    def _woken(self) -> None:
        self._wakes_at = None
        self._begin_tasks()
