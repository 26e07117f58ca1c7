"""The functional core: `advance` moves an instance by one trigger, without any input or output.

Everything that an instance does follows from it: a service applies the transition in one database transaction, a test or a
simulation applies it in memory. A move that cannot be computed raises, and nothing has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.clock import Clock
from engine.connector import Value
from engine.definition.data_item import check_value
from engine.definition.scopes import ends_instance
from engine.errors import DataRefused, DefinitionInvalid, ExpressionFailed, TaskNotOpen
from engine.execution import calls, cycles
from engine.execution.calls import Passed
from engine.execution.deciding import decided
from engine.execution.executable import Executable
from engine.execution.messaging import correlation_key, payload, received
from engine.execution.state import InstanceState
from engine.execution.token_game import NOWHERE, SCRIPT_FAILED, Begin, Locals, TokenGame
from engine.execution.transition import (
    CallClosed,
    CompleteCall,
    CompleteUserTask,
    Effect,
    ErrorNotCaught,
    FailCall,
    FailJob,
    FireTimer,
    Happening,
    InstanceCompleted,
    JobClosed,
    JobCreated,
    MessageThrown,
    Receive,
    SignalThrown,
    Start,
    SubscriptionClosed,
    SubscriptionOpened,
    TimerClosed,
    TimerStarted,
    Transition,
    Trigger,
    UserTaskClosed,
    UserTaskOpened,
)
from engine.model.moment import parse_moment
from engine.model.period import add_duration
from engine.model.text import shown


def advance(
    executable: Executable, state: InstanceState | None, trigger: Trigger, clock: Clock, begin: Begin = TokenGame
) -> Transition:
    """Move an instance by one trigger until every token waits or is gone.

    `state` is None for `Start` and else what the last transition left. The clock is read for due dates and timers only. Raises
    ExpressionFailed or DataRefused when the move has no result on the data at hand, TaskNotOpen when the trigger's token
    isn't waiting, DefinitionInvalid when the instance could never go on afterwards: in each case there is no transition and
    the state stays as it was. `begin` begins the game of tokens.
    """
    try:
        move = _Move(executable, state, trigger, clock.now(), begin)
        move.apply(trigger)
        return move.transition()
    except RecursionError as error:  # the library follows a way to its end, one call for each element
        raise DefinitionInvalid(
            f"Expected ways of some hundred elements, but one of {executable.definition.id!r} is too long to follow. "
            "Do: split the process, and deploy it again."
        ) from error


class _Move:
    """One call of `advance`: the data under change, the token game, and what was asked for so far. It is the game's Host."""

    def __init__(
        self, executable: Executable, state: InstanceState | None, trigger: Trigger, now: datetime, begin: Begin
    ) -> None:
        self.executable = executable
        self.now = now
        self.triggered = None if isinstance(trigger, Start) else trigger.token
        self.start = trigger.start_event if isinstance(trigger, Start) else _known(state).start
        self.data: dict[str, Value] = dict(state.data) if state else {}
        self.people: dict[str, tuple[str, ...]] = dict(state.people) if state else {}
        self.thrown: list[Effect] = []
        tree = executable.tree(self.start)
        self.game = begin(tree, self, state.tokens if state else None)
        self.open_before = self.game.open_nodes() if state else {}

    # what the trigger does ..........................................................................................

    def apply(self, trigger: Trigger) -> None:
        if isinstance(trigger, Start):
            self.data.update(trigger.data)
        else:
            node = self.open_before.get(trigger.token)
            if node is None:
                raise TaskNotOpen("Expected the work to be open, but the process has gone on without it. Do: look at it anew.")
            self._finish(trigger, node)
        self.game.run()

    def _finish(self, trigger: Happening, node: str) -> None:
        if isinstance(trigger, FailJob):
            self._catch(trigger, node)
            return
        if isinstance(trigger, FailCall):
            if not self.game.throw_error(trigger.token, [trigger.code], trigger.message):
                self.game.end_by_error(trigger.token, trigger.code)
            return
        if isinstance(trigger, FireTimer):
            self._repeat(trigger.token)
            self.game.fire(trigger.token)
            return
        if isinstance(trigger, Receive):
            here = self.game.locals_of(trigger.token)
            data = {**self.data, **here.names()}
            self._keep(received(self.executable, node, trigger.values, data, self._completed_by), here)
            self.game.fire(trigger.token)
            return
        if isinstance(trigger, CompleteUserTask):
            self._keep(trigger.values, self.game.locals_of(trigger.token))
            self.people[node] = (*self.people.get(node, ()), trigger.by)
        elif isinstance(trigger, CompleteCall):
            here = self.game.locals_of(trigger.token)
            given = Passed(trigger.data, trigger.currencies)
            self._keep(calls.returned(self.executable, node, given, {**self.data, **here.names()}), here)
        else:
            self._write_outputs(node, trigger.outputs, self.game.locals_of(trigger.token))
        self.game.complete(trigger.token)

    def _repeat(self, timer: int) -> None:
        """A timer that repeats waits for its next time, if there is one."""
        if memory := self.game.memory(timer):
            after = cycles.next_time(memory)
            if cycles.due_at(after) is not None:
                self.game.repeat(timer, after)

    def _write_outputs(self, node: str, outputs: Mapping[str, Value], here: Locals) -> None:
        names = {**self._names(here), **outputs}
        for item, text in self.executable.outputs[node].items():
            self._set(item, text.evaluate(names, self._completed_by), here)

    def _catch(self, trigger: FailJob, node: str) -> None:
        codes = [trigger.code] if trigger.general is None else [trigger.code, trigger.general]
        if not self.game.throw_error(trigger.token, codes, trigger.message):
            raise ExpressionFailed(
                f"Expected a boundary event at {node!r} for the error {trigger.code!r}, but there is none. "
                "Do: run-process resolve with an --error that the diagram catches; draw one for this error, and deploy it."
            )

    # what the token game asks (Host) ................................................................................

    def holds(self, flow: str, here: Locals) -> bool:
        """Whether a sequence flow's condition is true on the data as it stands."""
        return self.executable.conditions[flow].holds(self._names(here), self._completed_by)

    def run_script(self, node: str, here: Locals) -> None:
        """Run a script task or business rule task; what it gives must fit the items' types, all of it or nothing is assigned."""
        if node in self.executable.decided:
            given = decided(self.executable, node, self._names(here), self._completed_by)
        else:
            script = self.executable.scripts[node]
            after = script.run(self._names(here), self._completed_by)
            given = {item: after[item] for item in script.writes}
        for item, value in {item: self._checked(item, value) for item, value in given.items()}.items():
            self._set(item, value, here)

    def caught(self, node: str, code: str, message: str, here: Locals) -> None:
        """Write down what was caught, where the event asks for it."""
        for event in self.executable.nodes[node].events:
            self._set_if(event.code_variable, code, here)
            self._set_if(event.message_variable, message, here)

    def not_caught(self, node: str, code: str) -> None:
        """Note that the instance has ended by an error."""
        self.thrown.append(ErrorNotCaught(node, code))

    def repetitions(self, activity: str, here: Locals) -> list[Value]:
        """The values of a multi-instance activity's instances; an element variable's are of its data item's type."""
        repeating = self.executable.repeating[activity]
        values = repeating.values(activity, self._names(here), self._completed_by)
        return [self._checked(repeating.element, value) for value in values] if repeating.element else values

    def is_complete(self, activity: str, here: Locals) -> bool:
        """Whether a multi-instance activity's completion condition is true."""
        return self.executable.repeating[activity].completes(self._names(here), self._completed_by)

    def loops_on(self, activity: str, here: Locals) -> bool:
        """Whether a loop's condition is true."""
        return self.executable.repeating[activity].loops_on(self._names(here), self._completed_by)

    def throw(self, node: str, here: Locals) -> None:
        """Note a thrown message or signal, with the data as it stands now."""
        event = self.executable.thrown.get(node)
        if event is None or not event.name:
            return
        if event.kind == "signal":
            self.thrown.append(SignalThrown(node, event.name))
        elif event.name == self.executable.definition.carry_over.message:
            self.thrown.append(MessageThrown(node, event.name, dict(self.data)))
        else:
            names = self._names(here)
            key = correlation_key(self.executable, node, names, self._completed_by)
            brought = payload(self.executable, node, names, self._completed_by)
            self.thrown.append(MessageThrown(node, event.name, brought, key))

    # data ...........................................................................................................

    def _completed_by(self, node: str) -> str | None:
        return next(reversed(self.people.get(node, ())), None)

    def _names(self, here: Locals) -> dict[str, Value]:
        return {**dict.fromkeys(self.executable.definition.carry_over.items), **self.data, **here.names()}

    def _checked(self, item: str, value: Value) -> Value:
        return check_value(self.executable.definition.carry_over.items[item], value)

    def _set(self, item: str, value: Value, here: Locals = NOWHERE) -> None:
        checked = self._checked(item, value)
        if not here.set(item, checked):
            self.data[item] = checked

    def _keep(self, values: Mapping[str, Value], here: Locals) -> None:
        """Values that were checked already."""
        self.data.update({name: value for name, value in values.items() if not here.set(name, value)})

    def _set_if(self, item: str | None, value: Value, here: Locals) -> None:
        if item is not None:
            self._set(item, value, here)

    # what comes of it ...............................................................................................

    def transition(self) -> Transition:
        opened = self._opened_work()
        open_after = self.game.open_nodes()
        if not open_after and not self.game.completed:
            raise DefinitionInvalid(
                f"Expected a token on each way into {', '.join(map(repr, self.game.unjoined()))}, but nothing is left that could "
                "bring one, and the instance would wait for ever. Do: correct the diagram, deploy it, cancel this instance "
                "with a reason and start it again."
            )
        closed = [self._closed(token, node) for token, node in self.open_before.items() if token not in open_after]
        ended: list[Effect] = [InstanceCompleted(self._end_events())] if self.game.completed else []
        state = InstanceState(self.start, self.game.save(), _without_none(self.data), self.people, self._own(open_after))
        return Transition(state, (*closed, *self.thrown, *opened, *ended), tuple(self.game.path), tuple(self.game.flows))

    def _own(self, open_after: Mapping[int, str]) -> dict[int, dict[str, Value]]:
        """What the forms of user tasks show that is theirs alone."""
        tasks = (token for token, node in open_after.items() if self.executable.nodes[node].kind == "userTask")
        return {token: names for token in tasks if (names := self.game.locals_of(token).names())}

    def _opened_work(self) -> list[Effect]:
        """What has become open. A due date, time or parameter without a result is an error, for the diagram to catch."""
        while True:
            opened: list[Effect] = []
            for token, node in self.game.open_nodes().items():
                try:
                    opened += [self._opened(token, node)] if token not in self.open_before else []
                except (ExpressionFailed, DataRefused) as failure:
                    if not self.game.throw_error(token, [SCRIPT_FAILED], str(failure)):
                        raise
                    self.game.run()
                    break
            else:
                return opened

    def _opened(self, token: int, node_id: str) -> Effect:
        node = self.executable.nodes[node_id]
        names = self._names(self.game.locals_of(token))
        if node.kind == "userTask":
            return UserTaskOpened(token, node_id, self._due_at(node_id, names))
        if node_id in self.executable.timers:
            return TimerStarted(token, node_id, self._time_of(token, node_id, names))
        if event := self.executable.awaited.get(node_id):
            key = correlation_key(self.executable, node_id, names, self._completed_by)
            return SubscriptionOpened(token, node_id, event.kind, event.name or "", key)
        if node.call is not None:
            return calls.called(self.executable, token, node, names, self._completed_by)
        inputs = self.executable.inputs[node_id]
        parameters = {name: text.evaluate(names, self._completed_by) for name, text in inputs.items()}
        return JobCreated(token, node_id, node.topic or "", parameters)

    def _closed(self, token: int, node_id: str) -> Effect:
        done = token == self.triggered or token in self.game.signalled
        if node_id in self.executable.timers:
            return TimerClosed(token, node_id, done)
        if node_id in self.executable.awaited:
            return SubscriptionClosed(token, node_id, done)
        kind = self.executable.nodes[node_id].kind
        if kind == "callActivity":
            return CallClosed(token, node_id, done)
        return UserTaskClosed(token, node_id, done) if kind == "userTask" else JobClosed(token, node_id, done)

    def _due_at(self, node_id: str, names: Mapping[str, Value]) -> datetime | None:
        text = self.executable.due.get(node_id)
        value = text.evaluate(names, self._completed_by) if text else None
        return add_duration(self.now, str(value)) if value is not None else None

    def _time_of(self, token: int, timer: str, names: Mapping[str, Value]) -> datetime:
        """When a timer is due. One whose date has passed is due now: it has no turn before those that wait longer."""
        value = self.executable.timers[timer].evaluate(names, self._completed_by)
        event = self.executable.definition.process.timer_of(timer)
        if not isinstance(value, str):
            raise ExpressionFailed(
                f"Expected a text with the timer's time at {timer!r}, but its expression gives {shown(value)}. "
                "Do: give the data item a value, or correct the expression."
            )
        try:
            if event is not None and event.timer == "cycle":
                return max(self._next_of_cycle(token, value), self.now)
            is_date = event is not None and event.timer == "date"
            return max(parse_moment(value), self.now) if is_date else add_duration(self.now, value)
        except DataRefused as refused:
            raise DataRefused(f"In the timer {timer!r}: {refused}") from refused

    def _next_of_cycle(self, token: int, text: str) -> datetime:
        memory = self.game.memory(token)
        if not memory:
            memory = cycles.begun(text, self.now)
            self.game.remember(token, memory)
        due_at = cycles.due_at(memory)
        assert due_at is not None  # a cycle is due at least once, and begins anew only where it is due again
        return due_at

    def _end_events(self) -> tuple[str, ...]:
        process = self.executable.definition.process
        reached = dict.fromkeys(self.game.path)
        failed = {effect.flow_node for effect in self.thrown if isinstance(effect, ErrorNotCaught)}
        ends = (process.nodes[node] for node in reached if process.nodes[node].kind == "endEvent")
        return tuple(end.id for end in ends if end.id in failed or ends_instance(process, end))


def _known(state: InstanceState | None) -> InstanceState:
    if state is None:
        raise TaskNotOpen("Expected a running instance, but it hasn't started. Do: start it first.")
    return state


def _without_none(data: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in data.items() if value is not None}
