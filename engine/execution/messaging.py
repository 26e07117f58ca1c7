"""What messages bring along: the key by which they find who waits for them, and the values that go from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from engine.connector import Value
from engine.definition.carry_over import refuse_other_bill
from engine.definition.correlation import LONGEST_KEY, is_key
from engine.definition.data_item import DataType, check_value, parse_value
from engine.errors import DataRefused, ExpressionFailed
from engine.execution.executable import Executable
from engine.model.text import shown

CompletedBy: TypeAlias = Callable[[str], str | None]


def correlation_key(executable: Executable, node: str, names: Mapping[str, Value], completed_by: CompletedBy) -> str | None:
    """The correlation key of an event as text; None where the diagram says none. Raises ExpressionFailed for one that is empty:
    it would be taken for any other that is.
    """
    text = executable.keys.get(node)
    if text is None:
        return None
    value = text.evaluate(names, completed_by)
    key = str(value).strip() if type(value) in (int, str) else None
    if not is_key(key):
        raise ExpressionFailed(
            f"Expected a text of 1 to {LONGEST_KEY} printable characters, or a whole number, as correlation key at {node!r}, but "
            f"its expression gives {shown(value)}. Do: give the data item a value, or correct the expression."
        )
    return key


def payload(executable: Executable, node: str, names: Mapping[str, Value], completed_by: CompletedBy) -> dict[str, Value]:
    """What goes along with a thrown message: its input parameters, and nothing that isn't named there."""
    return {name: text.evaluate(names, completed_by) for name, text in executable.inputs[node].items()}


def received(
    executable: Executable, node: str, values: Mapping[str, Value], data: Mapping[str, Value], completed_by: CompletedBy
) -> dict[str, Value]:
    """The data items that a message sets, by the output parameters of the event that receives it. Nothing else is taken from it.

    Text is read as if a person had typed it; an amount that is a whole number is one of minor units. Raises ExpressionFailed
    where the message lacks what is read, DataRefused for what doesn't fit its item, or would turn this into another bill.
    """
    carry_over = executable.definition.carry_over
    names = {**dict.fromkeys(carry_over.items), **data, **values}
    found = {item: text.evaluate(names, completed_by) for item, text in executable.outputs[node].items()}
    read: dict[str, Value] = {}
    for name in sorted(found, key=lambda each: carry_over.items[each].type is DataType.MONEY):
        item, value = carry_over.items[name], found[name]
        currency = carry_over.currency_of(item, {**data, **read})
        try:
            read[name] = parse_value(item, value, currency) if isinstance(value, str) else check_value(item, value)
        except DataRefused as refused:
            raise DataRefused(f"In what {node!r} receives: {refused}", name) from refused
    refuse_other_bill(carry_over, read, data)
    return read
