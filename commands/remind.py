"""`remind`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.failure import PERSON_NEEDED
from commands.output import print_json, print_table, say
from commands.session import database_option, json_option, open_runtime, options

if TYPE_CHECKING:
    from engine.services.reminding import ReminderView


@click.command()
@click.option("--dry-run", is_flag=True, help="Show who would get what; send nothing.")
@options(database_option, json_option)
def remind(dry_run: bool, database: str, as_json: bool) -> int:
    """Send reminders of tasks that are overdue or due soon, to each address once a day (UTC) at most, whoever sends them.

    Addresses stand in run-process.yaml, under `addresses`, by group and user; workers send reminders by themselves every day
    soon after 06:00 UTC. Exit code 3 when somebody who should be reminded has no address, or a mail was not sent.
    """
    from engine.services.reminding import NEEDS_A_PERSON, planned_reminders
    from engine.services.reminding import remind as send_reminders

    with open_runtime(database) as runtime:
        found = planned_reminders(runtime) if dry_run else send_reminders(runtime)
    if as_json:
        print_json(found)
    elif found:
        columns = ("ADDRESS", "FOR", "OVERDUE", "DUE SOON", "ESCALATED", "STATE", "TASKS")
        print_table(columns, map(_row, found), right=("OVERDUE", "DUE SOON", "ESCALATED"))
    else:
        say("No task is overdue or due soon.")
    for reason in dict.fromkeys(each.reason for each in found if each.reason is not None):
        say(reason)
    return PERSON_NEEDED if any(each.state in NEEDS_A_PERSON for each in found) else 0


def _row(each: ReminderView) -> tuple[object, ...]:
    soon = len(each.tasks) - each.overdue
    tasks = (*each.tasks, *each.escalated)
    names = ", ".join(each.recipients) or "everyone"
    return (each.address, names, each.overdue, soon, len(each.escalated), each.state, _some(tasks))


def _some(tasks: tuple[str, ...]) -> str:
    most = 5
    return " ".join(tasks[:most]) + (f" and {len(tasks) - most} more" if len(tasks) > most else "")
