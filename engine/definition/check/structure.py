"""Rules about ids, references, starts and ends: what every diagram needs before anything else can be said about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from engine.definition.bpmn_xml import ACTIVITIES
from engine.definition.check.subject import Subject, error, label, warning
from engine.definition.diagram import FlowNode
from engine.definition.finding import Finding
from engine.definition.process_definition import DIAGRAM_SUFFIX, drawn_processes
from engine.model.text import did_you_mean, shown

_RESERVED = frozenset({"Start", "End", "StartEventSplit", "StartEventJoin"})
_RESERVED_ENDINGS = ("[child]", "[parent]", ".BoundaryEventSplit", ".BoundaryEventJoin", ".EndJoin", ".Flows", ".Instances")
_LONGEST_ID = 255
_REFERENCES = {"message": "a message", "error": "an error", "signal": "a signal", "escalation": "an escalation"}


def one_process_per_file(subject: Subject) -> Iterator[Finding]:
    """A diagram holds one process. Other parties are drawn as pools without content.

    Why: who deploys a file must know what is deployed.
    Wrong: two pools, each with tasks in it
    Right: one pool with the process, another without content for the other party
    """
    for process in drawn_processes(subject.diagram):
        if process is not subject.process:
            yield error(
                "one-process-per-file",
                process,
                f"Expected one process in the diagram, but beside {shown(label(subject.process))} there is "
                f"{shown(label(process))}. Do: save it as a diagram of its own, or draw it as a pool without content.",
            )


def process_not_executable(subject: Subject) -> Iterator[Finding]:
    """A process that is marked as not executable is a drawing, and isn't run by mistake.

    Why: a drawing for a presentation must never charge anybody.
    Wrong: `isExecutable="false"`
    Right: `isExecutable="true"`
    """
    if not subject.process.executable:
        yield error(
            "process-not-executable",
            subject.process,
            "Expected an executable process, but it is marked as not executable. Do: tick 'Executable' in the modeler.",
        )


def process_id_mismatch(subject: Subject) -> Iterator[Finding]:
    """The diagram, its carry-over map and the file's name give the process one name, so that people can find it.

    Why: commands, tables and the history name a process by its id; people look for the file.
    Wrong: the process `Process_1` in `billing.bpmn`
    Right: the process `billing` in `billing.bpmn`
    """
    process, stem = subject.process, PurePosixPath(subject.diagram.file).name.removesuffix(DIAGRAM_SUFFIX)
    if process.id != stem:
        yield error(
            "process-id-mismatch",
            process,
            f"Expected the process id {shown(stem)} as the file is named, but it is {shown(process.id)}. "
            "Do: change the id in the modeler, or rename the files.",
        )
    if subject.carry_over and subject.carry_over.process != process.id:
        yield error(
            "process-id-mismatch",
            process,
            f"Expected the carry-over map of {shown(process.id)}, but {subject.map_file} is for "
            f"{shown(subject.carry_over.process)}. Do: write process: {process.id}.",
        )


def duplicate_id(subject: Subject) -> Iterator[Finding]:
    """An id stands for one element in the whole file.

    Why: a sequence flow to that id could mean either element.
    Wrong: two tasks with the id `charge`
    Right: `charge` and `charge_again`
    """
    for key, position in subject.diagram.duplicates:
        yield error(
            "duplicate-id",
            position,
            f"Expected every id once, but {shown(key)} is used again here. Do: give this element another id.",
        )


def reserved_id(subject: Subject) -> Iterator[Finding]:
    """Some ids are names of the engine's own.

    Why: the element would be taken for one of the engine's own steps.
    Wrong: a start event with the id `Start`
    Right: a start event with the id `start_by_hand`
    """
    reserved = _RESERVED | {f"{subject.process.id}.EndJoin"}
    for node in subject.process.nodes.values():
        if node.id in reserved or node.id.endswith(_RESERVED_ENDINGS):
            yield error(
                "reserved-id",
                node,
                f"Expected another id than {shown(node.id)}, but it is reserved. Do: change it in the modeler.",
            )


def id_too_long(subject: Subject) -> Iterator[Finding]:
    """Ids, and the names of messages and signals, are stored in columns of a fixed width.

    Why: a longer id couldn't be stored with the task, and the instance would stop there.
    Wrong: an id of 300 characters
    Right: `approve_amount`
    """
    for node in subject.process.nodes.values():
        if len(node.id) > _LONGEST_ID:
            yield error(
                "id-too-long",
                node,
                f"Expected an id of at most {_LONGEST_ID} characters, but {shown(node.id)} has {len(node.id)}. "
                "Do: shorten it in the modeler.",
            )
        for event in node.events:
            if event.name and len(event.name) > _LONGEST_ID:
                yield error(
                    "id-too-long",
                    node,
                    f"Expected a name of at most {_LONGEST_ID} characters, but {shown(event.name)} has {len(event.name)}. "
                    "Do: shorten the name of what this event is about.",
                    event.position,
                )


def missing_reference(subject: Subject) -> Iterator[Finding]:
    """Everything that is referred to exists: the ends of sequence flows, default flows, messages and errors.

    Why: where a token goes, or what an event waits for, would be a guess.
    Wrong: a throw event whose message was deleted
    Right: a throw event with a message that has a name
    """
    yield from _flow_ends(subject)
    for node in subject.process.nodes.values():
        outgoing = [flow.id for flow in subject.process.flows_from(node.id)]
        if node.default and node.default not in outgoing:
            yield error(
                "missing-reference",
                node,
                f"Expected the default flow to leave this element, but {shown(node.default)} doesn't. Do: mark one that does.",
            )
        yield from _event_references(node)


def _flow_ends(subject: Subject) -> Iterator[Finding]:
    nodes = subject.process.nodes
    for flow in subject.process.flows:
        for end, key in (("begin", flow.source), ("end", flow.target)):
            if key not in nodes:
                elsewhere = any(key in process.nodes for process in subject.diagram.processes)
                found = f"{shown(key)} is in another pool" if elsewhere else f"there is no {shown(key)}"
                yield error(
                    "missing-reference",
                    flow,
                    f"Expected the sequence flow to {end} at an element of this process, but {found}. Do: draw it again.",
                )


def _event_references(node: FlowNode) -> Iterator[Finding]:
    for event in node.events:
        kind = _REFERENCES.get(event.kind)
        if kind is None or event.name or (event.kind in {"error", "escalation"} and (event.code or not event.reference)):
            continue  # an error event without a reference catches every error
        found = f"{shown(event.reference)} is missing or has no name" if event.reference else "it refers to none"
        yield error(
            "missing-reference",
            node,
            f"Expected {kind} with a name for this event, but {found}. Do: choose or create one in the modeler's panel.",
            event.position,
        )


def start_event_required(subject: Subject) -> Iterator[Finding]:
    """A process begins at a start event, and one that the hand-over starts has another for people, who start the first instance.

    Why: the first month of a customer has no month before it that could start it.
    Wrong: a message start event alone
    Right: a start event without a message beside it
    """
    if not subject.starts:
        yield error("start-event-required", subject.process, "Expected a start event, but the process has none. Do: draw one.")
    elif _repeats(subject) and all(node.events and node.events[0].kind == "message" for node in subject.starts):
        yield error(
            "start-event-required",
            subject.starts[0],
            "Expected a start event without a message, for the first instance, but there is none. Do: draw one.",
        )


def _repeats(subject: Subject) -> bool:
    """Whether a process hands over to its own next instance, so that a person has to start the first one."""
    return subject.carry_over is None or subject.carry_over.message is not None


def several_none_starts(subject: Subject) -> Iterator[Finding]:
    """At most one start event is for people: with two, it would be unclear where an instance begins.

    Why: each would be as good a beginning as the other.
    Wrong: two plain start events
    Right: one plain start event, and a message start event
    """
    for second in [node for node in subject.starts if not node.events][1:]:
        yield error(
            "several-none-starts",
            second,
            "Expected one start event without a message, but this is another. Do: keep one, or make this a message start event.",
        )


def several_message_starts(subject: Subject) -> Iterator[Finding]:
    """A message starts one instance, so it has one start event.

    Why: one message would start two ways at once, or either of them.
    Wrong: two start events for `next-billing`
    Right: one, with a gateway behind it
    """
    seen: set[str] = set()
    for node in subject.starts:
        for event in node.events:
            if event.kind == "message" and event.name in seen:
                yield error(
                    "several-message-starts",
                    node,
                    f"Expected one start event for the message {shown(event.name)}, but this is another. Do: keep one.",
                )
            seen.add(event.name or "")


def start_has_incoming(subject: Subject) -> Iterator[Finding]:
    """Nothing leads to a start event.

    Why: a start event makes a new instance; a token of this one can't arrive there.
    Wrong: an arrow back to the start event
    Right: an arrow back to the gateway behind it
    """
    yield from _forbidden_flows(subject, "start-has-incoming", "startEvent", "into a start event")


def boundary_has_incoming(subject: Subject) -> Iterator[Finding]:
    """Nothing leads to a boundary event: it is reached from the activity that it is attached to.

    Why: a boundary event happens while its activity is being done, and at no other time.
    Wrong: an arrow into the boundary event
    Right: an arrow into the activity
    """
    yield from _forbidden_flows(subject, "boundary-has-incoming", "boundaryEvent", "into a boundary event")


def end_has_outgoing(subject: Subject) -> Iterator[Finding]:
    """Nothing leaves an end event: tokens that come to it are gone.

    Why: what is drawn behind an end would never be done.
    Wrong: an arrow out of an end event
    Right: an intermediate throw event in its place
    """
    yield from _forbidden_flows(subject, "end-has-outgoing", "endEvent", "out of an end event")


def _forbidden_flows(subject: Subject, rule: str, kind: str, where: str) -> Iterator[Finding]:
    for node in subject.process.of_kind(kind):
        leaving = kind == "endEvent"
        flows = subject.process.flows_from(node.id) if leaving else subject.process.flows_to(node.id)
        for flow in flows:
            yield error(
                rule,
                node,
                f"Expected no sequence flow {where}, but {shown(flow.name or flow.id)} is one. "
                f"Do: remove it, or draw an intermediate event instead.",
                flow.position,
            )


def no_implicit_end(subject: Subject) -> Iterator[Finding]:
    """A path ends at an end event, where everyone can see that it ends, and not at an element without a way on.

    Why: an arrow that was forgotten looks like an end that was meant.
    Wrong: a task without an arrow that leaves it
    Right: a task that leads to an end event
    """
    for node in subject.process.nodes.values():
        goes_on = node.kind == "endEvent" or subject.process.flows_from(node.id)
        links = node.kind == "intermediateThrowEvent" and any(event.kind == "link" for event in node.events)
        apart = node.triggered_by_event or links or "isForCompensation" in node.unsupported
        if not goes_on and not apart:
            yield error(
                "no-implicit-end",
                node,
                "Expected a sequence flow that leaves this element, but there is none. "
                "Do: draw one to the next element, or to an end event.",
            )


def boundary_event_detached(subject: Subject) -> Iterator[Finding]:
    """A boundary event sits on the edge of an activity.

    Why: an event that sits on nothing never happens.
    Wrong: an error event beside the task
    Right: an error event on the task's edge
    """
    for node in subject.process.of_kind("boundaryEvent"):
        host = subject.process.nodes.get(node.attached_to or "")
        if host is None or host.kind not in ACTIVITIES or host.scope != node.scope:
            found = f"it is attached to {shown(node.attached_to)}" if node.attached_to else "it isn't"
            yield error(
                "boundary-event-detached",
                node,
                f"Expected the boundary event to sit on an activity beside it, but {found}. Do: drag it onto its edge.",
            )


def flow_crosses_sub_process(subject: Subject) -> Iterator[Finding]:
    """A sequence flow doesn't cross the edge of a sub-process.

    Why: a sub-process has a beginning and an end of its own; BPMN lets no arrow pass its edge.
    Wrong: an arrow from outside to a task inside
    Right: an arrow to the sub-process, and a start event inside it
    """
    nodes = subject.process.nodes
    for flow in subject.process.flows:
        ends = [nodes[key].scope for key in (flow.source, flow.target) if key in nodes]
        if len(set(ends)) > 1:
            yield error(
                "flow-crosses-sub-process",
                flow,
                "Expected the sequence flow to stay inside or outside of the sub-process, but it crosses its edge. "
                "Do: connect it to the sub-process itself.",
            )


def label_required(subject: Subject) -> Iterator[Finding]:
    """A task has a name: it is what people see in their list and in the history.

    Severity: warning
    Why: an id says nothing to who is to do the task.
    Wrong: a user task without a name
    Right: `Approve the amount`
    """
    for node in subject.process.nodes.values():
        if node.kind in ACTIVITIES and not node.name:
            yield warning(
                "label-required", node, "Expected the task to have a name, but it has none. Do: write what is done in it."
            )


def unknown_user_task(subject: Subject) -> Iterator[Finding]:
    """`completed_by('...')` names a user task of this process by its id.

    Why: a task that doesn't exist was completed by nobody, so nobody would be kept from approving their own entry.
    Wrong: `completed_by('aprove')`
    Right: `completed_by('approve')`
    """
    known = [node.id for node in subject.process.of_kind("userTask")]
    for use in subject.uses:
        if use.is_flow_node and use.name not in known:
            yield error(
                "unknown-user-task",
                use.element,
                f"Expected a user task's id in the {use.place}, but {shown(use.name)} is none. {did_you_mean(use.name, known)}",
                use.position,
            )
