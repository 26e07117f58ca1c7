"""Reading `NAME.scenarios.yaml`: everything that is wrong with it at once, each at its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from engine.connector import Connectors
from engine.definition.finding import Finding
from engine.definition.process_definition import ProcessDefinition
from engine.definition.safe_yaml import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml
from engine.definition.yaml_fields import Fields, Report, as_map, as_text, described
from engine.errors import DataRefused, DefinitionInvalid
from engine.model.moment import parse_moment
from engine.model.period import parse_duration
from engine.rehearsal.expectation_reader import read_expected
from engine.rehearsal.scenario import (
    Action,
    BreakJob,
    ClaimTask,
    CompleteTask,
    FailJob,
    Look,
    PassTime,
    Scenario,
    SendMessage,
    SendSignal,
    Step,
    SucceedJob,
    Values,
)
from engine.rehearsal.scenario_names import Names

_NOW: Final = datetime(2026, 10, 1, 9, tzinfo=UTC)
_FILE_KEYS: Final = ("process", "start", "start_event", "now", "scenarios")
_SCENARIO_KEYS: Final = ("name", "start", "start_event", "now", "steps", "expect")


def read_scenarios(
    content: bytes,
    file: str,
    definition: ProcessDefinition,
    connectors: Connectors,
    called: Sequence[ProcessDefinition] = (),
) -> tuple[Scenario, ...]:
    """The scenarios in `content`, a YAML file in UTF-8 that findings call `file`, for this definition and those that it calls.

    Raises DefinitionInvalid with one finding per problem: what is written wrongly, and what names an item, task, job, error,
    message or end event that there is none of.
    """
    document, findings = read_yaml(content, file)
    report = Report("scenarios")
    report.include(*findings)
    root = as_map(document, "the scenarios", report)
    if root is None:
        raise report.refused()
    scenarios = _Reader(Names(definition, connectors, report, called), report).file(root)
    if report.findings:
        raise report.refused()
    return scenarios


def check_scenarios(
    content: bytes,
    file: str,
    definition: ProcessDefinition,
    connectors: Connectors,
    called: Sequence[ProcessDefinition] = (),
) -> tuple[Finding, ...]:
    """What is wrong with a file of scenarios, by place."""
    try:
        read_scenarios(content, file, definition, connectors, called)
    except DefinitionInvalid as refused:
        return tuple(refused.findings)
    return ()


@dataclass(frozen=True, slots=True)
class _Usual:
    """What every scenario of a file begins with, unless it says otherwise."""

    start: Values
    start_event: str | None
    now: datetime


class _Reader:
    """One pass over a file."""

    def __init__(self, names: Names, report: Report) -> None:
        self._names = names
        self._report = report
        self._kinds: dict[str, Callable[[Fields], Action | None]] = {
            "task": self._task,
            "claim": self._claim,
            "job": self._job,
            "time": self._time,
            "message": self._message,
            "signal": self._signal,
        }
        self._keys = {
            "task": ("for", "by", "with", "refused"),
            "claim": ("by",),
            "job": ("succeeds", "fails", "says", "breaks"),
            "time": (),
            "message": ("key", "with"),
            "signal": (),
        }

    def file(self, root: YamlMap) -> tuple[Scenario, ...]:
        fields = Fields(root, _FILE_KEYS, "the scenarios", self._report)
        self._check_process(fields)
        usual = self._beginning(fields, _Usual({}, None, _NOW))
        node = fields.required("scenarios", "scenarios: and a list of them")
        scenarios = [self._scenario(each, usual) for each in self._list(node, '"scenarios"')]
        read = [scenario for scenario in scenarios if scenario is not None]
        self._refuse_repeated(read)
        return tuple(read)

    def _check_process(self, fields: Fields) -> None:
        node, process = fields.required("process", "process: and the id of the process"), fields.text("process")
        wanted = self._names.definition.id
        if node is not None and process is not None and process != wanted:
            message = f"Expected the process {wanted}, which the diagram draws, but it is {process}. Do: write {wanted}."
            self._report.add("other-process", node.position, message)

    def _refuse_repeated(self, scenarios: list[Scenario]) -> None:
        seen: set[str] = set()
        for scenario in scenarios:
            if scenario.name in seen:
                message = f"Expected every scenario to have its own name, but {scenario.name!r} is repeated. Do: rename one."
                self._report.add("repeated", scenario.position, message)
            seen.add(scenario.name)

    def _scenario(self, node: YamlNode, usual: _Usual) -> Scenario | None:
        entries = as_map(node, "a scenario", self._report)
        if entries is None:
            return None
        fields = Fields(entries, _SCENARIO_KEYS, "the scenario", self._report)
        fields.required("name", "name: and what happens in it")
        name = fields.text("name") or ""
        beginning = self._beginning(fields, usual)
        steps = [self._step(each) for each in self._list(fields.node("steps"), f'"steps" of {name!r}')]
        expect = fields.node("expect")
        expected = read_expected(expect, self._names, self._report) if expect is not None else None
        taken = tuple(step for step in steps if step is not None)
        return Scenario(name, entries.position, beginning.start, beginning.start_event, beginning.now, taken, expected)

    def _beginning(self, fields: Fields, usual: _Usual) -> _Usual:
        event = fields.node("start_event")
        start_event = self._names.own_node(event, ("startEvent",), "a start event") if event is not None else None
        start = self._names.items(fields.node("start"), '"start"')
        return _Usual({**usual.start, **start}, start_event or usual.start_event, self._moment(fields.node("now")) or usual.now)

    def _moment(self, node: YamlNode | None) -> datetime | None:
        if node is None:
            return None
        try:
            return parse_moment(node.text if isinstance(node, YamlScalar) else described(node))
        except DataRefused as refused:
            self._report.add("wrong-type", node.position, f'"now": {refused}')
            return None

    def _list(self, node: YamlNode | None, what: str) -> tuple[YamlNode, ...]:
        if node is None or isinstance(node, YamlList):
            return node.items if node is not None else ()
        message = f'Expected a list for {what}, but it is {described(node)}. Do: begin each entry with "-".'
        self._report.add("wrong-type", node.position, message)
        return ()

    # steps ..........................................................................................................

    def _step(self, node: YamlNode) -> Step | None:
        entries = as_map(node, "a step", self._report)
        if entries is None:
            return None
        present = [key.text for key, _ in entries.entries if key.text in self._kinds]
        if len(present) > 1 or not (present or any(key.text == "expect" for key, _ in entries.entries)):
            found = " and ".join(present) or ", ".join(key.text for key, _ in entries.entries) or "nothing"
            message = (
                f"Expected one of {', '.join(self._kinds)} in a step, or only expect, but it has {found}. "
                "Do: write one step per list entry."
            )
            self._report.add("unknown-step", entries.position, message)
            return None
        kind = present[0] if present else None
        keys = (kind, *self._keys[kind]) if kind else ()
        fields = Fields(entries, (*keys, "expect"), f"the step {kind or 'expect'}", self._report)
        action = self._kinds[kind](fields) if kind else Look()
        expect = fields.node("expect")
        expected = read_expected(expect, self._names, self._report) if expect is not None else None
        return Step(action, entries.position, expected) if action is not None else None

    def _task(self, fields: Fields) -> Action | None:
        task = self._names.node(fields.node("task"), ("userTask",), "a user task")
        values = self._names.entered(fields.node("with"), '"with"')
        by, group, refused = fields.text("by"), fields.text("for"), fields.text("refused")
        return CompleteTask(task, group, by, values, refused) if task is not None else None

    def _claim(self, fields: Fields) -> Action | None:
        task = self._names.node(fields.node("claim"), ("userTask",), "a user task")
        return ClaimTask(task, fields.text("by")) if task is not None else None

    def _job(self, fields: Fields) -> Action | None:
        job = self._names.job(fields.node("job"))
        outcomes = [key for key in ("succeeds", "fails", "breaks") if fields.node(key) is not None]
        if len(outcomes) > 1:
            message = f"Expected one outcome of a job, but there are {' and '.join(outcomes)}. Do: keep one."
            self._report.add("several-outcomes", fields.position, message)
        if job is None:
            return None
        if fields.node("fails") is not None:
            code = self._names.error(fields.node("fails"), job)
            return FailJob(job, code, fields.text("says")) if code is not None else None
        if fields.node("breaks") is not None:
            return BreakJob(job, fields.text("breaks") or "")
        return SucceedJob(job, self._names.outputs(fields.node("succeeds"), job))

    def _time(self, fields: Fields) -> Action | None:
        node, duration = fields.node("time"), fields.text("time")
        if node is None or duration is None:
            return None
        try:
            parse_duration(duration)
        except DataRefused as refused:
            self._report.add("wrong-type", node.position, f'"time": {refused}')
        return PassTime(duration)

    def _message(self, fields: Fields) -> Action | None:
        name = self._names.message(fields.node("message"))
        key = fields.node("key")
        values = self._names.values(fields.node("with"), '"with"')
        text = key.text if isinstance(key, YamlScalar) else None
        return SendMessage(name, text, values) if name is not None else None

    def _signal(self, fields: Fields) -> Action | None:
        node = fields.node("signal")
        name = as_text(node, '"signal"', self._report) if node is not None else None
        return SendSignal(name) if name is not None else None
