"""The carry-over map: a process's data items, and what becomes of each when the next instance starts.

Pure functions on frozen records. Everything is fail-closed: what the map does not list never gets through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from engine.connector import Value
from engine.definition.data_item import (
    Computed,
    Copy,
    DataItem,
    DataType,
    Drop,
    Next,
    SetTo,
    check_value,
    format_value,
    parse_value,
)
from engine.errors import DataRefused, ExpressionFailed
from engine.model.money import EXPONENTS
from engine.model.period import next_period
from engine.model.text import did_you_mean, shown

if TYPE_CHECKING:
    from engine.definition.finding import Position


@dataclass(frozen=True, slots=True)
class Bill:
    """The unit of "once": the items that hold the customer and the period, and the ISO 8601 distance between periods.

    `amount` is the item that holds what is billed, `end_reason` the one that says why a contract ended; None where not named.
    """

    customer: str
    period: str
    every: str
    amount: str | None = None
    end_reason: str | None = None


@dataclass(frozen=True, slots=True)
class MustPass:
    """Every way to the flow node `path` leads through the flow node `must_pass`."""

    path: str
    must_pass: str
    position: Position


@dataclass(frozen=True, slots=True)
class DifferentPeople:
    """No person does more than one of these user tasks in an instance."""

    tasks: tuple[str, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class EveryEndHandsOver:
    """Every end but those in `except_` is reached only after the hand-over message was thrown."""

    except_: tuple[str, ...]
    position: Position


Control: TypeAlias = MustPass | DifferentPeople | EveryEndHandsOver


@dataclass(frozen=True)
class CarryOverMap:
    """What one `NAME.carry-over.yaml` says. `message` and `bill` are both None for a process that does not repeat."""

    process: str
    file: str
    message: str | None = None
    bill: Bill | None = None
    items: Mapping[str, DataItem] = field(default_factory=dict)
    controls: tuple[Control, ...] = ()

    def currency_of(self, item: DataItem, data: Mapping[str, Value]) -> str | None:
        """The currency code of a money item in `data`; None where it has no value, and for other types."""
        if item.currency is None or item.currency in EXPONENTS:
            return item.currency
        code = data.get(item.currency)
        return code if isinstance(code, str) else None

    @property
    def billed_item(self) -> DataItem | None:
        """The item that holds what is billed: the one that the bill names, else the only amount there is."""
        if self.bill is None:
            return None
        if self.bill.amount is not None:
            return self.items[self.bill.amount]
        amounts = [item for item in self.items.values() if item.type is DataType.MONEY]
        return amounts[0] if len(amounts) == 1 else None

    def customer_of(self, data: Mapping[str, Value]) -> str | None:
        """The bill's customer; None where the process does not repeat. Raises DataRefused where the item is empty."""
        return self._bill_value(self.bill.customer, data) if self.bill else None

    def period_of(self, data: Mapping[str, Value]) -> str | None:
        """The bill's period; None where the process does not repeat. Raises DataRefused where the item is empty."""
        return self._bill_value(self.bill.period, data) if self.bill else None

    def _bill_value(self, name: str, data: Mapping[str, Value]) -> str:
        value = data.get(name)
        if value is None:
            raise DataRefused(
                f"Expected {name} to have a value, because it tells which bill this is, but it is empty. Do: enter it.", name
            )
        return str(value)


def kept_apart(carry_over: CarryOverMap, task: str, people: Mapping[str, tuple[str, ...]], user: str) -> str | None:
    """The user task that `user` has done in this instance and that a control keeps apart from `task`; None where there is none.

    `people` maps user tasks to those who completed them.
    """
    apart = (control.tasks for control in carry_over.controls if isinstance(control, DifferentPeople) and task in control.tasks)
    return next((other for tasks in apart for other in tasks if other != task and user in people.get(other, ())), None)


# --- the hand-over --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HandOver:
    """What the next instance starts with.

    `data` lacks the items that have no value. `previous` is what forms show beside empty fields: item name ->
    `{"value": ...}`, and for money `{"value": minor units, "currency": code}`; it is never a value of the instance.
    """

    data: Mapping[str, Value]
    previous: Mapping[str, Value]


def hand_over(carry_over: CarryOverMap, data: Mapping[str, Value]) -> HandOver:
    """Apply the map to the data of an instance that ends. Expressions see the old data, with None for items without value.

    Raises DataRefused, naming the item, where the next bill's customer or period would be unknown, an expression has no
    value, or a value does not fit its item's type.
    """
    old = {name: data.get(name) for name in carry_over.items}
    new: dict[str, Value] = {}
    # Amounts come last: one that is set is read in the currency of the new data.
    for item in sorted(carry_over.items.values(), key=lambda item: item.type is DataType.MONEY):
        value = _carried(carry_over, item, old, new)
        if value is not None:
            new[item.name] = value
    carry_over.customer_of(new)
    carry_over.period_of(new)
    return HandOver(new, dict(_previous(carry_over, old)))


