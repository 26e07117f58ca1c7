"""Which definitions are tried, with which scenarios; and what comes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.definition.finding import Finding, Position, Severity
from engine.errors import ConfigurationInvalid, DefinitionInvalid
from engine.rehearsal.scenario import SUFFIX

if TYPE_CHECKING:
    from engine.clock import Stopwatch
    from engine.connector import Connectors
    from engine.rehearsal.rehearsing import Prepared, Rehearsal

_DIAGRAM = ".bpmn"


@dataclass(frozen=True, slots=True)
class Trial:
    """A definition and its scenarios, None where it has none. `rehearsal` is None where it can't be tried: `findings` say why."""

    diagram: Path
    scenarios: Path | None
    files: Mapping[str, bytes]
    rehearsal: Rehearsal | None
    findings: tuple[Finding, ...] = ()

    @property
    def process(self) -> str:
        """The process's id; the file's name where it can't be read."""
        return self.rehearsal.coverage.process.id if self.rehearsal is not None else self.diagram.name

    @property
    def failed(self) -> bool:
        """Whether a person is needed."""
        return self.rehearsal is None or any(each.failure is not None for each in self.rehearsal.performances)

    def located(self, position: Position) -> str:
        """A place in one of its files, with the path as it was given, so that editors can jump to it."""
        return str(replace(position, file=(self.diagram.parent / Path(position.file).name).as_posix()))


def diagrams_of(paths: Iterable[Path]) -> list[Path]:
    """The diagrams that paths name: diagrams and files of scenarios themselves, folders with all below them; each once.

    Raises UsageError where there is none, or one that scenarios belong to is missing.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for each in sorted(path.rglob(f"*{_DIAGRAM}")) if path.is_dir() else [_diagram_of(path)]:
            found.setdefault(each.resolve(), each)
    if not found:
        raise click.UsageError(f"Expected a {_DIAGRAM} file in {', '.join(map(str, paths))}, but there is none.")
    return list(found.values())


def _diagram_of(path: Path) -> Path:
    if not path.name.endswith(SUFFIX):
        return path
    diagram = path.with_name(path.name.removesuffix(SUFFIX) + _DIAGRAM)
    if not diagram.is_file():
        raise click.UsageError(f"Expected {diagram} beside {path}, but there is none. Do: name both alike.")
    return diagram


def scenarios_of(diagram: Path) -> Path | None:
    """The file of scenarios beside a diagram."""
    beside = diagram.with_name(diagram.name.removesuffix(_DIAGRAM) + SUFFIX)
    return beside if beside.is_file() else None


def prepare_trial(diagram: Path, connectors: Connectors) -> Prepared:
    """A definition with the scenarios beside it. Raises DefinitionInvalid, and ConfigurationInvalid for unreadable files."""
    from engine.rehearsal.rehearsing import prepare
    from engine.services.deploying import read_files

    beside, files = scenarios_of(diagram), read_files(diagram)
    return prepare(files, _content(beside), beside.name if beside else "", connectors, _others(diagram, files))


def _others(diagram: Path, files: Mapping[str, bytes]) -> list[dict[str, bytes]]:
    """The other definitions in a diagram's folder, if it calls any."""
    from engine.services.deploying import read_files

    if b"callActivity" not in files[diagram.name]:
        return []
    return [read_files(each) for each in sorted(diagram.parent.glob(f"*{_DIAGRAM}")) if each.name != diagram.name]


def try_out(diagram: Path, connectors: Connectors, wanted: Callable[[str], bool], stopwatch: Stopwatch) -> Trial:
    """Play the scenarios beside a diagram; what keeps them from being played is part of the answer."""
    from engine.rehearsal.rehearsing import rehearse
    from engine.services.deploying import read_files

    beside = scenarios_of(diagram)
    try:
        rehearsal = rehearse(prepare_trial(diagram, connectors), connectors, wanted, stopwatch)
    except DefinitionInvalid as refused:
        found = refused.findings or (Finding("definition-refused", Severity.ERROR, Position(diagram.name), str(refused)),)
        return Trial(diagram, beside, {}, None, tuple(found))
    except ConfigurationInvalid as unreadable:
        finding = Finding("file-unreadable", Severity.ERROR, Position(diagram.name), str(unreadable))
        return Trial(diagram, beside, {}, None, (finding,))
    return Trial(diagram, beside, read_files(diagram), rehearsal)


def scenario_warnings(diagrams: Iterable[Path], connectors: Connectors) -> tuple[tuple[Finding, ...], dict[str, bytes]]:
    """What is wrong with the scenarios beside these diagrams, as warnings: they keep nothing from being deployed. And the files
    that they are found in, by path. Of a definition that can't be read, nothing is said here.
    """
    from engine.definition.process_definition import read_definition
    from engine.rehearsal.rehearsing import called_by
    from engine.rehearsal.scenario_reader import check_scenarios
    from engine.services.deploying import read_files

    found: list[Finding] = []
    sources: dict[str, bytes] = {}
    for diagram in diagrams:
        beside = scenarios_of(diagram)
        try:
            content = _content(beside)
            if beside is None or content is None:
                continue
            files = read_files(diagram)
            definition = read_definition(files)
            called = called_by(definition, _others(diagram, files))
        except (DefinitionInvalid, ConfigurationInvalid):  # told as the definition's own
            continue
        place = beside.as_posix()
        sources[place] = content
        found += (
            replace(each, rule="scenarios-invalid", severity=Severity.WARNING)
            for each in check_scenarios(content, place, definition, connectors, called)
        )
    return tuple(found), sources


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected to read {path}, but the system says: {error.strerror}. Do: check the path and its permissions."
        ) from error
