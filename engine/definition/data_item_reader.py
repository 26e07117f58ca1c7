"""Data items from the `data` section of a carry-over map."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from engine.definition.data_item import Carry, Computed, Copy, DataItem, DataType, Drop, Next, SetTo, parse_value
from engine.definition.data_item_rules import findings_against
from engine.definition.safe_yaml import YamlMap, YamlNode, YamlScalar
from engine.definition.yaml_fields import Fields, Report, as_map, as_text, as_texts, described
from engine.errors import DataRefused, ExpressionInvalid
from engine.expressions import parse_expression
from engine.model.money import EXPONENTS
from engine.model.text import did_you_mean, shown

if TYPE_CHECKING:
    from engine.definition.finding import Position

_KEYS: Final = ("type", "carry", "currency", "choices", "show_previous", "label", "description")
_MOST_ITEMS: Final = 500
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
# Words of the expression language, and the key by which the state's serializer marks its own objects.
_RESERVED: Final = frozenset((*keyword.kwlist, "true", "false", "null", "typename"))
_DECISIONS: Final[Mapping[str, Carry]] = {"copy": Copy(), "drop": Drop(), "next": Next()}
_EVERY_DECISION: Final = "copy, drop, next, {set: value} or {expr: expression}"


def read_items(node: YamlNode, report: Report) -> dict[str, DataItem | None]:
    """Every item that the section lists, by name; None for one that is reported and cannot be used."""
    section = as_map(node, '"data"', report)
    if section and len(section.entries) > _MOST_ITEMS:
        message = f"Expected at most {_MOST_ITEMS} data items, but there are {len(section.entries)}. Do: split the process."
        report.add("too-many-items", section.position, message)
        return {}
    items: dict[str, DataItem | None] = {}
    for key, value in section.entries if section else ():
        _check_name(key, report)
        items[key.text] = _read_item(key, value, report)
    for item in filter(None, items.values()):
        for finding in findings_against(item, items):
            report.include(finding)
    return items


def name_trouble(name: str) -> tuple[str, str] | None:
    """Why a data item can't have this name, and what to do about it; None where it can."""
    if not _NAME.fullmatch(name):
        return f"{shown(name)} is not one", "use up to 64 ASCII letters, digits and _, a letter first"
    if name in EXPONENTS:
        return f"{name} is a currency code", "use another name, as in currency"
    if name in _RESERVED:
        return f"{name} has a meaning of its own", "use another name"
    return None


def _check_name(key: YamlScalar, report: Report) -> None:
    if trouble := name_trouble(key.text):
        found, remedy = trouble
        report.add("item-name", key.position, f"Expected the name of a data item, but {found}. Do: {remedy}.")


def _read_item(key: YamlScalar, node: YamlNode, report: Report) -> DataItem | None:
    what = f"the item {key.text}"
    entries = as_map(node, what, report)
    if entries is None:
        return None
    fields = Fields(entries, _KEYS, what, report)
    data_type = _read_type(fields, report)
    carry = _read_carry(fields, report)
    choices = _read_choices(fields, key.position, report)
    show_previous = fields.boolean("show_previous")
    currency, label, description = fields.text("currency"), fields.text("label"), fields.text("description")
    if data_type is None or carry is None:
        return None
    return DataItem(key.text, data_type, carry, key.position, currency, choices, show_previous, label, description)


def _read_type(fields: Fields, report: Report) -> DataType | None:
    node = fields.required("type", "type: string")
    text = as_text(node, f'"type" in {fields.what}', report) if node else None
    if node is None or text is None:
        return None
    if text in list(DataType):
        return DataType(text)
    known = f"Expected one of {', '.join(DataType)}, but the type of {fields.what} is {shown(text)}."
    report.add("unknown-type", node.position, f"{known} {did_you_mean(text, DataType)}")
    return None


def _read_carry(fields: Fields, report: Report) -> Carry | None:
    node = fields.required("carry", f"carry: and one of {_EVERY_DECISION}", "missing-decision")
    if node is None:
        return None
    if isinstance(node, YamlMap) and len(node.entries) == 1:
        key, value = node.entries[0]
        if key.text == "set":
            return _read_set(value, fields, report)
        if key.text == "expr":
            return _read_expression(value, fields, report)
    if isinstance(node, YamlScalar) and node.text in _DECISIONS:
        return _DECISIONS[node.text]
    found = shown(node.entries[0][0].text) if isinstance(node, YamlMap) and len(node.entries) == 1 else described(node)
    verdict = "missing-decision" if found == "empty" else "unknown-decision"
    remedy = did_you_mean(node.text, _DECISIONS) if isinstance(node, YamlScalar) and node.text else "Do: write one of them."
    report.add(verdict, node.position, f'Expected {_EVERY_DECISION} as "carry" in {fields.what}, but it is {found}. {remedy}')
    return None


def _read_set(node: YamlNode, fields: Fields, report: Report) -> SetTo | None:
    what = f'"set" in {fields.what}'
    if not isinstance(node, YamlScalar) or node.meaning == "unclear":
        as_text(node, what, report)  # the finding: not a scalar, or not to be understood without quotes
        return None
    if node.value is None or node.value == "":
        report.add("wrong-type", node.position, f"Expected a value for {what}, but it is empty. Do: write carry: drop instead.")
        return None
    return SetTo(node.value)


def _read_expression(node: YamlNode, fields: Fields, report: Report) -> Computed | None:
    text = as_text(node, f'"expr" in {fields.what}', report)
    if text is None:
        return None
    try:
        return Computed(parse_expression(text))
    except ExpressionInvalid as error:
        report.add("expression-invalid", node.position, f"{fields.what}: {error}")
        return None


def _read_choices(fields: Fields, position: Position, report: Report) -> tuple[str, ...]:
    node = fields.node("choices")
    if node is None:
        return ()
    choices = as_texts(node, f'"choices" in {fields.what}', report)
    line = DataItem("choices", DataType.STRING, Drop(), position)
    try:
        return tuple(str(parse_value(line, choice, None)) for choice in choices)
    except DataRefused as refused:
        report.add("wrong-type", node.position, f"{fields.what}: {refused}")
        return ()
