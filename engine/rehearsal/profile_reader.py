"""Reading a profile: everything that is wrong with it at once, each at its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from functools import partial
from typing import TypeVar

from engine.connector import Connectors
from engine.definition.data_item import DataItem, DataType, parse_value
from engine.definition.diagram import FlowNode
from engine.definition.process_definition import ProcessDefinition
from engine.definition.safe_yaml import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml
from engine.definition.yaml_fields import Fields, Report, as_map, described
from engine.errors import DataRefused
from engine.model.money import EXPONENTS
from engine.model.text import did_you_mean, shown
from engine.rehearsal.distribution import Distribution
from engine.rehearsal.profile import (
    EVERYONE,
    Amounts,
    Arrival,
    Entry,
    GroupHabits,
    Outage,
    Profile,
    ServiceHabits,
    TaskHabits,
    Weights,
)
from engine.rehearsal.profile_values import Values

_KEYS = ("process", "begins", "start", "groups", "tasks", "services", "messages", "mended_after")
_GROUP_KEYS = ("people", "takes", "notices", "hours", "tasks_a_day")
_T = TypeVar("_T")


def read_profile(content: bytes, file: str, definition: ProcessDefinition, connectors: Connectors) -> Profile:
    """The profile in `content`, a YAML file in UTF-8 that findings call `file`, for this definition.

    Raises DefinitionInvalid with one finding per problem: what is written wrongly, and what names a group, task, field, topic,
    error or message that there is none of.
    """
    document, findings = read_yaml(content, file)
    report = Report("profile")
    report.include(*findings)
    root = as_map(document, "the profile", report)
    profile = _Reader(definition, connectors, report).profile(root) if root is not None else None
    if report.findings or profile is None:
        raise report.refused()
    return profile


class _Reader:
    """One pass over a file."""

    def __init__(self, definition: ProcessDefinition, connectors: Connectors, report: Report) -> None:
        self._definition = definition
        self._items = definition.carry_over.items
        self._nodes = definition.process.nodes
        self._connectors = connectors
        self._report = report
        self._values = Values(report)

    def profile(self, root: YamlMap) -> Profile:
        fields = Fields(root, _KEYS, "the profile", self._report)
        self._check_process(fields)
        tasks = {node.id for node in self._nodes.values() if node.kind == "userTask"}
        groups = {node.group or EVERYONE for node in self._nodes.values() if node.kind == "userTask"}
        topics = {node.topic for node in self._nodes.values() if node.topic}
        messages = {event.name for node in self._nodes.values() for event in node.events if event.name}
        return Profile(
            begins=self._begins(fields),
            start=dict(self._named(fields, "start", "data item", self._items, self._start)),
            groups=dict(self._named(fields, "groups", "group", groups, self._group)),
            tasks=dict(self._named(fields, "tasks", "user task", tasks, self._task)),
            services=dict(self._named(fields, "services", "topic", topics, self._service)),
            messages=dict(self._named(fields, "messages", "message or signal", messages, self._arrival)),
            **{"incident_lasts": taken} if (taken := self._taken(fields, "mended_after")) is not None else {},
        )

    def _check_process(self, fields: Fields) -> None:
        node, process, wanted = fields.node("process"), fields.text("process"), self._definition.id
        if node is not None and process is not None and process != wanted:
            message = f"Expected the process {wanted}, which the diagram draws, but it is {process}. Do: write {wanted}."
            self._report.add("other-process", node.position, message)

    def _begins(self, fields: Fields) -> str | None:
        node, bill = fields.node("begins"), self._definition.carry_over.bill
        if node is None or not isinstance(node, YamlScalar):
            return None
        item = self._items[bill.period] if bill is not None else None
        read = self._read(item, node) if item is not None else None
        if item is None:
            self._values.refuse(node, "no first period for a process without bills", "remove it")
        return read

    def _named(
        self, fields: Fields, key: str, kind: str, known: Collection[str], read: Callable[[str, YamlNode], _T | None]
    ) -> Iterator[tuple[str, _T]]:
        """The entries of a mapping whose keys name something that there is."""
        node = fields.node(key)
        of = as_map(node, f'"{key}" in {fields.what}', self._report) if node is not None else None
        for name, value in of.entries if of is not None else ():
            if name.text not in known:
                message = f"Expected a {kind} of {self._definition.id}, but {shown(name.text)} is none. "
                self._report.add("unknown-name", name.position, message + did_you_mean(name.text, known))
            elif (found := read(name.text, value)) is not None:
                yield name.text, found

    # groups and services ............................................................................................

    def _group(self, name: str, node: YamlNode) -> GroupHabits | None:
        what = f"the group {name}"
        of = as_map(node, what, self._report)
        if of is None:
            return None
        fields, usual = Fields(of, _GROUP_KEYS, what, self._report), GroupHabits()
        people, hours, most = (fields.node(key) for key in ("people", "hours", "tasks_a_day"))
        return GroupHabits(
            (self._values.count(people, f"the people of {name}") if people else None) or usual.people,
            self._taken(fields, "takes") or usual.takes,
            self._taken(fields, "notices") or usual.notices,
            (self._values.working_hours(hours, f"the hours of {name}") if hours else None) or usual.hours,
            self._values.count(most, f"the tasks a day of {name}") if most else None,
        )

    def _taken(self, fields: Fields, key: str) -> Distribution | None:
        node = fields.node(key)
        return self._values.time_taken(node, f'"{key}" in {fields.what}') if node is not None else None

    def _service(self, topic: str, node: YamlNode) -> ServiceHabits | None:
        what = f"the service {topic}"
        of = as_map(node, what, self._report)
        if of is None:
            return None
        fields, usual = Fields(of, ("takes", "errors", "again", "down"), what, self._report), ServiceHabits()
        errors = self._errors(fields, "errors", topic)
        return ServiceHabits(
            self._taken(fields, "takes") or usual.takes,
            errors if errors is not None else {},
            self._errors(fields, "again", topic),
            tuple(self._outages(fields)),
        )

    def _errors(self, fields: Fields, key: str, topic: str) -> dict[str, float] | None:
        node = fields.node(key)
        if node is None:
            return None
        connector = self._connectors.get(topic)
        for name, _ in node.entries if isinstance(node, YamlMap) else ():
            if connector is not None and name.text not in connector.errors:
                message = f"Expected an error of {topic}, but {shown(name.text)} is none. "
                self._report.add("unknown-name", name.position, message + did_you_mean(name.text, connector.errors))
        return self._values.shares(node, f'"{key}" in {fields.what}')

    def _outages(self, fields: Fields) -> Iterator[Outage]:
        node = fields.node("down")
        if node is not None and not isinstance(node, YamlList):
            self._values.refuse(node, f'a list for "down" in {fields.what}', "write [{after: P40D, for: PT8H}]")
        for each in node.items if isinstance(node, YamlList) else ():
            of = as_map(each, f'"down" in {fields.what}', self._report)
            outage = Fields(of, ("after", "for"), f'"down" in {fields.what}', self._report) if of is not None else None
            lengths = [self._length(outage, key) for key in ("after", "for")] if outage is not None else []
            if lengths and None not in lengths:
                begins, lasts = (length for length in lengths if length is not None)
                yield Outage(begins, lasts)

    def _length(self, fields: Fields, key: str) -> timedelta | None:
        node = fields.required(key, f"{key}: and a duration")
        return self._values.length(node, f'"{key}" in {fields.what}') if node is not None else None

    def _arrival(self, name: str, node: YamlNode) -> Arrival | None:
        what = f"the message {name}"
        of = as_map(node, what, self._report)
        if of is None:
            return None
        fields = Fields(of, ("comes", "share"), what, self._report)
        share = fields.node("share")
        comes, usual = self._taken(fields, "comes"), Arrival()
        return Arrival(comes or usual.comes, self._values.share(share, f'"share" in {what}') if share is not None else None)

    # tasks ..........................................................................................................

    def _task(self, name: str, node: YamlNode) -> TaskHabits | None:
        what = f"the task {name}"
        of = as_map(node, what, self._report)
        if of is None:
            return None
        fields = Fields(of, ("takes", "share", "fields"), what, self._report)
        share, task = fields.node("share"), self._nodes[name]
        writable = [field.name for field in task.fields if not field.readonly]
        read: Callable[[str, YamlNode], Entry | None] = partial(self._entry, task)
        entries: Iterator[tuple[str, Entry]] = self._named(
            fields, "fields", f"field that people fill in at {name}", writable, read
        )
        return TaskHabits(
            self._taken(fields, "takes"),
            self._values.share(share, f'"share" in {what}') if share is not None else None,
            dict(entries),
        )

    def _entry(self, task: FlowNode, name: str, node: YamlNode) -> Entry | None:
        item, what = self._items[name], f"{name} at {task.id}"
        return self._amounts(node, what) if item.type is DataType.MONEY else self._weights(item, node, what)

    def _start(self, name: str, node: YamlNode) -> Weights | None:
        return self._weights(self._items[name], node, name)

    def _weights(self, item: DataItem, node: YamlNode, what: str) -> Weights | None:
        found = self._values.weights(node, what)
        for key in found:
            self._read(item, node, key)
        return found or None

    def _read(self, item: DataItem, node: YamlNode, text: str | None = None) -> str | None:
        """A value of an item, as it was written; None, with a finding, for one that the item can't have."""
        written = text if text is not None else node.text if isinstance(node, YamlScalar) else described(node)
        try:
            parse_value(item, written, "USD")
        except DataRefused as refused:
            self._report.add("wrong-value", node.position, str(refused))
            return None
        return written

    def _amounts(self, node: YamlNode, what: str) -> Amounts | None:
        of = as_map(node, what, self._report)
        if of is None:
            return None
        shares = {"zero": 0.0, "below_zero": 0.0}
        found: dict[str, Distribution] = {}
        for key, value in of.entries:
            if key.text in shares:
                shares[key.text] = self._values.share(value, f"{key.text} of {what}") or 0.0
            elif key.text in EXPONENTS:
                amount = self._values.distribution(value, f"{what} in {key.text}", self._values.amount(key.text))
                found |= {key.text: amount} if amount is not None else {}
            else:
                expected = f"`zero`, `below_zero` or a currency as in USD for {what}"
                self._report.add(
                    "unknown-key", key.position, f"Expected {expected}, but there is {shown(key.text)}. Do: correct it."
                )
        return Amounts(found, **shares)
