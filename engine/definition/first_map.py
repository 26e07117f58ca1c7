"""The first carry-over map of a diagram that somebody brings: what it reads and writes, for a person to decide about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engine.connector import Connectors
from engine.definition.check.subject import Subject, label
from engine.definition.check.uses import Place, Use
from engine.definition.correlation import started_by, thrown_by
from engine.definition.data_item import DataType
from engine.definition.data_item_reader import name_trouble
from engine.definition.diagram import Process
from engine.definition.diagram_reader import read_diagram
from engine.definition.finding import Finding, Position, Severity
from engine.definition.first_types import FirstType, first_types
from engine.definition.process_definition import DIAGRAM_SUFFIX, MAP_SUFFIX, main_process, resources_of
from engine.definition.safe_yaml import YamlScalar
from engine.errors import DefinitionInvalid
from engine.model.text import shown

_MOST_PLACES: Final = 2
_LONGEST_COMMENT: Final = 150
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

_HEAD: Final = """\
# The first carry-over map of {diagram}: every data item that the diagram reads or writes.
#
# Decide for each item what the next instance starts with, in the place of drop:
#   copy             the same value
#   next             the month or date that follows (in a process with a bill)
#   {{set: "value"}}   always this value
#   {{expr: "a + 1"}}  what this gives on this instance's items
#   drop             nothing
# The types are worked out from the diagram. There are more: {types}.
process: {process}
"""
_BILL: Final = """
# A process that bills its customers period by period says whom and for when, and which message starts the next period:
#
# message: {message}  # the name that a throw event throws, and a message start event waits for
# bill:
#   customer: customer_id     # an item with carry: copy
#   period: billing_month     # an item of the type month or date, with carry: next
#   every: P1M
"""
_CONTROLS: Final = """
# What an auditor relies on, by the ids of elements. check proves it on every way through the diagram:
#
#   - {path: charge, must_pass: approve}
#   - {different_people: [enter_amount, approve]}
controls: []
"""
_WORDS: Final[Mapping[Place, str]] = MappingProxyType(
    {
        Place.FIELD: "shown in",
        Place.CONDITION: "asked on",
        Place.INPUT: "passed by",
        Place.DECISION: "asked in the decision of",
    }
)
_WORDS_WRITTEN: Final[Mapping[Place, str]] = MappingProxyType({Place.FIELD: "entered in"})


def first_map(files: Mapping[str, bytes], connectors: Connectors) -> str:
    """The text of a carry-over map for the diagram in `files`, which hold one definition without its map.

    It lists every item with a type worked out from forms, expressions and what connectors take, and with the decision `drop`:
    nothing is carried over before somebody has decided it. Names that no item can have are told in a comment. The order is that
    of the diagram. Raises DefinitionInvalid, with findings, where the diagram can't be read or has no process.
    """
    subject = _subject(files, connectors)
    uses = _by_name(subject)
    usable = {name: found for name, found in uses.items() if name_trouble(name) is None}
    types = first_types(subject, usable)
    parts = [
        _HEAD.format(
            diagram=_file_name(subject), process=_text(subject.process.id), types=", ".join(each.value for each in DataType)
        ),
        _BILL.format(message=_hand_over(subject.process)),
        "\n" + "".join(f"{line}\n" for line in _data(usable, types)),
        *_unusable(uses),
        _CONTROLS,
    ]
    return "".join(parts)


def _subject(files: Mapping[str, bytes], connectors: Connectors) -> Subject:
    file = next((name for name in sorted(files) if name.endswith(DIAGRAM_SUFFIX) and "/" not in name), None)
    if file is None:
        raise _refused("diagram-missing", ".", "Expected a diagram NAME.bpmn, but there is none. Do: give one.")
    diagram = read_diagram(files[file], file)
    process = main_process(diagram, None)
    if process is None:
        message = "Expected a process in the diagram, but there is none. Do: draw a start event, tasks and an end event."
        raise _refused("process-required", file, message)
    stem = file.removesuffix(DIAGRAM_SUFFIX)
    return Subject(diagram, process, None, connectors, stem + MAP_SUFFIX, files, resources_of(stem, files))


def _refused(rule: str, file: str, message: str) -> DefinitionInvalid:
    finding = Finding(rule, Severity.ERROR, Position(file), message)
    return DefinitionInvalid(message, (finding,))


def _file_name(subject: Subject) -> str:
    return " ".join(subject.diagram.file.rsplit("/", 1)[-1].split())


def _hand_over(process: Process) -> str:
    """The name of the message by which the diagram seems to start its next instance; else an example."""
    nodes = process.nodes.values()
    thrown = {event.name for node in nodes if (event := thrown_by(node)) and event.kind == "message"}
    awaited = (event.name for node in nodes if (event := started_by(node)))
    return _text(next((name for name in awaited if name and name in thrown), "next-billing"))


def _by_name(subject: Subject) -> dict[str, list[Use]]:
    """Every name that stands for a data item, with the places where it stands, in the order of the diagram."""
    found: dict[str, list[Use]] = {}
    for use in sorted(subject.uses, key=lambda each: each.position):
        if use.name and not use.is_flow_node and (use.writes or use.place is not Place.OUTPUT):
            found.setdefault(use.name, []).append(use)
    return found


def _data(usable: Mapping[str, list[Use]], types: Mapping[str, FirstType]) -> Iterator[str]:
    if not usable:
        yield "data: {}  # the diagram reads and writes nothing"
        return
    yield "data:"
    for name, uses in usable.items():
        yield f"  {_text(name)}: {{{', '.join(_entries(types[name]))}}}  # {_comment(types[name], uses)}"


def _unusable(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if trouble := name_trouble(name):
            yield f"  # {shown(name)} in the diagram can't be a data item's name: {trouble[0]}. Do: {trouble[1]}.\n"


def _entries(first: FirstType) -> Iterator[str]:
    yield f"type: {first.type}"
    if first.currency is not None:
        yield f"currency: {_text(first.currency)}"
    if first.choices:
        yield f"choices: [{', '.join(_quoted(each) for each in first.choices)}]"
    yield "carry: drop"


def _comment(first: FirstType, uses: Iterable[Use]) -> str:
    places = list(dict.fromkeys(_told(use) for use in uses))
    more = ", ..." if len(places) > _MOST_PLACES else ""
    text = ", ".join(places[:_MOST_PLACES]) + more + ("" if first.is_known else "; nothing tells its type")
    return text if len(text) <= _LONGEST_COMMENT else f"{text[: _LONGEST_COMMENT - 3]}..."


def _told(use: Use) -> str:
    """Where a name stands: `entered in "Approve"`. Labels are shown with what is unprintable escaped, so that no line breaks."""
    words = _WORDS_WRITTEN.get(use.place, "set by") if use.writes else _WORDS.get(use.place, "read by")
    return f"{words} {shown(label(use.element))}"


def _text(text: str) -> str:
    """As YAML: plain where everybody reads it as this text."""
    plain = YamlScalar(text, True, Position("")).meaning == "text" and _PLAIN.fullmatch(text)
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    """A JSON string is a YAML string in double quotes."""
    return json.dumps(text, ensure_ascii=False)


__all__ = ["first_map"]
