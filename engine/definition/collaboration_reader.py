"""Reads a diagram's pools and the message flows between them: drawn for people, and checked so that they mislead nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import attribute, children, reference
from engine.definition.finding import Position

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document


@dataclass(frozen=True, slots=True)
class Participant:
    """A pool. `process` is the id of the process that it stands for, None for another party's."""

    id: str
    name: str | None
    process: str | None
    position: Position


@dataclass(frozen=True, slots=True)
class MessageFlow:
    """A dashed arrow between pools, or between elements in them. Its ends are as written, '' where they are missing."""

    id: str
    name: str | None
    source: str
    target: str
    position: Position


@dataclass(frozen=True, slots=True)
class Collaboration:
    """The pools and message flows of a file; of several collaborations those of all."""

    participants: tuple[Participant, ...] = ()
    message_flows: tuple[MessageFlow, ...] = ()


def read_collaboration(document: Document) -> Collaboration:
    """What a file's collaborations draw, in document order."""
    drawn = list(children(document.root, "collaboration"))
    return Collaboration(
        tuple(_participant(each, document) for one in drawn for each in children(one, "participant")),
        tuple(_message_flow(each, document) for one in drawn for each in children(one, "messageFlow")),
    )


def _participant(element: _Element, document: Document) -> Participant:
    key, name = attribute(element, "id") or "", attribute(element, "name")
    return Participant(key, name, reference(element, "processRef"), document.position(element))


def _message_flow(element: _Element, document: Document) -> MessageFlow:
    source, target = reference(element, "sourceRef") or "", reference(element, "targetRef") or ""
    key, name = attribute(element, "id") or "", attribute(element, "name")
    return MessageFlow(key, name, source, target, document.position(element))
