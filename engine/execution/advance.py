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
from engine.errors import DataRefused, DefinitionInvalid, ExpressionFailed, TaskNotOpen
from engine.execution.executable import Executable
from engine.execution.state import InstanceState
from engine.execution.token_game import TokenGame
from engine.execution.transition import (
    CompleteJob,
    CompleteUserTask,
    Effect,
    FailJob,
    FireTimer,
    InstanceCompleted,
    JobClosed,
    JobCreated,
    MessageThrown,
    Start,
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


def advance(executable: Executable, state: InstanceState | None, trigger: Trigger, clock: Clock) -> Transition:
    """Move an instance by one trigger until every token waits or is gone.

    `state` is None for `Start` and else what the last transition left. The clock is read for due dates and timers only. Raises
    ExpressionFailed or DataRefused when the move has no result on the data at hand, TaskNotOpen when the trigger's token
    isn't waiting, DefinitionInvalid when the instance could never go on afterwards: in each case there is no transition and
    the state stays as it was.
    """
    try:
        move = _Move(executable, state, trigger, clock.now())
        move.apply(trigger)
        return move.transition()
    except RecursionError as error:  # the library follows a way to its end, one call for each element
        raise DefinitionInvalid(
            f"Expected ways of some hundred elements, but one of {executable.definition.id!r} is too long to follow. "
            "Do: split the process, and deploy it again."
        ) from error


class _Move:
    """One call of `advance`: the data under change, the token game, and what was asked for so far. It is the game's Host."""

    def __init__(self, executable: Executable, state: InstanceState | None, trigger: Trigger, now: datetime) -> None:
        self.executable = executable
        self.now = now
        self.triggered = None if isinstance(trigger, Start) else trigger.token
        self.start = trigger.start_event if isinstance(trigger, Start) else _known(state).start
        self.data: dict[str, Value] = dict(state.data) if state else {}
        self.people: dict[str, tuple[str, ...]] = dict(state.people) if state else {}
        self.thrown: list[Effect] = []
        tree = executable.tree(self.start)
        self.game = TokenGame(tree, self, state.tokens if state else None)
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

    def _finish(self, trigger: CompleteUserTask | CompleteJob | FailJob | FireTimer, node: str) -> None:
        if isinstance(trigger, FailJob):
            self._catch(trigger, node)
            return
        if isinstance(trigger, FireTimer):
            self.game.fire(trigger.token)
            return
        if isinstance(trigger, CompleteUserTask):
            self.data.update(trigger.values)
            self.people[node] = (*self.people.get(node, ()), trigger.by)
        else:
            self._write_outputs(node, trigger.outputs)
        self.game.complete(trigger.token)

    def _write_outputs(self, node: str, outputs: Mapping[str, Value]) -> None:
        names = {**self._names(), **outputs}
        for item, text in self.executable.outputs[node].items():
            self._set(item, text.evaluate(names, self._completed_by))

    def _catch(self, trigger: FailJob, node: str) -> None:
        codes = [trigger.code] if trigger.general is None else [trigger.code, trigger.general]
        caught = self.game.throw_error(trigger.token, codes)
        if caught is None:
            raise ExpressionFailed(
                f"Expected a boundary event at {node!r} for the error {trigger.code!r}, but there is none. "
                "Do: run-process resolve with an --error that the diagram catches; draw one for this error, and deploy it."
            )
        boundary, code = caught
        for event in self.executable.nodes[boundary].events:
            self._set_if(event.code_variable, code)
            self._set_if(event.message_variable, trigger.message)

    # what the token game asks (Host) ................................................................................

    def holds(self, flow: str) -> bool:
        """Whether a sequence flow's condition is true on the data as it stands."""
        return self.executable.conditions[flow].holds(self._names(), self._completed_by)

    def run_script(self, node: str) -> None:
        """Run a script task; what it assigned must fit the items' types."""
        script = self.executable.scripts[node]
        after = script.run(self._names(), self._completed_by)
        for item in script.writes:
            self._set(item, after[item])

    def throw(self, node: str) -> None:
        """Note a thrown message with the data as it stands now."""
        for event in self.executable.nodes[node].events:
            if event.kind == "message" and event.name:
                self.thrown.append(MessageThrown(node, event.name, dict(self.data)))

    # data ...........................................................................................................

    def _completed_by(self, node: str) -> str | None:
        return next(reversed(self.people.get(node, ())), None)

    def _names(self) -> dict[str, Value]:
        return {**dict.fromkeys(self.executable.definition.carry_over.items), **self.data}

    def _set(self, item: str, value: Value) -> None:
        self.data[item] = check_value(self.executable.definition.carry_over.items[item], value)

    def _set_if(self, item: str | None, value: Value) -> None:
        if item is not None:
            self._set(item, value)

    # what comes of it ...............................................................................................

    def transition(self) -> Transition:
        open_after = self.game.open_nodes()
        if not open_after and not self.game.completed:
            raise DefinitionInvalid(
                f"Expected a token on each way into {', '.join(map(repr, self.game.unjoined()))}, but nothing is left that could "
                "bring one, and the instance would wait for ever. Do: correct the diagram, deploy it, cancel this instance "
                "with a reason and start it again."
            )
        opened = [self._opened(token, node) for token, node in open_after.items() if token not in self.open_before]
        closed = [self._closed(token, node) for token, node in self.open_before.items() if token not in open_after]
        ended: list[Effect] = [InstanceCompleted(self._end_events())] if self.game.completed else []
        state = InstanceState(self.start, self.game.save(), _without_none(self.data), self.people)
        return Transition(state, (*closed, *self.thrown, *opened, *ended), tuple(self.game.path))

    def _opened(self, token: int, node_id: str) -> Effect:
        node = self.executable.nodes[node_id]
        if node.kind == "userTask":
            return UserTaskOpened(token, node_id, self._due_at(node_id))
        if node_id in self.executable.timers:
            return TimerStarted(token, node_id, self._time_of(node_id))
        names = self._names()
        inputs = self.executable.inputs[node_id]
        parameters = {name: text.evaluate(names, self._completed_by) for name, text in inputs.items()}
        return JobCreated(token, node_id, node.topic or "", parameters)

    def _closed(self, token: int, node_id: str) -> Effect:
        done = token == self.triggered
        if node_id in self.executable.timers:
            return TimerClosed(token, node_id, done)
        is_user_task = self.executable.nodes[node_id].kind == "userTask"
        return UserTaskClosed(token, node_id, done) if is_user_task else JobClosed(token, node_id, done)

    def _due_at(self, node_id: str) -> datetime | None:
        text = self.executable.due.get(node_id)
        value = text.evaluate(self._names(), self._completed_by) if text else None
        return add_duration(self.now, str(value)) if value is not None else None

    def _time_of(self, timer: str) -> datetime:
        """When a timer is due. One whose date has passed is due now: it has no turn before those that wait longer."""
        value = self.executable.timers[timer].evaluate(self._names(), self._completed_by)
        event = self.executable.definition.process.timer_of(timer)
        if not isinstance(value, str):
            raise ExpressionFailed(
                f"Expected a text with the timer's time at {timer!r}, but its expression gives {shown(value)}. "
                "Do: give the data item a value, or correct the expression."
            )
        try:
            is_date = event is not None and event.timer == "date"
            return max(parse_moment(value), self.now) if is_date else add_duration(self.now, value)
        except DataRefused as refused:
            raise DataRefused(f"In the timer {timer!r}: {refused}") from refused

    def _end_events(self) -> tuple[str, ...]:
        return tuple(node for node in self.game.path if self.executable.nodes[node].kind == "endEvent")


def _known(state: InstanceState | None) -> InstanceState:
    if state is None:
        raise TaskNotOpen("Expected a running instance, but it hasn't started. Do: start it first.")
    return state


def _without_none(data: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in data.items() if value is not None}
