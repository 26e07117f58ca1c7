"""A company simulated: many customers, some months, people and services that behave as a profile says, on the real core.

Time is virtual and chance comes from a seed: the same seed gives the same run. Nothing outside is called, nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random

from engine.billing.coverage import CoverageRow
from engine.clock import TurnedClock
from engine.connector import Connectors, PaysBills
from engine.definition.beginning import present, start_of_hand_over
from engine.definition.carry_over import read_values
from engine.definition.data_item import DataType
from engine.errors import EngineError, MessageNotCorrelated
from engine.execution.executable import Executable
from engine.execution.transition import (
    InstanceCompleted,
    JobCreated,
    Start,
    SubscriptionOpened,
    UserTaskClosed,
    UserTaskOpened,
)
from engine.model.period import add_duration
from engine.rehearsal.agenda import Agenda
from engine.rehearsal.company import Company, refuse_calls
from engine.rehearsal.distribution import draw, happens
from engine.rehearsal.filling_in import USUAL_PERIODS, fill_in, first_period, starting_values
from engine.rehearsal.month_end import Books
from engine.rehearsal.people import Team
from engine.rehearsal.periods import begin_of, periods_until
from engine.rehearsal.profile import EVERYONE, Profile
from engine.rehearsal.services_at_work import Services
from engine.rehearsal.tally import Tally
from engine.rehearsal.work import Instance, Job, Message, Move, Subscription, Task, Work

LEFT_TO_ITS_TIMER = 0.1
"""How often anybody takes over a task that goes on by itself unless it is claimed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be simulated: so many customers for so many months, with this seed. A process that doesn't repeat is started
    for so many customers each month.
    """

    customers: int
    months: int
    seed: int


@dataclass(frozen=True)
class Run:
    """What came of a simulation. `coverage` holds, for each period that is over, when its end was and how everybody
    stood then.
    """

    plan: Plan
    executable: Executable
    begins: datetime
    ends: datetime
    tally: Tally
    teams: Mapping[str, Team]
    books: Books
    coverage: Mapping[str, tuple[datetime, list[CoverageRow]]]
    company: Company

    def open_tasks(self) -> Iterator[tuple[Task, str]]:
        """The tasks that are open at the end, with whom they are offered to."""
        return ((task, task.group or EVERYONE) for task in self.company.tasks.values())


def simulate(
    executable: Executable, connectors: Connectors, profile: Profile, plan: Plan, at: Callable[[float], None] = lambda _: None
) -> Run:
    """Let it happen. What can't go on is part of the answer. `at` is told now and then how much of the time is over, from 0 to 1.
    Raises DefinitionInvalid for a process that nobody can start or that calls another, and
    DataRefused where the first instances can't be started with what the profile says.
    """
    refuse_calls(executable)
    return _Simulation(executable, connectors, profile, plan, at).run()


class _Simulation:
    """One run under way."""

    def __init__(
        self,
        executable: Executable,
        connectors: Connectors,
        profile: Profile,
        plan: Plan,
        at: Callable[[float], None],
    ) -> None:
        self.executable, self.connectors, self.profile, self.plan = executable, connectors, profile, plan
        self.at = at
        self.definition = executable.definition
        self.first = first_period(self.definition, profile)
        self.begins = begin_of(self.first or USUAL_PERIODS[DataType.MONTH])
        self.ends = add_duration(self.begins, "P1M", plan.months)
        self.chance = Random(plan.seed)  # noqa: S311 - chance that can be repeated; nothing secret
        self.agenda = Agenda()
        clock = TurnedClock(self.begins)
        self.tally = Tally(clock.now)
        self.company = Company(clock, self._watch, self._stuck)
        self.company.deploy(executable)
        self.books = Books(self.company, self.definition.carry_over)
        self.teams: dict[str, Team] = {}
        self.coverage: dict[str, tuple[datetime, list[CoverageRow]]] = {}
        self.tasks: dict[tuple[int, int], Task] = {}  # those that are open, by instance and token
        self.services = Services(
            self.company,
            self.agenda,
            profile,
            connectors,
            self.chance,
            self.tally,
            done=self._job_done,
            incident=lambda job, why: self.books.stuck(job.instance, why),
            mended=lambda job: self.books.mended(job.instance),
        )

    def run(self) -> Run:
        self._plan_month_ends()
        self._plan_starts()
        self._tell(0)
        while True:
            timer, act = self.company.next_due(), self.agenda.next_at()
            at = min((each for each in (timer, act) if each is not None), default=None)
            if at is None or at > self.ends:
                break
            self.company.turn_to(at)
            if timer is None or timer > at:
                self.agenda.take()()
        self.company.turn_to(self.ends)
        plan = (self.plan, self.executable, self.begins, self.ends)
        return Run(*plan, self.tally, self.teams, self.books, self.coverage, self.company)

    def _tell(self, hundredth: int) -> None:
        """Say how far it is, a hundred times."""
        self.at(hundredth / 100)
        if hundredth < 100:
            self.agenda.put(self.begins + (self.ends - self.begins) * (hundredth + 1) / 100, partial(self._tell, hundredth + 1))

    def _plan_month_ends(self) -> None:
        bill = self.definition.carry_over.bill
        for period, at in periods_until(self.first, bill.every, self.ends) if bill is not None and self.first else ():
            self.agenda.put(at, partial(self._close_books, period))

    def _close_books(self, period: str) -> None:
        self.coverage[period] = (self.company.clock.now(), self.books.cover(period))

    # instances ......................................................................................................

    def _plan_starts(self) -> None:
        """Customers of a process that repeats begin together; others come at any time, anew each month."""
        numbers = range(1, self.plan.customers + 1)
        for number in numbers if self.definition.carry_over.message is not None else ():
            self.agenda.put(self.begins, partial(self._start, number))
        for month in range(self.plan.months) if self.definition.carry_over.message is None else ():
            begins, ends = (add_duration(self.begins, "P1M", each) if each else self.begins for each in (month, month + 1))
            for number in numbers:
                after = timedelta(seconds=self.chance.randrange(round((ends - begins).total_seconds())))
                self.agenda.put(begins + after, partial(self._start, month * self.plan.customers + number))

    def _start(self, number: int) -> None:
        typed = starting_values(self.definition, self.profile, number, self.first, self.chance)
        if self.definition.none_start_event() is not None:
            self.company.start(self.definition.id, typed)
            return
        carry_over = self.definition.carry_over
        event = start_of_hand_over(self.definition, carry_over.message or "", self.definition.id)
        self.company.begin(self.definition.id, event, present(read_values(carry_over, typed)))

    def _watch(self, move: Move) -> None:
        """After each move: what it opened is given to those who do it."""
        self.tally.moves += 1
        instance = move.instance
        if isinstance(move.trigger, Start):
            self.books.began(instance)
        for message in move.thrown:
            self._thrown(message)
        opened = {work.token: work for work in self.company.work_of(instance.id)}
        for effect in move.transition.effects:
            match effect:
                case UserTaskClosed():
                    self._closed(instance.id, effect)
                case UserTaskOpened() | JobCreated() | SubscriptionOpened():
                    self._opened(opened.get(effect.token))
                case InstanceCompleted():
                    self._completed(instance)

    def _opened(self, work: Work | None) -> None:
        match work:
            case Task():
                self._offered(work)
            case Job():
                self.services.ask(work)
            case Subscription():
                self._awaited(work)

    def _completed(self, instance: Instance) -> None:
        now = self.company.clock.now()
        self.books.completed(instance, now)
        self.tally.to_end.append(self._since_begin(instance, now))

    def _since_begin(self, instance: Instance, at: datetime) -> int:
        """Seconds since an instance could be worked on: since its start, or its period's beginning, if that was later."""
        return round((at - self._workable_from(instance)).total_seconds())

    @staticmethod
    def _workable_from(instance: Instance) -> datetime:
        return max(instance.started_at, begin_of(instance.period)) if instance.period is not None else instance.started_at

    def _stuck(self, instance: int, why: str) -> None:
        self.tally.trouble(why)
        self.books.stuck(instance, why)

    # user tasks .....................................................................................................

    def _offered(self, task: Task) -> None:
        tally = self.tally.task(task, task.group or EVERYONE)
        tally.offered += 1
        self.tasks[task.instance, task.token] = task
        if not happens(self._share(task), self.chance):
            tally.left_alone += 1
            return
        at = self._workable_from(self.company.instances[task.instance])
        if at > self.company.clock.now():  # what is to be billed isn't known before its period
            self.agenda.put(at, partial(self._can_begin, task.id))
        else:
            self._can_begin(task.id)

    def _share(self, task: Task) -> float:
        share = self.profile.task(task.flow_node).share
        events = self.definition.process.boundary_events_of(task.flow_node)
        goes_on_by_itself = any(event.unless_claimed == "true" for event in events)
        return share if share is not None else LEFT_TO_ITS_TIMER if goes_on_by_itself else 1.0

    def _can_begin(self, number: int) -> None:
        task = self.company.tasks.get(number)
        if task is not None:
            self.tally.can_begin(task, task.group or EVERYONE)
            self._team(task.group).offer(task)

    def _team(self, group: str | None) -> Team:
        name = group or EVERYONE
        if name not in self.teams:
            self.teams[name] = Team(
                group,
                self.profile,
                self.company,
                self.agenda,
                self.chance,
                do=self._do,
                begun=lambda task: self.tally.begun(task, name),
                stuck=lambda task: self._stuck(task.instance, f"nobody of {name} may do {task.name}: a control keeps them apart"),
            )
        return self.teams[name]

    def _do(self, task: Task, person: str) -> None:
        instance = self.company.instances[task.instance]
        node = self.executable.nodes[task.flow_node]
        typed = fill_in(node, self.definition.carry_over, instance.data, self.profile, self.chance)
        self.company.attempt(task.instance, lambda: self.company.complete(task.id, typed, by=person))

    def _closed(self, instance: int, effect: UserTaskClosed) -> None:
        task = self.tasks.pop((instance, effect.token))
        self.tally.closed(task, task.group or EVERYONE, completed=effect.completed)
        if not effect.completed:
            self._team(task.group).withdrawn(task)

    def _job_done(self, job: Job) -> None:
        amount, currency = job.parameters.get("amount"), job.parameters.get("currency")
        if not isinstance(self.connectors.get(job.topic), PaysBills):
            return
        if isinstance(amount, int) and isinstance(currency, str):
            instance, now = self.company.instances[job.instance], self.company.clock.now()
            self.books.charged(instance, amount, currency, now)
            self.tally.to_charge.append(self._since_begin(instance, now))

    # messages .......................................................................................................

    def _thrown(self, message: Message) -> None:
        now, bill = self.company.clock.now(), self.definition.carry_over.bill
        if not message.hand_over:
            self.agenda.put(now, partial(self._deliver, message))
            return
        assert message.instance is not None
        self.books.handed_over(message.instance, message.id, now)
        following = message.data.get(bill.period) if bill is not None else None
        if not isinstance(following, str) or begin_of(following) < self.ends:
            self.agenda.put(now, partial(self._deliver, message))

    def _deliver(self, message: Message) -> None:
        """What nobody waits for is kept until somebody does."""
        try:
            self.company.deliver(message.id)
        except MessageNotCorrelated as error:
            if message.hand_over and message.instance is not None:
                self._stuck(message.instance, str(error))
        except EngineError as error:
            if message.instance is not None:
                self.tally.trouble(str(error))
                self.books.stuck(message.instance, str(error), message.id)
        else:
            if message.hand_over and message.instance is not None:
                self.books.delivered(message.instance)

    def _awaited(self, wait: Subscription) -> None:
        now = self.company.clock.now()
        for message in list(self.company.messages.values()):
            if not message.hand_over and (message.name, message.key) == (wait.name, wait.key):
                self.agenda.put(now, partial(self._deliver_if_kept, message))
        arrival = self.profile.message(wait.name)
        share = arrival.share if arrival.share is not None else self._usual_share(wait)
        if happens(share, self.chance):
            self.agenda.put(now + timedelta(seconds=draw(arrival.comes, self.chance)), partial(self._arrive, wait))

    def _deliver_if_kept(self, message: Message) -> None:
        if message.id in self.company.messages:
            self._deliver(message)

    def _usual_share(self, wait: Subscription) -> float:
        """What the process throws itself comes from there; what waits beside an activity comes rarely."""
        node = self.executable.nodes[wait.flow_node]
        thrown = {event.name for event in self.executable.thrown.values()}
        return 0.0 if wait.name in thrown or node.kind in ("boundaryEvent", "startEvent") else 1.0

    def _arrive(self, wait: Subscription) -> None:
        if wait.id not in self.company.subscriptions:
            return
        if wait.kind == "signal":
            self.company.attempt(wait.instance, lambda: self.company.signal(wait.name))
        else:
            message = self.company.publish(wait.name, wait.key, {})
            self.company.attempt(wait.instance, lambda: self.company.deliver(message.id))
