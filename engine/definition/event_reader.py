"""What an event waits for or throws, with its references to messages, signals, errors and escalations resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import CAMUNDA, attribute, child_text, children, elements, kind_of, reference
from engine.definition.diagram import EventDefinition
from engine.definition.extension_reader import unsupported_extensions

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document

_SUFFIX = "EventDefinition"
_MESSAGE_TASKS = frozenset({"sendTask", "receiveTask"})
_TIMES = {"timeDate": "date", "timeDuration": "duration", "timeCycle": "cycle"}


@dataclass(frozen=True, slots=True)
class Declarations:
    """The named things at the top of a file that events refer to, by (kind, id): their name and code."""

    named: Mapping[tuple[str, str], tuple[str | None, str | None]]

    @classmethod
    def read(cls, definitions: _Element) -> Declarations:
        """All messages, signals, errors and escalations of a file. Of two with one id the first counts, as elsewhere."""
        named: dict[tuple[str, str], tuple[str | None, str | None]] = {}
        for kind in ("message", "signal", "error", "escalation"):
            for each in children(definitions, kind):
                key = (kind, attribute(each, "id") or "")
                named.setdefault(key, (attribute(each, "name"), attribute(each, f"{kind}Code")))
        return cls(named)

    def resolve(self, kind: str, to: str | None) -> tuple[str | None, str | None]:
        """(name, code) of what `to` points at; (None, None) where it points at nothing."""
        return self.named.get((kind, to or ""), (None, None))


def read_events(element: _Element, document: Document, declarations: Declarations) -> tuple[EventDefinition, ...]:
    """The event definitions inside an event, in document order; the message of a send task or receive task."""
    if (kind_of(element) or "") in _MESSAGE_TASKS:
        return tuple(_message_of(element, document, declarations))
    return tuple(_read_event(each, document, declarations) for each in _definitions(element))


def _message_of(task: _Element, document: Document, declarations: Declarations) -> Iterator[EventDefinition]:
    """A task refers to its message itself; it has no event definition (BPMN 2.0.2, 10.3.3)."""
    if to := reference(task, "messageRef"):
        name, _ = declarations.resolve("message", to)
        yield EventDefinition(kind="message", position=document.position(task), reference=to, name=name)


def unsupported_in_events(element: _Element) -> Iterator[str]:
    """The names of what event definitions say and this program does not execute."""
    for each in _definitions(element):
        yield from unsupported_extensions(each, kind_of(each) or "")


def _definitions(element: _Element) -> Iterator[_Element]:
    return (child for child in elements(element) if (kind_of(child) or "").endswith(_SUFFIX))


def _read_event(element: _Element, document: Document, declarations: Declarations) -> EventDefinition:
    kind = (kind_of(element) or "").removesuffix(_SUFFIX)
    to = reference(element, f"{kind}Ref")
    name, code = declarations.resolve(kind, to)
    timer, text = _timer(element) if kind == "timer" else (None, None)
    return EventDefinition(
        kind=kind,
        position=document.position(element),
        reference=to,
        name=attribute(element, "name") if kind == "link" else name,
        code=code,
        text=child_text(element, "condition") if kind == "conditional" else text,
        timer=timer,
        code_variable=attribute(element, f"{kind}CodeVariable", CAMUNDA),
        message_variable=attribute(element, f"{kind}MessageVariable", CAMUNDA),
    )


def _timer(element: _Element) -> tuple[str | None, str | None]:
    """What kind of time a timer has, and its text. Of several it would be unclear which one counts, so none does."""
    given = [(kind, text) for name, kind in _TIMES.items() if (text := child_text(element, name))]
    return given[0] if len(given) == 1 else (None, None)
