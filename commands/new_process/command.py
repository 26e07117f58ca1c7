"""`init`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import click

from commands.output import say
from commands.session import connectors, options
from commands.templates import outdated_files
from engine.definition.element_template import FOLDER
from engine.errors import ConfigurationInvalid
from engine.model.text import shown

_FOLDER = "processes"
_SCHEMAS = ("carry-over.schema.json", "scenarios.schema.json")
_MODEL, _MODEL_TITLE = "new-process", "New process"  # what stands for the name and the title in the files
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
_BESIDE = {
    "run-process.yaml": """\
# Who belongs to which group. A group that isn't listed is open to everyone.
# groups:
#   Sales: [sara, tom]
#   Department Manager: [mia]

retry_after: [10, 60, 300, 1800]   # seconds between attempts of work that failed harmlessly; then it is an incident
""",
    ".gitignore": """\
# The database, and mails that were written into a folder instead of being sent.
run-process.db*
/mail/
""",
}


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--from",
    "diagram",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="DIAGRAM.bpmn",
    help="Write the first carry-over map of a diagram that you have, beside it, instead of making a new process.",
)
@click.option(
    "--in",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="The folder you work in; the process goes into processes/ there. Default: the current one.",
)
@options()
def init(name: str | None, diagram: Path | None, folder: Path | None) -> None:
    """Make a new process, or the first carry-over map of a diagram that you have.

    NAME: a small monthly charge that runs, to go on from in the modeler: processes/NAME.bpmn with its carry-over map, scenarios
    and mail template, the modeler's element templates, and, where there are none, run-process.yaml and .gitignore.

    --from: the diagram stays as it is. The map lists every data item that it reads or writes, with a type worked out from forms
    and expressions, and with the decision drop, for you to decide. run-process check then tells what else keeps it from running.

    Nothing that is there is overwritten. Prints the files that were made.
    """
    if diagram is not None and name is None and folder is None:
        _adopt(diagram)
    elif diagram is None and name is not None:
        _make(name, folder or Path())
    else:
        raise click.UsageError(
            "Expected the NAME of a new process, or a diagram with --from, but there are both or neither. "
            "Do: run-process init NAME, or run-process init --from DIAGRAM.bpmn."
        )


def _make(name: str, folder: Path) -> None:
    place = folder / _FOLDER
    process = {place / path: text for path, text in _process_files(name).items()}
    _refuse_existing((*process, place / f"{name}.mail"))
    for path, text in {**process, **_shared_files(folder)}.items():
        _create(path, text)
    say(f"Next: open {place / name}.bpmn in the modeler; then run-process check {place}.")


def _adopt(diagram: Path) -> None:
    """Write the first map of a diagram. Raises ConfigurationInvalid where one is there, DefinitionInvalid for no diagram."""
    from engine.definition.first_map import first_map
    from engine.definition.process_definition import DIAGRAM_SUFFIX, MAP_SUFFIX
    from engine.services.deploying import read_files

    if diagram.suffix != DIAGRAM_SUFFIX:
        raise ConfigurationInvalid(
            f"Expected a diagram called NAME{DIAGRAM_SUFFIX}, but it is {shown(diagram.name)}. Do: save it under such a name."
        )
    carry_over = diagram.with_name(diagram.name.removesuffix(DIAGRAM_SUFFIX) + MAP_SUFFIX)
    if carry_over.exists() or carry_over.is_symlink():
        raise ConfigurationInvalid(
            f"Expected a diagram without a carry-over map, but {carry_over} is there already. "
            "Do: go on from it; run-process check tells which items it lacks."
        )
    _create(carry_over, first_map(read_files(diagram), connectors()))
    say(f"Next: decide in {carry_over} what becomes of each item; then run-process check {diagram}.")


def _process_files(name: str) -> dict[str, str]:
    """The process's own files, by their paths in its folder. Raises ConfigurationInvalid for a name that doesn't suit."""
    if not _NAME.fullmatch(name):
        raise ConfigurationInvalid(
            "Expected a name of at most 60 letters (a to z), digits, - and _ that begins with a letter, because files and the "
            f"process are called by it, but it is {shown(name)}. Do: {_nearest(name)}."
        )
    model = Path(__file__).with_name("files")
    paths = sorted(path for path in model.rglob("*") if path.is_file())
    texts = {path.relative_to(model).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    if f' id="{name}"' in texts[f"{_MODEL}.bpmn"]:
        raise ConfigurationInvalid(
            f"Expected a name that no element of the new diagram has as its id, but {shown(name)} is one. Do: choose another."
        )
    title = re.sub("[-_]+", " ", name).strip()
    renamed = {_MODEL: name, _MODEL_TITLE: title[:1].upper() + title[1:]}
    return {_replaced(path, renamed): _replaced(text, renamed) for path, text in texts.items()}


def _nearest(name: str) -> str:
    """What to do about a name that doesn't suit: another one like it, where there is any."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    near = re.sub("[^A-Za-z0-9_]+", "-", plain).lstrip("-_0123456789")[:60].rstrip("-")
    return f"run-process init {near}" if near else "choose another, such as monthly-fee"


def _replaced(text: str, renamed: Mapping[str, str]) -> str:
    for before, after in renamed.items():
        text = text.replace(before, after)
    return text


def _refuse_existing(paths: tuple[Path, ...]) -> None:
    if existing := next((path for path in paths if path.exists() or path.is_symlink()), None):
        raise ConfigurationInvalid(
            f"Expected a new process, but {existing} is there already. Do: choose another name, or move what is there away."
        )


def _shared_files(folder: Path) -> dict[Path, str]:
    """What all processes of a folder share, and isn't there yet."""
    import processes
    from engine.services.configuration import find_configuration

    shipped = Path(processes.__file__).parent
    place = folder / _FOLDER
    files = {folder / path: text for path, text in _BESIDE.items()}
    files |= {place / path: (shipped / path).read_text(encoding="utf-8") for path in _SCHEMAS}
    files |= outdated_files(place / FOLDER, connectors())
    if find_configuration(folder.absolute()):  # a second one would hide that of a folder above
        del files[folder / "run-process.yaml"]
    return {path: text for path, text in files.items() if not path.exists()}


def _create(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:  # "x": somebody else's file of this very moment stays, too
        file.write(text)
    click.echo(path)


__all__ = ["init"]
