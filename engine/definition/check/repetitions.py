"""Rules about activities that are done several times."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.check.subject import Subject, error
from engine.definition.diagram import FlowNode
from engine.definition.finding import Finding
from engine.definition.repetition import LOCAL_NAMES, MOST_ROUNDS, Repetition
from engine.model.text import shown

_REPEATED = ("userTask", "serviceTask", "sendTask", "receiveTask", "scriptTask", "businessRuleTask", "subProcess", "callActivity")


def repetition_invalid(subject: Subject) -> Iterator[Finding]:
    """A multi-instance marker says how many instances there are, by a loop cardinality or by a collection; a loop marker says
    when it is over, by a condition or a maximum.

    The element variable is a data item of the carry-over map: each instance has a value of its own for it, which nothing outside
    of the instance sees.

    Why: without a number the activity would be done never, or for ever.
    Wrong: a multi-instance marker without a loop cardinality and without a collection
    Right: the collection `${["north", "south"]}` with the element variable `region`
    """
    for node in subject.process.nodes.values():
        if node.repetition is not None and (why := _why_invalid(node, node.repetition)):
            yield error("repetition-invalid", node, why, node.repetition.position)


def _why_invalid(node: FlowNode, marker: Repetition) -> str | None:
    if marker.odd:
        return f"Expected a marker that this version executes, but there is {marker.odd[0]}. Do: {_instead(marker)}."
    if node.kind not in _REPEATED:
        return "Expected the marker on a task or sub-process, but it is on another element. Do: remove it."
    return _why_loop_invalid(node, marker) if marker.is_loop else _why_instances_invalid(marker)


def _instead(marker: Repetition) -> str:
    return "write loopMaximum as a whole number" if marker.is_loop else "use a loop cardinality, or camunda:collection"


def _why_loop_invalid(node: FlowNode, marker: Repetition) -> str | None:
    if marker.condition is None and marker.maximum is None:
        return "Expected a condition or a maximum for this loop, but it has neither. Do: give it one."
    if marker.maximum == 0:
        return "Expected a maximum of at least one round, but it is 0. Do: give it another, or remove the activity."
    if marker.maximum is not None and marker.maximum > MOST_ROUNDS:
        return f"Expected a maximum of at most {MOST_ROUNDS:,} rounds, but it is {marker.maximum:,}. Do: make it smaller."
    if marker.maximum is None and node.kind in ("scriptTask", "businessRuleTask"):
        return "Expected a maximum for the rounds of what waits for nothing, but there is none. Do: give it one."
    return None


def _why_instances_invalid(marker: Repetition) -> str | None:
    if (marker.cardinality is None) == (marker.collection is None):
        found = "it has neither" if marker.cardinality is None else "it has both"
        return f"Expected a loop cardinality or a collection for this marker, but {found}. Do: give it one."
    if marker.element is not None and marker.collection is None:
        return "Expected a collection for the element variable to go through, but there is none. Do: remove it, or give one."
    return None


def local_name_taken(subject: Subject) -> Iterator[Finding]:
    """No data item is called as what is counted while an activity is repeated: `loopCounter`, `nrOfInstances`,
    `nrOfCompletedInstances`, `nrOfActiveInstances`.

    Why: inside of the activity the count would hide the data item.
    Wrong: a data item `nrOfInstances`
    Right: a data item `number_of_reviews`
    """
    for item in subject.carry_over.items.values() if subject.carry_over else ():
        if item.name in LOCAL_NAMES:
            yield error(
                "local-name-taken",
                item.position,
                f"Expected a name of its own for this data item, but {shown(item.name)} counts while an activity is repeated. "
                "Do: rename the item.",
            )
