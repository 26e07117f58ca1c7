"""Rules about service tasks: their topics, parameters and results against the connectors' own schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ValidationError

from engine.connector import Connector
from engine.definition.check.scopes import SCRIPT_FAILED, caught_twice, handled
from engine.definition.check.subject import Subject, error, warning
from engine.definition.check.uses import Place
from engine.definition.diagram import FlowNode, Parameter
from engine.definition.finding import Finding
from engine.errors import ExpressionInvalid
from engine.expressions import parse_parameter
from engine.model.text import did_you_mean, shown


@runtime_checkable
class ChecksParameters(Protocol):
    """What a connector may offer beside its contract: to look at parameters before anything is deployed."""

    def check_parameters(
        self, literals: Mapping[str, str], names: frozenset[str], resources: Mapping[str, bytes]
    ) -> Sequence[str]:
        """What is wrong, one message each. `literals` are the parameters without expressions, `names` those of all
        parameters, `resources` the files deployed with the definition, e.g. `mail/charged.txt`.
        """
        ...


def topic_required(subject: Subject) -> Iterator[Finding]:
    """A service task says by its topic which connector does the work.

    Why: nobody would do the task.
    Wrong: a service task without a topic
    Right: `stripe.charge`
    """
    for task in _done_by_connectors(subject):
        if task.topic is None and not task.unsupported and task.service_type in (None, "external"):
            yield error(
                "topic-required",
                task,
                "Expected the implementation 'External' with a topic, but the task has none. "
                f"Do: choose one of {', '.join(sorted(subject.connectors))}.",
            )


def unknown_topic(subject: Subject) -> Iterator[Finding]:
    """A topic names a connector that this installation has.

    Why: the job would wait for a connector that there isn't.
    Wrong: `stripe.chrage`
    Right: `stripe.charge`
    """
    for task in _done_by_connectors(subject):
        if task.topic is not None and task.service_type is None:
            yield error(
                "unknown-topic",
                task,
                f"Expected the implementation 'External' for the topic {shown(task.topic)}, but none is chosen. Do: choose it.",
            )
        if task.topic is not None and task.topic not in subject.connectors:
            yield error(
                "unknown-topic",
                task,
                f"Expected a topic that a connector has, but {shown(task.topic)} is none. "
                f"{did_you_mean(task.topic, subject.connectors)} There are: {', '.join(sorted(subject.connectors))}.",
            )


def duplicate_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter is given once: of two, it would be unclear which one counts.

    Why: the connector gets one value, and it may be the wrong one.
    Wrong: `amount` given twice
    Right: `amount` given once
    """
    for task in subject.process.nodes.values():
        for parameters in (task.inputs, task.outputs):
            seen: set[str] = set()
            for parameter in parameters:
                if parameter.name in seen:
                    yield error(
                        "duplicate-parameter",
                        task,
                        f"Expected {shown(parameter.name)} once, but it is given again. Do: remove one.",
                        parameter.position,
                    )
                seen.add(parameter.name)


def unknown_parameter(subject: Subject) -> Iterator[Finding]:
    """An input parameter is one that the connector has.

    Why: a misspelt parameter isn't handed over, and the one that is meant is missing.
    Wrong: `ammount`
    Right: `amount`
    """
    for task, connector in _connected(subject):
        known = _fields(connector.parameters)
        for given in task.inputs:
            if given.name not in known and connector.parameters.model_config.get("extra") != "allow":
                yield error(
                    "unknown-parameter",
                    task,
                    f"Expected a parameter of {connector.topic}, but {shown(given.name or None)} is none. "
                    f"{did_you_mean(given.name, known)}",
                    given.position,
                )


def missing_parameter(subject: Subject) -> Iterator[Finding]:
    """Every parameter that a connector needs is given, and not left empty.

    Why: the job can't be done without it.
    Wrong: `stripe.charge` without `currency`
    Right: `currency` = `${currency}`
    """
    for task, connector in _connected(subject):
        given = {parameter.name for parameter in task.inputs if parameter.text}
        for name, required in _fields(connector.parameters).items():
            if required and name not in given:
                yield error(
                    "missing-parameter",
                    task,
                    f"Expected the input parameter {shown(name)}, which {connector.topic} needs, but it is missing or empty. "
                    "Do: add it.",
                )


def parameter_type(subject: Subject) -> Iterator[Finding]:
    """A parameter that is written out, without an expression, is one that the connector accepts.

    Why: the job would fail each time, with every customer.
    Wrong: `amount` = `ten`
    Right: `amount` = `1000`
    """
    for task, connector in _connected(subject):
        literals = {parameter.name: parameter for parameter in _literals(task)}
        for name, reason in _refused(connector.parameters, {key: each.text for key, each in literals.items()}):
            yield error(
                "parameter-type",
                task,
                f"Expected {shown(name)} to fit {connector.topic}, but {shown(literals[name].text)} doesn't: {reason}. "
                "Do: correct it.",
                literals[name].position,
            )


