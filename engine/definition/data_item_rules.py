"""What must hold for a data item among the others of its carry-over map. Each rule yields what stands against an item."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from engine.definition.data_item import Computed, Copy, DataItem, DataType, Drop, Next, SetTo, parse_value
from engine.definition.finding import Finding, Severity
from engine.errors import DataRefused
from engine.model.money import EXPONENTS, parse_money
from engine.model.text import did_you_mean, shown

Items: TypeAlias = Mapping[str, DataItem | None]
"""All listed items by name; None for one that could not be read, so that nobody calls it unknown as well."""
Findings: TypeAlias = Iterator[Finding]


def findings_against(item: DataItem, items: Items) -> Findings:
    """What stands against `item`, at its place."""
    for rule in _RULES:
        yield from rule(item, items)


def _against(item: DataItem, verdict: str, message: str) -> Finding:
    return Finding(f"carry-over-{verdict}", Severity.ERROR, item.position, message)


def _choices_fit(item: DataItem, _items: Items) -> Findings:
    if item.type is DataType.CHOICE and not item.choices:
        yield _against(
            item, "missing-choices", f"Expected choices for {item.name}, but there are none. Do: add choices: [one, another]."
        )
    if item.type is not DataType.CHOICE and item.choices:
        yield _against(
            item,
            "choices-without-choice",
            f"Expected choices for the type choice alone, but {item.name} is {item.type}. Do: remove them.",
        )


def _currency_is_known(item: DataItem, items: Items) -> Findings:
    if item.type is not DataType.MONEY:
        if item.currency is not None:
            yield _against(
                item,
                "currency-without-money",
                f"Expected a currency for money alone, but {item.name} is {item.type}. Do: remove it.",
            )
    elif item.currency is None:
        yield _against(
            item,
            "missing-currency",
            f"Expected the currency of {item.name}, but it is missing. Do: add currency: and the item that holds it, or a code "
            "as in USD.",
        )
    elif item.currency not in EXPONENTS:
        holder = items.get(item.currency)
        known = [name for name, other in items.items() if other and other.type is DataType.CURRENCY]
        code = [item.currency.upper()] if item.currency.upper() in EXPONENTS else []
        if item.currency not in items or (holder and holder.type is not DataType.CURRENCY):
            yield _against(
                item,
                "unknown-currency",
                f"Expected an item of the type currency or a code of ISO 4217, but the currency of {item.name} is "
                f"{shown(item.currency)}. {did_you_mean(item.currency, known + code)}",
            )


def _currency_goes_along(item: DataItem, items: Items) -> Findings:
    """A number of minor units that meets another currency, or none, is another amount."""
    holder = items.get(item.currency) if item.type is DataType.MONEY and item.currency else None
    if holder is None:
        return
    if isinstance(item.carry, Copy | Computed) and not isinstance(holder.carry, Copy):
        yield _against(
            item,
            "amount-without-currency",
            f"Expected carry: copy for {holder.name}, because {item.name} takes its amount along, but it is different. "
            f"Do: copy {holder.name}, or drop {item.name}.",
        )
    if isinstance(item.carry, SetTo) and isinstance(holder.carry, Drop):
        yield _against(
            item,
            "amount-without-currency",
            f"Expected {holder.name} to have a value, because {item.name} is set to an amount, but it is dropped. "
            f"Do: copy {holder.name}, or drop {item.name}.",
        )


def _previous_is_different(item: DataItem, _items: Items) -> Findings:
    if item.show_previous and isinstance(item.carry, Copy):
        yield _against(
            item,
            "previous-is-copied",
            f"Expected show_previous where the field starts without the previous value, but {item.name} is copied. "
            "Do: remove show_previous, or write carry: drop.",
        )


def _next_is_a_period(item: DataItem, _items: Items) -> Findings:
    if isinstance(item.carry, Next) and item.type not in (DataType.MONTH, DataType.DATE):
        yield _against(
            item,
            "next-of-no-period",
            f"Expected carry: next for the types month and date alone, but {item.name} is {item.type}. "
            "Do: change its type, or the decision.",
        )


def _set_value_fits(item: DataItem, _items: Items) -> Findings:
    if not isinstance(item.carry, SetTo) or (item.type is DataType.MONEY and item.currency not in EXPONENTS):
        return
    try:
        parse_value(item, item.carry.value, item.currency)
    except DataRefused as refused:
        yield _against(item, "wrong-type", f'"set" in the item {refused}')


def _set_amount_fits_every_currency(item: DataItem, _items: Items) -> Findings:
    """Where an item holds the currency, only whole amounts are sure to exist in it when the hand-over comes."""
    if not isinstance(item.carry, SetTo) or item.type is not DataType.MONEY or item.currency in EXPONENTS:
        return
    try:
        parse_money(item.carry.value, "JPY")  # no decimals
        parse_money(item.carry.value, "KWD")  # the largest number of minor units
    except DataRefused:
        yield _against(
            item,
            "wrong-type",
            f'Expected a whole amount in quotes for "set" in the item {item.name}, because it must exist in every currency, but '
            f'it is {shown(item.carry.value)}. Do: write it as in "10", or name the currency itself, as in currency: USD.',
        )


def _names_are_listed(item: DataItem, items: Items) -> Findings:
    if isinstance(item.carry, Computed):
        for name in sorted(item.carry.expression.names - set(items)):
            yield _against(
                item,
                "unknown-item",
                f"Expected the names of data items in the expression of {item.name}, but {shown(name)} is none. "
                f"{did_you_mean(name, items)}",
            )
        if item.carry.expression.flow_nodes:
            yield _against(
                item,
                "expression-invalid",
                f"Expected data items alone in the expression of {item.name}, but it asks who completed a task. "
                "Do: remove completed_by(...).",
            )


_RULES: Final[tuple[Callable[[DataItem, Items], Findings], ...]] = (
    _choices_fit,
    _currency_is_known,
    _currency_goes_along,
    _previous_is_different,
    _next_is_a_period,
    _set_value_fits,
    _set_amount_fits_every_currency,
    _names_are_listed,
)
