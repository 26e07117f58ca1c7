"""`templates`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.failure import PERSON_NEEDED
from commands.output import say
from commands.session import connectors, options
from engine.definition.element_template import FOLDER, Template, templates_of
from engine.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from engine.connector import Connectors

_DEFAULT = f"processes/{FOLDER}"


@click.command()
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=_DEFAULT,
    show_default=True,
    metavar="FOLDER",
    help="Where the files go. The modeler looks into .camunda/element-templates beside a diagram and above it.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; name the files that are out of date, and exit with 3.")
@options()
def templates(folder: Path, only_check: bool) -> int:
    """Write element templates: with them the modeler offers every connector's operation as a form to fill in.

    One file for each topic, made from the connector's own schema. A template that has changed gets a new version; the earlier
    ones stay in the file, for diagrams that were drawn with them. Prints the files that were written.
    """
    outdated = outdated_files(folder, connectors())
    for path, text in outdated.items():
        if only_check:
            say(f"{path}: Expected the template that its connector makes, but it is another. Do: run-process templates.")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(path)
    return PERSON_NEEDED if only_check and outdated else 0


def outdated_files(folder: Path, available: Connectors) -> dict[Path, str]:
    """The files of templates in `folder` that are absent or not up to date -> what belongs into them.

    Raises ConfigurationInvalid for a file that holds something else than templates.
    """
    paths = {topic: folder / f"{topic}.json" for topic in available}
    known = {topic: _read(path) for topic, path in paths.items() if path.exists()}
    made = templates_of(available, known)
    return {paths[topic]: _as_text(each) for topic, each in made.items() if each != known.get(topic)}


def _read(path: Path) -> list[Template]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _refused(path) from error
    if not isinstance(read, list) or not all(isinstance(each, dict) and isinstance(each.get("version"), int) for each in read):
        raise _refused(path)
    return read


def _refused(path: Path) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"Expected {path} to hold the element templates of one connector, but it holds something else. Do: move it away."
    )


def _as_text(templates: list[Template]) -> str:
    return json.dumps(templates, indent=2, ensure_ascii=False) + "\n"


__all__ = ["outdated_files", "templates"]
