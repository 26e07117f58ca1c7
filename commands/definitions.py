"""`deploy`, `definitions`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.check import diagrams, paths_argument
from commands.output import print_json, print_table, say
from commands.session import acting_user, database_option, json_option, open_runtime, options, user_option
from engine.definition.finding import Finding
from engine.errors import DefinitionInvalid

if TYPE_CHECKING:
    from engine.services.deploying import Deployed
    from engine.services.runtime import Runtime


def _located(diagram: Path, finding: Finding) -> str:
    """With the path as it was given, so that editors can jump to it."""
    folder = diagram.parent
    return str(finding) if folder == Path() else f"{folder}/{finding}"


@click.command()
@paths_argument
@options(database_option, user_option, json_option)
def deploy(paths: tuple[Path, ...], database: str, user: str | None, as_json: bool) -> None:
    """Deploy definitions: each as a new version of its process, unless the newest has the same content.

    A definition that `check` finds errors in is refused. Those that call each other are deployed together, or none of them; what
    is called has to be deployed with its caller or before it. Makes the database if there is none.
    """
    from engine.services.bindings import groups
    from engine.services.deploying import read_files

    by = acting_user(user)
    read = [(path, read_files(path)) for path in diagrams(paths)]
    done: list[Deployed] = []
    try:
        with open_runtime(database, create=True) as runtime:
            for group in groups([files for _, files in read]):
                deployed = _deploy_group(runtime, [read[place] for place in group], by)
                done += deployed
                if not as_json:
                    click.echo("\n".join(map(_told, deployed)))
    finally:  # what was deployed before one was refused stays deployed, so it is told as well
        if as_json and done:
            print_json([{"process": d.deployment.process, "version": d.deployment.version, "created": d.created} for d in done])


def _deploy_group(runtime: Runtime, group: list[tuple[Path, dict[str, bytes]]], by: str) -> list[Deployed]:
    """Findings are told with the path as it was given; an error among them refuses the definitions."""
    from engine.services.deploying import deploy_together

    try:
        done = deploy_together(runtime, [files for _, files in group], by)
    except DefinitionInvalid as refused:
        about = [path for path, files in group if any(each.position.file in files for each in refused.findings)]
        for finding in refused.findings:
            say(_located(about[0] if about else group[0][0], finding))
        raise DefinitionInvalid(f"{about[0] if about else group[0][0]}: {refused}") from refused
    for (path, _), deployed in zip(group, done, strict=True):
        for finding in deployed.findings:
            say(_located(path, finding))
    return done


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
