"""Rules about the types of values: what a condition, a script or a parameter can never be, told from the carry-over map alone."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

from engine.connector import Value
from engine.definition.check.subject import Subject, error, kinds_of_type, label
from engine.definition.check.uses import Place, Text
from engine.definition.data_item import DataItem, DataType, check_value
from engine.definition.diagram import FlowNode
from engine.definition.finding import Finding
from engine.errors import DataRefused
from engine.expressions.kinds import NOTHING, Kind, Kinds, in_words
from engine.expressions.study import Study
from engine.model.text import did_you_mean, shown, with_remedy

DECIDE = (Place.CONDITION, Place.REQUIRED)
"""Where a text is true or false."""
EXAMPLES: dict[DataType, tuple[Value, ...]] = {
    DataType.BOOLEAN: (True, False),
    DataType.INTEGER: (0, 1, 1_000),
    DataType.MONEY: (0, 1, 1_000),
    DataType.MONTH: ("2026-10",),
    DataType.DATE: ("2026-10-05",),
    DataType.CURRENCY: ("EUR", "USD", "JPY"),
    DataType.EMAIL: ("ann@example.com",),
}
"""Values that every item of a type can have. Texts have none: they may hold whatever a connector wants."""


def condition_not_boolean(subject: Subject) -> Iterator[Finding]:
    """A condition is true or false.

    Why: nothing counts as true by being there: `${amount}` would decide otherwise for 0 than for nothing at all.
    Wrong: `${amount}`
    Right: `${amount > 0}`
    """
    for text, study in subject.texts:
        if text.place not in DECIDE or Kind.BOOLEAN in study.kinds:
            continue
        item = _only_name(subject, text, study)
        found = f"{shown(item.name)} is of the type {item.type}" if item else f"this one gives {in_words(study.kinds)}"
        yield error(
            "condition-not-boolean",
            text.element,
            f"Expected a condition that is true or false, but {found}. "
            f"Do: compare it with something, as in {item.name if item else 'amount'} == ...",
            text.position,
        )


def _only_name(subject: Subject, text: Text, study: Study) -> DataItem | None:
    items = subject.carry_over.items if subject.carry_over else {}
    names = [name for name in study.reads if name in items]
    alone = len(names) == 1 and kinds_of_type(items[names[0]].type) == study.kinds
    return items[names[0]] if alone else None


def types_never_match(subject: Subject) -> Iterator[Finding]:
    """What is compared, added or looked for can fit together.

    Why: a number never equals a text, so the condition would be false for ever; a sum of both stops the instance.
    Wrong: `${amount == "100"}`, where `amount` is an integer
    Right: `${amount == 100}`
    """
    for text, study in subject.texts:
        for mismatch in study.mismatches:
            yield error(
                "types-never-match",
                text.element,
                f"In the {text.place} of {shown(label(text.element))}: {mismatch}",
                text.position,
            )


def value_impossible(subject: Subject) -> Iterator[Finding]:
    """A data item is compared with values that it can have.

    Why: a misspelt choice is never chosen: the way behind it is closed, and another one taken in silence.
    Wrong: `${approval == "aprove"}`, where the choices are `approve` and `send_back`
    Right: `${approval == "approve"}`
    """
    if subject.carry_over is None:
        return
    for text, study in subject.texts:
        for each in study.compared:
            item = subject.carry_over.items.get(each.name)
            if item is None or not isinstance(each.value, str) or kinds_of_type(item.type) != kinds_of_type(DataType.TEXT):
                continue
            if each.value != "" and (why := refusal(item, each.value)):
                yield error(
                    "value-impossible",
                    text.element,
                    f"In the {text.place} of {shown(label(text.element))}: {why}",
                    text.position,
                )


def assignment_type(subject: Subject) -> Iterator[Finding]:
    """What a script or an output parameter gives to a data item fits its type in the carry-over map.

    Why: a value that doesn't fit is refused when it is set, and the instance stops there.
    Wrong: `approved = "yes"`, where `approved` is boolean
    Right: `approved = True`
    """
    if subject.carry_over is None:
        return
    for text, study in subject.texts:
        for name, kinds, literal in given(text, study):
            item = subject.carry_over.items.get(name)
            if item is not None and (why := misfit(item, kinds, literal)):
                where = f"In the {text.place} of {shown(label(text.element))}: "
                yield error("assignment-type", text.element, f"{where}{why}", text.position)


def given(text: Text, study: Study) -> Iterator[tuple[str, Kinds, str | int | bool | None]]:
    """(item, kinds, the value where it is written out) for everything that a text sets."""
    for each in study.assigned:
        yield each.name, each.kinds, each.value
    if text.place is Place.OUTPUT and text.name:
        is_literal = getattr(text.parsed, "is_literal", False)
        yield text.name, study.kinds, str(getattr(text.parsed, "text", "")) if is_literal else None


def misfit(item: DataItem, kinds: Kinds, literal: str | int | bool | None) -> str | None:
    """Why an item can't have a value of these kinds, or this one where it is written out; None where it can."""
    if not kinds & kinds_of_type(item.type):
        return (
            f"Expected a value for {shown(item.name)}, which is of the type {item.type}, but this is "
            f"{in_words(kinds - NOTHING or kinds)}. Do: correct the value, or the type in the map."
        )
    return refusal(item, literal) if literal not in (None, "") else None


