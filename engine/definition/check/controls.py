"""Rules that prove a carry-over map's controls on the diagram: what an auditor relies on."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.carry_over import Control, DifferentPeople, EveryEndHandsOver, MustPass
from engine.definition.check.hand_over import throws
from engine.definition.check.subject import Subject, error, label, path_of
from engine.definition.diagram import FlowNode
from engine.definition.finding import Finding
from engine.definition.graph import reachable_by_first_tokens, reachable_without, start_nodes
from engine.definition.scopes import ends_instance
from engine.model.text import did_you_mean, shown


def control_unknown_element(subject: Subject) -> Iterator[Finding]:
    """A control names elements of the diagram by their ids.

    Why: a control about nothing proves nothing.
    Wrong: `must_pass: aprove`
    Right: `must_pass: approve`
    """
    ids = {label(node): node.id for node in subject.process.nodes.values()}
    for control in _controls(subject):
        for name in _named(control):
            if name not in subject.process.nodes:
                hint = f"Do: write its id, {ids[name]}." if name in ids else did_you_mean(name, subject.process.nodes)
                yield error(
                    "control-unknown-element",
                    control.position,
                    f"Expected the id of an element of the diagram, but {shown(name)} is none. {hint}",
                )


def control_must_pass(subject: Subject) -> Iterator[Finding]:
    """`{path: charge, must_pass: approve}`: every way from any start to `charge` completes `approve` first, loops and
    boundary events included. Leaving `approve` by a boundary event doesn't complete it. A way that doesn't is printed. What
    happens inside of a process that is called isn't looked at: the proof ends at its call activity.

    Why: one arrow past the approval, and money moves that nobody approved.
    Wrong: an arrow from the start to `charge`
    Right: every arrow to `charge` comes from behind `approve`
    """
    process = subject.process
    for control in _controls(subject):
        if not isinstance(control, MustPass) or not {control.path, control.must_pass} <= process.nodes.keys():
            continue
        reach = reachable_without(process, start_nodes(process), [control.must_pass])
        if control.path in reach and control.path != control.must_pass:
            target, passed = process.nodes[control.path], process.nodes[control.must_pass]
            yield error(
                "control-must-pass",
                target,
                f"Expected every way to {shown(label(target))} to pass {shown(label(passed))}, but this one doesn't: "
                f"{path_of(process, reach.path_to(target.id))}. Do: lead it through {shown(label(passed))}.",
                control.position,
            )


def control_every_end(subject: Subject) -> Iterator[Finding]:
    """`{every_end: hands_over, except: [...]}`: every end but the excepted ones is reached only after the hand-over message
    was thrown, so that no customer's chain ends by accident. A way that doesn't throw it is printed. The end of a reminder's
    way ends no chain: the task that it reminds of stays open beside it.

    Why: a customer whose chain ends by accident is never charged again, and nobody notices.
    Wrong: an end event that is reached without the hand-over
    Right: a throw event before it, or the end listed under `except`
    """
    process = subject.process
    message = subject.carry_over.message if subject.carry_over else None
    for control in _controls(subject):
        if not isinstance(control, EveryEndHandsOver):
            continue
        thrown = {node.id for node, event in throws(subject) if event.name == message}
        reach = reachable_without(process, start_nodes(process), thrown)
        first = reachable_by_first_tokens(process, start_nodes(process, second_tokens=False))
        for end in (node for node in process.nodes.values() if ends_instance(process, node)):
            only_second = end.id not in first and not _ends_all(end)
            if end.id in reach and end.id not in thrown and end.id not in control.except_ and not only_second:
                yield error(
                    "control-every-end",
                    end,
                    f"Expected every way to the end {shown(label(end))} to throw {shown(message)}, but this one doesn't: "
                    f"{path_of(process, reach.path_to(end.id))}. Do: throw it on the way, or list {end.id} under except.",
                    control.position,
                )


def control_end_expected(subject: Subject) -> Iterator[Finding]:
    """What is excepted from `every_end` is an end event.

    Why: what isn't an end can't be excepted from ends.
    Wrong: `except: [charge]`
    Right: `except: [contract_ended]`
    """
    for control in _controls(subject):
        for name in control.except_ if isinstance(control, EveryEndHandsOver) else ():
            node = subject.process.nodes.get(name)
            if node and node.kind != "endEvent":
                yield error(
                    "control-end-expected",
                    node,
                    f"Expected the id of an end event, but {shown(name)} is another element. Do: write an end event's id.",
                    control.position,
                )


def control_different_people(subject: Subject) -> Iterator[Finding]:
    """`{different_people: [enter_amount, approve]}` names two or more user tasks: only those are done by people.

    Why: only people can be different people.
    Wrong: `{different_people: [enter, charge]}`, where `charge` is a service task
    Right: `{different_people: [enter, approve]}`
    """
    for control in _controls(subject):
        if not isinstance(control, DifferentPeople):
            continue
        if len(set(control.tasks)) < 2:
            yield error(
                "control-different-people",
                control.position,
                "Expected two or more user tasks that different people do, but there are fewer. Do: list them.",
            )
        for name in control.tasks:
            node = subject.process.nodes.get(name)
            if node and node.kind != "userTask":
                yield error(
                    "control-different-people",
                    node,
                    f"Expected the id of a user task, but {shown(name)} is another element. Do: write a user task's id.",
                    control.position,
                )


def _ends_all(end: FlowNode) -> bool:
    """Whether an end takes all other tokens of the instance away: a terminate end at the top, or an error."""
    kinds = {event.kind for event in end.events}
    return "error" in kinds or ("terminate" in kinds and end.scope is None)


def _controls(subject: Subject) -> tuple[Control, ...]:
    return subject.carry_over.controls if subject.carry_over else ()


def _named(control: Control) -> tuple[str, ...]:
    match control:
        case MustPass():
            return (control.path, control.must_pass)
        case DifferentPeople():
            return control.tasks
        case EveryEndHandsOver():
            return control.except_
