"""Comparing what a scenario expects with what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.connector import Value
from engine.definition.carry_over import CarryOverMap
from engine.definition.data_item import format_value, parse_value
from engine.definition.diagram import FlowNode
from engine.definition.finding import Position
from engine.errors import DataRefused
from engine.model.text import shown
from engine.rehearsal.scenario import Expected, Given, Values
from engine.rehearsal.stand_in import described_parameters, differing
from engine.rehearsal.work import Instance, Job, Message, Task


class Unmet(Exception):
    """Something that a scenario expects is not so. Its text says what was expected, and what is."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Happened:
    """How things stand (`instance`, and `tasks` in it and in what it has called), and what happened since a step began: jobs that
    succeeded, messages that were thrown, flow nodes that were passed. `nodes` are those of all these.
    """

    instance: Instance
    tasks: tuple[Task, ...]
    jobs: tuple[Job, ...]
    thrown: tuple[Message, ...]
    passed: tuple[str, ...]
    nodes: Mapping[str, FlowNode]


def check_expected(expected: Expected, happened: Happened) -> None:
    """Raise Unmet for the first thing that is not as expected."""
    _check_ended(expected, happened)
    _check_tasks(expected, happened)
    _check_data(happened.instance.executable.definition.carry_over, expected.data, happened.instance.data, "")
    for topic, wanted in expected.ran.items():
        _check_jobs(expected, topic, wanted, [job for job in happened.jobs if job.topic == topic])
    _check_thrown(expected, happened)
    _check_passed(expected, happened)


def _check_ended(expected: Expected, happened: Happened) -> None:
    if expected.ended is None:
        return
    nodes, ends = happened.nodes, happened.instance.end_events
    if ends is None and expected.ended:
        waits = _called(nodes, [task.flow_node for task in happened.tasks]) or "something else than a task"
        raise Unmet(
            expected.position, f"Expected the instance to end at {_called(nodes, expected.ended)}, but it waits for {waits}."
        )
    if set(expected.ended) != set(ends or ()):
        wanted = f"to end at {_called(nodes, expected.ended)}" if expected.ended else "not to have ended"
        raise Unmet(expected.position, f"Expected the instance {wanted}, but it ended at {_called(nodes, ends or ())}.")


def _check_tasks(expected: Expected, happened: Happened) -> None:
    nodes = happened.nodes
    if expected.tasks is not None and sorted(expected.tasks) != sorted(task.flow_node for task in happened.tasks):
        found = _called(nodes, [task.flow_node for task in happened.tasks]) or "none"
        raise Unmet(
            expected.position, f"Expected open tasks: {_called(nodes, expected.tasks) or 'none'}, but there are: {found}."
        )
    others = [task for task in happened.tasks if task.group != expected.group]
    if expected.group is not None and (others or not happened.tasks):
        found = ", ".join(f"{task.flow_node} for {task.group or 'everyone'}" for task in others) or "none"
        raise Unmet(expected.position, f"Expected tasks offered to {expected.group!r}, but there are: {found}.")


def _check_data(carry_over: CarryOverMap, wanted: Values, data: Mapping[str, Value], of: str) -> None:
    for name, given in wanted.items():
        item = carry_over.items[name]
        currency = carry_over.currency_of(item, data)
        actual = data.get(name)
        try:
            same = parse_value(item, given.text, currency) == actual
        except DataRefused as refused:
            raise Unmet(given.position, str(refused)) from refused
        if not same:
            found = format_value(item, actual, currency) or "nothing"
            raise Unmet(given.position, f"Expected {name}{of} to be {_shown(given)}, but it is {found}.")


def _check_jobs(expected: Expected, topic: str, wanted: Sequence[Values], jobs: Sequence[Job]) -> None:
    names = list(dict.fromkeys(name for values in wanted for name in values))
    if len(wanted) != len(jobs):
        found = "; ".join(described_parameters(job, names) or job.flow_node for job in jobs)
        position = next((given.position for values in wanted for given in values.values()), expected.position)
        ran = f"it ran {_times(len(jobs))}: {found}" if jobs else "it did not run"
        raise Unmet(position, f"Expected {topic} {_times(len(wanted))}, but {ran}.")
    for values, job in zip(wanted, jobs, strict=True):
        try:
            wrong = differing(job, values)
        except DataRefused as refused:
            raise Unmet(next(iter(values.values())).position, f"{topic}: {refused}") from refused
        for name, found in wrong.items():
            raise Unmet(values[name].position, f"Expected {topic} with {name} {_shown(values[name])}, but it is {found}.")


def _check_thrown(expected: Expected, happened: Happened) -> None:
    names = [message.name for message in happened.thrown]
    if expected.thrown is not None and list(expected.thrown) != names:
        found = ", ".join(names) or "none"
        raise Unmet(
            expected.position, f"Expected thrown messages: {', '.join(expected.thrown) or 'none'}, but there are: {found}."
        )
    if expected.following is None:
        return
    handed = next((message for message in reversed(happened.thrown) if message.hand_over), None)
    if handed is None:
        raise Unmet(expected.position, "Expected a next instance, but nothing was handed over.")
    carry_over = happened.instance.executable.definition.carry_over
    _check_data(carry_over, expected.following, handed.data, " of the next instance")


def _check_passed(expected: Expected, happened: Happened) -> None:
    nodes, path = happened.nodes, iter(happened.passed)
    for node in expected.passed:
        if node not in path:  # consumes it up to there: they are passed in this order
            found = " -> ".join(happened.passed) or "nothing"
            raise Unmet(expected.position, f"Expected to pass {_called(nodes, [node])}, but passed was: {found}.")


def _called(nodes: Mapping[str, FlowNode], ids: Iterable[str]) -> str:
    return ", ".join(f"{key} ({nodes[key].name})" if nodes[key].name else key for key in ids)


def _shown(given: Given) -> str:
    return shown(given.text) if given.text is not None else "nothing"


def _times(number: int) -> str:
    return {0: "not to run", 1: "once"}.get(number, f"{number} times")
