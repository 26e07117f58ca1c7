"""Reading a carry-over map from its YAML file: everything that is wrong with it at once, each at its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from engine.definition.carry_over import Bill, CarryOverMap, Control, DifferentPeople, EveryEndHandsOver, MustPass
from engine.definition.data_item import Copy, DataItem, DataType, Next
from engine.definition.data_item_reader import read_items
from engine.definition.safe_yaml import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml
from engine.definition.yaml_fields import Fields, Report, as_map, as_text, as_texts, described
from engine.errors import DataRefused
from engine.model.period import check_every
from engine.model.text import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS: Final = ("process", "message", "bill", "data", "controls")
_CONTROL_KEYS: Final = ("path", "must_pass", "different_people", "every_end", "except")
_PROCESS: Final = re.compile(r"[^\s|]{1,100}")  # an id; "|" separates the parts of a charge key
_MESSAGE: Final = re.compile(r"[^\n]{1,100}")  # a name, which analysts write with spaces
_CUSTOMER_TYPES: Final = (DataType.STRING, DataType.EMAIL, DataType.INTEGER)


def read_carry_over(content: bytes, file: str) -> CarryOverMap:
    """The map in `content`, a YAML file in UTF-8 that findings call `file`.

    Raises DefinitionInvalid with one finding per problem, each with line and column. It is fail-closed: an unknown key, an
    item without a type or a decision, or a value that YAML could read in two ways keeps the whole map from being used.
    """
    document, findings = read_yaml(content, file)
    report = Report("carry-over")
    report.include(*findings)
    root = as_map(document, "the carry-over map", report)
    if root is None:
        raise report.refused()
    fields = Fields(root, _KEYS, "the carry-over map", report)
    process = _read_name("process", _PROCESS, fields.required("process", "process: and the id of the process"), report)
    message = _read_name("message", _MESSAGE, fields.node("message"), report)
    data = fields.required("data", "data: and every data item of the process")
    items = read_items(data, report) if data else {}
    bill = _read_bill(fields, items, report)
    controls = _read_controls(fields.node("controls"), report)
    _check_repetition(fields, items, report)
    if report.findings or process is None:
        raise report.refused()
    return CarryOverMap(process, file, message, bill, {name: item for name, item in items.items() if item}, controls)


def _read_name(key: str, pattern: re.Pattern[str], node: YamlNode | None, report: Report) -> str | None:
    text = as_text(node, f'"{key}"', report) if node else None
    if node is None or text is None or pattern.fullmatch(text):
        return text
    fitting = "up to 100 characters without white space and |" if pattern is _PROCESS else "one line of up to 100 characters"
    message = f'Expected {fitting} for "{key}", but it is {shown(text)}. Do: use another name.'
    report.add("wrong-type", node.position, message)
    return None


# --- the bill -------------------------------------------------------------------------------------------------------


def _check_repetition(fields: Fields, items: Mapping[str, DataItem | None], report: Report) -> None:
    """A hand-over needs both: the message starts the next instance, and the bill tells which one that is."""
    message, bill = fields.node("message"), fields.node("bill")
    if message and not bill:
        text = "Expected a bill beside the message, but it is missing. Do: add bill: with customer, period and every."
        report.add("message-without-bill", message.position, text)
    if bill and not message:
        text = "Expected a message beside the bill, but it is missing. Do: add message: and the name that the throw event throws."
        report.add("bill-without-message", bill.position, text)
    for item in items.values():
        if not bill and item and isinstance(item.carry, Next):
            text = f"Expected a bill, because {item.name} carries next, but it is missing. Do: add bill:, or change the decision."
            report.add("next-without-bill", item.position, text)


def _read_bill(fields: Fields, items: Mapping[str, DataItem | None], report: Report) -> Bill | None:
    node = fields.node("bill")
    entries = as_map(node, '"bill"', report) if node else None
    if entries is None:
        return None
    bill = Fields(entries, ("customer", "period", "every", "amount", "end_reason"), "the bill", report)
    customer = _read_reference("customer", "stripe_customer_id", bill, items, report)
    period = _read_reference("period", "billing_month", bill, items, report)
    amount = _read_reference("amount", "billing_amount", bill, items, report, required=False)
    end_reason = _read_reference("end_reason", "end_reason", bill, items, report, required=False)
    every_node = bill.required("every", "every: P1M")
    every = bill.text("every")
    if customer:
        _check_customer(customer, report)
    if period:
        _check_period(period, report)
    if amount and amount.type is not DataType.MONEY:
        message = f"Expected the amount {amount.name} to be money, but it is {amount.type}. Do: change its type."
        report.add("bill-amount", amount.position, message)
    if period and every_node and every and period.type in (DataType.MONTH, DataType.DATE):
        try:
            check_every(every, period.type)
        except DataRefused as error:
            report.add("bill-every", every_node.position, f'"every" in the bill: {error}')
    if not (customer and period and every):
        return None
    return Bill(customer.name, period.name, every, amount.name if amount else None, end_reason.name if end_reason else None)


def _read_reference(
    key: str, example: str, bill: Fields, items: Mapping[str, DataItem | None], report: Report, *, required: bool = True
) -> DataItem | None:
    node = bill.required(key, f"{key}: and the name of an item, as in {example}") if required else bill.node(key)
    name = bill.text(key)
    if node and name and name not in items:
        message = f'Expected a data item for "{key}" in the bill, but {shown(name)} is none. {did_you_mean(name, items)}'
        report.add("unknown-item", node.position, message)
    return items.get(name) if name else None


def _check_customer(item: DataItem, report: Report) -> None:
    if item.type not in _CUSTOMER_TYPES:
        message = f"Expected the customer {item.name} to be string, email or integer, but it is {item.type}. Do: change its type."
        report.add("bill-customer", item.position, message)
    if not isinstance(item.carry, Copy):
        message = f"Expected carry: copy for the customer {item.name}, but it is different. Do: write carry: copy."
        report.add("bill-customer", item.position, message)


def _check_period(item: DataItem, report: Report) -> None:
    if item.type not in (DataType.MONTH, DataType.DATE):
        message = f"Expected the period {item.name} to be month or date, but it is {item.type}. Do: change its type."
        report.add("bill-period", item.position, message)
    if not isinstance(item.carry, Next):
        message = f"Expected carry: next for the period {item.name}, but it is different. Do: write carry: next."
        report.add("bill-period", item.position, message)


# --- controls -------------------------------------------------------------------------------------------------------


def _read_controls(node: YamlNode | None, report: Report) -> tuple[Control, ...]:
    if node is None:
        return ()
    if not isinstance(node, YamlList):
        report.add(
            "wrong-type", node.position, f'Expected a list for "controls", but it is {described(node)}. Do: begin each with "-".'
        )
        return ()
    controls = (_read_control(entry, report) for entry in node.items)
    return tuple(control for control in controls if control)


def _read_control(node: YamlNode, report: Report) -> Control | None:
    entries = as_map(node, "a control", report)
    if entries is None:
        return None
    known = len(report.findings)
    fields = Fields(entries, _CONTROL_KEYS, "a control", report)
    match {key.text for key, _ in entries.entries}:
        case keys if keys == {"path", "must_pass"}:
            return _must_pass(fields)
        case keys if keys == {"different_people"}:
            return _different_people(fields, report)
        case keys if keys in ({"every_end"}, {"every_end", "except"}):
            return _every_end(fields, report)
    if len(report.findings) == known:
        message = (
            "Expected path and must_pass, or different_people, or every_end with or without except, but the control has "
            f"{_keys(entries)}. Do: write one control per list entry."
        )
        report.add("unknown-control", entries.position, message)
    return None


def _must_pass(fields: Fields) -> MustPass | None:
    path, must_pass = fields.text("path"), fields.text("must_pass")
    return MustPass(path, must_pass, fields.position) if path and must_pass else None


def _different_people(fields: Fields, report: Report) -> DifferentPeople | None:
    node = fields.node("different_people")
    tasks = as_texts(node, '"different_people"', report) if node else ()
    if len(tasks) == 1:
        message = f"Expected two user tasks or more in different_people, but there is only {tasks[0]}. Do: add the other one."
        report.add("different-people", fields.position, message)
    return DifferentPeople(tasks, fields.position) if len(tasks) > 1 else None


def _every_end(fields: Fields, report: Report) -> EveryEndHandsOver | None:
    node, excepted = fields.node("every_end"), fields.node("except")
    if isinstance(node, YamlScalar) and node.text != "hands_over":
        message = f'Expected hands_over for "every_end", but it is {described(node)}. Do: write every_end: hands_over.'
        report.add("unknown-control", node.position, message)
        return None
    ends = as_texts(excepted, '"except"', report) if excepted else ()
    return EveryEndHandsOver(ends, fields.position)


def _keys(entries: YamlMap) -> str:
    return ", ".join(key.text for key, _ in entries.entries) or "nothing"
