"""What this version doesn't execute is refused by name, in the analyst's words."""

from __future__ import annotations

import pytest

from tests.builders.decisions import ask
from tests.builders.drawing import (
    billing,
    boundary,
    boundary_timer,
    element,
    end,
    files,
    found,
    script,
    start,
    timer,
    user,
    wait,
)

REFUSED = {
    "a transaction": {"call": element("transaction", "call")},
    "an ad-hoc sub-process": {"call": element("adHocSubProcess", "call")},
    "a compensation marker": {"call": element("userTask", "call", "", 'isForCompensation="true"')},
    "a cancel event at this event": {"end": end("end", inside="<cancelEventDefinition/>")},
    "an element that starts an instance in the midst": {"call": element("receiveTask", "call", "", 'instantiate="true"')},
    "a send task of the type mail": {"call": element("sendTask", "call", "", 'camunda:type="mail"')},
    "a decision with the binding latest": {"call": ask("call", binding=None)},
    "a decision with the binding version": {"call": ask("call", binding="version")},
    "a decision of another version": {"call": ask("call", attributes='camunda:decisionRefVersion="2"')},
    "the decision result resultList": {"call": ask("call", mapping=None)},
    "the decision result collectEntries": {"call": ask("call", mapping="collectEntries")},
    "a computed decision": {"call": ask("call", "${receipt}")},
    "work for a worker here": {"call": ask("call", attributes='camunda:type="external" camunda:topic="pay"')},
    "a manual task": {"call": element("manualTask", "call")},
    "a complex gateway": {"decision": element("complexGateway", "decision")},
    "an event-based gateway that waits for all": {
        "decision": element("eventBasedGateway", "decision", "", 'eventGatewayType="Parallel"')
    },
    "an event that waits for nothing": {"next": element("intermediateCatchEvent", "next")},
    "a condition at this event": {
        "next": element(
            "intermediateCatchEvent", "next", "<conditionalEventDefinition><condition/></conditionalEventDefinition>"
        ),
    },
    "a timer that repeats": {"next": wait("next", "R3/PT10M", "timeCycle")},
    "a timer at this event": {"end": element("endEvent", "end", timer("PT10M"))},
    "a signal at this event": {"start": element("startEvent", "start", '<signalEventDefinition signalRef="s_alarm"/>')},
    "an error at this event": {"start": element("startEvent", "start", '<errorEventDefinition errorRef="e_odd"/>')},
    "an escalation at this event": {"next": element("intermediateCatchEvent", "next", "<escalationEventDefinition/>")},
    "compensation at this event": {"next": element("intermediateThrowEvent", "next", "<compensateEventDefinition/>")},
    "more than one event definition": {"end": end("end", "m_next", "<terminateEventDefinition/>")},
    "a boundary event on something else than a service task, send task, script task, business rule task": {
        "declined": boundary("declined", "call")
    },
    "a boundary event on something else than a user task, service task, send task, receive task, sub-process or call activity": {
        "late": boundary_timer("late", "script"),
        "script": script("script", "amount = 1"),
    },
    "a boundary event that doesn't interrupt": {
        "declined": boundary("declined", "charge").replace("attachedToRef", 'cancelActivity="false" attachedToRef')
    },
    "an assignee": {"call": user("call", attributes='camunda:assignee="ann"')},
    "more than one candidate group": {"call": user("call", attributes='camunda:candidateGroups="Sales,Finance"')},
    "a form key": {"call": user("call", attributes='camunda:formKey="embedded:app:x.html"')},
    "a default value": {"call": user("call", '<camunda:formField id="customer" type="string" defaultValue="x"/>')},
    "camunda:constraint max": {
        "call": user(
            "call",
            '<camunda:formField id="customer" type="string"><camunda:validation><camunda:constraint name="max" config="9"/>'
            "</camunda:validation></camunda:formField>",
        )
    },
    "a Java class": {"charge": element("serviceTask", "charge", "", 'camunda:class="org.example.Charge"')},
    "a delegate expression": {"charge": element("serviceTask", "charge", "", 'camunda:delegateExpression="${x}"')},
    "a Java expression": {"charge": element("serviceTask", "charge", "", 'camunda:expression="${x}"')},
    "an execution listener": {
        "call": element("userTask", "call", "<extensionElements><camunda:executionListener/></extensionElements>")
    },
    "a task listener": {"call": element("userTask", "call", "<extensionElements><camunda:taskListener/></extensionElements>")},
    "camunda:somethingNew": {"call": user("call", attributes='camunda:somethingNew="1"')},
    "activiti:formKey, which is Activiti's own": {"call": user("call", attributes='activiti:formKey="x"')},
    "a script in groovy": {"call": element("scriptTask", "call", "<script>1</script>", 'scriptFormat="groovy"')},
    "a service task of the type mail": {"charge": element("serviceTask", "charge", "", 'camunda:type="mail"')},
    "startQuantity": {"call": user("call", attributes='startQuantity="2"')},
    "form fields here": {"start": element("startEvent", "start", "<extensionElements><camunda:formData/></extensionElements>")},
    "an expression in the name of a message": {"again": start("again", "m_dynamic")},
}
DYNAMIC = '<message id="m_dynamic" name="next-${region}"/>'


