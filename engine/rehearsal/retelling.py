"""A recorded instance run through another definition than the one that it ran on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from engine.connector import Connectors, Value
from engine.definition.carry_over import kept_apart
from engine.definition.data_item import check_value
from engine.definition.diagram import FlowNode
from engine.definition.form import is_decided_anew, is_required
from engine.errors import DataRefused
from engine.execution.executable import Executable
from engine.execution.transition import FireTimer
from engine.rehearsal.recording import Input, InputKind, Recording
from engine.rehearsal.rerun import OF_KIND, Ask, Rerun, Unanswered
from engine.rehearsal.stand_in import made_up
from engine.rehearsal.work import Job, Subscription, Task, Timer, Work


class Retold(Rerun):
    """An instance that runs through another definition than the one that it was recorded on. What was recorded comes to what
    waits for it there under the same flow node's id, in the recorded order as far as that is possible.
    """

    def __init__(
        self,
        executable: Executable,
        old: Executable,
        recording: Recording,
        connectors: Connectors,
        renamed: Mapping[str, str],
        old_open: Sequence[str],
    ) -> None:
        super().__init__(executable, recording, connectors)
        self._old, self._renamed, self._old_open = old, renamed, old_open
        self._by_clock = {node for node in executable.timers if not self._is_as_before(node)}
        self.left: list[Input] = []
        self.asks: list[Ask] = []

    def _is_as_before(self, timer: str) -> bool:
        """Timers that were there before fired when it is recorded; new and changed ones fire by the clock."""
        old, new = self._old.definition.process, self.executable.definition.process
        known = self._recorded_id(timer)
        before = old.timer_of(known) if known in old.nodes else None
        now = new.timer_of(timer)
        return before is not None and now is not None and (before.text, before.timer) == (now.text, now.timer)

    def _recorded_id(self, node: str) -> str:
        return next((old for old, new in self._renamed.items() if new == node), node)

    def tell(self) -> None:
        """Run it as far as what was recorded goes. `left` is then what nothing asked for, `asks` what wasn't recorded: of such
        jobs it is assumed that they succeed. Raises Unanswered, EngineError where it can't go on.
        """
        self.start_at(self._start())
        pending = [
            replace(given, flow_node=self._renamed.get(given.flow_node, given.flow_node)) for given in self.recording.inputs
        ]
        try:
            while self.instance.active and self._go_on(pending):
                pass
        finally:
            self.left = [given for given in pending if given.kind not in (InputKind.CLAIM, InputKind.RELEASE)]
        self.asks += self._asked_in_the_end()

    def _go_on(self, pending: list[Input]) -> bool:
        """Let the next thing happen: whether there was one."""
        place, work = self._next(pending)
        if work is None:
            return self._assume() or self._wait()
        timer = self._due_first(pending[place].at)
        if timer is not None:
            self._fire_by_clock(timer)
        else:
            self.take(self._fitted(pending.pop(place), work), work)
        return True

    def _start(self) -> str:
        """The start event in the place of the recorded one: that of its id, else of its kind."""
        definition, recorded = self.executable.definition, self.recording.start_event
        named = self._renamed.get(recorded, recorded)
        if named in definition.process.nodes:
            return named
        by_message = bool(self._old.nodes[recorded].events)
        start = definition.message_start_event() if by_message else definition.none_start_event()
        if start is None:
            raise Unanswered(Ask("start", recorded, f"there is no start event any more in the place of {recorded}"))
        return start.id

    def _next(self, pending: Sequence[Input]) -> tuple[int, Work | None]:
        waiting = self.work_of(self.number)
        for place, given in enumerate(pending):
            for work in waiting:
                if isinstance(work, OF_KIND[given.kind]) and work.flow_node == given.flow_node and self._is_as_recorded(work):
                    return place, work
        return 0, None

    # timers that are new ............................................................................................

    def _fire_by_clock(self, timer: Timer) -> None:
        self._turn_clock(timer.due_at)
        self._move(timer, FireTimer(timer.token))

    def _due_first(self, at: datetime) -> Timer | None:
        due = [timer for timer in self._clocked() if timer.due_at <= at and not self._held_back(timer)]
        return min(due, key=lambda timer: (timer.due_at, timer.id), default=None)

    def _clocked(self) -> Iterator[Timer]:
        return (timer for timer in self.timers_of(self.number) if timer.flow_node in self._by_clock)

    def _wait(self) -> bool:
        """Nothing that was recorded is asked for now: a new timer on the way lets time pass. Whether there was one."""
        on_the_way = [each for each in self._clocked() if self.executable.nodes[each.flow_node].attached_to is None]
        first = min(on_the_way, key=lambda each: (each.due_at, each.id), default=None)
        if first is not None:
            self._fire_by_clock(first)
        return first is not None

    # what a changed form or job makes of what was recorded ..........................................................

    def _is_as_recorded(self, work: Work) -> bool:
        """Whether an outcome that was recorded at this flow node is that of the same connector."""
        before = self._old.nodes.get(self._recorded_id(work.flow_node))
        return not isinstance(work, Job) or before is None or before.topic == work.topic

    def _assume(self) -> bool:
        """Let a job succeed whose outcome wasn't recorded. Whether there was one."""
        jobs = [job for job in self.jobs_of(self.number) if self._recorded_id(job.flow_node) not in self._old_open]
        for job in jobs[:1]:
            name = self.executable.nodes[job.flow_node].name or job.flow_node
            self.asks.append(Ask("job", job.flow_node, f"the outcome of {name} ({job.topic}); taken for a success"))
            outputs = made_up(job, self.executable, self.connectors, self.clock.now())
            self.take(Input(InputKind.JOB, self.clock.now(), job.flow_node, job.token, values=outputs), job)
        return bool(jobs)

    def _fitted(self, given: Input, work: Work) -> Input:
        if isinstance(work, Task) and given.kind is InputKind.TASK:
            return replace(given, values=self._entered(given, work))
        return given

    def _entered(self, given: Input, task: Task) -> dict[str, Value]:
        """The recorded values as far as the form takes them. Raises Unanswered for what it asks for beside them."""
        node, carry_over = self.executable.nodes[task.flow_node], self.executable.definition.carry_over
        data = self.instance.state.data_at(task.token)
        other = kept_apart(carry_over, task.flow_node, self.instance.state.people, given.by)
        if other is not None:
            raise Unanswered(Ask("person", task.flow_node, f"{task.name} by somebody else than {given.by}, who did {other}"))
        taken = {field.name for field in node.fields if not field.readonly}
        values = {name: value for name, value in {**given.kept, **given.values}.items() if name in taken}
        for name, value in values.items():
            self._check(name, value, task)
        self._check_required(node, task, {**dict.fromkeys(carry_over.items), **data, **values}, values)
        return values

    def _check(self, name: str, value: Value, task: Task) -> None:
        try:
            check_value(self.executable.definition.carry_over.items[name], value)
        except DataRefused as refused:
            raise Unanswered(Ask("value", task.flow_node, f"another value at {task.name}: {refused}")) from refused

    def _check_required(self, node: FlowNode, task: Task, after: Mapping[str, Value], values: Mapping[str, Value]) -> None:
        old = self._old.nodes.get(self._recorded_id(node.id))
        known = {field.name for field in old.fields if not field.readonly} if old is not None else set()
        for field in node.fields:
            item = self.executable.definition.carry_over.items[field.name]
            given = values if is_decided_anew(field, item) and field.name not in known else after
            if given.get(field.name) is None and is_required(field, after):
                raise Unanswered(Ask("field", task.flow_node, f"the field {field.name} ({field.label}) at {task.name}"))

    def _asked_in_the_end(self) -> Iterator[Ask]:
        """What it still waits for, that its recording didn't wait for in the end as well."""
        before = list(self._old_open)
        for work in self.work_of(self.number):
            known = self._recorded_id(work.flow_node)
            if known in before:
                before.remove(known)
                continue
            name = self.executable.nodes[work.flow_node].name or work.flow_node
            match work:
                case Task():
                    yield Ask("task", work.flow_node, f"the task {name}" + (f" by {work.group}" if work.group else ""))
                case Job():
                    yield Ask("job", work.flow_node, f"the job {name} ({work.topic})")
                case Timer() if self.executable.nodes[work.flow_node].attached_to is None:
                    yield Ask("timer", work.flow_node, f"the timer {name}")
                case Subscription() if self.executable.nodes[work.flow_node].attached_to is None:
                    yield Ask("message", work.flow_node, f"the {work.kind} {work.name} at {name}")
