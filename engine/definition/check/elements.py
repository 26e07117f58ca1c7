"""The rule that refuses by name what this version doesn't execute, and the notes about what is drawing only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from engine.definition.check.business_rules import refused_settings
from engine.definition.check.subject import Subject, error, note
from engine.definition.diagram import FlowNode
from engine.definition.finding import Finding

_EXECUTED = frozenset(
    {
        "startEvent",
        "userTask",
        "serviceTask",
        "scriptTask",
        "businessRuleTask",
        "sendTask",
        "receiveTask",
        "subProcess",
        "callActivity",
        "exclusiveGateway",
        "parallelGateway",
        "inclusiveGateway",
        "eventBasedGateway",
        "boundaryEvent",
        "intermediateCatchEvent",
        "intermediateThrowEvent",
        "endEvent",
    }
)
_EVENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "startEvent": frozenset({"message", "timer"}),
        "intermediateThrowEvent": frozenset({"message", "signal", "escalation", "link"}),
        "intermediateCatchEvent": frozenset({"timer", "message", "signal", "link"}),
        "boundaryEvent": frozenset({"error", "timer", "message", "signal", "escalation"}),
        "endEvent": frozenset({"message", "signal", "terminate", "error", "escalation"}),
        "sendTask": frozenset({"message"}),
        "receiveTask": frozenset({"message"}),
    }
)
_EVENTS_INSIDE = frozenset({"error", "escalation", "timer", "message", "signal"})
"""What starts an event sub-process."""
_HOSTS: Mapping[str, tuple[frozenset[str], str, str]] = MappingProxyType(
    {
        "error": (
            frozenset({"serviceTask", "sendTask", "scriptTask", "businessRuleTask", "subProcess", "callActivity"}),
            "a service task, send task, script task, business rule task, sub-process or call activity",
            "let an exclusive gateway decide after it",
        ),
        "escalation": (frozenset({"subProcess"}), "a sub-process", "attach it to the sub-process that throws it"),
        **dict.fromkeys(
            ("timer", "message", "signal"),
            (
                frozenset({"userTask", "serviceTask", "sendTask", "receiveTask", "subProcess", "callActivity"}),
                "a user task, service task, send task, receive task, sub-process or call activity",
                "attach it to one that waits",
            ),
        ),
    }
)
"""What a boundary event catches -> the activities it can sit on, in words too, and what to do elsewhere."""
_SCRIPT_FORMATS = frozenset({"python", "expression"})

_KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "task": ("a task without a kind", "choose User task, Service task or Script task"),
        "manualTask": ("a manual task", "make it a user task: someone then confirms that it is done"),
        "adHocSubProcess": ("an ad-hoc sub-process", "draw its tasks in their order"),
        "transaction": ("a transaction", "make it a sub-process, and draw what undoes its work as a path of its own"),
        "complexGateway": ("a complex gateway", "combine parallel, inclusive and exclusive gateways"),
    }
)
_EVENT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "timer": "a timer",
        "signal": "a signal",
        "escalation": "an escalation",
        "conditional": "a condition",
        "link": "a link",
        "cancel": "a cancel event",
        "compensate": "compensation",
        "error": "an error",
        "message": "a message",
        "terminate": "a terminate event",
    }
)
_DETAILS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "isForCompensation": ("a compensation marker", "draw what undoes the work as a path of its own"),
        "parallelMultiple": ("several event definitions", "draw one event for each"),
        "instantiate": ("an element that starts an instance in the midst of the process", "draw a message start event"),
        "eventGatewayType": ("an event-based gateway that waits for all events", "draw a parallel gateway before the events"),
        "potentialOwner": ("a potential owner", "put the task into a lane, or give it one candidate group"),
        "humanPerformer": ("a performer", "put the task into a lane, or give it one candidate group"),
        "performer": ("a performer", "put the task into a lane, or give it one candidate group"),
        "camunda:assignee": ("an assignee", "put the task into a lane: people are not named in diagrams"),
        "camunda:candidateUsers": ("candidate users", "put the task into a lane: people are not named in diagrams"),
        "camunda:candidateGroups": ("more than one candidate group, or a computed one", "give one group's name, or use a lane"),
        "camunda:formKey": ("a form key", "choose 'Generated task forms' and add the fields"),
        "camunda:formRef": ("a Camunda form", "choose 'Generated task forms' and add the fields"),
        "camunda:formData": ("form fields here", "put them on the user task that follows"),
        "camunda:formField defaultValue": ("a default value in a form field", "use show_previous in the carry-over map"),
        "camunda:class": ("a Java class", "choose 'External' and a topic"),
        "camunda:delegateExpression": ("a delegate expression", "choose 'External' and a topic"),
        "camunda:expression": ("a Java expression", "choose 'External' and a topic, or use a script task"),
        "camunda:connector": ("a Camunda connector", "choose 'External' and a topic"),
        "camunda:executionListener": ("an execution listener", "draw what it does as a task"),
        "camunda:taskListener": ("a task listener", "draw what it does as a task"),
        "camunda:resultVariable": ("a result variable", "assign the data item in the script, or use output parameters"),
        "camunda:resource": ("a script in another file", "write the script into the diagram"),
        "camunda:inputOutput": (
            "input or output parameters here",
            "use them on service tasks and on what throws or receives a message, and a script task elsewhere",
        ),
        "camunda:in variables": ("all variables passed at once", "name each item that is passed with source and target"),
        "camunda:out variables": ("all variables taken at once", "name each item that is taken with source and target"),
        "camunda:in businessKey": ("a business key, which instances don't have", "pass the item that it stands for by its name"),
        "camunda:in local": ("local variables passed to a called process", "pass items by their names"),
        "camunda:out local": ("local variables taken from a called process", "take items by their names"),
        **dict.fromkeys(
            ("camunda:decisionRefVersion", "camunda:decisionRefVersionTag", "camunda:decisionRefTenantId"),
            ("a decision of another version or tenant", "choose the binding 'deployment', and clear the field"),
        ),
        **dict.fromkeys(("camunda:type", "camunda:topic"), ("work for a worker here", "make it a service task")),
        "camunda:script": ("a script inside a parameter", "use a script task before this one"),
        "camunda:failedJobRetryTimeCycle": ("a retry time cycle", "set retries in run-process.yaml"),
        "camunda:initiator": ("an initiator", "see who started an instance in its history"),
        "camunda:priority": ("a priority", "use a due date"),
        "camunda:followUpDate": ("a follow-up date", "use a due date"),
        **dict.fromkeys(
            ("camunda:candidateStarterGroups", "camunda:candidateStarterUsers"),
            ("a list of those who may start instances", "clear the field, and put the first task into a lane"),
        ),
        "camunda:calledElementTenantId": ("a tenant", "clear the field: there are no tenants"),
        "correlationSubscription": ("a correlation subscription", "add the extension property correlation_key to the event"),
        "correlationKey": ("a correlation key", "add the extension property correlation_key to the event"),
        "conditionExpression language": ("a condition in another language", "remove the language and write ${...}"),
    }
)


def camunda_8_dialect(subject: Subject) -> Iterator[Finding]:
    """A diagram made for Camunda 8 keeps its settings where this program doesn't look.

    Why: topics, forms and groups stand in other places there, and would be missing here without a word.
    Wrong: `zeebe:taskDefinition`
    Right: `camunda:topic`
    """
    inside = [name for node in subject.process.nodes.values() for name in node.unsupported]
    names = sorted({name for name in (*inside, *_others(subject)) if name.startswith("zeebe:")})
    if names:
        yield error(
            "camunda-8-dialect",
            subject.process,
            f"Expected a diagram for Camunda 7, but this one is made for Camunda 8 (it has {', '.join(names)}). "
            "Do: create it as 'BPMN diagram (Camunda 7)' in the modeler.",
        )


def unsupported_element(subject: Subject) -> Iterator[Finding]:
    """What changes the meaning of a diagram and isn't executed is refused by name: nothing runs silently wrong.

    Why: what is read past is done otherwise than drawn.
    Wrong: an ad-hoc sub-process
    Right: its tasks in their order
    """
    for name, position in subject.diagram.other_elements:
        if not name.startswith("zeebe:"):
            what, instead = _detail(name)
            yield error("unsupported-element", position, _message(what, instead))
    for node in subject.process.nodes.values():
        for what, instead in (*_kind(node), *_host(subject, node), *_events(node), *_settings(node)):
            yield error("unsupported-element", node, _message(what, instead))


def _message(what: str, instead: str) -> str:
    return f"Expected only elements that this version executes, but there is {what}. Do: {instead}."


def _others(subject: Subject) -> tuple[str, ...]:
    return tuple(name for name, _ in subject.diagram.other_elements)


def _detail(name: str) -> tuple[str, str]:
    if name in _DETAILS:
        return _DETAILS[name]
    prefix, colon, _ = name.partition(":")
    if colon and prefix not in {"camunda", "zeebe"}:
        return f"{name}, which is {prefix.capitalize()}'s own", "use the Camunda 7 setting in the modeler's panel"
    return name, "remove it"


def _kind(node: FlowNode) -> Iterator[tuple[str, str]]:
    if node.kind in _KINDS:
        yield _KINDS[node.kind]
    elif node.kind not in _EXECUTED:
        yield f"an element of the kind {node.kind}", "remove it"


def _host(subject: Subject, node: FlowNode) -> Iterator[tuple[str, str]]:
    host = subject.process.nodes.get(node.attached_to or "")
    kind = node.events[0].kind if node.events else "error"
    hosts, where, instead = _HOSTS.get(kind, _HOSTS["error"])
    if host and host.kind in _EXECUTED and host.kind not in hosts:
        yield f"a boundary event on something else than {where}", instead
    if node.kind == "boundaryEvent" and not node.interrupting and kind == "error":
        yield "a boundary event that doesn't interrupt", "make it interrupting"


def _events(node: FlowNode) -> Iterator[tuple[str, str]]:
    for event in node.events:
        if node.kind in _EXECUTED and event.kind not in _allowed(node):
            words = _EVENT_WORDS.get(event.kind, f"{event.kind} as an event")
            yield f"{words} at this event", "use a user task or a service task instead"
        elif event.timer == "cycle" and _holds_up(node):
            yield "a timer that repeats and holds a token up", "give it a duration, and draw the repetition as a loop"
        if event.name and "${" in event.name:
            yield f"an expression in the name of {_EVENT_WORDS.get(event.kind, 'an event')}", "write a fixed name"
    if len(node.events) > 1:
        yield "more than one event definition", "draw one event for each"
    if node.kind == "boundaryEvent" and not node.events:
        yield "a boundary event that catches nothing", "make it an error, timer, message or signal boundary event"
    if node.kind == "intermediateCatchEvent" and not node.events:
        yield "an event that waits for nothing", "make it a timer, message or signal event"


def _holds_up(node: FlowNode) -> bool:
    """Whether a timer holds a token up, or takes it away: then it can't come a second time."""
    if node.kind == "startEvent":
        return node.scope is not None and node.interrupting
    return node.kind != "boundaryEvent" or node.interrupting


