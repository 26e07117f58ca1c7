"""`test`."""

from __future__ import annotations

from pathlib import Path

import click

from commands.failure import PERSON_NEEDED
from commands.output import say
from commands.session import connectors, json_option, options
from commands.testing.trying import Trial, diagrams_of, try_out
from engine.clock import SystemStopwatch
from engine.errors import ConfigurationInvalid

_format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="For people, for programs, or for build servers (JUnit's XML).",
)
_report_option = click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.html", help="Write an HTML page with the diagrams."
)
_coverage_option = click.option(
    "--min-coverage",
    type=click.IntRange(0, 100),
    default=0,
    metavar="N",
    help="How many percent of flow nodes and sequence flows must be covered in each diagram.",
)
_name_option = click.option("-k", "name", metavar="NAME", default="", help="Only scenarios whose name holds this.")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@options(_format_option, _report_option, _coverage_option, _name_option, json_option)
def test(paths: tuple[Path, ...], form: str, report: Path | None, min_coverage: int, name: str, as_json: bool) -> int:
    """Try processes with the scenarios beside them: NAME.scenarios.yaml beside NAME.bpmn.

    PATH is a diagram, a file of scenarios, or a folder: then every diagram below it. Scenarios run on the engine itself, in
    memory: nothing is stored, charged or sent. Told are the scenarios that fail, and which flow nodes and sequence flows no
    scenario passes.

    0 when all pass; 3 when one fails, can't be read, or less is covered than --min-coverage asks for.
    """
    from commands.testing import formats, junit

    known, stopwatch = connectors(), SystemStopwatch()
    wanted = name.casefold()
    trials = [try_out(each, known, lambda title: wanted in title.casefold(), stopwatch) for each in diagrams_of(paths)]
    _refuse_none(trials, name)
    if report is not None:
        _write(report, trials)
    if as_json or form == "json":
        formats.print_trials_json(trials)
    elif form == "junit":
        click.echo(junit.document(trials))
    else:
        formats.print_trials(trials, min_coverage, all_of_them=not name)
    below = [trial for trial in trials if trial.rehearsal is not None and trial.rehearsal.coverage.percent < min_coverage]
    return PERSON_NEEDED if below or any(trial.failed for trial in trials) else 0


def _refuse_none(trials: list[Trial], name: str) -> None:
    """Nothing tried is not the same as all well."""
    if all(trial.rehearsal is not None and not trial.rehearsal.performances for trial in trials):
        if name:
            raise click.UsageError(f"Expected scenarios with {name!r} in their name, but there are none.")
        raise click.UsageError("Expected NAME.scenarios.yaml beside a diagram, with scenarios in it, but there are none.")


def _write(report: Path, trials: list[Trial]) -> None:
    from commands.testing.page import page

    try:
        report.write_bytes(page(trials))
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected to write {report}, but the system says: {error.strerror}. Do: check the path and its permissions."
        ) from error
    say(f"{report} shows what is covered.")
