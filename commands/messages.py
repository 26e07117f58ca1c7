"""`messages`, `send`, `signal`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from commands.failure import PERSON_NEEDED
from commands.output import counted, print_json, print_table, say
from commands.session import acting_user, database_option, json_option, open_runtime, options, user_option
from commands.values import data_option, read_settings

_once = click.option("--id", "outside_id", metavar="ID", help="Your own id of it: however often it is tried, it is sent once.")


@click.command()
@click.option("--name", metavar="NAME", help="Only messages and signals of this name.")
@click.option("--key", metavar="KEY", help="Only messages with this correlation key.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="How many of each at most.")
@options(database_option, json_option)
def messages(database: str, as_json: bool, limit: int, **filters: str | None) -> int:
    """List the messages and signals that instances wait for, those that nobody has received yet, and timers that start instances.

    A message that nobody waits for is kept until somebody does. Exit code 3 when one has failed.
    """
    from engine.services import awaiting

    chosen = {name: value for name, value in filters.items() if value is not None}
    with open_runtime(database) as runtime:
        found = {
            "awaited": awaiting.awaited(runtime, chosen, limit),
            "not_received": awaiting.not_received(runtime, chosen, limit),
            "timers": [] if chosen else awaiting.starting_by_themselves(runtime),
        }
    if as_json:
        print_json(found)
    else:
        _print(found)
    failed = any(each["state"] == "failed" for each in found["not_received"]) or any(t["last_error"] for t in found["timers"])
    return PERSON_NEEDED if failed else 0


def _print(found: dict[str, list[dict[str, Any]]]) -> None:
    for title, rows, names in (
        ("AWAITED", found["awaited"], ("instance", "process", "flow_node", "kind", "name", "key", "created_at")),
        (
            "NOT RECEIVED",
            found["not_received"],
            ("id", "kind", "name", "key", "state", "thrown_by", "sent_by", "sent_at", "last_error"),
        ),
        ("TIMERS", found["timers"], ("process", "version", "flow_node", "due_at", "last_error")),
    ):
        if rows:
            click.echo(title)
            print_table([name.upper().replace("_", " ") for name in names], [[row[name] for name in names] for row in rows])
    if not any(found.values()):
        say("Nothing is waited for, and nothing is kept.")


@click.command()
@click.argument("message")
@click.option("--key", metavar="KEY", help="The correlation key: which of the instances that wait for it is meant.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="What it brings, by the names that the diagram reads."
)
@_once
@options(data_option, database_option, user_option, json_option)
def send(
    message: str,
    key: str | None,
    settings: tuple[str, ...],
    outside_id: str | None,
    data_file: Path | None,
    database: str,
    user: str | None,
    as_json: bool,
) -> None:
    """Send MESSAGE, by its name in the diagram, to the instance that waits longest for it with this key; else to the process that
    starts with it; else it is kept until somebody waits.

    An instance takes from it what its event's output parameters name. What it can't take is refused, and nothing is sent.
    """
    values = read_settings(settings, data_file)
    by = acting_user(user)
    from engine.services import sending_messages  # slow to import: what was mistyped above is told at once

    with open_runtime(database) as runtime:
        sent = sending_messages.send(runtime, message, key, values, by, outside_id)
    if as_json:
        print_json(sent)
        return
    became = {"delivered": f"received by {sent['delivered_to']}", "kept": "kept until somebody waits for it"}
    click.echo(f"{sent['id']} {sent['name']}: {became.get(sent['state'], 'on its way')}")


@click.command()
@click.argument("name")
@_once
@options(database_option, user_option, json_option)
def signal(name: str, outside_id: str | None, database: str, user: str | None, as_json: bool) -> None:
    """Send the signal NAME to every instance that waits for it at this moment.

    Workers deliver it. Who begins to wait for it later doesn't receive it.
    """
    by = acting_user(user)
    from engine.services import sending_messages

    with open_runtime(database) as runtime:
        sent = sending_messages.signal(runtime, name, by, outside_id)
    if as_json:
        print_json(sent)
    elif sent["receivers"] is None:
        click.echo(f"{sent['id']} {sent['name']}: was sent before")
    else:
        click.echo(f"{sent['id']} {sent['name']}: on its way to {counted(sent['receivers'], 'instance')}")
        if sent["receivers"]:
            say("A worker delivers it. Do: run-process work, unless one runs.")
