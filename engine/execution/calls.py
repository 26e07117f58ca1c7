"""What passes between a calling instance and the one that it calls, by name and nothing else, with types checked on both sides.

An amount of money passes with its currency: a number of minor units means another amount in another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.connector import Value
from engine.definition.beginning import none_start, present
from engine.definition.call import Passing
from engine.definition.carry_over import CarryOverMap, refuse_other_bill
from engine.definition.data_item import DataType, check_value
from engine.definition.diagram import FlowNode
from engine.definition.process_definition import ProcessDefinition
from engine.errors import DataRefused, DefinitionInvalid
from engine.execution.executable import Executable
from engine.execution.transition import InstanceCalled, Start
from engine.model.text import did_you_mean, shown

MOST_CALLS = 10
"""So many instances may be called inside each other: a process that calls itself without end stops there."""

_CompletedBy: TypeAlias = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Passed:
    """Values by name, amounts in minor units. `currencies` says what those are in that are amounts of money."""

    values: Mapping[str, Value]
    currencies: Mapping[str, str] = field(default_factory=dict)


def called(
    executable: Executable, token: int, node: FlowNode, names: Mapping[str, Value], completed_by: _CompletedBy
) -> InstanceCalled:
    """What a call activity asks for when it is reached. Raises ExpressionFailed where a value that it passes has no result."""
    assert node.call is not None
    values = {item: text.evaluate(names, completed_by) for item, text in executable.passed[node.id][0].items()}
    carry_over = executable.definition.carry_over
    currencies = _of_sources(node.call.ins, _currencies(carry_over, names))
    call = node.call
    return InstanceCalled(token, node.id, call.process or "", call.binding, call.number, present(values), currencies)


def beginning(definition: ProcessDefinition, call: InstanceCalled) -> Start:
    """How the called instance begins: at its process's none start event, with what is passed. Raises DefinitionInvalid for a
    process that can't be called, DataRefused for what doesn't fit its data items.
    """
    carry_over = definition.carry_over
    if carry_over.bill is not None:
        raise DefinitionInvalid(
            f"Expected a process without a bill at {call.flow_node!r}, but {definition.id} bills customers by the period, and "
            "begins by hand or by its hand-over alone. Do: call a process without a bill, and deploy the diagram again."
        )
    where = f"In what {call.flow_node!r} passes to {definition.id}"
    return Start(none_start(definition), present(_taken(carry_over, Passed(call.data, call.currencies), {}, where)))


def returned(executable: Executable, node: str, given: Passed, data: Mapping[str, Value]) -> dict[str, Value]:
    """The data items that a call activity sets from those of the instance that it called; `data` is the caller's so far. Raises
    ExpressionFailed, DataRefused for what doesn't fit.
    """
    call = executable.nodes[node].call
    assert call is not None
    values = {item: text.evaluate(given.values, lambda _: None) for item, text in executable.passed[node][1].items()}
    currencies = _of_sources(call.outs, given.currencies)
    carry_over = executable.definition.carry_over
    taken = _taken(carry_over, Passed(values, currencies), data, f"In what {node!r} takes from {call.process}")
    refuse_other_bill(carry_over, taken, data)
    return taken


def result_of(carry_over: CarryOverMap, data: Mapping[str, Value]) -> Passed:
    """What a call activity may take from an instance that has ended."""
    return Passed({**dict.fromkeys(carry_over.items), **data}, _currencies(carry_over, data))


def _currencies(carry_over: CarryOverMap, data: Mapping[str, Value]) -> dict[str, str]:
    amounts = (item for item in carry_over.items.values() if item.type is DataType.MONEY and data.get(item.name) is not None)
    held = ((item.name, carry_over.currency_of(item, data)) for item in amounts)
    return {name: code.upper() for name, code in held if code is not None}


def _of_sources(passings: Iterable[Passing], held: Mapping[str, str]) -> dict[str, str]:
    """What is passed as it is keeps its currency."""
    return {each.target: held[each.source] for each in passings if each.source is not None and each.source in held}


def _taken(carry_over: CarryOverMap, given: Passed, data: Mapping[str, Value], where: str) -> dict[str, Value]:
    """What is given, checked. Amounts come last: their currency may be among what is given."""
    taken: dict[str, Value] = {}
    for name in sorted(given.values, key=lambda each: _is_money(carry_over, each)):
        item = carry_over.items.get(name)
        if item is None:
            raise DataRefused(
                f"{where}: Expected a data item of {carry_over.process}, but {shown(name)} is none. "
                f"{did_you_mean(name, carry_over.items)}",
                name,
            )
        try:
            taken[name] = check_value(item, given.values[name])
        except DataRefused as refused:
            raise DataRefused(f"{where}: {refused}", name) from refused
        if item.type is DataType.MONEY and taken[name] is not None:
            _refuse_other_currency(name, given.currencies.get(name), carry_over.currency_of(item, {**data, **taken}), where)
    return taken


def _is_money(carry_over: CarryOverMap, name: str) -> bool:
    item = carry_over.items.get(name)
    return item is not None and item.type is DataType.MONEY


def _refuse_other_currency(name: str, given: str | None, expected: str | None, where: str) -> None:
    if given is None or given != (expected or "").upper():
        raise DataRefused(
            f"{where}: Expected {name} in {expected or 'a currency that is known'}, but it is "
            f"{f'in {given}' if given else 'an amount without a currency'}. "
            "Do: pass an amount as it is, and its currency along with it.",
            name,
        )