def refusal(item: DataItem, value: str | int | bool | None) -> str | None:
    """Why an item can't have this value; None where it can."""
    try:
        check_value(item, value)
    except DataRefused as refused:
        if item.type is DataType.CHOICE:
            return with_remedy(str(refused), did_you_mean(str(value), item.choices).removeprefix("Do: "))
        return str(refused)
    return None


def parameter_never_fits(subject: Subject) -> Iterator[Finding]:
    """A data item that is handed to a connector as it is fits what the connector takes.

    Why: a job whose parameters don't fit can't be done, and a person has to find out why.
    Wrong: `amount` = `${approved}`, where `approved` is boolean
    Right: `amount` = `${amount}`
    """
    if subject.carry_over is None:
        return
    for text, study in subject.texts:
        node = text.element
        if text.place is not Place.INPUT or not isinstance(node, FlowNode) or len(study.reads) != 1:
            continue
        connector, [name] = subject.connectors.get(node.topic or ""), study.reads
        item = subject.carry_over.items.get(name)
        if connector and item and text.name and is_bare(text, name):
            for value in _refused_examples(connector.parameters, text.name, item):
                yield error(
                    "parameter-never-fits",
                    node,
                    f"Expected a data item for {shown(text.name)} that fits {node.topic}, but {shown(name)} is of the type "
                    f"{item.type}, and {shown(value)} doesn't fit. Do: hand over another item, or change its type in the map.",
                    text.position,
                )


def is_bare(text: Text, name: str) -> bool:
    """Whether a text is nothing but one item, as it is."""
    return "".join(str(getattr(text.parsed, "text", "")).split()) == f"${{{name}}}"


def _refused_examples(parameters: type[BaseModel], name: str, item: DataItem) -> Iterator[Value]:
    """A value that the item can have and the parameter can't: of choices each one, of other types only if none fits."""
    examples = item.choices if item.type is DataType.CHOICE else EXAMPLES.get(item.type, ())
    refused = [value for value in examples if refuses(parameters, name, value)]
    if item.type is DataType.CHOICE:
        yield from refused
    elif refused and len(refused) == len(examples):
        yield refused[0]


def refuses(parameters: type[BaseModel], name: str, value: Value) -> bool:
    """Whether a connector would not take this value for this parameter."""
    try:
        parameters.model_validate({name: value})
    except ValidationError as invalid:
        return any(each["loc"][:1] == (name,) for each in invalid.errors(include_url=False, include_input=False))
    return False
