"""What simulated people type: into forms, and when they start an instance. It is made up from the fields' types and the
profile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

from engine.connector import Value
from engine.definition.carry_over import CarryOverMap
from engine.definition.data_item import Copy, DataItem, DataType, Next
from engine.definition.diagram import FlowNode, FormField
from engine.definition.form import is_decided_anew, is_required
from engine.definition.process_definition import ProcessDefinition
from engine.expressions import parse_script
from engine.model.money import format_money
from engine.rehearsal.distribution import choose, draw
from engine.rehearsal.profile import USUAL_AMOUNT, Amounts, Entry, Profile

USUAL_PERIODS = {DataType.MONTH: "2026-01", DataType.DATE: "2026-01-01"}
"""The first period, where nothing else is said: a fixed one, so that a simulation doesn't depend on when it runs."""

_USUAL_FIRST = 90.0
"""The weight of a form's first choice, and of yes; the others share what is left of a hundred."""


def fill_in(
    node: FlowNode, carry_over: CarryOverMap, data: Mapping[str, Value], profile: Profile, chance: Random
) -> dict[str, Value]:
    """What somebody types into the form of a user task, field by field: what is required and has no value yet, decisions always
    anew, and what the profile says.
    """
    typed: dict[str, Value] = {}
    entries = profile.task(node.id).fields
    for field in _decisions_first(node, carry_over):
        item = carry_over.items[field.name]
        entry = entries.get(field.name)
        if entry is not None or _is_needed(field, item, carry_over, {**data, **typed}):
            typed[field.name] = _typed(field, item, entry, carry_over, {**data, **typed}, chance)
    return typed


def _decisions_first(node: FlowNode, carry_over: CarryOverMap) -> list[FormField]:
    """Writable fields; those that others depend on, and currencies, before the others."""
    fields = [field for field in node.fields if not field.readonly]
    return sorted(fields, key=lambda each: (each.required_if is not None, carry_over.items[each.name].type is DataType.MONEY))


def _is_needed(field: FormField, item: DataItem, carry_over: CarryOverMap, data: Mapping[str, Value]) -> bool:
    if data.get(field.name) is not None and not is_decided_anew(field, item):
        return False
    return is_required(field, {**dict.fromkeys(carry_over.items), **data})


def _typed(
    field: FormField, item: DataItem, entry: Entry | None, carry_over: CarryOverMap, data: Mapping[str, Value], chance: Random
) -> Value:
    if item.type is DataType.MONEY:
        amounts = entry if isinstance(entry, Amounts) else Amounts()
        return _amount(amounts, carry_over.currency_of(item, data) or "USD", chance)
    if entry is not None and not isinstance(entry, Amounts):
        return choose(entry, chance)
    if item.type in (DataType.CHOICE, DataType.BOOLEAN):
        return choose(_usual_weights([key for key, _ in field.choices] or list(item.choices) or ["yes", "no"]), chance)
    return made_up_text(item, data, carry_over)


def _amount(amounts: Amounts, currency: str, chance: Random) -> str:
    kind = chance.random()
    size = draw(amounts.of(currency), chance)
    if kind < amounts.zero:
        size = 0
    elif kind < amounts.zero + amounts.below_zero:
        size = -size
    return format_money(size, currency)


def _usual_weights(choices: list[str]) -> dict[str, float]:
    rest = (100.0 - _USUAL_FIRST) / max(len(choices) - 1, 1)
    return {choice: rest if number else _USUAL_FIRST for number, choice in enumerate(choices)}


def made_up_text(item: DataItem, data: Mapping[str, Value], carry_over: CarryOverMap) -> Value:
    """A value that fits an item's type, as people type it; for a month or date that of the bill, where it is of the same kind."""
    match item.type:
        case DataType.INTEGER:
            return "1"
        case DataType.BOOLEAN:
            return "yes"
        case DataType.EMAIL:
            return "someone@example.com"
        case DataType.MONTH | DataType.DATE:
            bill = carry_over.bill
            same = bill is not None and carry_over.items[bill.period].type is item.type
            return (data.get(bill.period) if bill is not None and same else None) or USUAL_PERIODS[item.type]
        case DataType.CURRENCY:
            return "USD"
        case DataType.CHOICE:
            return item.choices[0]
        case DataType.MONEY:
            return format_money(USUAL_AMOUNT.median, carry_over.currency_of(item, data) or "USD")
        case _:
            return "Simulated"


# --- the first instance of a customer ---------------------------------------------------------------------------------


def starting_values(
    definition: ProcessDefinition, profile: Profile, number: int, period: str | None, chance: Random
) -> dict[str, Value]:
    """What the first instance of the customer with this number is started with: who they are, the first period, what is copied
    from period to period, what nobody else would set, and what the profile says.
    """
    carry_over = definition.carry_over
    typed: dict[str, Value] = {}
    for item in carry_over.items.values():
        if item.name in profile.start:
            typed[item.name] = choose(profile.start[item.name], chance)
        elif carry_over.bill is not None and item.name == carry_over.bill.customer:
            typed[item.name] = f"cus_{number:05d}"
        elif carry_over.bill is not None and item.name == carry_over.bill.period:
            typed[item.name] = period
        elif _begins_with(item, definition):
            typed[item.name] = made_up_text(item, typed, carry_over)
    return typed


def _begins_with(item: DataItem, definition: ProcessDefinition) -> bool:
    if item.type is DataType.MONEY:
        return False  # an amount is entered in its form
    if definition.carry_over.bill is not None:
        return isinstance(item.carry, Copy | Next)
    return item.name not in set(_written(definition))


def _written(definition: ProcessDefinition) -> Iterator[str]:
    """What a form, a connector, a script, a decision or an error sets."""
    for node in definition.process.nodes.values():
        yield from (field.name for field in node.fields if not field.readonly)
        yield from (parameter.name for parameter in node.outputs)
        yield from parse_script(node.script).writes if node.kind == "scriptTask" and node.script else ()
        yield from (node.business_rule.item,) if node.business_rule and node.business_rule.item else ()
        for event in node.events:
            yield from (name for name in (event.code_variable, event.message_variable) if name is not None)


def first_period(definition: ProcessDefinition, profile: Profile) -> str | None:
    """The period that the simulation begins with; None for a process without bills."""
    bill = definition.carry_over.bill
    if bill is None:
        return None
    return profile.begins or USUAL_PERIODS[definition.carry_over.items[bill.period].type]


__all__ = ["fill_in", "first_period", "made_up_text", "starting_values"]
