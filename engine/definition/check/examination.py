"""What `check` finds in a set of files: every definition by itself, and what they are to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from engine.connector import Connectors
from engine.definition.carry_over import CarryOverMap
from engine.definition.carry_over_reader import read_carry_over
from engine.definition.check.reading import READING
from engine.definition.check.rules import RULES
from engine.definition.check.silencing import SILENCING_RULES, Silenced, Silencing
from engine.definition.check.subject import Beside, Subject, verdict
from engine.definition.diagram import Diagram, Process
from engine.definition.diagram_reader import read_diagram
from engine.definition.finding import Finding, Position, Severity
from engine.definition.process_definition import DIAGRAM_SUFFIX, MAP_SUFFIX, main_process, resources_of
from engine.errors import DefinitionInvalid

MAX_ELEMENTS = 5_000
"""Flow nodes and sequence flows of a process. A large real one has a few hundred; proofs take time with the square."""

KNOWN_RULES = frozenset(map(verdict, RULES)) | READING.keys() | {each.__name__.replace("_", "-") for each in SILENCING_RULES}
"""The ids of all rules."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and what was found and is silenced, each sorted by place."""

    findings: tuple[Finding, ...]
    silenced: tuple[Silenced, ...]


def check(files: Mapping[str, bytes], connectors: Connectors) -> tuple[Finding, ...]:
    """Everything that is wrong with the definitions in `files` and isn't silenced, sorted by place. Never raises for what
    files say: one that can't be read gives findings.
    """
    return examine(files, connectors).findings


def examine(files: Mapping[str, bytes], connectors: Connectors) -> Examination:
    """Like `check`, with what is silenced.

    `files` may hold several definitions, each as `NAME.bpmn`, `NAME.carry-over.yaml` and `NAME.FOLDER/FILE`; names may have
    folders in front. References between them are resolved.
    """
    stems = sorted(name.removesuffix(DIAGRAM_SUFFIX) for name in files if name.endswith(DIAGRAM_SUFFIX))
    read = [_Definition(stem, files) for stem in stems]
    found, silenced = set(_without_diagram(files, stems)), set[Silenced]()
    for each in read:
        beside = tuple(
            Beside(other.diagram_file, other.process, other.carry_over) for other in read if other is not each and other.process
        )
        kept, left_out = _silence(each, tuple(dict.fromkeys(_findings(each, beside, connectors))))
        found.update(kept)
        silenced.update(left_out)
    return Examination(
        tuple(sorted(found, key=_place)),
        tuple(sorted(silenced, key=lambda each: (_place(each.finding), each.reason))),
    )


def _place(finding: Finding) -> tuple[Position, str, str]:
    return finding.position, finding.rule, finding.message


def _without_diagram(files: Mapping[str, bytes], stems: list[str]) -> Iterator[Finding]:
    maps = sorted(name.removesuffix(MAP_SUFFIX) for name in files if name.endswith(MAP_SUFFIX))
    for stem in maps:
        if stem not in stems:
            message = f"Expected the diagram {stem}{DIAGRAM_SUFFIX} beside the map, but there is none. Do: name both alike."
            yield Finding("diagram-missing", Severity.ERROR, Position(stem + MAP_SUFFIX), message)
    if not stems and not maps:
        at = Position(min(files, default="."))
        yield Finding("diagram-missing", Severity.ERROR, at, "Expected a diagram NAME.bpmn, but there is none. Do: give one.")


class _Definition:
    """One definition of the set, as far as it can be read; `unread` says why the rest can't be."""

    def __init__(self, stem: str, files: Mapping[str, bytes]) -> None:
        self.stem, self.files = stem, files
        self.diagram_file, self.map_file = stem + DIAGRAM_SUFFIX, stem + MAP_SUFFIX
        self.unread: list[Finding] = []
        self.carry_over = self._read_map()
        self.diagram = self._read_diagram()

    @cached_property
    def process(self) -> Process | None:
        """The process that the definition is about."""
        return main_process(self.diagram, self.carry_over.process if self.carry_over else None) if self.diagram else None

    def _read_map(self) -> CarryOverMap | None:
        try:
            return read_carry_over(self.files[self.map_file], self.map_file) if self.map_file in self.files else None
        except DefinitionInvalid as invalid:
            self._note(invalid, self.map_file)
            return None

    def _read_diagram(self) -> Diagram | None:
        try:
            return read_diagram(self.files[self.diagram_file], self.diagram_file)
        except DefinitionInvalid as invalid:
            self._note(invalid, self.diagram_file)
            return None

    def _note(self, invalid: DefinitionInvalid, name: str) -> None:
        self.unread += invalid.findings or (Finding("file-unreadable", Severity.ERROR, Position(name), str(invalid)),)


def _findings(definition: _Definition, beside: tuple[Beside, ...], connectors: Connectors) -> Iterator[Finding]:
    yield from definition.unread
    diagram, process, stem, files = definition.diagram, definition.process, definition.stem, definition.files
    if diagram is None:
        return
    if process is None:
        message = "Expected a process in the diagram, but there is none. Do: draw a start event, tasks and an end event."
        yield Finding("process-required", Severity.ERROR, Position(diagram.file), message)
        return
    if (count := len(process.nodes) + len(process.flows)) > MAX_ELEMENTS:
        message = f"Expected at most {MAX_ELEMENTS:,} elements in a process, but there are {count:,}. Do: split the process."
        yield Finding("diagram-too-large", Severity.ERROR, process.position, message, process.id, process.name)
        return
    own = MappingProxyType({name: files[name] for name in files if name.startswith(f"{stem}.")})
    resources = resources_of(stem, files)
    subject = Subject(diagram, process, definition.carry_over, connectors, definition.map_file, own, resources, beside)
    for rule in RULES:
        yield from rule(subject)


def _silence(definition: _Definition, findings: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], tuple[Silenced, ...]]:
    """(what stays, what is silenced). A definition whose elements weren't looked at keeps everything."""
    diagram, process = definition.diagram, definition.process
    if diagram is None or process is None or not diagram.silences:
        return findings, ()
    names = {process.id: process.name, **{node.id: node.name for node in process.nodes.values()}}
    names |= {flow.id: flow.name for flow in process.flows}
    silencing = Silencing(diagram.silences, findings, process.id, names, KNOWN_RULES)
    silenced = tuple(silencing.silenced())
    left_out = {each.finding for each in silenced}
    return (*(each for each in findings if each not in left_out), *silencing.problems()), silenced
