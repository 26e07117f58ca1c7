"""A user task's form: what people may enter in it, and what they must."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.connector import Value
from engine.definition.carry_over import CarryOverMap, read_values, refuse_other_bill
from engine.definition.data_item import DataType, Drop
from engine.errors import DataRefused
from engine.model.text import did_you_mean

if TYPE_CHECKING:
    from engine.definition.data_item import DataItem
    from engine.definition.diagram import FlowNode, FormField
    from engine.expressions import Condition


def read_form(
    node: FlowNode, task: str, carry_over: CarryOverMap, raw: Mapping[str, Value], data: Mapping[str, Value]
) -> dict[str, Value]:
    """The values with which the user task `node` is completed, by item; None for one that is cleared.

    `raw` is what people typed, `data` what the instance holds so far. `task` names the task in messages. Raises DataRefused,
    naming the item, for what is no field or only shown, what doesn't fit its type, another bill's customer or period, and a
    required field that stays empty.
    """
    fields = {field.name: field for field in node.fields}
    for name in raw:
        _check_writable(name, fields, task)
    values = read_values(carry_over, raw, data)
    refuse_other_bill(carry_over, values, data)
    after = {**dict.fromkeys(carry_over.items), **data, **values}
    for field in fields.values():
        _check_required(field, carry_over, values, after)
    return values


def _check_required(field: FormField, carry_over: CarryOverMap, values: Mapping[str, Value], after: Mapping[str, Value]) -> None:
    item = carry_over.items[field.name]
    given = values if is_decided_anew(field, item) else after
    if given.get(field.name) is None and is_required(field, after):
        one_of = f", one of {', '.join(item.choices)}" if item.choices else ""
        raise DataRefused(
            f"Expected a value for {field.name} ({field.label}){one_of}, but it is empty. Do: --set {field.name}=VALUE.",
            field.name,
        )


def is_required(field: FormField, names: Mapping[str, Value]) -> bool:
    """Whether a field must have a value, with all data items as they will be when its task is completed (None: no value)."""
    return field.required or (field.required_if is not None and _condition(field.required_if).holds(names))


@lru_cache(maxsize=1_024)
def _condition(text: str) -> Condition:
    """A condition of a form field, read once: reading takes far longer than asking."""
    from engine.expressions import parse_condition  # only forms need the expression language

    return parse_condition(text)


def is_decided_anew(field: FormField, item: DataItem) -> bool:
    """Whether a field's value is given each time its task is done: a decision, or its reason. Those of an earlier visit never
    stand in.
    """
    decides = item.type is DataType.CHOICE or field.required_if is not None
    return decides and isinstance(item.carry, Drop) and not field.readonly


def _check_writable(name: str, fields: Mapping[str, FormField], task: str) -> None:
    writable = [field.name for field in fields.values() if not field.readonly]
    if name not in fields:
        raise DataRefused(f"Expected a field of {task}, but {name!r} is none. {did_you_mean(name, writable)}", name)
    if fields[name].readonly:
        raise DataRefused(f"Expected {name!r} to stay as it is in {task}, but it was set. Do: leave it out.", name)
