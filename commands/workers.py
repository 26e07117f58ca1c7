"""`work`, `incidents`, `retry`."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import click

from commands.completion import complete_incident
from commands.failure import PERSON_NEEDED
from commands.output import counted, print_json, print_table, say
from commands.session import (
    acting_user,
    check_connectors,
    database_option,
    debugging,
    json_option,
    live_option,
    open_runtime,
    options,
    user_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.store.jobs import JobRow
    from engine.store.messages import MessageRow


@click.command()
@click.option("--until-idle", is_flag=True, help="Stop when nothing is due any more.")
@click.option("--concurrency", type=click.IntRange(1, 500), default=20, show_default=True, help="Connector calls at once.")
@click.option("--name", metavar="W", help="The worker's name in history and leases. Default: host and process id.")
@click.option("--quiet", is_flag=True, help="Say nothing about each piece of work.")
@options(database_option, live_option, json_option)
def work(until_idle: bool, concurrency: int, name: str | None, quiet: bool, database: str, live: bool, as_json: bool) -> int:
    """Run a worker: deliver messages, call connectors, commit what they did.

    SIGTERM and Ctrl-C finish what is in flight. Exit code 3 when incidents wait for a person.

    Stripe's key stands in RUN_PROCESS_STRIPE_KEY (or in a file of mode 0600 named by RUN_PROCESS_STRIPE_KEY_FILE);
    RUN_PROCESS_STRIPE_URL points to a sandbox. Mail goes to RUN_PROCESS_SMTP_URL: smtp://, smtps:// or file:///FOLDER.
    """
    from commands.logging import configure_logging
    from engine.services.working import Worker

    told_to_stop: list[int] = []
    _on_stop_signals(told_to_stop.append)  # also before there is a worker to tell
    configure_logging(debug=debugging())
    check_connectors(live=live)
    with open_runtime(database, live=live) as runtime:
        _ = runtime.configuration  # read now, so that a wrong one is told before any work is taken
        teller = _Teller(quiet=quiet or as_json)
        worker = Worker(runtime, name or f"{socket.gethostname()}-{os.getpid()}", concurrency, teller.tell)
        teller.reader_gone = worker.stop
        _on_stop_signals(lambda _: worker.stop())
        if told_to_stop:
            worker.stop()
        backlog = worker.run(until_idle=until_idle)
    if as_json:
        print_json(backlog)
    if backlog.jobs or backlog.messages:
        say(f"Not done yet: {counted(backlog.jobs, 'job')}, {counted(backlog.messages, 'message')}.")
    if backlog.incidents:
        say(f"Waiting for a person: {counted(backlog.incidents, 'incident')}. Do: run-process incidents.")
    return PERSON_NEEDED if backlog.incidents else 0


def _on_stop_signals(handle: Callable[[int], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: handle(received))


class _Teller:
    """Tells of each piece of work. When nobody reads any more (`| head`), the worker finishes what is in flight and ends."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.reader_gone: Callable[[], None] = lambda: None

    def tell(self, done: JobRow | MessageRow) -> None:
        from engine.services.views import work_line

        if self._quiet:
            return
        try:
            click.echo(work_line(done))
        except BrokenPipeError:
            self._quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.reader_gone()


@click.command()
@click.option("--all", "resolved", is_flag=True, help="Resolved ones as well.")
@options(database_option, json_option)
def incidents(resolved: bool, database: str, as_json: bool) -> int:
    """List what needs a person: what happened, how often it was tried, and what to do. Exit code 3 when there is any."""
    from engine.services.resolving import open_incidents

    with open_runtime(database) as runtime:
        found = open_incidents(runtime, resolved=resolved)
    if as_json:
        print_json(found)
    elif found:
        print_table(
            ("INCIDENT", "INSTANCE", "AT", "FLOW NODE", "TRIED", "WHAT HAPPENED", "DO"),
            [
                (i["id"], i["instance"], i["created_at"], i["flow_node"], i["tried"], i["reason"], "; ".join(i["commands"]))
                for i in found
            ],
            right=("TRIED",),
        )
    return PERSON_NEEDED if any(i["resolved_at"] is None for i in found) else 0


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=complete_incident)
@options(database_option, user_option, json_option)
def retry(incident_id: str, database: str, user: str | None, as_json: bool) -> None:
    """Give an incident's work back to the workers, with all its attempts. Takes a job's or message's id as well."""
    from engine.services.resolving import incident_of
    from engine.services.resolving import retry as retry_incident

    with open_runtime(database) as runtime:
        incident = retry_incident(runtime, incident_of(runtime, incident_id), acting_user(user))
    if as_json:
        print_json(incident)
        return
    click.echo(f"{incident['job'] or incident['message']} of {incident['instance']} waits for a worker again")
    say("Do: run-process work, where no worker runs yet.")


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=complete_incident)
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")
@options(database_option, user_option, json_option)
def resolve(incident_id: str, reason: str, database: str, user: str | None, as_json: bool) -> None:
    """Record that a person has dealt with an undelivered message otherwise. It will not be delivered any more."""
    from engine.services.resolving import incident_of
    from engine.services.resolving import resolve as resolve_incident

    by = acting_user(user)
    with open_runtime(database) as runtime:
        incident = resolve_incident(runtime, incident_of(runtime, incident_id), reason, by)
    if as_json:
        print_json(incident)
        return
    click.echo(f"{incident['id']} is resolved; {incident['message']} of {incident['instance']} stays undelivered")
