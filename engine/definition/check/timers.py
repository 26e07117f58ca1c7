"""Rules about timer events: when they are due, what they start, and the second token that one brings which doesn't interrupt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from engine.definition.bpmn_xml import ACTIVITIES
from engine.definition.check.hand_over import throws
from engine.definition.check.subject import Subject, error, is_literal, label, path_of, warning
from engine.definition.diagram import FlowNode, Process
from engine.definition.finding import Finding
from engine.definition.graph import Reach, reachable, reachable_by_first_tokens
from engine.errors import DataRefused
from engine.model.cycle import parse_cycle
from engine.model.moment import parse_moment
from engine.model.period import parse_duration
from engine.model.text import shown

_READERS: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {"date": parse_moment, "duration": parse_duration, "cycle": parse_cycle}
)


def timer_invalid(subject: Subject) -> Iterator[Finding]:
    """A timer has one time: a date (`2026-12-01T09:00:00Z`, in UTC where no zone is written), a duration (`PT30S`, `P1M`), or,
    where it repeats, a cycle (`R3/PT1H`, `R/P1D`); or an expression that gives one.

    Why: a timer without a time is never due.
    Wrong: `3 days`
    Right: `P3D`
    """
    for node in subject.process.nodes.values():
        event = subject.process.timer_of(node.id)
        if event is None:
            continue
        if event.text is None:
            yield error(
                "timer-invalid",
                node,
                "Expected one date or one duration for this timer, but it has none, or more than one. "
                "Do: choose the type Date, Duration or Cycle, and give it a value.",
                event.position,
            )
        elif is_literal(event.text):
            try:
                _READERS[event.timer or "duration"](event.text)
            except DataRefused as refused:
                yield error("timer-invalid", node, f"{refused}", event.position)


def timer_start_invalid(subject: Subject) -> Iterator[Finding]:
    """A timer start event has a date or a cycle that is written out, and stands in a process without bills.

    Why: there is no data before an instance starts. A customer's instances are started by their enrolment and by the hand-over,
    once for each period, never by a clock.
    Wrong: a timer start event `P1M` in a process that bills customers
    Right: a timer start event `R/P1D` in a process that looks something up every day
    """
    for node in subject.starts:
        event = subject.process.timer_of(node.id)
        if event is None:
            continue
        if subject.carry_over is not None and subject.carry_over.bill is not None:
            yield error(
                "timer-start-invalid",
                node,
                "Expected a process that bills customers to start by their enrolment and by the hand-over, but this start event "
                "is a timer. Do: remove the timer, or draw a process without bills for it.",
                event.position,
            )
        elif event.timer == "duration":
            yield error(
                "timer-start-invalid",
                node,
                "Expected a date or a cycle for a timer start event, but it has a duration. "
                "Do: choose the type Date, or Cycle as in R/P1D.",
                event.position,
            )
        elif event.text is not None and not is_literal(event.text):
            yield error(
                "timer-start-invalid",
                node,
                "Expected a time that is written out, because there is no data before an instance starts, but it is an "
                "expression. Do: write a date, or a cycle as in R/P1D.",
                event.position,
            )


def unless_claimed_invalid(subject: Subject) -> Iterator[Finding]:
    """The extension property `unless_claimed` is true or false, and stands on a timer that takes a user task away.

    Why: elsewhere the property would do nothing.
    Wrong: `unless_claimed` on an error event
    Right: `unless_claimed` on an interrupting timer of a user task
    """
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
    """A timer, message or signal that doesn't interrupt brings a second token, and its way ends by itself: what comes after the
    task would be done twice, and a hand-over can be thrown only once.

    Severity: warning
    Why: what both tokens come to is done twice: a card charged, a mail sent.
    Wrong: a reminder's way that leads back to the task's way
    Right: a reminder's way with an end event of its own
    """
    process = subject.process
    thrown = {node.id for node, event in throws(subject) if subject.carry_over and event.name == subject.carry_over.message}
    for timer in process.of_kind("boundaryEvent"):
        host = process.nodes.get(timer.attached_to or "")
        if timer.interrupting or host is None:
            continue
        second = reachable(process, [timer.id], leave=False)
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
        f"Expected the way of this event to end by itself, because {shown(label(host))} stays open beside it, but it comes to "
        f"what follows that task as well, so that it happens twice: {path_of(process, second.path_to(twice))}. "
        "Do: lead it to an end event of its own, or make the event interrupting.",
    )


def _does_something(process: Process, key: str) -> bool:
    """Whether two tokens that pass a node make a difference."""
    node = process.nodes[key]
    return node.kind in ACTIVITIES or node.kind == "parallelGateway" or bool(node.events)
