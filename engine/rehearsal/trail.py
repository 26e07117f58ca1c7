"""What happened, for people: a line for each move."""

from __future__ import annotations

from engine.connector import Value
from engine.definition.data_item import DataType, format_value
from engine.execution.transition import CompleteCall, CompleteJob, CompleteUserTask, FailCall, FailJob, FireTimer, Receive, Start
from engine.model.text import shown
from engine.rehearsal.work import Job, Move, Task


def told(move: Move) -> str:
    """One move: when, what, and which flow nodes it passed."""
    passed = " -> ".join(move.transition.path)
    uncaught = f"; nothing catches the error {move.instance.uncaught}" if move.instance.uncaught is not None else ""
    return f"{move.at:%Y-%m-%d %H:%M}  {_what(move)}" + (f": {passed}" if passed else "") + uncaught


def _entered(move: Move, name: str, value: Value) -> str:
    carry_over = move.instance.executable.definition.carry_over
    item = carry_over.items[name]
    if item.type is DataType.MONEY and value is not None:
        return format_value(item, value, carry_over.currency_of(item, move.instance.data))
    return shown(value)


def _what(move: Move) -> str:
    node = move.work.flow_node if move.work is not None else ""
    match move.trigger:
        case Start(start_event):
            called = f"{move.instance.process} " if move.instance.called_by is not None else ""
            return f"{called}started at {start_event}"
        case CompleteUserTask(by=by, values=values):
            entered = ", ".join(f"{item} {_entered(move, item, value)}" for item, value in values.items())
            name = move.work.name if isinstance(move.work, Task) else node
            return f"{by} completed {name}" + (f" with {entered}" if entered else "")
        case CompleteJob():
            return f"{node} ({move.work.topic if isinstance(move.work, Job) else ''}) succeeded"
        case FailJob(code=code):
            return f"{node} failed with {code}"
        case FireTimer():
            return f"{node} fired"
        case CompleteCall():
            return f"{node} went on: what it called is over"
        case FailCall(code=code):
            return f"{node}: what it called ended by {code}"
        case Receive():
            return f"{node} received its message or signal"
