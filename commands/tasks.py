"""`tasks`, `claim`, `release`, `complete`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.completion import complete_process, complete_task
from commands.output import print_facts, print_json, print_table, readable, say
from commands.session import acting_user, database_option, json_option, open_runtime, options, user_option
from commands.values import PERIOD, data_option, read_settings, set_option
from engine.model.moment import length_in_words

if TYPE_CHECKING:
    from datetime import datetime

    from engine.services.views import FieldView, TaskView

_task = click.argument("task_id", metavar="[TASK]", required=False, shell_complete=complete_task)
_one_task = click.argument("task_id", metavar="TASK", shell_complete=complete_task)


@click.command()
@_task
@click.option("--process", metavar="PROCESS", shell_complete=complete_process, help="Only tasks of this process.")
@click.option("--group", "group_name", metavar="GROUP", help="Only tasks offered to this group.")
@click.option("--claimed-by", metavar="USER", help="Only tasks that this user has claimed.")
@click.option("--customer", metavar="CUSTOMER", help="Only tasks of this customer.")
@click.option("--period", type=PERIOD, metavar="PERIOD", help="Only tasks of this period, e.g. 2026-10.")
@click.option("--overdue", is_flag=True, help="Only open tasks whose due time has passed, the longest overdue first.")
@click.option("--all", "completed", is_flag=True, help="Completed tasks as well.")
@click.option("--after", metavar="TASK", help="Only tasks behind this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="How many at most.")
@options(database_option, json_option)
def tasks(
    task_id: str | None,
    database: str,
    as_json: bool,
    overdue: bool,
    completed: bool,
    after: str | None,
    limit: int,
    **filters: str | None,
) -> None:
    """List the work that waits for people; with TASK, show that one with its form.

    In a form, last month's value stands in a column of its own: it is for comparison and is never taken over.
    """
    if overdue and completed:
        raise click.UsageError("Expected --overdue or --all, but there are both. Do: choose one; completed tasks aren't overdue.")
    from engine.services import worklist

    chosen = {name: value for name, value in filters.items() if value is not None}
    with open_runtime(database) as runtime:
        now = runtime.now()
        if task_id is not None:
            _print_task(worklist.task(runtime, task_id), now, as_json)
            return
        found = worklist.tasks(runtime, chosen, completed=completed, overdue=overdue, after=after, limit=limit, forms=as_json)
    if as_json:
        print_json(found)
        return
    print_table(
        ("TASK", "NAME", "GROUP", "STATE", "BY", "CUSTOMER", "PERIOD", "DUE"),
        [(t.id, t.name, t.group, t.state, t.claimed_by, t.customer, t.period, _due(t, now)) for t in found],
    )
    if len(found) == limit:
        say(f"There may be more. Do: run-process tasks {'--overdue ' if overdue else ''}--after {found[-1].id}.")


def _due(task: TaskView, now: datetime) -> str:
    late = f", overdue {length_in_words(now - task.due_at)}" if task.overdue and task.due_at is not None else ""
    return f"{readable(task.due_at)}{late}"


def _print_task(task: TaskView, now: datetime, as_json: bool) -> None:
    if as_json:
        print_json(task)
        return
    claimed = f"{task.state} by {task.claimed_by}" if task.claimed_by else task.state
    facts = [
        (task.id, task.name),
        ("instance", task.instance),
        ("customer", task.customer),
        ("period", task.period),
        ("group", task.group),
        ("state", claimed),
        ("created", task.created_at),
        ("due", _due(task, now)),
    ]
    print_facts(facts)
    click.echo()
    print_table(
        ("FIELD", "LABEL", "TYPE", "", "VALUE", "LAST TIME"),
        [(f.name, f.label, _type(f), _mark(f), f.text, f.previous_text) for f in task.fields],
    )


def _type(field: FieldView) -> str:
    return "|".join(field.choices) if field.choices else field.type


def _mark(field: FieldView) -> str:
    if field.readonly:
        return "read only"
    return "required" if field.required else f"required if {field.required_if}" if field.required_if else ""


@click.command()
@_one_task
@options(database_option, user_option, json_option)
def claim(task_id: str, database: str, user: str | None, as_json: bool) -> None:
    """Take a task. Of two who claim at once one wins, and the other is told who."""
    from engine.services import worklist

    by = acting_user(user)
    with open_runtime(database) as runtime:
        task = worklist.claim(runtime, task_id, by)
    _print_done(task, as_json, f"{task.id} is {readable(by)}'s")


@click.command()
@_one_task
@click.option("--reason", metavar="TEXT", help="Needed to release a task that somebody else has claimed; recorded.")
@options(database_option, user_option, json_option)
def release(task_id: str, reason: str | None, database: str, user: str | None, as_json: bool) -> None:
    """Give a task back: it is offered again."""
    from engine.services import worklist

    with open_runtime(database) as runtime:
        task = worklist.release(runtime, task_id, acting_user(user), reason)
    _print_done(task, as_json, f"{task.id} is offered")


@click.command()
@_one_task
@options(set_option, data_option, database_option, user_option, json_option)
def complete(
    task_id: str,
    settings: tuple[str, ...],
    data_file: Path | None,
    database: str,
    user: str | None,
    as_json: bool,
) -> None:
    """Complete a task with its form's values. An offered task is claimed on the way.

    Fields that are not set keep their value; `--set ITEM=` clears one. `run-process tasks TASK` shows the form.
    """
    values, by = read_settings(settings, data_file), acting_user(user)
    from engine.services import worklist  # slow to import: what was mistyped above is told at once

    with open_runtime(database) as runtime:
        task = worklist.complete(runtime, task_id, values, by)
    _print_done(task, as_json, f"{task.id} is completed; {task.instance} goes on")


def _print_done(task: TaskView, as_json: bool, text: str) -> None:
    if as_json:
        print_json(task)
    else:
        click.echo(text)
