"""`work`, `workers`."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import click

from commands.failure import PERSON_NEEDED
from commands.output import counted, print_json, print_table, readable, say
from commands.session import (
    check_name,
    connectors_in_words,
    database_option,
    debugging,
    json_option,
    live_option,
    open_runtime,
    options,
    topics_left,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.services.presence import WorkerView
    from engine.services.working import Work


@click.command()
@click.option("--until-idle", is_flag=True, help="Stop when nothing is due any more.")
@click.option("--concurrency", type=click.IntRange(1, 500), default=20, show_default=True, help="Connector calls at once.")
@click.option("--name", metavar="W", help="The worker's name in history and leases. Default: host and process id.")
@click.option("--quiet", is_flag=True, help="Say nothing about each piece of work.")
@options(database_option, live_option, json_option)
def work(until_idle: bool, concurrency: int, name: str | None, quiet: bool, database: str, live: bool, as_json: bool) -> int:
    """Run a worker: fire timers, deliver messages, call connectors, commit what they did.

    Any number of workers may run on one database, on any machines. SIGTERM and Ctrl-C finish what is in flight and give back what
    was not begun. With --until-idle, exit code 3 when incidents wait for a person.

    Stripe's key stands in RUN_PROCESS_STRIPE_KEY (or in a file of mode 0600 named by RUN_PROCESS_STRIPE_KEY_FILE); without it,
    charges are left to other workers. RUN_PROCESS_STRIPE_URL points to a sandbox. Mail goes to RUN_PROCESS_SMTP_URL: smtp://,
    smtps:// or file:///FOLDER.
    """
    from commands.logging import configure_logging
    from engine.services.working import Worker

    by = f"{socket.gethostname()}-{os.getpid()}" if name is None else check_name(name, "a worker's name", "--name W")
    told_to_stop: list[int] = []
    _on_stop_signals(told_to_stop.append)  # also before there is a worker to tell
    configure_logging(debug=debugging())
    with open_runtime(database, live=live, working=True) as runtime:
        _ = runtime.configuration  # read now, so that a wrong one is told before any work is taken
        for topic in topics_left(live=live):
            say(f"Leaves {topic} to workers with Stripe's key. Do: set RUN_PROCESS_STRIPE_KEY if this one is to charge.")
        if not until_idle:
            _introduce(by, live=live)
        teller = _Teller(quiet=quiet or as_json)
        worker = Worker(runtime, by, concurrency, teller.tell)
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
    return PERSON_NEEDED if until_idle and backlog.incidents else 0  # told to end, it has ended well


def _introduce(name: str, *, live: bool) -> None:
    """What the log of a worker that runs for months begins with."""
    does = "; ".join(f"{topic}: {what}" for topic, what in sorted(connectors_in_words(live=live).items()))
    say(f"Works as {name}. {does}. SIGTERM or Ctrl-C ends it.")


def _on_stop_signals(handle: Callable[[int], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: handle(received))


class _Teller:
    """Tells of each piece of work. When nobody reads any more (`| head`), the worker finishes what is in flight and ends."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.reader_gone: Callable[[], None] = lambda: None

    def tell(self, done: Work) -> None:
        from engine.services.row_forms import work_line

        if self._quiet:
            return
        try:
            click.echo(readable(work_line(done)))
        except BrokenPipeError:
            self._quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.reader_gone()


@click.command()
@click.option("--name", metavar="W", help="Only workers of this name: exit code 0 says that one of them lives.")
@click.option("--all", "stopped", is_flag=True, help="Those that have ended in order within a day as well.")
@options(database_option, json_option)
def workers(name: str | None, stopped: bool, database: str, as_json: bool) -> int:
    """List the workers of this database. Exit code 0 when at least one of them lives and takes work, 3 when none does, or when
    work is due that none of them can do.

    A worker that has shown no sign of life for a minute is lost: others take its jobs when their leases end. HOLDS counts the
    jobs that it held at its last sign of life, AT ONCE those that it works on at the same time; the others wait for their turn.
    """
    from engine.services.presence import list_workers, unserved

    with open_runtime(database) as runtime:
        found = list_workers(runtime, name, stopped=stopped)
        left = {} if name else unserved(runtime)
    if as_json:
        print_json(found)
    elif found:
        columns = ("WORKER", "HOST", "PROCESS", "VERSION", "STATE", "HOLDS", "AT ONCE", "SINCE", "LAST SEEN", "CONNECTORS")
        rows = [_row(worker) for worker in found]
        print_table(columns, rows, right=("PROCESS", "HOLDS", "AT ONCE"))
    if any(worker.alive for worker in found):
        for topic, count in left.items():
            say(f"{counted(count, 'job')} of {topic} can be done by none of them. Do: run-process work with Stripe's key set.")
        return PERSON_NEEDED if left else 0
    say(f"No worker {f'of the name {name!r} ' if name else ''}lives. Do: run-process work.")
    return PERSON_NEEDED


def _row(worker: WorkerView) -> tuple[object, ...]:
    seen = f"{worker.seen_at:%Y-%m-%d %H:%M:%SZ}"  # lost after a minute: seconds count
    does = (worker.state, worker.in_flight, worker.concurrency, worker.started_at, seen, " ".join(worker.topics))
    return (worker.name, worker.host, worker.process_id, worker.program, *does)