@pytest.mark.parametrize("words", REFUSED)
def test_it_is_refused_in_the_analysts_words(words: str) -> None:
    findings = found(files(billing(REFUSED[words], beside=DYNAMIC)))
    [named] = [each for each in findings if each.rule == "unsupported-element" and words in each.message]
    assert named.element in REFUSED[words]
    assert "Do: " in named.message


@pytest.mark.parametrize(
    "attributes",
    [
        'camunda:asyncBefore="true" camunda:asyncAfter="true" camunda:exclusive="false"',
        'camunda:modelerTemplate="pay" camunda:modelerTemplateVersion="2"',
        'completionQuantity="1" isForCompensation="false" implementation="##unspecified"',
    ],
)
def test_settings_that_change_nothing_are_accepted(attributes: str) -> None:
    call = user("call", '<camunda:formField id="customer" type="string"/>', f'camunda:candidateGroups="Sales" {attributes}')
    findings = found(files(billing({"call": call})))
    assert {finding.rule for finding in findings} <= {"setting-without-effect"}


def test_annotations_associations_and_other_tools_decorations_are_read_past() -> None:
    drawn = {
        "note": '<textAnnotation id="note"><text>Only once a month</text></textAnnotation>',
        "line": '<association id="line" sourceRef="note" targetRef="call"/>',
        "call": element(
            "userTask",
            "call",
            '<extensionElements><x:mark xmlns:x="http://example.com/tool"/><camunda:properties/></extensionElements>'
            '<property id="p"/><dataInputAssociation id="d"/>',
            'camunda:candidateGroups="Sales"',
        ),
    }
    assert found(files(billing(drawn))) == ()


def test_a_terminate_end_event_is_executed() -> None:
    assert found(files(billing({"stopped": end("stopped", inside="<terminateEventDefinition/>")}))) == ()


def test_a_listener_on_a_sequence_flow_is_refused_where_it_stands() -> None:
    listener = b"<extensionElements><camunda:executionListener/></extensionElements><conditionExpression>"
    drawn = billing().replace(b"<conditionExpression>", listener, 1)
    [finding] = found(files(drawn))
    assert (finding.rule, finding.position.line) == ("unsupported-element", drawn[: drawn.index(listener)].count(b"\n") + 1)


def test_a_condition_in_another_language_is_refused() -> None:
    drawn = billing().replace(b"<conditionExpression>", b'<conditionExpression language="groovy">', 1)
    [finding] = found(files(drawn))
    assert "a condition in another language" in finding.message
