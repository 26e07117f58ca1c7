"""What was recorded, replayed through a changed definition: every customer for whom something would differ is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from connectors.stripe.charge import StripeCharge, bill_of
from engine.clock import TurnedClock
from engine.connector import BusinessError, ChargeRequest, ChargeResult, ChargeState, Completed, JobContext, JobRequest
from engine.errors import NotFound
from engine.execution.executable import Executable
from engine.rehearsal.rehearsing import prepare
from engine.rehearsal.replay import Difference, Replay
from engine.services.deploying import read_files
from engine.services.replaying import replay_period
from engine.services.resolving import cancel
from engine.services.runtime import Runtime
from engine.store.tables import history
from tests.builders.company import PROCESSES, CardCompany, beside
from tests.doubles.connectors import RecordingConnector

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PROCESS = "monthly-card-charge"
PERIOD = "2026-10"


class Charging(RecordingConnector):
    """Stands for `stripe.charge`, and says which bill a job is about, as that does."""

    def bill(self, request: JobRequest, *, livemode: bool) -> ChargeRequest:
        return bill_of(request, livemode=livemode)


def charged(request: JobRequest, context: JobContext) -> Completed:
    """What was asked for is charged."""
    row = context.ledger.prepare(bill_of(request, livemode=False))
    key = row.request.charge_key
    context.ledger.record_intent(key, row.generation, f"pi_{request.id}")
    context.ledger.begin_confirm(key, row.attempt + 1, "pm_1")
    result = ChargeResult(key, ChargeState.SUCCEEDED, charged_at=context.clock.now())
    return Completed({"payment_intent": f"pi_{request.id}", "charged_at": "2026-10-01T09:30:00+00:00"}, result)


@pytest.fixture
def charge() -> Charging:
    real = StripeCharge(None, None, live=False)
    return Charging(real.topic, real.parameters, real.outputs, real.errors, charged)


@pytest.fixture
def company(runtime_with: Callable[..., Runtime], charge: Charging, email_send: RecordingConnector) -> CardCompany:
    both = {each.topic: each for each in beside(lambda _: None)}
    opened = CardCompany(runtime_with(connectors={**both, charge.topic: charge, email_send.topic: email_send}))
    opened.deploy()
    return opened


def with_changes(company: CardCompany, *changes: tuple[str, str], controls: bool = True) -> Executable:
    """The shipped definition with pieces of its text replaced."""
    files = {name: content.decode() for name, content in read_files(PROCESSES / f"{PROCESS}.bpmn").items()}
    for before, after in changes:
        assert any(before in text for text in files.values()), before
        files = {name: text.replace(before, after) for name, text in files.items()}
    if not controls:
        carry_over = f"{PROCESS}.carry-over.yaml"
        files[carry_over] = files[carry_over].partition("controls:")[0]
    return prepare({name: text.encode() for name, text in files.items()}, None, "new", company.runtime.connectors).executable


def replayed(company: CardCompany, new: Executable, **renamed: str) -> Replay:
    return replay_period(company.runtime, PROCESS, PERIOD, new, renamed)[0]


def only(replay: Replay) -> Difference:
    assert replay.not_reproduced == ()
    [different] = replay.different
    return different


LIMIT = ("${billing_amount &gt; 0}", "${billing_amount &gt; 10000}")
NO_APPROVAL_BELOW_100 = (
    '<bpmn:sequenceFlow id="flow_entered" sourceRef="enter_amount" targetRef="approve" />',
    (
        '<bpmn:exclusiveGateway id="small" default="flow_large"/>'
        '<bpmn:sequenceFlow id="flow_entered" sourceRef="enter_amount" targetRef="small"/>'
        '<bpmn:sequenceFlow id="flow_large" sourceRef="small" targetRef="approve"/>'
        '<bpmn:sequenceFlow id="flow_small" sourceRef="small" targetRef="amount_sign">'
        "<bpmn:conditionExpression>${billing_amount &lt; 10000}</bpmn:conditionExpression></bpmn:sequenceFlow>"
    ),
)
DETAILS_COPIED = ("{type: text,     carry: drop, show_previous: true}", "{type: text,     carry: copy}")
RENAMED = (
    ('<bpmn:userTask id="approve"', '<bpmn:userTask id="decide"'),
    ('targetRef="approve"', 'targetRef="decide"'),
    ('sourceRef="approve"', 'sourceRef="decide"'),
    ("<bpmn:flowNodeRef>approve<", "<bpmn:flowNodeRef>decide<"),
    ("completed_by('approve')", "completed_by('decide')"),
    ('bpmnElement="approve"', 'bpmnElement="decide"'),
    ("must_pass: approve", "must_pass: decide"),
    ("[enter_amount, approve]", "[enter_amount, decide]"),
)
ORDER_NUMBER = (
    (
        '<camunda:formField id="billing_details" label="Details for the customer, one item per line" type="string">',
        (
            '<camunda:formField id="order_number" label="Order number" type="string"><camunda:validation>'
            '<camunda:constraint name="required" /></camunda:validation></camunda:formField>'
            '<camunda:formField id="billing_details" label="Details for the customer, one item per line" type="string">'
        ),
    ),
    ("data:\n", "data:\n  order_number:          {type: string,   carry: drop}\n"),
)
A_DAY_TO_THINK = (
    '<bpmn:sequenceFlow id="flow_positive" name="above zero" sourceRef="amount_sign" targetRef="charge">',
    (
        '<bpmn:intermediateCatchEvent id="a_day"><bpmn:timerEventDefinition><bpmn:timeDuration>P1D</bpmn:timeDuration>'
        "</bpmn:timerEventDefinition></bpmn:intermediateCatchEvent>"
        '<bpmn:sequenceFlow id="after" sourceRef="a_day" targetRef="charge"/>'
        '<bpmn:sequenceFlow id="flow_positive" name="above zero" sourceRef="amount_sign" targetRef="a_day">'
    ),
)


def test_the_same_definition_makes_the_same_of_a_month_with_everything_in_it(
    company: CardCompany, charge: Charging, clock: TurnedClock
) -> None:
    company.billed("cus_plain")
    back = company.start("cus_sent_back")
    company.enter(back)
    company.approve(back, approved=False)
    company.enter(back, "120.50")  # as before, but given anew
    company.approve(back)
    charge.answers(
        charged, BusinessError("card_declined_for_now", "No funds."), BusinessError("card_declined_for_now", "No funds.")
    )
    company.work()
    declined = company.approved("cus_declined")
    company.work()
    clock.advance(timedelta(days=2))
    company.work()
    clock.advance(timedelta(days=4))
    company.work()
    ended = company.start("cus_ended")
    company.enter(ended)
    company.do(ended, "mia", approval="end_contract", end_reason="They move away.")
    company.start("cus_open")
    cancelled = company.start("cus_cancelled")
    cancel(company.runtime, cancelled, "Entered twice.", "olivia")

    found = replayed(company, with_changes(company))
    assert (found.instances, found.same, found.different, found.not_reproduced) == (6, 6, (), ())
    assert company.instance(declined).state == "completed"


def test_a_changed_limit_names_those_whom_it_concerns_and_their_charge(company: CardCompany) -> None:
    small, large = company.start("cus_small"), company.start("cus_large")
    for instance, amount in ((small, "50.00"), (large, "500.00")):
        company.enter(instance, amount)
        company.approve(instance)
    company.work()
    different = only(replayed(company, with_changes(company, LIMIT)))
    assert different.customer == "cus_small"
    assert different.charge is not None
    assert [(each.amount, each.currency, each.customer) for each in different.charge.was] == [(5_000, "USD", "cus_small")]
    assert different.charge.becomes == ()
    assert different.path is not None
    assert "charge" in different.path.was
    assert "charge" not in different.path.becomes
    assert [ask.kind for ask in different.asks_for] == ["job"]  # the other mail, whose outcome nobody knows
    assert different.not_asked_for == ("charge", "notify")
    assert different.complete


def test_an_approval_that_is_bypassed_is_not_asked_for_any_more(company: CardCompany) -> None:
    small, large = company.start("cus_small"), company.start("cus_large")
    for instance, amount in ((small, "50.00"), (large, "500.00")):
        company.enter(instance, amount)
        company.approve(instance)
    company.work()
    found = replayed(company, with_changes(company, NO_APPROVAL_BELOW_100, controls=False))
    by_customer = {each.customer: each for each in found.different}
    assert by_customer["cus_small"].not_asked_for == ("approve",)
    assert by_customer["cus_small"].charge is None
    assert by_customer["cus_large"].not_asked_for == ()
    assert by_customer["cus_large"].path is not None  # the new gateway


def test_a_changed_carry_over_decision_shows_what_next_month_begins_with(company: CardCompany) -> None:
    company.billed("cus_acme")
    different = only(replayed(company, with_changes(company, DETAILS_COPIED)))
    assert [(each.what, each.item, each.was, each.becomes) for each in different.carry_over] == [
        ("data", "billing_details", None, "Consulting"),
        ("previous", "billing_details", {"value": "Consulting"}, None),
    ]
    assert (different.path, different.charge, different.asks_for) == (None, None, ())


def test_a_task_under_another_id_is_asked_for_unless_it_is_said_to_be_renamed(company: CardCompany) -> None:
    company.billed("cus_acme")
    new = with_changes(company, *RENAMED)
    different = only(replayed(company, new))
    assert [(ask.kind, ask.flow_node, ask.what) for ask in different.asks_for] == [
        ("task", "decide", "the task 2. Approval by Department Manager")
    ]
    assert different.not_asked_for == ("approve", "charge", "notify")
    assert (different.complete, different.carry_over) == (False, ())
    assert replayed(company, new, approve="decide").same == 1


def test_a_new_required_field_is_asked_for_by_name(company: CardCompany) -> None:
    company.billed("cus_acme")
    different = only(replayed(company, with_changes(company, *ORDER_NUMBER)))
    [ask] = different.asks_for
    assert (ask.kind, ask.flow_node) == ("field", "enter_amount")
    assert "order_number (Order number)" in ask.what


def test_a_control_that_would_have_kept_people_apart_is_named(company: CardCompany) -> None:
    instance = company.start("cus_acme")
    company.enter(instance, by="sara")
    company.approve(instance)
    company.work()
    loose = with_changes(company, ("  - {different_people: [enter_amount, approve]}\n", ""))
    files = dict(loose.definition.files)
    company.deploy(files)
    alone = company.start("cus_alone")
    company.enter(alone, by="mia")
    company.approve(alone)
    company.work()
    different = only(replayed(company, with_changes(company)))
    assert different.customer == "cus_alone"
    assert [(ask.kind, ask.flow_node) for ask in different.asks_for] == [("person", "approve")]


def test_a_new_timer_on_the_way_only_takes_its_time(company: CardCompany) -> None:
    company.billed("cus_acme")
    different = only(replayed(company, with_changes(company, A_DAY_TO_THINK)))
    assert different.path is not None
    assert [node for node in different.path.becomes if node not in different.path.was] == ["a_day"]
    assert (different.charge, different.carry_over, different.asks_for) == (None, (), ())


def test_an_error_that_nothing_catches_any_more_is_named(company: CardCompany, charge: Charging) -> None:
    charge.answers(BusinessError("card_declined", "Stolen."))
    instance = company.approved("cus_acme")
    company.work()
    assert company.task(instance).flow_node == "contact_customer"
    new = with_changes(company, ('errorCode="card_declined"', 'errorCode="authentication_required_2"'))
    different = only(replayed(company, new))
    assert "card_declined" in different.asks_for[0].what
    assert not different.complete


def test_what_does_not_reproduce_is_never_blamed_on_the_new_definition(company: CardCompany) -> None:
    instance = company.billed("cus_acme")
    number = int(instance.removeprefix("i"))
    with company.runtime.database.transaction() as connection:
        of = (history.c.instance_id == number, history.c.event == "task_completed")
        row = connection.execute(select(history.c.number, history.c.details).where(*of)).first()
        assert row is not None
        changed: dict[str, Any] = {**row.details, "path": ["elsewhere"]}
        connection.execute(update(history).where(*of, history.c.number == row.number).values(details=changed))
    found = replayed(company, with_changes(company, LIMIT))
    assert found.different == ()
    [lost] = found.not_reproduced
    assert (lost.instance, lost.version) == (instance, 1)
    assert "elsewhere" in lost.reason


def test_a_period_without_instances_is_no_answer(company: CardCompany) -> None:
    company.billed("cus_acme")
    with pytest.raises(NotFound, match="2031-01"):
        replay_period(company.runtime, PROCESS, "2031-01", with_changes(company), {})


def test_nothing_is_stored_or_sent(company: CardCompany, charge: Charging, email_send: RecordingConnector) -> None:
    instance = company.billed("cus_acme")
    before = (company.events(instance), len(charge.requests), len(email_send.requests))
    replayed(company, with_changes(company, LIMIT, DETAILS_COPIED))
    assert (company.events(instance), len(charge.requests), len(email_send.requests)) == before
