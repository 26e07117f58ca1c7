"""`render`: diagrams as pictures."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.completion import complete_diagram, complete_instance
from commands.output import say
from commands.session import database_option, open_runtime, options
from engine.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from engine.drawing.pictured import Pictured

_FORMATS = (".svg", ".png", ".html")
_DEPLOYED = re.compile(r"(?P<process>[^@]+)(?:@(?P<version>[1-9][0-9]{0,8}))?")


@click.command()
@click.argument("diagram", required=False, metavar="[FILE|PROCESS[@VERSION]]", shell_complete=complete_diagram)
@click.option(
    "--instance",
    metavar="INSTANCE",
    shell_complete=complete_instance,
    help="Draw this instance's diagram, with its tokens, the path taken, and incidents.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to: .svg, .png or .html. Default: SVG on stdout.",
)
@options(database_option)
def render(diagram: str | None, instance: str | None, output: Path | None, database: str) -> None:
    """Draw a BPMN diagram: a file, a deployed process, or where an instance is.

    Places, sizes and colours are the file's own; a file without places for its elements is laid out from left to right. An
    HTML page has a table of the elements below the picture. PNG needs the extra `pictures`.
    """
    if (diagram is None) == (instance is None):
        found = "there is none" if diagram is None else "there are both"
        raise click.UsageError(
            f"Expected a FILE or PROCESS, or else --instance INSTANCE, but {found}. Do: run-process render --help."
        )
    if output is not None and output.suffix.lower() not in _FORMATS:
        raise click.UsageError(f"Expected a file that ends in .svg, .png or .html, but {output.name!r} doesn't. Do: rename it.")
    pictured = _of_instance(instance, database) if instance else _find(diagram or "", database)
    drawn, notes = _draw(pictured, output.suffix.lower() if output else ".svg")
    for note in notes:
        say(f"{pictured.file}: note: {note}")
    if output is None:
        sys.stdout.buffer.write(drawn + b"\n")
    else:
        _write(output, drawn)


def _find(diagram: str, database: str) -> Pictured:
    """A file where there is one of that name, else what is deployed."""
    path = Path(diagram)
    deployed = _DEPLOYED.fullmatch(diagram)
    if path.is_file() or deployed is None or diagram.endswith(".bpmn") or "/" in diagram:
        return _of_file(path)
    from engine.services.picturing import picture_of_definition

    version = deployed["version"]
    with open_runtime(database) as runtime:
        return picture_of_definition(runtime, deployed["process"], int(version) if version else None)


def _of_file(path: Path) -> Pictured:
    from engine.drawing.pictured import Pictured

    try:
        return Pictured(path.read_bytes(), str(path), str(path))
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected to read {path}, but the system says: {error.strerror}. Do: check the path and its permissions."
        ) from error


def _of_instance(instance: str, database: str) -> Pictured:
    from engine.services.picturing import picture_of_instance

    with open_runtime(database) as runtime:
        return picture_of_instance(runtime, instance)


def _draw(pictured: Pictured, suffix: str) -> tuple[bytes, tuple[str, ...]]:
    from engine.drawing import draw_picture, picture_page, read_picture, to_png

    picture = read_picture(pictured.content, pictured.file)
    if suffix == ".html":
        return picture_page(picture, pictured.marks, about=pictured.about), picture.notes
    svg = draw_picture(picture, pictured.marks)
    return (to_png(svg) if suffix == ".png" else svg), picture.notes


def _write(output: Path, content: bytes) -> None:
    try:
        output.write_bytes(content)
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected to write {output}, but the system says: {error.strerror}. Do: check the folder and its permissions."
        ) from error
