"""`check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.failure import PERSON_NEEDED
from commands.session import connectors, json_option, options
from engine.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from engine.definition.check import Examination
    from engine.definition.finding import Finding

paths_argument = click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
_format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="For people, for programs, or for code review tools (SARIF 2.1.0).",
)
_warnings_option = click.option(
    "--max-warnings",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="How many warnings are let pass.",
)


def diagrams(paths: tuple[Path, ...]) -> list[Path]:
    """The diagrams that paths name: files as they are, folders with every .bpmn file below them; each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        for each in sorted(path.rglob("*.bpmn")) if path.is_dir() else [path]:
            found.setdefault(_resolved(each), each)
    if not found:
        raise click.UsageError(f"Expected a .bpmn file in {', '.join(map(str, paths))}, but there is none.")
    return list(found.values())


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link to itself: reading it tells what is wrong
        return path.absolute()


@click.command()
@paths_argument
@options(_format_option, _warnings_option, json_option)
def check(paths: tuple[Path, ...], form: str, max_warnings: int, as_json: bool) -> int:
    """Check definitions before they are deployed.

    PATH is a .bpmn file, or a folder: then every definition below it is checked. What several definitions throw to each other is
    judged over all of them. Each finding says where, what is wrong, and what to do; docs/rules.md lists the rules.

    Silent and 0 when nothing is wrong; 3 with errors, or with more warnings than are let pass. A warning is silenced in the
    diagram: the extension property check_ignore on its element, with the value "rule-id: reason".
    """
    from commands.check_formats import print_finding_list, print_report, print_sarif, print_text

    found, sources = _examined(diagrams(paths))
    if as_json:
        print_finding_list(found.findings)
    elif form == "json":
        print_report(found)
    elif form == "sarif":
        print_sarif(found)
    else:
        print_text(found, sources)
    return PERSON_NEEDED if _needs_a_person(found.findings, max_warnings) else 0


def _examined(paths: list[Path]) -> tuple[Examination, dict[str, bytes]]:
    """What is found in these definitions together, and their files by the paths that findings carry."""
    from commands.testing.trying import scenario_warnings
    from engine.definition.check import Examination, examine
    from engine.definition.finding import Finding, Position, Severity
    from engine.services.deploying import read_files

    files: dict[str, bytes] = {}
    unreadable: list[Finding] = []
    for path in paths:
        try:
            files |= {(path.parent / name).as_posix(): content for name, content in read_files(path).items()}
        except ConfigurationInvalid as reason:  # the other files' findings are told all the same
            unreadable.append(Finding("file-unreadable", Severity.ERROR, Position(path.as_posix()), str(reason)))
    if not files:
        return Examination(tuple(unreadable), ()), files
    known = connectors()
    found = examine(files, known)
    in_scenarios, scenarios = scenario_warnings(paths, known)
    return Examination((*unreadable, *found.findings, *in_scenarios), found.silenced), files | scenarios


def _needs_a_person(findings: tuple[Finding, ...], max_warnings: int) -> bool:
    from engine.definition.finding import Severity

    counts = [finding.severity for finding in findings]
    return Severity.ERROR in counts or counts.count(Severity.WARNING) > max_warnings
