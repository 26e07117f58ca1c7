"""Rules about expressions and data items: what the diagram reads and writes, against the carry-over map."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from engine.definition.check.subject import Subject, error, label, warning
from engine.definition.check.uses import Place, Use
from engine.definition.data_item import Computed
from engine.definition.finding import Finding
from engine.model.text import did_you_mean, shown


def expression_invalid(subject: Subject) -> Iterator[Finding]:
    """Every expression, condition and script is in the expression language.

    Why: other engines take `approved = True` for true, and so approve everything.
    Wrong: `${approved = True}`, `${a && b}`, `${amount eq 1}`, `${x.equals('a')}`
    Right: `${approved == True}`, `${a and b}`, `${amount == 1}`, `${x == 'a'}`
    """
    for each in subject.unparsable:
        yield error(
            "expression-invalid",
            each.element,
            f"In the {each.place} of {shown(label(each.element))}: {each.reason}",
            each.position,
        )


def script_required(subject: Subject) -> Iterator[Finding]:
    """A script task has a script.

    Why: a task that does nothing was left unfinished.
    Wrong: a script task without a script
    Right: `total = amount * count`
    """
    for task in subject.process.of_kind("scriptTask"):
        if task.script is None and "camunda:resource" not in task.unsupported:
            yield error("script-required", task, "Expected a script, but the task has none. Do: write one, as in total = a + b.")


def unknown_data_item(subject: Subject) -> Iterator[Finding]:
    """Everything that the diagram reads or writes is listed in the carry-over map, with a decision what becomes of it.

    Why: fail-closed: what the map doesn't list is neither stored nor carried over.
    Wrong: `${aproved}`
    Right: `${approved}`, which the map lists
    """
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
    """Form fields and decision tables have rules of their own; what output parameters read may be a result of the connector."""
    return use.place not in (Place.FIELD, Place.DECISION) and (use.place is not Place.OUTPUT or use.writes)


def item_unused(subject: Subject) -> Iterator[Finding]:
    """A data item that nothing mentions is probably misspelt, or left over.

    Severity: warning
    Why: nothing ever sets or reads it.
    Wrong: `amuont` in the map, `amount` in the diagram
    Right: `amount` in both
    """
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
    """Every diagram has a carry-over map beside it: what it doesn't list never gets into the next instance.

    Why: without it nobody has decided what the next month starts with.
    Wrong: `billing.bpmn` alone
    Right: `billing.carry-over.yaml` beside it, as `run-process init --from billing.bpmn` first writes it
    """
    if subject.map_file not in subject.files:
        yield error(
            "carry-over-map-missing",
            subject.process,
            f"Expected the carry-over map {subject.map_file} beside the diagram, but there is none. "
            f"Do: run-process init --from {quote(subject.diagram.file)} writes a first one; decide in it.",
        )
