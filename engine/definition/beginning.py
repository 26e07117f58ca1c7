"""How an instance may begin: at which start event, and with which data."""

from __future__ import annotations

from collections.abc import Mapping

from engine.connector import Value
from engine.definition.carry_over import CarryOverMap, read_values
from engine.definition.data_item import DataType, Drop, check_value
from engine.definition.process_definition import ProcessDefinition
from engine.errors import DataRefused, DefinitionInvalid, MessageNotCorrelated

_LONGEST_KEY = 255


def none_start(definition: ProcessDefinition) -> str:
    """The start event for a person. Raises DefinitionInvalid where there is none."""
    node = definition.none_start_event()
    if node is None:
        raise DefinitionInvalid(
            f"Expected a start event without a message in {definition.id}, but there is none, so nobody can start it by hand. "
            "Do: draw one and deploy it."
        )
    return node.id


def values_at_start(carry_over: CarryOverMap, raw: Mapping[str, Value]) -> dict[str, Value]:
    """What an instance that a person starts begins with, from values as people typed them. Raises DataRefused."""
    refuse_entries(carry_over, raw)
    return present(read_values(carry_over, raw))


def refuse_entries(carry_over: CarryOverMap, raw: Mapping[str, Value]) -> None:
    """Raise DataRefused for an amount that each period is entered anew: it is entered in its form, by those whom the form is
    offered to. Given on the way past it, nobody would have entered what somebody approves.
    """
    for name in raw:
        item = carry_over.items.get(name)
        if carry_over.bill and item is not None and item.type is DataType.MONEY and isinstance(item.carry, Drop):
            raise DataRefused(
                f"Expected {name} to be entered in its form, because it is a new amount each period, but it was given at the "
                "start. Do: leave it out.",
                name,
            )


def bill_of(carry_over: CarryOverMap, data: Mapping[str, Value]) -> tuple[str | None, str | None]:
    """The customer and period of an instance that begins with `data`; None for both where the process does not repeat.

    Raises DataRefused where one of them is empty, or the customer's name too long to be a key.
    """
    customer, period = carry_over.customer_of(data), carry_over.period_of(data)
    if customer is not None and len(customer) > _LONGEST_KEY:
        raise DataRefused(
            f"Expected the customer to be named with at most {_LONGEST_KEY} characters, but it has {len(customer)}. "
            "Do: use a shorter id."
        )
    return customer, period


def start_of_hand_over(definition: ProcessDefinition, message: str, called: str) -> str:
    """The start event at which the hand-over message arrives. `called` names the definition in the message of the error.

    Raises MessageNotCorrelated where it doesn't start by that message.
    """
    start = definition.message_start_event()
    if start is None or definition.carry_over.message != message:
        raise MessageNotCorrelated(
            f"Expected {called} to start by the message {message!r}, but it doesn't. "
            "Do: deploy a version that does, then run-process retry on this incident."
        )
    return start.id


def handed_data(definition: ProcessDefinition, data: Mapping[str, Value]) -> dict[str, Value]:
    """What of a hand-over's data the version that it starts takes. Raises DataRefused for what doesn't fit its items there."""
    known = known_items(definition, data)
    for name, value in known.items():
        check_value(definition.carry_over.items[name], value)
    return known


def known_items(definition: ProcessDefinition, data: Mapping[str, Value]) -> dict[str, Value]:
    """What a newer version's carry-over map still lists: an item that an analyst has removed ends with its version."""
    return {name: value for name, value in data.items() if name in definition.carry_over.items}


def present(values: Mapping[str, Value]) -> dict[str, Value]:
    """The items that have a value."""
    return {name: value for name, value in values.items() if value is not None}
