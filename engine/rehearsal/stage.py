"""A company in memory, on the real core: nothing is stored, nothing outside is called, and time passes when it is told to.

    stage = Stage(TurnedClock(datetime(2026, 10, 1, tzinfo=UTC)))
    stage.deploy(Executable(definition))
    instance = stage.start("monthly-card-charge", {"currency": "USD", ...})
    stage.complete(stage.tasks_of(instance.id)[0].id, {"billing_amount": "120.50"}, by="ann")
    stage.succeed(stage.jobs_of(instance.id)[0].id, {"payment_intent": "pi_1"})
    stage.turn(timedelta(days=3))
    following = stage.deliver(next(iter(stage.messages)))

An `Executable` is made once and shared by any number of stages: making one takes milliseconds. Ids are whole numbers from 1, the
same on every run. `tasks`, `jobs`, `timers`, `subscriptions`, `calls` and `messages` hold what is open and nothing else;
`instances` all there ever were; `tasks_of(instance)` and the like what is open in one.
Every record is frozen: what is looked up again after a move is a new one.

What a call activity calls is started with the move that calls it, on the newest version that is deployed here, whatever its
binding; its end leads its caller on at once.

A call that raises has changed nothing (but `turn`, which has fired what was due before, and what a called instance ended with,
which its caller can't go on with: its `Call` says so then). Values are read and checked by the
product's own rules: a form's fields, the start's values, tasks that different people must do, one bill for each customer and
period, the hand-over through the carry-over map. `watch` is called after every move with a `Move`, to record what is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heappop, heappush

from engine.clock import TurnedClock
from engine.connector import Value
from engine.definition.beginning import (
    bill_of,
    handed_data,
    known_items,
    none_start,
    present,
    start_of_hand_over,
    values_at_start,
)
from engine.definition.carry_over import kept_apart
from engine.definition.correlation import message_starts
from engine.definition.form import read_form
from engine.errors import (
    AlreadyBilled,
    DefinitionNotDeployed,
    EngineError,
    MessageNotCorrelated,
    NotFound,
    NotPermitted,
    TaskNotOpen,
)
from engine.execution.advance import advance
from engine.execution.executable import Executable
from engine.execution.messaging import received
from engine.execution.token_game import Begin, TokenGame
from engine.execution.transition import (
    CompleteJob,
    CompleteUserTask,
    Effect,
    FailJob,
    FireTimer,
    Receive,
    SignalThrown,
    Start,
    Transition,
    Trigger,
)
from engine.model.identifiers import Kind, format_id
from engine.rehearsal.board import Board, still_open, thrown_by
from engine.rehearsal.calls import Planned, begun, planned, told
from engine.rehearsal.work import Call, Instance, Job, Message, Move, Subscription, Task, Timer, Work

_CLAIM_PAUSE = timedelta(minutes=10)  # as engine/services/timing.py looks again


class Stage(Board):
    """A company in memory: what may be done on its board, by the product's rules.

    `may_work_for(user, group)` says who belongs to which group; by default everyone to each. Only the stage turns `clock`.
    `begin_game` begins games of tokens.
    """

    def __init__(
        self,
        clock: TurnedClock,
        may_work_for: Callable[[str, str | None], bool] = lambda user, group: True,
        watch: Callable[[Move], None] = lambda move: None,
        begin_game: Begin = TokenGame,
    ) -> None:
        super().__init__(clock, watch)
        self.processes: dict[str, Executable] = {}
        self.bills: dict[tuple[str, str, str], int] = {}
        self._may_work_for = may_work_for
        self._begin_game = begin_game

    # definitions and instances ......................................................................................

    def deploy(self, executable: Executable) -> None:
        """From now on the newest version of its process. Instances that run stay on theirs."""
        self.processes[executable.definition.id] = executable

    def start(self, process: str, raw: Mapping[str, Value]) -> Instance:
        """Start an instance by hand, with values as people type them.

        Raises DefinitionNotDeployed, DataRefused, DefinitionInvalid, AlreadyBilled, and what `advance` raises.
        """
        executable = self._newest(process)
        definition = executable.definition
        return self.begin(process, none_start(definition), values_at_start(definition.carry_over, raw))

    def begin(
        self,
        process: str,
        start_event: str,
        data: Mapping[str, Value],
        previous: int | None = None,
        previous_values: Mapping[str, Value] | None = None,
    ) -> Instance:
        """Start an instance at any start event, with data as instances hold them (money in minor units). Raises as `start`."""
        executable = self._newest(process)
        customer, period = bill_of(executable.definition.carry_over, data)
        if customer is not None and period is not None and (billed := self.bills.get((process, customer, period))) is not None:
            raise AlreadyBilled(process, customer, period, format_id(Kind.INSTANCE, billed))
        trigger = Start(start_event, data)
        transition = advance(executable, None, trigger, self.clock, self._begin_game)
        now = self.clock.now()
        thrown = thrown_by(executable, transition, now)
        calls = planned(transition, self._newest, self.clock, self._begin_game, depth=0)
        number = next(self._instance_ids)
        instance = Instance(number, executable, transition.state, now, customer, period, previous, previous_values)
        if customer is not None and period is not None:
            self.bills[process, customer, period] = number
        self._apply(instance, trigger, None, transition, thrown)
        self._lead_on(number, transition, self._call(number, calls))
        return self.instances[number]

    def _newest(self, process: str) -> Executable:
        try:
            return self.processes[process]
        except KeyError:
            known = ", ".join(sorted(self.processes)) or "none"
            raise DefinitionNotDeployed(
                f"Expected a deployed process, but {process!r} is none. Do: choose of: {known}."
            ) from None

    # user tasks .....................................................................................................

    def claim(self, task: int, by: str) -> Task:
        """Make an offered task somebody's. Raises TaskNotOpen, NotPermitted."""
        found = self._task_for(task, by)
        claimed = replace(found, claimed_by=by)
        self._put(claimed)
        return claimed

    def release(self, task: int) -> Task:
        """Offer a claimed task again. Raises TaskNotOpen."""
        released = replace(still_open(self.tasks, task), claimed_by=None)
        self._put(released)
        return released

    def complete(self, task: int, raw: Mapping[str, Value], by: str) -> Instance:
        """Complete a task with its form's values as people type them. Raises TaskNotOpen, NotPermitted, DataRefused, and what
        `advance` raises.
        """
        found = self._task_for(task, by)
        instance = self.instances[found.instance]
        node = instance.executable.nodes[found.flow_node]
        carry_over, data = instance.executable.definition.carry_over, instance.state.data_at(found.token)
        values = read_form(node, repr(found.name), carry_over, raw, data)
        return self._move(found, CompleteUserTask(found.token, values, by))

    def _task_for(self, number: int, user: str) -> Task:
        task = still_open(self.tasks, number)
        if task.claimed_by not in (None, user):
            raise TaskNotOpen(f"Expected {task.name!r} to be free, but {task.claimed_by} has claimed it. Do: release it first.")
        if not self._may_work_for(user, task.group):
            raise NotPermitted(f"Expected a member of {task.group!r} for {task.name!r}, but {user} is none. Do: ask one of them.")
        instance = self.instances[task.instance]
        other = kept_apart(instance.executable.definition.carry_over, task.flow_node, instance.state.people, user)
        if other is not None:
            done = instance.executable.nodes[other].name or other
            raise NotPermitted(
                f"Expected someone other than {user} for {task.name!r}, but {user} has done {done!r} in this instance and a "
                "control keeps the two apart. Do: let somebody else do it."
            )
        return task

    # jobs ...........................................................................................................

    def succeed(self, job: int, outputs: Mapping[str, Value] | None = None) -> Instance:
        """A job's connector has done its work. Raises TaskNotOpen, and what `advance` raises."""
        found = still_open(self.jobs, job)
        return self._move(found, CompleteJob(found.token, outputs or {}))

    def fail(self, job: int, code: str, message: str, general: str | None = None) -> Instance:
        """A job ended in a BPMN error, for an error event to catch. Raises TaskNotOpen, and what `advance` raises."""
        found = still_open(self.jobs, job)
        return self._move(found, FailJob(found.token, code, message, general))

    def break_down(self, job: int, why: str) -> Job:
        """A job can't be done for a technical reason: it stays open and needs a person, until it succeeds or fails after all."""
        broken = replace(still_open(self.jobs, job), trouble=why)
        self._put(broken)
        return broken

    # time ...........................................................................................................

    def turn(self, by: timedelta) -> list[Instance]:
        """Let time pass; as `turn_to`."""
        return self.turn_to(self.clock.now() + by)

    def turn_to(self, at: datetime) -> list[Instance]:
        """Turn the clock to `at`, and fire what is due until then, in the order of time, each at its own moment. The instances
        that it moved. `turn_to` a moment that is past fires what is due now.
        """
        moved = []
        while self._due and self._due[0][0] <= max(at, self.clock.now()):
            due_at, number = heappop(self._due)
            timer = self.timers.get(number)
            if timer is None:
                continue  # withdrawn meanwhile
            self._turn_clock(due_at)
            if self._held_back(timer):
                heappush(self._due, (self.clock.now() + _CLAIM_PAUSE, number))
            else:
                moved.append(self._fire(timer, due_at))
        self._turn_clock(at)
        return moved

    def _fire(self, timer: Timer, due_at: datetime) -> Instance:
        try:
            return self._move(timer, FireTimer(timer.token))
        except Exception:  # whatever it was, nothing has changed: the timer is due still
            heappush(self._due, (due_at, timer.id))
            raise

    def next_due(self) -> datetime | None:
        """When the next timer fires; None where none waits."""
        while self._due and self._due[0][1] not in self.timers:
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def _turn_clock(self, at: datetime) -> None:
        self.clock.advance(max(at - self.clock.now(), timedelta()))

    def _held_back(self, timer: Timer) -> bool:
        """A timer with `unless_claimed` leaves a task alone that somebody has."""
        event = self.instances[timer.instance].executable.nodes[timer.flow_node]
        tasks = self.tasks_of(timer.instance)
        return event.unless_claimed == "true" and any(
            task.claimed_by is not None and task.flow_node == event.attached_to for task in tasks
        )

    # messages and signals ...........................................................................................

    def deliver(self, message: int) -> Instance:
        """Deliver a message: a hand-over starts the next instance, on the newest version; any other goes to the instance that has
        waited longest for it with its key, else it starts one. The instance that it reached.

        Raises NotFound for one that has arrived before, MessageNotCorrelated where nobody waits for it, and as `start`; the
        message waits then still.
        """
        found = self.messages.get(message)
        if found is None:
            raise NotFound("Expected a message that hasn't arrived yet, but there is none of that number. Do: look at it anew.")
        reached = self._hand_over(found) if found.hand_over else self._receive_message(found)
        del self.messages[message]
        return reached

    def publish(self, name: str, key: str | None, values: Mapping[str, Value]) -> Message:
        """A message comes from outside, to be delivered. `values` are by the names that its sender gives them."""
        return self._keep(Message(0, None, None, name, values, {}, self.clock.now(), key))

    def signal(self, name: str, thrower: int | None = None) -> list[Instance]:
        """A signal from outside, or from the instance `thrower`, which has had it already, goes to whoever waits for it at this
        moment. The instances that it reached. Raises what `advance` raises.
        """
        waiting = [each for each in self.subscriptions.values() if (each.kind, each.name) == ("signal", name)]
        others = [each for each in waiting if each.instance != thrower]
        return [self._move(each, Receive(each.token)) for each in others if each.id in self.subscriptions]

    def _hand_over(self, message: Message) -> Instance:
        assert message.instance is not None
        process = self.instances[message.instance].process
        definition = self._newest(process).definition
        start = start_of_hand_over(definition, message.name, definition.id)
        data, previous = handed_data(definition, message.data), known_items(definition, message.previous)
        return self.begin(process, start, data, message.instance, previous)

    def receiver_of(self, message: Message) -> Subscription | None:
        """Who has waited longest for a message with this key; None where nobody waits, and for a hand-over."""
        wanted = ("message", message.name, message.key)
        waiting = (each for each in self.subscriptions.values() if (each.kind, each.name, each.key) == wanted)
        return None if message.hand_over or message.key is None else next(waiting, None)

    def _receive_message(self, message: Message) -> Instance:
        receiver = self.receiver_of(message)
        if receiver is not None:
            return self._move(receiver, Receive(receiver.token, message.data))
        for process, executable in self.processes.items():
            start = message_starts(executable.definition.process, executable.definition.carry_over).get(message.name)
            if start is not None:
                brought = received(executable, start.id, message.data, {}, lambda _: None)
                return self.begin(process, start.id, present(brought))
        with_key = f" with the correlation key {message.key!r}" if message.key is not None else ""
        raise MessageNotCorrelated(
            f"Expected an instance that waits for the message {message.name!r}{with_key}, but there is none. "
            "Do: see to it that one waits before the message comes."
        )

    # moves ..........................................................................................................

    def _move(self, work: Work, trigger: Trigger) -> Instance:
        instance = self.instances[work.instance]
        transition = advance(instance.executable, instance.state, trigger, self.clock, self._begin_game)
        thrown = thrown_by(instance.executable, transition, self.clock.now())
        calls = planned(transition, self._newest, self.clock, self._begin_game, instance.depth)
        self._apply(instance, trigger, work, transition, thrown)
        self._lead_on(instance.id, transition, self._call(instance.id, calls))
        return self.instances[instance.id]

    def _call(self, caller: int, calls: Sequence[Planned]) -> list[tuple[int, Transition]]:
        """Start what a move has called, and what that calls in turn; the innermost come first."""
        of = {call.token: call for call in self._open.get(caller, {}).values() if isinstance(call, Call)}
        started: list[tuple[int, Transition]] = []
        for plan in calls:
            number = next(self._instance_ids)
            self._put(replace(of[plan.call.token], called=number))
            instance = begun(plan, number, self.instances[caller], self.clock.now())
            self._apply(instance, plan.start, None, plan.transition, list(plan.thrown))
            started += [*self._call(number, plan.calls), (number, plan.transition)]
        return started

    def _lead_on(self, number: int, transition: Transition, called: list[tuple[int, Transition]]) -> None:
        """When all that a move has called is started: signals go to others, and what is over leads its caller on."""
        moved = [*called, (number, transition)]
        for each, made in moved:
            self._broadcast(made.effects, each)
        for each, _ in moved:
            self._return(each)

    def _return(self, number: int) -> None:
        """Lead on whoever called an instance that is over; where they can't go on, the call stays open and says why."""
        called = self.instances[number]
        call = next((each for each in self.calls.values() if each.called == number and each.trouble is None), None)
        if called.active or called.called_by is None or call is None:
            return
        try:
            self._move(call, told(call, called))
        except EngineError as error:
            self._put(replace(call, trouble=str(error)))
            raise

    def _broadcast(self, effects: Sequence[Effect], thrower: int) -> None:
        for effect in effects:
            if isinstance(effect, SignalThrown):
                self.signal(effect.name, thrower)