def parameter_refused(subject: Subject) -> Iterator[Finding]:
    """What a connector itself finds wrong, such as a mail template that isn't there.

    Why: the connector knows best what it can't do.
    Wrong: `template` = `thanks`, without that template
    Right: `billing.mail/thanks.txt` beside the diagram
    """
    for task, connector in _connected(subject):
        if isinstance(connector, ChecksParameters):
            literals = {parameter.name: parameter.text for parameter in _literals(task)}
            names = frozenset(parameter.name for parameter in task.inputs)
            for message in connector.check_parameters(literals, names, subject.resources):
                yield error("parameter-refused", task, message)


def unknown_output(subject: Subject) -> Iterator[Finding]:
    """An output parameter reads a result of the connector, or a data item.

    Why: there is nothing of that name to take over.
    Wrong: `${charge}`
    Right: `${charge_id}`
    """
    items = subject.carry_over.items if subject.carry_over else {}
    results = {task.id: connector.outputs for task, connector in _connected(subject)}
    for use in subject.uses:
        if use.place is not Place.OUTPUT or use.writes or use.is_flow_node or use.element.id not in results:
            continue
        known = {*results[use.element.id], *items}
        if use.name not in known and subject.carry_over is not None:
            yield error(
                "unknown-output",
                use.element,
                f"Expected a result of the connector or a data item in the {use.place}, but {shown(use.name)} is neither. "
                f"{did_you_mean(use.name, known)}",
                use.position,
            )


def error_code_not_caught(subject: Subject) -> Iterator[Finding]:
    """Each error that a connector can throw has a boundary event, or is caught in a scope around its task, so that the diagram
    says what happens then.

    Severity: warning
    Why: such an error becomes an incident that somebody has to look at.
    Wrong: a charge without an event for `card_declined`
    Right: an error boundary event for `card_declined`
    """
    for task, connector in _connected(subject):
        caught = {code for code, _ in _caught(subject, task)} | handled(subject, task)
        for code in connector.errors if None not in caught else ():
            if code not in caught:
                yield warning(
                    "error-code-not-caught",
                    task,
                    f"Expected an error boundary event for {shown(code)} ({connector.errors[code]}), but there is none. "
                    "Do: attach one that leads to what should happen then.",
                )


def error_code_unknown(subject: Subject) -> Iterator[Finding]:
    """An error boundary event catches an error that its connector can throw.

    Severity: warning
    Why: the event never happens, and what is meant isn't caught.
    Wrong: an event for `declined`
    Right: an event for `card_declined`
    """
    for task, connector in _connected(subject):
        for code, event in _caught(subject, task):
            if code not in (None, SCRIPT_FAILED) and code not in connector.errors:
                yield warning(
                    "error-code-unknown",
                    event,
                    f"Expected an error of {connector.topic}, but it never throws {shown(code)}. "
                    f"{did_you_mean(code or '', connector.errors)}",
                )


def error_caught_twice(subject: Subject) -> Iterator[Finding]:
    """Of an activity's boundary events, one at most catches an error or escalation, and so does one event sub-process of a scope:
    of two, it would be unclear which one is taken.

    Why: two ways for one error.
    Wrong: two events for `card_declined` on one task
    Right: one event, with a gateway behind it
    """
    for event, code in caught_twice(subject):
        found = shown(code) if code else "all of them"
        yield error(
            "error-caught-twice", event, f"Expected one event that catches {found}, but there is another. Do: remove one."
        )


def _done_by_connectors(subject: Subject) -> Iterator[FlowNode]:
    """The service tasks, and the send tasks that have no message of their own."""
    tasks = subject.process.of_kind("serviceTask", "sendTask")
    return (task for task in tasks if task.kind == "serviceTask" or not task.events)


def _connected(subject: Subject) -> Iterator[tuple[FlowNode, Connector]]:
    for task in _done_by_connectors(subject):
        if connector := subject.connectors.get(task.topic or ""):
            yield task, connector


def _caught(subject: Subject, task: FlowNode) -> Iterator[tuple[str | None, FlowNode]]:
    """The error codes that a task's boundary events catch; None stands for every error."""
    for boundary in subject.process.boundary_events_of(task.id):
        for event in boundary.events:
            if event.kind == "error" and (event.code or not event.reference):
                yield event.code, boundary


def _fields(parameters: type[BaseModel]) -> dict[str, bool]:
    """Parameter name, as diagrams write it -> whether it is required."""
    return {each.alias or name: each.is_required() for name, each in parameters.model_fields.items()}


def _literals(task: FlowNode) -> Iterator[Parameter]:
    for parameter in task.inputs:
        try:
            if parse_parameter(parameter.text).is_literal:
                yield parameter
        except ExpressionInvalid:
            continue  # expression-invalid says it


def _refused(parameters: type[BaseModel], literals: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(parameter, reason) for each literal that the schema refuses. The others aren't known yet, so they can't be judged."""
    try:
        parameters.model_validate(dict(literals))
    except ValidationError as invalid:
        known = _fields(parameters)
        for each in invalid.errors(include_url=False, include_input=False):
            name = str(each["loc"][0]) if each["loc"] else ""
            if name in literals and name in known:
                yield name, each["msg"]
