"""Rules about messages and signals that are waited for or thrown, and about gateways that wait for events."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.check.subject import Subject, error, label, warning
from engine.definition.correlation import awaited_by, is_hand_over, key_of, started_by, thrown_by
from engine.definition.diagram import EventDefinition, FlowNode
from engine.definition.finding import Finding
from engine.model.text import shown


def task_message_required(subject: Subject) -> Iterator[Finding]:
    """A receive task says which message it waits for; a send task throws a message or has a topic.

    Why: a receive task without a message would be done at once, and of a send task's message and topic one would not be done.
    Wrong: a receive task without a message
    Right: a receive task with the message `payment-received`
    """
    for task in subject.process.of_kind("receiveTask", "sendTask"):
        if task.kind == "sendTask" and task.topic is not None and task.events:
            yield error(
                "task-message-required",
                task,
                "Expected the send task to throw a message or to have a topic, but it has both. "
                "Do: remove one, or draw two tasks.",
            )
        elif not task.events and (task.kind == "receiveTask" or (task.topic is None and not task.service_type)):
            yield error(
                "task-message-required",
                task,
                "Expected a message for this task, but it has none. Do: choose or create one in the modeler's panel"
                + ("." if task.kind == "receiveTask" else ", or choose the implementation 'External' and a topic."),
            )


def correlation_key_missing(subject: Subject) -> Iterator[Finding]:
    """What waits for a message, or throws one, has a correlation key, which says which of the instances is meant: the extension
    property `correlation_key`, or else the bill's customer.

    Why: without one, the first message of that name would be taken, whoever it was meant for.
    Wrong: in a process without bills, a catch event for `goods-received` and nothing more
    Right: the extension property `correlation_key` with the value `${order_number}` on it, and where the message is thrown
    """
    if subject.carry_over is None:
        return
    for node, event in _messages(subject):
        if not is_hand_over(event, subject.carry_over) and key_of(node, subject.carry_over) is None:
            yield error(
                "correlation-key-missing",
                node,
                f"Expected a correlation key for the message {shown(event.name)}, but there is none. Do: add the extension "
                "property correlation_key with an expression, as in ${order_number}, here and where the message is thrown.",
                event.position,
            )


def correlation_key_unused(subject: Subject) -> Iterator[Finding]:
    """The extension property `correlation_key` stands where it is looked at.

    Why: elsewhere it would mean nothing, and somebody has meant something by it.
    Wrong: `correlation_key` on a user task, a signal event, or the event that hands over
    Right: `correlation_key` on an event or task that throws or waits for a message
    """
    keyed = {
        node.id for node, event in _messages(subject) if not (subject.carry_over and is_hand_over(event, subject.carry_over))
    }
    for node in subject.process.nodes.values():
        if node.correlation_key is not None and node.id not in keyed:
            yield error(
                "correlation-key-unused",
                node,
                "Expected correlation_key on an event or task that throws or waits for a message, but this is another element, "
                "or its message is the hand-over, which needs none. Do: remove the extension property.",
            )


def hand_over_awaited(subject: Subject) -> Iterator[Finding]:
    """The hand-over message starts the next instance; nothing else waits for it.

    Why: a message has one receiver, so that the next instance would not be started.
    Wrong: a catch event for the map's `message: next-billing`
    Right: a message of its own for the catch event
    """
    for node in subject.process.nodes.values():
        event = awaited_by(node)
        if event is not None and subject.carry_over is not None and is_hand_over(event, subject.carry_over):
            yield error(
                "hand-over-awaited",
                node,
                f"Expected another message than {shown(event.name)}, because that one starts the next instance, but it is "
                "waited for here. Do: choose or create another message.",
                event.position,
            )


def message_parameter_misplaced(subject: Subject) -> Iterator[Finding]:
    """What throws a message has input parameters, which go along with it; what receives one has output parameters, which take
    from it.

    Why: the others would not be looked at. The hand-over takes along what the carry-over map says, and a signal nothing.
    Wrong: an input parameter on a message catch event
    Right: an output parameter there: the data item `receipt` with the value `${receipt_number}`
    """
    for node in subject.process.nodes.values():
        if node.topic is not None or node.kind in ("serviceTask", "businessRuleTask"):
            continue
        for parameters, fitting, what in (
            (node.inputs, _throws(subject, node), "An input parameter goes along with a message that is thrown"),
            (node.outputs, _receives(subject, node), "An output parameter takes something from a message that is received"),
        ):
            if parameters and not fitting:
                yield error(
                    "message-parameter-misplaced",
                    node,
                    f"Expected no such parameter here, but {shown(parameters[0].name or None)} is one. {what}; the hand-over "
                    "takes what the carry-over map says, and a signal nothing. Do: remove it.",
                    parameters[0].position,
                )


def event_gateway_invalid(subject: Subject) -> Iterator[Finding]:
    """Behind an event-based gateway there are two or more events, of which the first one counts: timer, message and signal catch
    events, and receive tasks without boundary events, each reached from the gateway alone. No two wait for the same.

    Why: BPMN 2.0.2 (10.6.6) gives no other element there a meaning; of two that wait for the same, one would never happen.
    Wrong: a user task behind an event-based gateway
    Right: a message catch event, and a timer with the longest time to wait
    """
    process = subject.process
    for gateway in process.of_kind("eventBasedGateway"):
        targets = [process.nodes[flow.target] for flow in process.flows_from(gateway.id) if flow.target in process.nodes]
        wrong = next((why for node in targets if (why := _unfit_behind_gateway(subject, node))), None)
        if len(targets) < 2:
            wrong = "there are fewer"
        elif wrong is None and (again := _awaited_twice(targets)):
            wrong = f"{shown(label(again))} waits for what another one waits for, so that it never happens"
        if wrong is not None:
            yield error(
                "event-gateway-invalid",
                gateway,
                "Expected two or more events behind the event-based gateway, each a timer, message or signal catch event or a "
                f"receive task, but {wrong}. Do: correct what follows the gateway.",
            )


def _awaited_twice(targets: list[FlowNode]) -> FlowNode | None:
    """The second event that waits for the same message with the same key, or for the same signal."""
    seen = set()
    for node in targets:
        event = awaited_by(node)
        what = (event.kind, event.name, node.correlation_key) if event is not None and event.name else None
        if what in seen:
            return node
        if what is not None:
            seen.add(what)
    return None


def _unfit_behind_gateway(subject: Subject, node: FlowNode) -> str | None:
    if node.kind not in ("intermediateCatchEvent", "receiveTask"):
        return f"{shown(label(node))} is another element"
    if len(subject.process.flows_to(node.id)) > 1:
        return f"{shown(label(node))} is reached in other ways, too"
    return f"{shown(label(node))} has boundary events" if subject.process.boundary_events_of(node.id) else None


def inclusive_join_twice(subject: Subject) -> Iterator[Finding]:
    """An inclusive gateway that joins is reached once from each element.

    Why: it waits for the ways that can still bring a token, and could not tell two ways from one element apart.
    Wrong: two sequence flows from `check` to the inclusive gateway
    Right: one
    """
    for gateway in subject.process.of_kind("inclusiveGateway"):
        seen: set[str] = set()
        for flow in subject.process.flows_to(gateway.id):
            if flow.source in seen:
                yield error(
                    "inclusive-join-twice",
                    gateway,
                    "Expected one sequence flow from each element to this inclusive gateway, but there is another from "
                    f"{shown(flow.source)}. Do: remove one.",
                    flow.position,
                )
            seen.add(flow.source)


def message_not_awaited(subject: Subject) -> Iterator[Finding]:
    """A message that is thrown, and isn't the hand-over, is waited for in the files that are checked, or starts something there.

    Severity: warning
    Why: it would be kept for ever, until somebody waits for it.
    Wrong: a throw event for `goods-sent`, and nothing that waits for it
    Right: a catch event, receive task or message start event of another process, which is checked together with this one
    """
    nodes = [node for process in (subject.process, *(each.process for each in subject.beside)) for node in process.nodes.values()]
    awaited = {event.name for node in nodes if (event := awaited_by(node) or started_by(node)) and event.kind == "message"}
    for node in subject.process.nodes.values():
        event = thrown_by(node)
        if event is None or event.kind != "message" or not event.name or event.name in awaited:
            continue
        if subject.carry_over is None or not is_hand_over(event, subject.carry_over):
            yield warning(
                "message-not-awaited",
                node,
                f"Expected something that waits for the message {shown(event.name)}, but nothing does in these files. "
                "Do: check its name, or check it together with the process that waits for it.",
                event.position,
            )


def _messages(subject: Subject) -> Iterator[tuple[FlowNode, EventDefinition]]:
    """What throws or waits for a message."""
    for node in subject.process.nodes.values():
        event = awaited_by(node) or thrown_by(node)
        if event is not None and event.kind == "message":
            yield node, event


def _throws(subject: Subject, node: FlowNode) -> bool:
    event = thrown_by(node)
    return event is not None and event.kind == "message" and not (subject.carry_over and is_hand_over(event, subject.carry_over))


def _receives(subject: Subject, node: FlowNode) -> bool:
    event = awaited_by(node) or started_by(node)
    return event is not None and event.kind == "message" and not (subject.carry_over and is_hand_over(event, subject.carry_over))