def _allowed(node: FlowNode) -> frozenset[str]:
    inside = node.kind == "startEvent" and node.scope is not None
    return _EVENTS_INSIDE if inside else _EVENTS.get(node.kind, frozenset())


def _settings(node: FlowNode) -> Iterator[tuple[str, str]]:
    yield from (_detail(name) for name in node.unsupported if not name.startswith("zeebe:"))
    yield from refused_settings(node)
    if node.service_type and node.service_type != "external" and node.business_rule is None:
        yield (
            f"a {'send' if node.kind == 'sendTask' else 'service'} task of the type {node.service_type}",
            "choose 'External' and a topic",
        )
    if node.script_format and node.script_format.lower() not in _SCRIPT_FORMATS:
        yield f"a script in {node.script_format}", "write it in the expression language, with the format 'python'"


def setting_without_effect(subject: Subject) -> Iterator[Finding]:
    """Settings about how Camunda's own engine saves and orders its work are read past: they have no effect here.

    Every step is saved as it ends, and jobs are done in the order in which they are due. How long history is kept
    (`camunda:historyTimeToLive`, which modelers ask for) has no effect either: it is kept for ever. It is not told.

    Severity: note
    Why: who has set them may rely on them.
    Wrong: `camunda:jobPriority="50"`
    Right: the task without it
    """
    settings = subject.diagram.without_effect
    if settings:
        names = ", ".join(sorted({name for name, _ in settings}))
        yield note(
            "setting-without-effect",
            subject.process,
            f"Expected settings that have an effect here, but there is {names}: each step is saved as it ends, and jobs are done "
            "in the order in which they are due. Do: nothing, unless you rely on it.",
            settings[0][1],
        )


def drawing_only(subject: Subject) -> Iterator[Finding]:
    """Data objects and data stores are drawings: the data items of a process are listed in its carry-over map.

    Severity: note
    Why: who draws a data object may think that it stores something.
    Wrong: a data store that is meant to keep the amount
    Right: the item `amount` in the carry-over map
    """
    if count := len(subject.process.data_objects):
        yield note(
            "drawing-only",
            subject.process,
            f"Expected data in the carry-over map, but the diagram draws {count} data objects or stores, which nothing reads. "
            "Do: nothing, if they explain the diagram to people.",
        )