def _carried(carry_over: CarryOverMap, item: DataItem, old: Mapping[str, Value], new: Mapping[str, Value]) -> Value:
    match item.carry:
        case Drop():
            return None
        case Copy():
            return check_value(item, old[item.name])
        case Next():
            return _following(carry_over, item, old[item.name])
        case SetTo(value):
            return parse_value(item, value, carry_over.currency_of(item, new))
        case Computed(expression):
            try:
                return check_value(item, expression.evaluate(old))
            except ExpressionFailed as failed:
                raise DataRefused(f"{carry_over.file}:{item.position.line}: {item.name}: {failed}", item.name) from failed


def _following(carry_over: CarryOverMap, item: DataItem, value: Value) -> Value:
    if carry_over.bill is None or not isinstance(value, str):
        raise DataRefused(
            f"Expected {item.name} to have a value, because the next {item.type} follows from it, but it is {shown(value)}. "
            "Do: enter it in this instance.",
            item.name,
        )
    try:
        return next_period(value, carry_over.bill.every)
    except DataRefused as refused:
        raise DataRefused(f"{item.name}: {refused}", item.name) from refused


def _previous(carry_over: CarryOverMap, old: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    for item in carry_over.items.values():
        value = old[item.name]
        if not item.show_previous or value is None:
            continue
        if item.type is DataType.MONEY:
            currency = carry_over.currency_of(item, old)
            format_value(item, value, currency)  # refuses an amount whose currency is not known
            yield item.name, {"value": value, "currency": currency}
        else:
            yield item.name, {"value": value}


# --- reading what people enter --------------------------------------------------------------------------------------


def read_values(
    carry_over: CarryOverMap,
    raw: Mapping[str, Value],
    existing: Mapping[str, Value] = MappingProxyType({}),
) -> dict[str, Value]:
    """The values of `raw` (as people or programs gave them) by item; `existing` is the instance's data so far.

    Amounts are read in the currency that `raw` sets, else in the existing one. None stands for an item that is cleared.
    Raises DataRefused, naming the item, for unknown items, values that do not fit their type, amounts without a currency,
    a currency that changes under an amount which stands, and a period that no period could follow.
    """
    for name in raw:
        if name not in carry_over.items:
            known = did_you_mean(name, carry_over.items)
            raise DataRefused(f"Expected a data item of {carry_over.process}, but {shown(name)} is none. {known}", name)
    values: dict[str, Value] = {}
    for item in sorted(carry_over.items.values(), key=lambda item: item.type is DataType.MONEY):
        if item.name in raw:
            values[item.name] = parse_value(item, raw[item.name], carry_over.currency_of(item, {**existing, **values}))
    _refuse_currency_change(carry_over, values, existing)
    _refuse_last_period(carry_over, values)
    return values


def refuse_other_bill(carry_over: CarryOverMap, values: Mapping[str, Value], existing: Mapping[str, Value]) -> None:
    """Raise DataRefused where `values` would turn a running instance into the bill of another customer or period.

    An item that is still empty may be filled in. Otherwise a period would be skipped or billed under two names.
    """
    for name in (carry_over.bill.customer, carry_over.bill.period) if carry_over.bill else ():
        before = existing.get(name)
        if name in values and before is not None and values[name] != before:
            raise DataRefused(
                f"Expected {name} to stay {shown(before)}, because it tells which bill this is, but {shown(values[name])} was "
                "entered. Do: leave it; if the bill is wrong, cancel this instance with a reason and start the right one.",
                name,
            )


def _refuse_currency_change(carry_over: CarryOverMap, values: Mapping[str, Value], existing: Mapping[str, Value]) -> None:
    for item in carry_over.items.values():
        amount = existing.get(item.name)
        if item.type is not DataType.MONEY or item.name in values or amount is None:
            continue
        before, after = carry_over.currency_of(item, existing), carry_over.currency_of(item, {**existing, **values})
        if before != after:
            raise DataRefused(
                f"Expected {item.name} together with its new currency {shown(after)}, but only the currency was entered, and "
                f"the amount is {format_value(item, amount, before)}. Do: enter the amount again, in the new currency.",
                item.name,
            )


def _refuse_last_period(carry_over: CarryOverMap, values: Mapping[str, Value]) -> None:
    if carry_over.bill and values.get(carry_over.bill.period) is not None:
        # Found out when the period is entered, not a month later, when the chain would stop.
        _following(carry_over, carry_over.items[carry_over.bill.period], values[carry_over.bill.period])
