"""`check`, `deploy`, `definitions`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.failure import PERSON_NEEDED
from commands.output import print_json, print_table, readable, say
from commands.session import acting_user, connectors, database_option, json_option, open_runtime, options, user_option
from engine.definition.finding import Finding, Position, Severity
from engine.errors import ConfigurationInvalid, DefinitionInvalid

if TYPE_CHECKING:
    from engine.services.deploying import Deployed
    from engine.services.runtime import Runtime

_paths = click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")


def diagrams(paths: tuple[Path, ...]) -> list[Path]:
    """The diagrams that paths name: files as they are, folders with every .bpmn file below them."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.bpmn")) if path.is_dir() else [path]
    if not found:
        raise click.UsageError(f"Expected a .bpmn file in {', '.join(map(str, paths))}, but there is none.")
    return found


@click.command()
@_paths
@options(json_option)
def check(paths: tuple[Path, ...], as_json: bool) -> int:
    """Check definitions before they are deployed.

    PATH is a .bpmn file, or a folder with some. Each finding says where, what is wrong, and what to do. Silent and 0 when
    nothing is wrong; 3 with findings.
    """
    from engine.services.deploying import check_files, read_files

    available = connectors()
    findings: list[tuple[Path, Finding]] = []
    for path in diagrams(paths):
        try:
            findings += ((path, finding) for finding in check_files(read_files(path), available))
        except ConfigurationInvalid as unreadable:  # the other files' findings are told all the same
            findings.append((path, Finding("file-unreadable", Severity.ERROR, Position(path.name), str(unreadable))))
    if as_json:
        print_json([_finding_json(path, finding) for path, finding in findings])
    else:
        for path, finding in findings:
            click.echo(readable(_located(path, finding)))
    return PERSON_NEEDED if findings else 0


def _located(diagram: Path, finding: Finding) -> str:
    """With the path as it was given, so that editors can jump to it."""
    folder = diagram.parent
    return str(finding) if folder == Path() else f"{folder}/{finding}"


def _finding_json(diagram: Path, finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "file": str(diagram.parent / finding.position.file),
        "line": finding.position.line,
        "column": finding.position.column,
        "element": finding.element,
        "element_name": finding.element_name,
        "message": finding.message,
    }


@click.command()
@_paths
@options(database_option, user_option, json_option)
def deploy(paths: tuple[Path, ...], database: str, user: str | None, as_json: bool) -> None:
    """Deploy definitions: each as a new version of its process, unless the newest has the same content.

    A definition that `check` finds errors in is refused. Makes the database if there is none.
    """
    from engine.services.deploying import read_files

    by = acting_user(user)
    read = [(path, read_files(path)) for path in diagrams(paths)]
    done: list[Deployed] = []
    try:
        with open_runtime(database, create=True) as runtime:
            for path, files in read:
                done.append(_deploy_one(runtime, path, files, by))
                if not as_json:
                    click.echo(_told(done[-1]))
    finally:  # what was deployed before one was refused stays deployed, so it is told as well
        if as_json and done:
            print_json([{"process": d.deployment.process, "version": d.deployment.version, "created": d.created} for d in done])


def _deploy_one(runtime: Runtime, path: Path, files: dict[str, bytes], by: str) -> Deployed:
    """Findings are told with the path as it was given; an error among them refuses the definition."""
    from engine.services.deploying import deploy as deploy_definition

    try:
        deployed = deploy_definition(runtime, files, by)
    except DefinitionInvalid as refused:
        for finding in refused.findings:
            say(_located(path, finding))
        raise DefinitionInvalid(f"{path}: {refused}") from refused
    for finding in deployed.findings:
        say(_located(path, finding))
    return deployed


def _told(done: Deployed) -> str:
    return f"{done.deployment.process}@{done.deployment.version}{'' if done.created else ' (unchanged)'}"


@click.command()
@options(database_option, json_option)
def definitions(database: str, as_json: bool) -> None:
    """List the deployed definitions, newest version first."""
    from engine.services.deploying import definitions as list_definitions

    with open_runtime(database) as runtime:
        rows = list_definitions(runtime)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("PROCESS", "VERSION", "NAME", "DEPLOYED", "BY", "DIGEST"),
        [(d.process, d.version, d.name, d.deployed_at, d.deployed_by, d.digest[:12]) for d in rows],
        right=("VERSION",),
    )
