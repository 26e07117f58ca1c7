"""Rules about timer events: when they are due, and the second token that one brings which doesn't interrupt."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.bpmn_xml import ACTIVITIES
from engine.definition.check.hand_over import throws
from engine.definition.check.subject import Subject, error, is_literal, label, path_of, warning
from engine.definition.diagram import FlowNode, Process
from engine.definition.finding import Finding
from engine.definition.graph import Reach, reachable, reachable_by_first_tokens
from engine.errors import DataRefused
from engine.model.moment import parse_moment
from engine.model.period import parse_duration
from engine.model.text import shown


def timer_invalid(subject: Subject) -> Iterator[Finding]:
    """A timer has one time: a date (`2026-12-01T09:00:00Z`, in UTC where no zone is written) or a duration (`PT30S`, `P1M`),
    or an expression that gives one.
    """
    for node in subject.process.nodes.values():
        event = subject.process.timer_of(node.id)
        if event is None or event.timer == "cycle":
            continue  # unsupported-element refuses a timer that repeats
        if event.text is None:
            yield error(
                "timer-invalid",
                node,
                "Expected one date or one duration for this timer, but it has none, or more than one. "
                "Do: choose the type Date or Duration, and give it a value.",
                event.position,
            )
        elif is_literal(event.text):
            try:
                _read = parse_moment(event.text) if event.timer == "date" else parse_duration(event.text)
            except DataRefused as refused:
                yield error("timer-invalid", node, f"{refused}", event.position)


def unless_claimed_invalid(subject: Subject) -> Iterator[Finding]:
    """The extension property `unless_claimed` is true or false, and stands on a timer that takes a user task away."""
    for node in subject.process.nodes.values():
        if node.unless_claimed is None:
            continue
        host = subject.process.nodes.get(node.attached_to or "")
        deadline = subject.process.timer_of(node.id) is not None and node.interrupting
        if host is None or host.kind != "userTask" or not deadline:
            yield error(
                "unless-claimed-invalid",
                node,
                "Expected unless_claimed on an interrupting timer of a user task, because only that takes a task away, but this "
                "is another element. Do: remove the extension property.",
            )
        elif node.unless_claimed not in ("true", "false"):
            yield error(
                "unless-claimed-invalid",
                node,
                f"Expected true or false for unless_claimed, but it is {shown(node.unless_claimed)}. Do: write one of them.",
            )


def timer_meets_its_task(subject: Subject) -> Iterator[Finding]:
    """A timer that doesn't interrupt brings a second token, and its way ends by itself: what comes after the task would be
    done twice, and a hand-over can be thrown only once.
    """
    process = subject.process
    thrown = {node.id for node, event in throws(subject) if subject.carry_over and event.name == subject.carry_over.message}
    for timer in process.of_kind("boundaryEvent"):
        host = process.nodes.get(timer.attached_to or "")
        if timer.interrupting or host is None:
            continue
        second = reachable(process, [timer.id])
        first = reachable_by_first_tokens(process, [host.id])
        twice = next((node for node in second.came_from if node in first and _does_something(process, node)), None)
        if twice is None and thrown & first.came_from.keys():
            twice = next((node for node in second.came_from if node in thrown), None)
        if twice is not None:
            yield _meets(process, timer, host, second, twice)


def _meets(process: Process, timer: FlowNode, host: FlowNode, second: Reach, twice: str) -> Finding:
    return warning(
        "timer-meets-its-task",
        timer,
        f"Expected the way of this timer to end by itself, because {shown(label(host))} stays open beside it, but it comes to "
        f"what follows that task as well, so that it happens twice: {path_of(process, second.path_to(twice))}. "
        "Do: lead it to an end event of its own, or make the timer interrupting.",
    )


def _does_something(process: Process, key: str) -> bool:
    """Whether two tokens that pass a node make a difference."""
    node = process.nodes[key]
    return node.kind in ACTIVITIES or node.kind == "parallelGateway" or bool(node.events)
