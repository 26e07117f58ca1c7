"""The command: sets the stage, runs the play, and shows that the ledger and Stripe agree."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.failure import FAILED
from commands.output import print_table, say
from commands.session import debugging, options

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands.demo.play import Play
    from engine.clock import TurnedClock
    from engine.services.runtime import Runtime
    from engine.services.views import TaskView

_FOLDER = Path("run-process-demo")


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=_FOLDER, show_default=True, metavar="FOLDER")
@options()
def demo(folder: Path) -> int:
    """Play three months of charging a few dozen customers against the Stripe sandbox.

    Leaves FOLDER (with a number behind its name where there is one already) with the database, the configuration and every
    e-mail that was sent. Nothing leaves this machine. Exit code 1 when the ledger and the sandbox don't agree.
    """
    from commands.demo.play import PROCESS, Play
    from commands.demo.report import monthly_rows
    from commands.demo.sandbox_customers import StripeSide
    from commands.logging import configure_logging
    from connectors.stripe_sandbox.process import start_sandbox
    from engine.services.inspecting import charged_totals
    from engine.services.worklist import tasks

    configure_logging(debug=debugging())
    place = _new_folder(folder)
    with start_sandbox() as sandbox, _stage(place, sandbox.url) as (runtime, clock), _progress() as (tell, step):
        play = Play(runtime, clock, StripeSide(sandbox.url, sandbox.control), tell, step)
        periods = _run(play, tell)
        ledger, stripe = charged_totals(runtime, PROCESS), play.stripe.charged()
        rows = monthly_rows(runtime, play.people, periods)
        task = tasks(runtime, {}, limit=1)[0]
    print_table(("CUSTOMER", *periods), rows, right=periods)
    agree = _print_totals(ledger, stripe)
    _print_hints(place, task)
    return 0 if agree else FAILED


def _new_folder(folder: Path) -> Path:
    names = (folder if number == 1 else folder.with_name(f"{folder.name}-{number}") for number in count(1))
    place = next(name for name in names if not name.exists())
    place.mkdir(parents=True)
    return place


@contextmanager
def _stage(place: Path, stripe_url: str) -> Iterator[tuple[Runtime, TurnedClock]]:
    """The engine in the demo's folder. Its clock begins three months ago, so that the play ends about now."""
    from commands.demo.play import GROUPS
    from commands.demo.sandbox_customers import KEY
    from connectors.registry import ConnectorSettings, build_connectors
    from connectors.stripe.rate import MOST as UNLIMITED
    from engine.clock import SystemClock, TurnedClock
    from engine.services.configuration import FILE_NAME, read_configuration
    from engine.services.runtime import Runtime
    from engine.store.database import Database

    groups = "".join(f"  {group}: [{', '.join(members)}]\n" for group, members in GROUPS.items())
    (place / FILE_NAME).write_text(
        f"# Who belongs to which group. A group that isn't listed is open to everyone.\ngroups:\n{groups}"
    )
    mail = (place / "mail").resolve().as_uri()
    settings = ConnectorSettings(KEY, stripe_url, False, mail, "Billing <billing@example.com>", stripe_rate=UNLIMITED)
    clock = TurnedClock(SystemClock().now() - timedelta(days=92))
    database = Database(f"sqlite:///{place / 'run-process.db'}")
    try:
        yield Runtime(database, clock, build_connectors(settings), partial(read_configuration, place / FILE_NAME)), clock
    finally:
        database.close()


def _run(play: Play, tell: Callable[[str], None]) -> tuple[str, ...]:
    """Deploy, enrol, play; the periods that were played."""
    from commands.demo.cast import MONTHS, customers
    from commands.demo.play import OPERATOR
    from engine.model.period import next_period
    from engine.services.deploying import deploy, read_files

    deployed = deploy(play.runtime, read_files(shipped_process()), OPERATOR).deployment
    tell(f"Deployed {deployed.process}@{deployed.version}")
    cast = customers()
    period = f"{play.clock.now().astimezone(UTC):%Y-%m}"
    play.enrol(cast, period)
    tell(f"Enrolled {len(cast)} customers, first period {period}")
    periods = []
    for number in range(MONTHS):
        tell(f"Month {period}")
        play.month(number)
        periods.append(period)
        period = next_period(period, "P1M")
    return tuple(periods)


def shipped_process() -> Path:
    """The process that travels with the program."""
    import processes

    return Path(processes.__file__).with_name("monthly-card-charge.bpmn")


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """How to tell what happens, and how to tick: a counter on a terminal, plain lines in a pipe."""
    if not sys.stderr.isatty():
        yield say, lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed} pieces of work done"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("work", total=None)
        yield lambda text: progress.console.print(text, highlight=False), lambda: progress.advance(task)


def _print_totals(ledger: dict[tuple[str, str], int], stripe: dict[str, int]) -> bool:
    """Both sides' totals by currency; whether they agree."""
    from engine.model.money import format_money

    totals: dict[str, int] = {}
    for (_, currency), amount in ledger.items():
        totals[currency] = totals.get(currency, 0) + amount
    currencies = sorted(totals.keys() | stripe.keys())
    click.echo("\nCharged in all, by our ledger and by Stripe's own list of payments:")
    print_table(
        ("CURRENCY", "LEDGER", "STRIPE"),
        [(c, format_money(totals.get(c, 0), c), format_money(stripe.get(c, 0), c)) for c in currencies],
        right=("LEDGER", "STRIPE"),
    )
    agree = totals == stripe
    click.echo("They agree." if agree else "Expected them to agree, but they don't. Do: report this with the folder.")
    return agree


def _print_hints(place: Path, task: TaskView) -> None:
    """What to try next, with ids that exist, and with the program's path where the shell wouldn't find its name."""
    name = "run-process" if shutil.which("run-process") else str(Path(sys.argv[0]).absolute())
    mails = sum(1 for _ in (place / "mail").glob("*.eml"))
    click.echo(f"\nThe {mails} e-mails are in {place / 'mail'}. Try next:")
    click.echo(f"  cd {place}")
    for command in (
        "tasks --group Sales",
        f"tasks {task.id}",
        f"complete {task.id} --set billing_amount=120 --set billing_details=Usage --as sara",
        f"chain {task.customer}",
        f"show {task.instance}",
        f"history {task.instance}",
        "instances --state active",
    ):
        click.echo(f"  {name} {command}")
