"""What a reminder says: a subject and a plain text. What people and diagrams have written stays on its line and harmless."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from engine.billing.reminders import DueTask, Reminder
from engine.model.identifiers import Kind, format_id
from engine.model.moment import length_in_words

_MOST_LISTED = 100  # of each kind: nobody reads more, and a mail has to stay one that servers take
_JOINERS = "\u200c\u200d"  # names need them

_COMMANDS = """What can be done (NAME is yours, TASK a task's number):

    run-process tasks TASK
        shows a task with its form
    run-process claim TASK --as NAME
        makes it yours
    run-process complete TASK --set ITEM=VALUE --as NAME
        completes it
    run-process release TASK --reason TEXT --as NAME
        offers it to its group again
    run-process tasks --overdue
        lists all that are overdue

A reminder comes once a day at most."""


def reminder_text(reminder: Reminder, now: datetime) -> tuple[str, str]:
    """The subject and the text of a reminder as of `now`."""
    overdue = [task for task in reminder.tasks if task.is_overdue(now)]
    soon = [task for task in reminder.tasks if not task.is_overdue(now)]
    kinds = (("overdue", overdue), ("escalated", reminder.escalated), ("due soon", soon))
    subject = ", ".join(f"{len(tasks)} {kind}" for kind, tasks in kinds if tasks)
    sections = ["\n".join(_section(kind, tasks, now)) for kind, tasks in kinds if tasks]
    head = f"Tasks for {', '.join(map(_line, reminder.names))}, as of {_moment(now)}"
    return f"Tasks: {subject}", "\n\n".join([head, *sections, _COMMANDS]) + "\n"


def _section(kind: str, tasks: Sequence[DueTask], now: datetime) -> Iterator[str]:
    yield f"{kind.upper()}: {len(tasks)}"
    for task in tasks[:_MOST_LISTED]:
        yield ""
        yield from _task(task, now)
    if len(tasks) > _MOST_LISTED:
        yield f"\n... and {len(tasks) - _MOST_LISTED} more"


def _task(task: DueTask, now: datetime) -> Iterator[str]:
    number = format_id(Kind.TASK, task.number)
    yield f"{number}  {_line(task.name)}"
    about = (("customer", task.customer), ("period", task.period))
    if any(value is not None for _, value in about):
        yield "    " + ", ".join(f"{name} {_line(value)}" for name, value in about if value is not None)
    late = f"overdue {length_in_words(now - task.due_at)}" if task.is_overdue(now) else f"in {length_in_words(task.due_at - now)}"
    yield f"    due {_moment(task.due_at)}, {late}"
    offered = f"offered to {_line(task.group) if task.group is not None else 'everyone'}"
    yield f"    {offered if task.claimed_by is None else f'claimed by {_line(task.claimed_by)}'}"
    yield f"    run-process tasks {number}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%MZ}"


def _line(text: str) -> str:
    """Line ends would make lines of their own, other signs that can't be seen would change what is read."""
    return "".join(c if c.isprintable() or c in _JOINERS else "\N{REPLACEMENT CHARACTER}" for c in text)
