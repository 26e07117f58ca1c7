"""The rule that follows data along the ways that tokens take: nothing is read that nothing can have set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.definition.check.subject import Subject, label, path_of, warning
from engine.definition.check.uses import Place, Text
from engine.definition.data_item import Drop
from engine.definition.diagram import FlowNode, SequenceFlow
from engine.definition.finding import Finding
from engine.definition.graph import Reach, reachable_without
from engine.definition.scopes import around
from engine.expressions.study import Study
from engine.model.text import shown


def read_before_set(subject: Subject) -> Iterator[Finding]:
    """A data item that is read has been set, on every way that leads there: by a form, a script, an output, or the hand-over.

    An item that nothing in the diagram sets comes from whoever starts the first instance. What asks whether an item is None
    reckons with its absence, and so does everything behind such a question. Of several places that read it unset, the nearest is
    told.

    Severity: warning
    Why: an item without a value is None: a comparison with it is false, and a calculation with it stops the instance.
    Wrong: `${approval == "approve"}` on a way that doesn't pass the approval
    Right: the way passes the approval, or the condition asks `${approval is not None and ...}`
    """
    if subject.carry_over is None or not subject.starts:
        return
    flow = _DataFlow.of(subject)
    for item, reads in flow.reads.items():
        reach = flow.reach(item)
        ways = [(reach.path_to(at), text) for text in reads if (at := _node_of(text)) in reach and flow.is_open(item, text)]
        if ways:  # the nearest: what follows it is read on the same ways, and mended with it
            way, text = min(ways, key=lambda each: len(each[0]))
            yield warning(
                "read-before-set",
                text.element,
                f"Expected {shown(item)} to have a value in the {text.place} of {shown(label(text.element))}, but on this way "
                f"nothing has set it: {path_of(subject.process, way)}. "
                f"Do: set it on the way, or ask first whether {item} is None.",
                text.position,
            )


def _node_of(text: Text) -> str:
    return text.element.source if isinstance(text.element, SequenceFlow) else text.element.id


@dataclass(frozen=True)
class _DataFlow:
    """Who sets an item, who asks whether it is there, and who reads it as if it were."""

    subject: Subject
    writers: Mapping[str, frozenset[str]]
    guards: Mapping[str, frozenset[str]]
    reads: Mapping[str, tuple[Text, ...]]

    @classmethod
    def of(cls, subject: Subject) -> _DataFlow:
        items = subject.carry_over.items if subject.carry_over else {}
        writers: dict[str, set[str]] = {}
        guards: dict[str, set[str]] = {}
        reads: dict[str, list[Text]] = {}
        for use in subject.uses:
            if use.writes and isinstance(use.element, FlowNode):
                writers.setdefault(use.name, set()).add(use.element.id)
        for text, study in subject.texts:
            for name in study.reckons_with_nothing:
                guards.setdefault(name, set()).add(_node_of(text))
            for name in sorted(study.reads & items.keys()):
                if _must_be_there(subject, text, study, name) and not _set_there(subject, text, name, writers):
                    reads.setdefault(name, []).append(text)
        return cls(
            subject,
            {name: frozenset(nodes) for name, nodes in writers.items()},
            {name: frozenset(nodes) for name, nodes in guards.items()},
            {name: tuple(texts) for name, texts in reads.items()},
        )

    def settled(self, item: str) -> frozenset[str]:
        """The nodes behind which an item has a value, or its absence was thought of."""
        return self.writers.get(item, frozenset()) | self.guards.get(item, frozenset())

    def is_open(self, item: str, text: Text) -> bool:
        """Whether an item may lack its value where a text is read: a flow's condition is read after its source is completed."""
        return not (isinstance(text.element, SequenceFlow) and text.element.source in self.settled(item))

    def reach(self, item: str) -> Reach:
        """What tokens come to before anything can have set an item."""
        return reachable_without(self.subject.process, self._starts_without(item), self.settled(item))

    def _starts_without(self, name: str) -> list[str]:
        """The start events at which an item can't have a value yet."""
        carry_over = self.subject.carry_over
        assert carry_over is not None
        item, bill = carry_over.items[name], carry_over.bill
        if bill and name in (bill.customer, bill.period):
            return []
        return [
            node.id
            for node in self.subject.starts
            if (isinstance(item.carry, Drop) if _is_hand_over(node, carry_over.message) else name in self.writers)
        ]


def _is_hand_over(node: FlowNode, message: str | None) -> bool:
    return message is not None and any(event.kind == "message" and event.name == message for event in node.events)


def _must_be_there(subject: Subject, text: Text, study: Study, name: str) -> bool:
    """Whether a text needs the item to have a value: it isn't asked whether it is None, nor handed over as it may be."""
    if name in study.reckons_with_nothing or text.optional:
        return False
    node = text.element
    if not isinstance(node, FlowNode):
        return True
    bare = "".join(str(getattr(text.parsed, "text", "")).split()) == f"${{{name}}}"
    if text.place is Place.PASSED and bare:
        return False
    connector = subject.connectors.get(node.topic or "")
    if text.place is Place.OUTPUT and connector and name in connector.outputs:
        return False
    if text.place is Place.OUTPUT and node.business_rule is not None and name == node.business_rule.result:
        return False
    if text.place is not Place.INPUT or connector is None or text.name is None:
        return True
    known = {each.alias or key: each.is_required() for key, each in connector.parameters.model_fields.items()}
    return not bare or known.get(text.name, False)


def _set_there(subject: Subject, text: Text, name: str, writers: Mapping[str, set[str]]) -> bool:
    """Whether what is asked when a form is completed is entered in that form, or each instance of an activity has it."""
    inside = [*around(subject.process, text.element), *([text.element] if isinstance(text.element, FlowNode) else [])]
    if any(each.repetition is not None and each.repetition.element == name for each in inside):
        return True
    return text.place is Place.REQUIRED and text.element.id in writers.get(name, set())
