"""A process definition: the diagram, its carry-over map and the files they use, as one thing with one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from shlex import quote
from types import MappingProxyType

from engine.definition.carry_over import CarryOverMap
from engine.definition.carry_over_reader import read_carry_over
from engine.definition.decisions.decision import Decision
from engine.definition.decisions.deployed import Decisions, decisions_of
from engine.definition.diagram import Diagram, FlowNode, Process
from engine.definition.diagram_reader import read_diagram
from engine.definition.finding import Finding, Position, Severity
from engine.errors import DefinitionInvalid

DIAGRAM_SUFFIX = ".bpmn"
MAP_SUFFIX = ".carry-over.yaml"


@dataclass(frozen=True)
class ProcessDefinition:
    """What is deployed and run. Equal `digest`, equal definition: it covers the names and bytes of all `files`."""

    process: Process
    carry_over: CarryOverMap
    files: Mapping[str, bytes] = field(repr=False)
    digest: str

    @property
    def id(self) -> str:
        """The process's id."""
        return self.process.id

    @property
    def name(self) -> str:
        """The process's name for people; its id where it has none."""
        return self.process.name or self.process.id

    @cached_property
    def resources(self) -> Mapping[str, bytes]:
        """The files beside the diagram and the map, named as connectors see them: `mail/charged.txt`."""
        stem = next(name for name in self.files if name.endswith(DIAGRAM_SUFFIX)).removesuffix(DIAGRAM_SUFFIX)
        return resources_of(stem, self.files)

    @cached_property
    def decisions(self) -> Decisions:
        """The decision tables beside the diagram, in `NAME.decisions/`."""
        stem = next(name for name in self.files if name.endswith(DIAGRAM_SUFFIX) and "/" not in name).removesuffix(DIAGRAM_SUFFIX)
        return decisions_of(stem, self.files)

    def decision_of(self, task: FlowNode) -> Decision:
        """What a business rule task asks. Raises DefinitionInvalid where there is none that can be read."""
        wanted = (task.business_rule and task.business_rule.decision) or ""
        if wanted not in self.decisions.by_id:
            raise DefinitionInvalid(
                f"Expected the decision {wanted!r} for {task.id!r} beside the diagram, but there is none that can be read. "
                "Do: run-process check, correct it, and deploy it again.",
                self.decisions.problems,
            )
        return self.decisions.by_id[wanted]

    def message_start_event(self) -> FlowNode | None:
        """The start event that the hand-over message starts; None where there is none, or no hand-over."""
        starts = (node for node in self._starts() for event in node.events if event.kind == "message")
        wanted = self.carry_over.message
        return next((node for node in starts if wanted and node.events[0].name == wanted), None)

    def none_start_event(self) -> FlowNode | None:
        """The start event for a person who starts an instance."""
        return next((node for node in self._starts() if not node.events), None)

    def _starts(self) -> tuple[FlowNode, ...]:
        return tuple(node for node in self.process.of_kind("startEvent") if node.scope is None)


def read_definition(files: Mapping[str, bytes]) -> ProcessDefinition:
    """The definition in `files`: `NAME.bpmn`, `NAME.carry-over.yaml`, and any number of `NAME.FOLDER/FILE`.

    Raises DefinitionInvalid, with findings, where a file is missing, unexpected or unreadable, or where the diagram has no
    process or several. Whether it can be executed is for `check` to say.
    """
    stem = _stem(files)
    carry_over = read_carry_over(files[stem + MAP_SUFFIX], stem + MAP_SUFFIX)
    diagram = read_diagram(files[stem + DIAGRAM_SUFFIX], stem + DIAGRAM_SUFFIX)
    process = main_process(diagram, carry_over.process)
    if process is None or len(drawn_processes(diagram)) > 1:
        raise _refused(
            "one-process-per-file",
            diagram.file,
            f"Expected one process in the diagram, but there are {len(drawn_processes(diagram))}. "
            "Do: keep one; draw other parties as pools without content.",
        )
    return ProcessDefinition(process, carry_over, MappingProxyType(dict(files)), digest_of(files))


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over all names and contents, in the order of the names, each preceded by its length."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def resources_of(stem: str, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files in the folders that belong to a definition, without its name: `NAME.mail/x.txt` -> `mail/x.txt`."""
    prefix = f"{stem}."
    return MappingProxyType({name[len(prefix) :]: files[name] for name in files if _is_resource(stem, name)})


def _is_resource(stem: str, name: str) -> bool:
    return name.startswith(f"{stem}.") and "/" in name[len(stem) :]


def drawn_processes(diagram: Diagram) -> tuple[Process, ...]:
    """The processes that have anything in them; a pool that stands for another party may have an empty one."""
    return tuple(process for process in diagram.processes if process.nodes)


def main_process(diagram: Diagram, wanted: str | None) -> Process | None:
    """The process that a file is about: the one named `wanted`, else the first that is drawn and executable, else any."""
    candidates = drawn_processes(diagram) or diagram.processes
    ranked = sorted(candidates, key=lambda process: (process.id != wanted, not process.executable))
    return ranked[0] if ranked else None


def _stem(files: Mapping[str, bytes]) -> str:
    diagrams = sorted(name for name in files if name.endswith(DIAGRAM_SUFFIX) and "/" not in name)
    if len(diagrams) != 1:
        found = ", ".join(diagrams) or "none"
        raise _refused("one-diagram", found, f"Expected one diagram NAME.bpmn, but there is: {found}. Do: give one.")
    stem = diagrams[0].removesuffix(DIAGRAM_SUFFIX)
    if stem + MAP_SUFFIX not in files:
        raise _refused(
            "carry-over-map-missing",
            diagrams[0],
            f"Expected the carry-over map {stem}{MAP_SUFFIX} beside the diagram, but there is none. "
            f"Do: run-process init --from {quote(diagrams[0])} writes a first one; decide in it.",
        )
    known = {diagrams[0], stem + MAP_SUFFIX}
    for name in sorted(files):
        if name not in known and not _is_resource(stem, name):
            raise _refused(
                "file-unexpected",
                name,
                f"Expected only files of {stem}, but there is {name}. Do: leave it out, or put it into a folder "
                f"like {stem}.mail/.",
            )
    return stem


def _refused(rule: str, file: str, message: str) -> DefinitionInvalid:
    finding = Finding(rule, Severity.ERROR, Position(file), message)
    return DefinitionInvalid(str(finding), (finding,))
