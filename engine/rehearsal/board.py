"""What is open in a company in memory, by number; and how a transition changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from heapq import heappush
from itertools import count
from typing import TypeVar

from engine.clock import TurnedClock
from engine.definition.carry_over import hand_over
from engine.errors import TaskNotOpen
from engine.execution.executable import Executable
from engine.execution.transition import (
    CallClosed,
    ErrorNotCaught,
    InstanceCalled,
    InstanceCompleted,
    JobClosed,
    JobCreated,
    MessageThrown,
    SignalThrown,
    SubscriptionClosed,
    SubscriptionOpened,
    TimerClosed,
    TimerStarted,
    Transition,
    Trigger,
    UserTaskClosed,
    UserTaskOpened,
)
from engine.rehearsal.work import Call, Instance, Job, Message, Move, Subscription, Task, Timer, Work

_W = TypeVar("_W", Task, Job, Timer, Subscription)


class Board:
    """Instances, and what they wait for. Each record is frozen: after a change there is a new one under its number."""

    def __init__(self, clock: TurnedClock, watch: Callable[[Move], None]) -> None:
        self.clock = clock
        self.instances: dict[int, Instance] = {}
        self.tasks: dict[int, Task] = {}
        self.jobs: dict[int, Job] = {}
        self.timers: dict[int, Timer] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.calls: dict[int, Call] = {}
        self.messages: dict[int, Message] = {}
        self._watch = watch
        self._open: dict[int, dict[int, Work]] = {}  # instance -> token -> what waits there
        self._due: list[tuple[datetime, int]] = []  # a heap of timers; those that were closed are left in it
        self._ids = count(1)
        self._instance_ids = count(1)

    # what waits in an instance ......................................................................................

    def work_of(self, instance: int) -> list[Work]:
        """All that an instance waits for, oldest first."""
        return list(self._open.get(instance, {}).values())

    def tasks_of(self, instance: int) -> list[Task]:
        """The open user tasks of an instance, oldest first."""
        return [work for work in self._open.get(instance, {}).values() if isinstance(work, Task)]

    def jobs_of(self, instance: int) -> list[Job]:
        """The open jobs of an instance, oldest first."""
        return [work for work in self._open.get(instance, {}).values() if isinstance(work, Job)]

    def timers_of(self, instance: int) -> list[Timer]:
        """The timers that wait in an instance, oldest first."""
        return [work for work in self._open.get(instance, {}).values() if isinstance(work, Timer)]

    # changes ........................................................................................................

    def _apply(
        self, instance: Instance, trigger: Trigger, work: Work | None, transition: Transition, thrown: list[Message]
    ) -> Instance:
        passed, flows = (*instance.path, *transition.path), (*instance.flows, *transition.flows)
        moved = replace(instance, state=transition.state, path=passed, flows=flows)
        self._open.setdefault(moved.id, {})
        for effect in transition.effects:
            match effect:
                case UserTaskOpened() | JobCreated() | TimerStarted() | SubscriptionOpened() | InstanceCalled():
                    self._put(self._opened(moved, effect))
                case UserTaskClosed() | JobClosed() | TimerClosed() | SubscriptionClosed():
                    self._take_away(self._open[moved.id].pop(effect.token))
                case CallClosed():
                    self._close_call(self._open[moved.id].pop(effect.token), returned=effect.returned)
                case InstanceCompleted():
                    moved = replace(moved, end_events=effect.end_events, ended_at=self.clock.now())
                    del self._open[moved.id]
                case ErrorNotCaught():
                    moved = replace(moved, uncaught=effect.code)
                case MessageThrown() | SignalThrown():
                    pass  # messages are kept below, signals are the stage's
                case _:
                    raise TypeError(f"Expected a known effect, but {effect!r} is none. Do: say here what it does on a stage.")
        self.instances[moved.id] = moved
        kept = tuple(self._keep(replace(message, instance=moved.id)) for message in thrown)
        self._watch(Move(self.clock.now(), trigger, work, transition, moved, kept))
        return moved

    def _close_call(self, work: Work, *, returned: bool) -> None:
        """A call activity waits no longer; where it has gone on without what it called, that ends with all that it waits for."""
        self._take_away(work)
        called = self.instances.get(work.called) if isinstance(work, Call) and work.called is not None else None
        if called is None or returned or not called.active:
            return
        for each in self._open.pop(called.id).values():
            self._close_call(each, returned=False)
        self.instances[called.id] = replace(called, end_events=(), ended_at=self.clock.now(), cancelled=True)

    def _opened(
        self,
        instance: Instance,
        effect: UserTaskOpened | JobCreated | TimerStarted | SubscriptionOpened | InstanceCalled,
    ) -> Work:
        now, number, token, flow_node = self.clock.now(), next(self._ids), effect.token, effect.flow_node
        match effect:
            case UserTaskOpened():
                node = instance.executable.nodes[flow_node]
                return Task(number, instance.id, token, flow_node, node.name or node.id, node.group, now, effect.due_at)
            case JobCreated():
                return Job(number, instance.id, token, flow_node, effect.topic, effect.parameters, now)
            case TimerStarted():
                heappush(self._due, (effect.due_at, number))
                return Timer(number, instance.id, token, flow_node, now, effect.due_at)
            case SubscriptionOpened():
                return Subscription(number, instance.id, token, flow_node, effect.kind, effect.name, effect.key, now)
            case InstanceCalled():
                return Call(number, instance.id, token, flow_node, effect.process, now)

    def _put(self, work: Work) -> None:
        self._open[work.instance][work.token] = work
        match work:
            case Task():
                self.tasks[work.id] = work
            case Job():
                self.jobs[work.id] = work
            case Timer():
                self.timers[work.id] = work
            case Subscription():
                self.subscriptions[work.id] = work
            case Call():
                self.calls[work.id] = work

    def _take_away(self, work: Work) -> None:
        for kept in (self.tasks, self.jobs, self.timers, self.subscriptions, self.calls):
            kept.pop(work.id, None)  # numbers are of one row for all kinds

    def _keep(self, message: Message) -> Message:
        kept = replace(message, id=next(self._ids))
        self.messages[kept.id] = kept
        return kept


def thrown_by(executable: Executable, transition: Transition, now: datetime) -> list[Message]:
    """The messages that a transition throws, not numbered yet, the hand-over with what the carry-over map makes of its data.

    Raises DataRefused where the map refuses it: the move can't be made then.
    """
    return [_message(executable, effect, now) for effect in transition.effects if isinstance(effect, MessageThrown)]


def _message(executable: Executable, effect: MessageThrown, now: datetime) -> Message:
    carry_over = executable.definition.carry_over
    if effect.message != carry_over.message:
        return Message(0, 0, effect.flow_node, effect.message, effect.data, {}, now, effect.key)
    handed = hand_over(carry_over, effect.data)
    return Message(0, 0, effect.flow_node, effect.message, handed.data, handed.previous, now, hand_over=True)


def still_open(open_work: Mapping[int, _W], number: int) -> _W:
    """The work of this number. Raises TaskNotOpen."""
    found = open_work.get(number)
    if found is None:
        raise TaskNotOpen("Expected the work to be open, but the process has gone on without it. Do: look at it anew.")
    return found
