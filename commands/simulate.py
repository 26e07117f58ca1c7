"""`simulate`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.completion import complete_process
from commands.output import counted, print_json, print_table, say
from commands.session import connectors, database_option, json_option, open_runtime, options
from engine.errors import ConfigurationInvalid, DefinitionInvalid
from engine.model.money import format_money

if TYPE_CHECKING:
    from engine.execution.executable import Executable
    from engine.rehearsal.profile import Profile
    from engine.rehearsal.simulation_report import Lengths, SimulationReport, Waiting

_SUFFIX = ".profile.yaml"


def _chart_file(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix not in (".svg", ".html"):
        raise click.UsageError(f"Expected a file .svg or .html for the chart, but it is {value.name!r}. Do: name one.")
    return value


@click.command()
@click.argument("process", metavar="PROCESS|PATH", shell_complete=complete_process)
@click.option("--customers", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many there are.")
@click.option("--months", type=click.IntRange(1, 120), default=3, show_default=True, help="How long it goes on.")
@click.option(
    "--profile",
    "profile_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="How people and services behave. Default: NAME.profile.yaml beside the diagram, else the usual values.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Where chance begins: the same seed gives the same result.")
@click.option(
    "--chart",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_chart_file,
    metavar="FILE.svg|.html",
    help="Draw it as well.",
)
@options(database_option, json_option)
def simulate(
    process: str,
    customers: int,
    months: int,
    profile_file: Path | None,
    seed: int,
    chart: Path | None,
    database: str,
    as_json: bool,
) -> None:
    """Simulate a company with many customers for some months: where work piles up, what is overdue, and who is charged when.

    PROCESS is a deployed process, or the path of a .bpmn file that is not deployed yet. The diagram runs on the real engine, in
    memory and in virtual time; nothing is stored, sent or charged. A profile in YAML says how long people take, what they decide,
    and how services answer; docs/simulation.md explains it.
    """
    from engine.rehearsal.simulation import Plan
    from engine.rehearsal.simulation_chart import chart_page, chart_svg
    from engine.rehearsal.simulation_report import simulated

    executable, beside = _definition(process, database)
    profile = _profile(profile_file or beside, executable)
    with _progress() as at:
        report = simulated(executable, connectors(), profile, Plan(customers, months, seed), at)
    if chart is not None:
        _write(chart, chart_svg(report) if chart.suffix == ".svg" else chart_page(report))
    if as_json:
        print_json(report)
    else:
        _print(report)


@contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Simulating", total=1.0)
        yield lambda share: progress.update(bar, completed=share)


def _definition(process: str, database: str) -> tuple[Executable, Path | None]:
    """What is to run, and the profile that stands beside it."""
    path = Path(process)
    if not process.endswith(".bpmn") and not path.exists():
        with open_runtime(database) as runtime, runtime.database.reading() as connection:
            deployment = runtime.deployment(connection, process)
            return runtime.executable(connection, process, deployment.version), None
    from engine.rehearsal.rehearsing import prepare
    from engine.services.deploying import read_files

    if path.is_dir():
        raise click.UsageError(f"Expected a .bpmn file, but {process} is a folder. Do: name one diagram in it.")
    prepared = prepare(read_files(path), None, process, connectors())
    beside = path.with_name(path.name.removesuffix(".bpmn") + _SUFFIX)
    return prepared.executable, beside if beside.is_file() else None


def _profile(path: Path | None, executable: Executable) -> Profile:
    from engine.rehearsal.profile import Profile
    from engine.rehearsal.profile_reader import read_profile

    if path is None:
        return Profile()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationInvalid(f"Expected to read {path}, but the system says: {error.strerror}. Do: check it.") from error
    try:
        return read_profile(content, str(path), executable.definition, connectors())
    except DefinitionInvalid as refused:
        message = "Expected a profile without errors, but there are some. Do: mend each and simulate again."
        raise DefinitionInvalid(message, refused.findings) from refused


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected to write {path}, but the system says: {error.strerror}. Do: check the folder."
        ) from error


# --- showing ---------------------------------------------------------------------------------------------------------


def _print(report: SimulationReport) -> None:
    click.echo("Where work waits:")
    print_table(
        ("TASK", "GROUP", "DONE", "OPEN", "WITHDRAWN", "OVERDUE", "MOST WAITING", "SINCE", "MEAN WAIT", "P95 WAIT"),
        [
            (
                t.name,
                t.group,
                t.done,
                t.open,
                t.withdrawn,
                t.overdue,
                *_most(t.waiting),
                _length(t.mean_wait),
                _length(t.p95_wait),
            )
            for t in report.tasks
        ],
        right=("DONE", "OPEN", "WITHDRAWN", "OVERDUE", "MOST WAITING", "MEAN WAIT", "P95 WAIT"),
    )
    click.echo("\nWho does it:")
    print_table(
        ("GROUP", "PEOPLE", "DONE", "BUSY", "MOST WAITING", "SINCE"),
        [(g.group, g.people, g.done, f"{g.busy} %", *_most(g.waiting)) for g in report.groups],
        right=("PEOPLE", "DONE", "BUSY", "MOST WAITING"),
    )
    click.echo("\nServices:")
    print_table(
        ("TOPIC", "DONE", "TRIED AGAIN", "INCIDENTS", "ERRORS"),
        [
            (s.topic, s.done, s.tried_again, s.incidents, ", ".join(f"{code} {number}" for code, number in s.errors.items()))
            for s in report.services
        ],
        right=("DONE", "TRIED AGAIN", "INCIDENTS"),
    )
    _print_periods(report)
    _print_totals(report)


def _most(waiting: Waiting) -> tuple[int, datetime | None]:
    return waiting.most, waiting.most_at if waiting.most else None


def _print_periods(report: SimulationReport) -> None:
    if not report.periods:
        return
    states = [state for state in report.periods[0].states if any(period.states[state] for period in report.periods)]
    click.echo("\nCustomers at each period's end:")
    print_table(
        ("PERIOD", *(state.upper().replace("_", " ") for state in states), "CHARGED AMOUNT"),
        [
            (
                period.period,
                *(period.states[state] for state in states),
                _sums({c: of.get("charged", 0) for c, of in period.amounts.items()}),
            )
            for period in report.periods
        ],
        right=[state.upper().replace("_", " ") for state in states],
    )


def _print_totals(report: SimulationReport) -> None:
    click.echo(f"\nFrom start to charge: {_lengths(report.to_charge)}. From start to end: {_lengths(report.to_end)}.")
    click.echo("(From the start of an instance, or from the beginning of its period where that is later.)")
    instances = f"{counted(report.instances, 'instance')}, {report.ended} of them ended"
    charges = f"{counted(report.charges, 'charge')}, {_sums(report.charged)}" if report.charges else "no charges"
    click.echo(f"In all: {instances}; {charges}; {counted(report.contracts_ended, 'contract')} ended.")
    for trouble in report.troubles:
        say(f"{counted(trouble.instances, 'instance')} stood still: {trouble.reason}")


def _sums(amounts: Mapping[str, int]) -> str:
    return ", ".join(f"{format_money(amount, currency)} {currency}" for currency, amount in amounts.items() if amount)


def _lengths(of: Lengths) -> str:
    return f"median {_length(of.median)}, p95 {_length(of.p95)}" if of.number else "never"


def _length(seconds: int | None) -> str:
    """The two largest units: `3 d 4 h`, `12 min`."""
    if seconds is None:
        return ""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    largest = next((place for place, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    parts = []
    for unit, size in units[largest : largest + 2]:
        parts.append(f"{seconds // size} {unit}")
        seconds %= size
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"
