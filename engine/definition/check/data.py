"""Rules about expressions and data items: what the diagram reads and writes, against the carry-over map."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.check.subject import Subject, error, label, warning
from engine.definition.check.uses import Place, Use
from engine.definition.data_item import Computed, DataType
from engine.definition.finding import Finding
from engine.model.text import did_you_mean, shown


def expression_invalid(subject: Subject) -> Iterator[Finding]:
    """Every expression, condition and script is in the expression language."""
    for each in subject.unparsable:
        yield error(
            "expression-invalid",
            each.element,
            f"In the {each.place} of {shown(label(each.element))}: {each.reason}",
            each.position,
        )


def script_required(subject: Subject) -> Iterator[Finding]:
    """A script task has a script."""
    for task in subject.process.of_kind("scriptTask"):
        if task.script is None and "camunda:resource" not in task.unsupported:
            yield error("script-required", task, "Expected a script, but the task has none. Do: write one, as in total = a + b.")


def condition_not_boolean(subject: Subject) -> Iterator[Finding]:
    """A condition is true or false. A data item of another type is compared with something, never taken as a condition."""
    if subject.carry_over is None:
        return
    for flow in subject.process.flows:
        item = subject.carry_over.items.get((flow.condition or "").removeprefix("${").removesuffix("}").strip())
        if item is not None and item.type is not DataType.BOOLEAN:
            yield error(
                "condition-not-boolean",
                flow,
                f"Expected a condition that is true or false, but {shown(item.name)} is of the type {item.type}. "
                f"Do: compare it with something, as in {item.name} == ...",
            )


def unknown_data_item(subject: Subject) -> Iterator[Finding]:
    """Everything that the diagram reads or writes is listed in the carry-over map, with a decision what becomes of it."""
    if subject.carry_over is None:
        return
    items = subject.carry_over.items
    for use in subject.uses:
        if use.name in items or use.is_flow_node or not _is_data_item(use):
            continue
        yield error(
            "unknown-data-item",
            use.element,
            f"Expected a data item of the carry-over map in the {use.place}, but {shown(use.name or None)} is none. "
            f"{did_you_mean(use.name, items)} Or list it in {subject.map_file}.",
            use.position,
        )


def _is_data_item(use: Use) -> bool:
    """Form fields have a rule of their own; what output parameters read may be a result of the connector."""
    return use.place is not Place.FIELD and (use.place is not Place.OUTPUT or use.writes)


def item_unused(subject: Subject) -> Iterator[Finding]:
    """A data item that nothing mentions is probably misspelt, or left over."""
    if subject.carry_over is None:
        return
    used = {use.name for use in subject.uses if not use.is_flow_node} | _used_by_map(subject)
    for item in subject.carry_over.items.values():
        if item.name not in used:
            yield warning(
                "item-unused",
                item.position,
                f"Expected the diagram to mention the data item {shown(item.name)}, but it doesn't. "
                "Do: add it to a form, or remove it from the map.",
            )


def _used_by_map(subject: Subject) -> set[str]:
    used: set[str] = set()
    if subject.carry_over is not None:
        if bill := subject.carry_over.bill:
            used |= {bill.customer, bill.period}
        for item in subject.carry_over.items.values():
            if item.currency:
                used.add(item.currency)
            if isinstance(item.carry, Computed):
                used |= set(item.carry.expression.names)
    return used


def carry_over_map_missing(subject: Subject) -> Iterator[Finding]:
    """Every diagram has a carry-over map beside it: what it doesn't list never gets into the next instance."""
    if subject.map_file not in subject.files:
        yield error(
            "carry-over-map-missing",
            subject.process,
            f"Expected the carry-over map {subject.map_file} beside the diagram, but there is none. "
            "Do: write one that lists the data items.",
        )
