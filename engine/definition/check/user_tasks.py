"""Rules about user tasks: who is offered them, until when, and which data they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from engine.definition.check.subject import Subject, error, is_literal, warning
from engine.definition.data_item import DataItem, DataType
from engine.definition.diagram import FlowNode, FormField
from engine.definition.finding import Finding
from engine.errors import DataRefused
from engine.model.period import parse_duration
from engine.model.text import did_you_mean, shown

FIELD_TYPES: Mapping[DataType, tuple[str, ...]] = MappingProxyType(
    {
        DataType.STRING: ("string",),
        DataType.TEXT: ("string",),
        DataType.EMAIL: ("string",),
        DataType.INTEGER: ("long",),
        DataType.BOOLEAN: ("boolean",),
        DataType.MONTH: ("string",),
        DataType.DATE: ("date", "string"),
        DataType.CURRENCY: ("string",),
        DataType.MONEY: ("string",),
        DataType.CHOICE: ("enum", "string"),
    }
)
"""The map's type -> what the modeler may call it. The modeler has no money, month or e-mail: it says string."""


def task_without_group(subject: Subject) -> Iterator[Finding]:
    """A user task is offered to somebody: to its lane, or to its candidate group.

    Severity: warning
    Why: everyone sees and may do it.
    Wrong: a user task outside of every lane
    Right: a user task in the lane `Sales`
    """
    for task in subject.process.of_kind("userTask"):
        if task.group is None:
            yield warning(
                "task-without-group",
                task,
                "Expected a lane or a candidate group, but the task has none, so it is offered to everyone. "
                "Do: put it into a lane with a name, or give it a candidate group.",
            )


def due_date_invalid(subject: Subject) -> Iterator[Finding]:
    """A due date is a duration after the task's creation, or an expression that gives one.

    Why: a due date that can't be read is never due.
    Wrong: `30 days`
    Right: `P30D`
    """
    for task in subject.process.of_kind("userTask"):
        if task.due and is_literal(task.due):
            try:
                parse_duration(task.due)
            except DataRefused as refused:
                yield error("due-date-invalid", task, f"{refused}")


def duplicate_form_field(subject: Subject) -> Iterator[Finding]:
    """A form shows a data item once: of two fields, it would be unclear which one counts.

    Why: two answers to one question.
    Wrong: two fields with the id `amount`
    Right: one field with the id `amount`
    """
    for task in subject.process.nodes.values():
        seen: set[str] = set()
        for field in task.fields:
            if field.name in seen:
                yield error(
                    "duplicate-form-field",
                    task,
                    f"Expected one field for {shown(field.name)}, but this is another. Do: remove one.",
                    field.position,
                )
            seen.add(field.name)


def form_field_unknown_item(subject: Subject) -> Iterator[Finding]:
    """A form field's id is the name of a data item in the carry-over map.

    Why: what is entered there would be lost.
    Wrong: a field with the id `amuont`
    Right: a field with the id `amount`, which the map lists
    """
    for task, field, item in _fields(subject):
        if item is None:
            yield error(
                "form-field-unknown-item",
                task,
                f"Expected the field's id to be a data item of the carry-over map, but {shown(field.name)} is none. "
                f"{did_you_mean(field.name, subject.carry_over.items if subject.carry_over else ())} Or list it in the map.",
                field.position,
            )


def form_field_type(subject: Subject) -> Iterator[Finding]:
    """A form field has the modeler's type that is nearest to the data item's type in the carry-over map.

    Why: what people enter is read by the map's type; a form that promises another misleads them.
    Wrong: `boolean` in the form, `integer` in the map
    Right: `long` in the form, `integer` in the map
    """
    for task, field, item in _fields(subject):
        if item is None:
            continue
        fitting = FIELD_TYPES[item.type]
        if field.type not in fitting:
            yield error(
                "form-field-type",
                task,
                f"Expected the field {shown(field.name)} to have the type {' or '.join(fitting)}, because its data item is "
                f"of the type {item.type}, but it has {shown(field.type or None)}. Do: change it.",
                field.position,
            )
        elif field.type == "enum":
            yield from _choices(task, field, item)


def _choices(task: FlowNode, field: FormField, item: DataItem) -> Iterator[Finding]:
    offered = [key for key, _ in field.choices]
    if set(offered) - set(item.choices) or not offered:
        found = ", ".join(offered) or "none"
        yield error(
            "form-field-type",
            task,
            f"Expected the field {shown(field.name)} to offer choices of its data item ({', '.join(item.choices)}), "
            f"but it offers {found}. Do: use those as the values' ids.",
            field.position,
        )


def _fields(subject: Subject) -> Iterator[tuple[FlowNode, FormField, DataItem | None]]:
    """Every form field with its data item; nothing where there is no map to look in."""
    if subject.carry_over is None:
        return
    for task in subject.process.nodes.values():
        for field in task.fields:
            yield task, field, subject.carry_over.items.get(field.name)
