"""Refunds in the database: never more than was charged, in both histories, and never left behind in doubt."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.clock import TurnedClock
from engine.connector import Fatal, NoAnswer, NotRefundable, Refund, RefundStanding, RefundState
from engine.errors import AlreadyBilled, ChargeInDoubt, ConfigurationInvalid, DataRefused, LeaseLost, NotFound, NotPermitted
from engine.services import inspecting, ledger, pending_refunds, resolving, starting, worklist
from engine.services.chores import Round
from engine.services.pending_refunds import look_up_pending
from engine.services.refunding import JobRefunds
from engine.services.resolving import Done, Ended
from engine.services.runtime import Runtime
from engine.services.working import Worker
from engine.store import jobs, refunds
from tests.builders.interleaving import meanwhile
from tests.builders.refund_company import ASKED, RefundCompany, asked_of, refunded_to, refunding
from tests.builders.refund_desk import request_of
from tests.doubles.connectors import RecordingConnector

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def company(runtime_with: Callable[..., Runtime], pay: RecordingConnector, email_send: RecordingConnector) -> RefundCompany:
    back = refunding()
    opened = RefundCompany(runtime_with(connectors={c.topic: c for c in (pay, back, email_send)}), pay=pay, back=back)
    opened.deploy()
    opened.deploy(opened.refund_files())
    return opened


# --- the process ----------------------------------------------------------------------------------------------------


def test_a_refund_stands_in_the_ledger_and_in_the_histories_of_both_instances(company: RefundCompany) -> None:
    bill = company.charged()
    instance = company.refunded("2.00")
    assert company.instance(instance).state == "completed"
    [row] = company.refunds()
    assert (row["bill"], row["instance"], row["amount"], row["state"], row["refund"]) == (
        *(bill, instance, 200, "succeeded"),
        f"re_{row['id']}",
    )
    assert (row["requested_by"], row["approved_by"], row["comment"]) == ("sara", "mia", "Delivered late.")
    [on_refund], [on_bill] = company.entries(instance, "refund_succeeded"), company.entries(bill, "charge_refunded")
    assert (on_refund["bill"], on_refund["amount"], on_refund["job"]) == (bill, 200, row["id"])
    assert (on_bill["instance"], on_bill["amount"], on_bill["approved_by"]) == (instance, 200, "mia")
    assert [inspecting.read_history(company.runtime, each)[1] for each in (instance, bill)] == [None, None]
    data = company.details(instance)["data"]
    assert (data["refund_id"], data["refunded_amount"]) == (row["refund"], 200)


def test_who_asks_for_a_refund_cannot_approve_it(company: RefundCompany) -> None:
    company.charged()
    instance = company.started()
    company.do(instance, "sara", **_asked())
    with pytest.raises(NotPermitted):
        company.do(instance, "sara", approval="approve")
    company.do(instance, "mia", approval="send_back", return_comment="Why so late?")
    with pytest.raises(NotPermitted):  # nor does who decides ask
        worklist.claim(company.runtime, company.task(instance).id, "mia")


def _asked() -> dict[str, str]:
    return {**ASKED, "stripe_customer_id": "acme"}


def test_what_is_rejected_gives_nothing_back(company: RefundCompany) -> None:
    company.charged()
    instance = company.started()
    company.do(instance, "sara", **_asked())
    company.do(instance, "mia", approval="reject", return_comment="No.")
    assert company.instance(instance).end_events == ("rejected",)
    assert company.refunds() == []


def test_a_refused_refund_is_a_task_that_says_why_and_is_approved_anew_when_corrected(company: RefundCompany) -> None:
    company.charged()
    instance = company.refunded("9.00")
    task = company.task(instance)
    fields = {each.name: each.value for each in task.fields}
    assert (task.flow_node, task.group) == ("settle_refusal", "Sales")
    assert "at most 5.00 USD" in str(fields["refusal"])
    company.do(instance, "sara", refusal_result="ask_again")
    company.ask(instance, "4.00")
    company.work()
    assert company.instance(instance).end_events == ("refunded",)
    assert [row["amount"] for row in company.refunds()] == [400]


def test_a_process_that_does_not_repeat_has_no_bill_and_can_be_started_again_and_again(company: RefundCompany) -> None:
    first, second = company.started(), company.started()
    view = company.instance(first)
    assert (view.customer, view.period, second != first) == (None, None, True)
    assert resolving.cancel(company.runtime, first, "A mistake.", "olivia") is False
    again = starting.reuse(company.runtime, "refund", first, {}, "olivia")
    assert company.instance(again).previous == first


def test_a_bill_that_was_refunded_stays_charged(company: RefundCompany) -> None:
    company.charged()
    company.refunded()
    with pytest.raises(AlreadyBilled):
        company.start()
    assert company.charge_state("i1") == "succeeded"


def test_the_chain_of_a_refund_is_that_of_the_bill_and_without_one_it_is_said_why_there_is_none(company: RefundCompany) -> None:
    bill = company.charged()
    refund, nothing_yet = company.refunded("2.00"), company.started()
    found = inspecting.chain(company.runtime, refund)
    assert found == inspecting.chain(company.runtime, bill)
    with pytest.raises(NotFound, match=f"{nothing_yet} is of refund, which bills nobody by the period"):
        inspecting.chain(company.runtime, nothing_yet)


# --- how much -------------------------------------------------------------------------------------------------------


def test_what_was_given_back_is_told_by_customer_and_charge(company: RefundCompany) -> None:
    for customer in ("acme", "bolt", "core"):
        company.charged(customer)
    company.refunded("2.00")
    company.refunded("1.00")
    company.refunded(customer="bolt")
    company.back.answers(refunded_to(RefundState.PENDING))
    company.refunded("0.50", customer="core")
    company.back.answers(refunded_to(RefundState.FAILED))
    company.refunded("0.50", customer="core")
    with company.runtime.database.reading() as connection:
        assert refunds.of_charges(connection, "billing", "2026-10") == {"acme": 300, "bolt": 500, "core": 50}
        assert refunds.of_charges(connection, "billing", "2026-11") == {}
        assert refunds.of_charges(connection, "refund", "2026-10") == {}
    rows = ledger.list_charges(company.runtime, {"period": "2026-10"})
    assert {row["customer"]: row["refunded"] for row in rows} == {"acme": 300, "bolt": 500, "core": 50}


def test_refunds_are_listed_by_bill_a_page_at_a_time(company: RefundCompany) -> None:
    for customer, month in (("bolt", "2026-10"), ("acme", "2026-10"), ("acme", "2026-12")):
        company.charged(customer, month)
    for customer, month, amount in (
        *(("bolt", "2026-10", "1.00"), ("acme", "2026-12", "2.00")),
        *(("acme", "2026-10", "3.00"), ("acme", "2026-10", "1.00")),
    ):
        company.refunded(amount, customer, billing_month=month)
    found = [(row["period"], row["customer"], row["amount"]) for row in company.refunds()]
    assert found == [
        *[("2026-10", "acme", 300), ("2026-10", "acme", 100)],
        *[("2026-10", "bolt", 100), ("2026-12", "acme", 200)],
    ]
    paged: list[Any] = []
    while page := ledger.list_refunds(company.runtime, {}, after=paged[-1]["id"] if paged else None, limit=1):
        paged += page
    assert paged == company.refunds()
    assert [row["amount"] for row in company.refunds(customer="acme", period="2026-10", process="billing")] == [300, 100]
    assert ledger.list_refunds(company.runtime, {}, [RefundState.PENDING]) == []


def leased(company: RefundCompany, amount: str) -> JobRefunds:
    """The ledger of a freshly leased refund job."""
    company.asked(amount)
    now = company.runtime.now()
    with company.runtime.database.transaction() as connection:
        [job] = jobs.lease_due(connection, "w1", ("stripe.refund",), now, now + timedelta(minutes=5), 1)
    return JobRefunds(company.runtime, job)


def outcomes(found: list[Refund | NotRefundable]) -> list[str]:
    return sorted(str(each.amount) if isinstance(each, Refund) else "refused" for each in found)


def test_of_many_refunds_at_once_no_more_is_reserved_than_was_charged(company: RefundCompany) -> None:
    company.charged()
    desks = [leased(company, "1.50") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda desk: desk.prepare(request_of(150)), desks))
    assert outcomes(found) == ["150"] * 3 + ["refused"] * 3


@on_postgresql
def test_of_two_refunds_at_once_the_second_waits_and_sees_what_the_first_has_reserved(company: RefundCompany) -> None:
    company.charged()
    first, second = leased(company, "3.00"), leased(company, "3.00")
    with meanwhile(company.runtime.database, "INSERT INTO refunds", lambda: second.prepare(request_of(300))) as other:
        mine = first.prepare(request_of(300))
    assert other.had_to_wait
    assert outcomes([mine, other.result()]) == ["300", "refused"]


def test_two_workers_that_refund_the_same_charge_at_once_give_back_no_more_than_was_charged(company: RefundCompany) -> None:
    company.charged()
    for _ in range(8):
        company.asked("1.00")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: Worker(company.runtime, name, 4).run(until_idle=True), ("w1", "w2")))
    assert sum(row["amount"] for row in company.refunds()) == 500
    assert len(company.entries("i1", "charge_refunded")) == 5
    assert inspecting.read_history(company.runtime, "i1")[1] is None


def test_a_refund_that_was_begun_before_its_bill_is_committed_as_well(company: RefundCompany) -> None:
    instance = company.started()
    bill = company.charged()
    company.ask(instance)
    company.work()
    assert int(instance[1:]) < int(bill[1:])
    assert company.entries(bill, "charge_refunded")[0]["instance"] == instance


def test_a_charge_of_the_other_mode_is_not_given_back(company: RefundCompany) -> None:
    company.charged()
    desk = leased(company, "1.00")
    with pytest.raises(ConfigurationInvalid, match="Expected a test key, with which acme was charged for 2026-10"):
        desk.prepare(request_of(100, livemode=True))
    assert company.refunds() == []


def test_who_lost_the_lease_reserves_and_sends_nothing(company: RefundCompany, clock: TurnedClock) -> None:
    company.charged()
    desk = leased(company, "1.00")
    clock.advance(timedelta(minutes=6))
    company.work("w2")
    for call in (lambda: desk.prepare(request_of(100)), lambda: desk.begin("j3", 1)):
        with pytest.raises(LeaseLost):
            call()
    assert [row["state"] for row in company.refunds()] == ["succeeded"]


# --- in doubt -------------------------------------------------------------------------------------------------------


def looked_up_to_the_end(company: RefundCompany, clock: TurnedClock) -> None:
    for _ in company.runtime.configuration.reconcile_after:
        clock.advance(timedelta(days=2))
        company.work()


def test_a_refund_in_doubt_is_looked_up_and_then_an_incident(company: RefundCompany, clock: TurnedClock) -> None:
    company.charged()
    company.back.otherwise = refunded_to(RefundState.UNKNOWN)
    instance = company.refunded()
    [row] = company.refunds()
    assert (row["state"], row["incident"], row["next_at"] is not None) == ("unknown", None, True)
    looked_up_to_the_end(company, clock)
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["kind"], incident["instance"], company.refunds()[0]["incident"]) == ("in_doubt", instance, incident["id"])
    assert company.entries("i1", "charge_refunded") == []


@pytest.mark.parametrize("state", [RefundState.UNKNOWN, RefundState.SUBMITTING])
def test_an_instance_is_not_cancelled_while_its_refund_is_in_doubt(company: RefundCompany, state: RefundState) -> None:
    company.charged()
    company.back.otherwise = refunded_to(state)
    instance = company.refunded()
    before = company.details(instance), company.events(instance)
    with pytest.raises(ChargeInDoubt, match="Expected no refund of"):
        resolving.cancel(company.runtime, instance, "Enough.", "olivia")
    assert (company.details(instance), company.events(instance)) == before


def test_a_refund_that_was_never_sent_ends_with_its_instance_and_its_amount_is_free_again(company: RefundCompany) -> None:
    company.charged()
    company.back.answers(refunded_to(RefundState.PREPARED))
    instance = company.refunded()
    assert company.refund_state(instance) == "prepared"
    resolving.cancel(company.runtime, instance, "Enough.", "olivia")
    assert company.refund_state(instance) == "canceled"
    assert company.refund_state(company.refunded()) == "succeeded"


def in_doubt(company: RefundCompany) -> str:
    """A refund that broke off, with an incident x1."""
    company.charged()
    company.back.answers(refunded_to(RefundState.SUBMITTING))
    return company.refunded("2.00")


def test_a_person_who_knows_that_it_was_made_ends_the_doubt(company: RefundCompany) -> None:
    instance = in_doubt(company)
    resolving.resolve(company.runtime, "x1", "Seen in the dashboard.", "olivia", Done({"refund_id": "re_9"}))
    company.work()
    [row] = company.refunds()
    assert (row["state"], row["refund"], row["problem"]) == ("succeeded", "re_9", "settled by olivia: Seen in the dashboard.")
    assert company.instance(instance).end_events == ("refunded",)
    data = company.details(instance)["data"]
    assert (data["refund_id"], data["refunded_amount"]) == ("re_9", 200)
    assert company.entries("i1", "charge_refunded")[0]["refund"] == "re_9"


def test_a_person_who_knows_that_it_was_not_made_ends_the_doubt(company: RefundCompany) -> None:
    instance = in_doubt(company)
    resolving.resolve(company.runtime, "x1", "Not in the dashboard.", "olivia", Ended("refund_refused"))
    assert (company.refund_state(instance), company.task(instance).flow_node) == ("failed", "settle_refusal")
    assert company.entries("i1", "charge_refunded") == []
    assert company.refund_state(company.refunded()) == "succeeded"


def test_what_a_person_says_of_a_refund_must_be_what_the_ledger_says(company: RefundCompany) -> None:
    instance = in_doubt(company)
    with pytest.raises(DataRefused, match=r"Expected amount to be 200, as the ledger says of .*, but it is 300"):
        resolving.resolve(company.runtime, "x1", "Seen.", "olivia", Done({"refund_id": "re_9", "amount": 300}))
    assert company.refund_state(instance) == "submitting"


def test_what_was_given_back_is_not_resolved_away(company: RefundCompany) -> None:
    company.charged()
    company.back.answers(lambda request, context: _without_outputs(refunded_to(RefundState.SUCCEEDED)(request, context)))
    instance = company.refunded()
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["kind"], company.refund_state(instance)) == ("stuck", "succeeded")  # the diagram could not go on
    with pytest.raises(DataRefused, match="the ledger says that it was"):
        resolving.resolve(company.runtime, incident["id"], "No.", "olivia", Ended("refund_refused"))
    resolving.retry(company.runtime, incident["id"], "olivia")
    company.work()
    assert company.instance(instance).end_events == ("refunded",)
    assert [row["amount"] for row in company.refunds()] == [500]
    assert len(company.entries("i1", "charge_refunded")) == 1  # its history counts no refund twice


def _without_outputs(outcome: Any) -> Any:
    return replace(outcome, outputs={})


# --- refunds that take their time -----------------------------------------------------------------------------------


class Keeper:
    """Tells of each refund what a test says."""

    livemode = False

    def __init__(self, *answers: RefundStanding | NoAnswer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def refund(self, refund: str) -> RefundStanding | NoAnswer:
        self.asked.append(refund)
        return self.answers.pop(0)


def pending(company: RefundCompany) -> str:
    company.charged()
    company.back.answers(refunded_to(RefundState.PENDING))
    return company.refunded("2.00")


def look_up(company: RefundCompany, keeper: Keeper) -> Round:
    done = Round(lambda: False)
    look_up_pending(company.runtime, keeper, "worker w1", done)  # type: ignore[arg-type] # it asks nothing else
    return done


def test_a_pending_refund_is_done_for_the_diagram_and_is_looked_up_until_it_succeeds(company: RefundCompany) -> None:
    instance = pending(company)
    assert (company.instance(instance).state, company.refund_state(instance)) == ("completed", "pending")
    refund = company.refunds()[0]["refund"]
    keeper = Keeper(RefundStanding(RefundState.PENDING), NoAnswer("no answer"), RefundStanding(RefundState.SUCCEEDED))
    counts = [dict(look_up(company, keeper).counts) for _ in range(4)]
    assert counts == [{"pending": 1}, {"unanswered": 1}, {"succeeded": 1}, {}]
    assert keeper.asked == [refund] * 3
    assert company.refund_state(instance) == "succeeded"
    assert company.events(instance).count("refund_succeeded") == 1
    assert [entry["state"] for entry in company.entries("i1", "charge_refunded")] == ["pending", "succeeded"]


def test_a_refund_that_fails_after_all_calls_a_person_and_its_amount_is_free_again(company: RefundCompany) -> None:
    instance = pending(company)
    look_up(company, Keeper(RefundStanding(RefundState.FAILED, "expired_or_canceled_card")))
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["instance"], incident["kind"], incident["job"]) == (instance, "refused", None)
    assert "2.00 USD" in incident["reason"]
    assert "expired_or_canceled_card" in incident["reason"]
    assert company.entries("i1", "charge_refund_failed")[0]["amount"] == 200
    assert company.refund_state(instance) == "failed"
    resolving.resolve(company.runtime, incident["id"], "Paid by bank transfer.", "olivia")
    assert company.refund_state(company.refunded()) == "succeeded"


def test_when_the_service_does_not_answer_the_round_ends_soon(company: RefundCompany) -> None:
    company.charged()
    for _ in range(12):
        company.back.answers(refunded_to(RefundState.PENDING))
        company.refunded("0.10")
    keeper = Keeper(*[NoAnswer("no answer")] * 12)
    done = look_up(company, keeper)
    assert (len(keeper.asked), "no answer" in (done.failure or "")) == (10, True)


def test_refunds_that_the_service_does_not_know_keep_nobody_from_the_others(company: RefundCompany, clock: TurnedClock) -> None:
    company.charged()
    for _ in range(11):
        clock.advance(timedelta(seconds=1))
        company.back.answers(refunded_to(RefundState.PENDING))
        company.refunded("0.10")
    clock.advance(timedelta(hours=1))
    look_up(company, Keeper(*[NoAnswer("no such refund")] * 10))
    clock.advance(timedelta(hours=1))
    done = look_up(company, Keeper(RefundStanding(RefundState.SUCCEEDED), *[NoAnswer("no such refund")] * 10))
    assert done.counts["succeeded"] == 1
    assert company.refunds()[-1]["state"] == "succeeded"


# --- refunds that the bank sends back -------------------------------------------------------------------------------

SENT_BACK = RefundStanding(RefundState.FAILED, "lost_or_stolen_card")


def test_a_refund_that_succeeded_is_asked_about_once_a_day_until_no_bank_sends_it_back_any_more(
    company: RefundCompany, clock: TurnedClock
) -> None:
    company.charged()
    company.refunded("2.00")
    asked = []
    for _ in range(100):
        clock.advance(timedelta(hours=12))
        keeper = Keeper(RefundStanding(RefundState.SUCCEEDED))
        look_up(company, keeper)
        asked.append(len(keeper.asked))
    assert (sum(asked[:80]), sum(asked[80:]), max(asked)) == (26, 0, 1)  # 40 days, each look more than a day after the last
    [row] = company.refunds()
    assert (row["state"], company.entries("i1", "charge_refunded")[1:]) == ("succeeded", [])


@pytest.mark.parametrize("by_chore", [True, False])
def test_a_refund_that_was_sent_back_after_it_had_succeeded_calls_a_person_and_can_be_made_anew(
    company: RefundCompany, clock: TurnedClock, by_chore: bool
) -> None:
    company.charged()
    instance = company.refunded("2.00")
    clock.advance(timedelta(days=9))
    if by_chore:
        look_up(company, Keeper(SENT_BACK))
    else:
        pending_refunds.look_up(company.runtime, Keeper(SENT_BACK), company.refunds()[0]["id"], "olivia")  # type: ignore[arg-type] # it asks nothing else
    [row] = company.refunds()
    assert (row["state"], row["problem"]) == ("failed", "lost_or_stolen_card")
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["instance"], "lost_or_stolen_card" in incident["reason"]) == (instance, True)
    assert company.entries("i1", "charge_refund_failed")[0]["amount"] == 200
    assert incident["commands"] == [f"run-process resolve {incident['id']} --reason TEXT"]
    assert [inspecting.read_history(company.runtime, each)[1] for each in (instance, "i1")] == [None, None]
    assert ledger.list_charges(company.runtime, {})[0]["refunded"] == 0
    assert company.refund_state(company.refunded()) == "succeeded"
    assert company.refunds()[-1]["amount"] == 500


def test_what_a_person_said_of_a_refund_is_kept_when_it_is_asked_about(company: RefundCompany, clock: TurnedClock) -> None:
    company.charged()
    instance = broken_off(company)
    resolving.resolve(company.runtime, "x1", "Seen there.", "olivia", Done({"refund_id": "re_seen"}))
    clock.advance(timedelta(days=2))
    look_up(company, Keeper(RefundStanding(RefundState.SUCCEEDED)))
    assert company.details(instance)["refunds"][0]["problem"] == "settled by olivia: Seen there."


def test_what_cannot_be_asked_about_is_refused_in_plain_words(company: RefundCompany) -> None:
    company.charged()
    key = company.details(company.refunded("2.00"))["refunds"][0]["id"]
    with pytest.raises(NotFound, match="Expected the id of a refund"):
        pending_refunds.look_up(company.runtime, None, "j999", "olivia")
    with pytest.raises(ConfigurationInvalid, match="Expected a test key for Stripe"):
        pending_refunds.look_up(company.runtime, None, key, "olivia")
    with pytest.raises(DataRefused, match="No such refund"):
        pending_refunds.look_up(company.runtime, Keeper(NoAnswer("No such refund")), key, "olivia")  # type: ignore[arg-type] # it asks nothing else
    doubtful = company.details(broken_off(company))["refunds"][0]["id"]
    with pytest.raises(DataRefused, match="Expected a refund that was made at Stripe"):
        pending_refunds.look_up(company.runtime, None, doubtful, "olivia")


# --- what a person says that the ledger can't count ------------------------------------------------------------------


def broken_off(company: RefundCompany) -> str:
    """A refund whose outcome nobody knows any more, with an incident."""
    company.back.answers(refunded_to(RefundState.SUBMITTING))
    return company.refunded("1.00")


def test_a_refund_that_was_never_begun_is_not_taken_for_made(company: RefundCompany) -> None:
    company.charged()
    company.back.answers(Fatal("There is no key."))
    instance = company.refunded("2.00")
    with pytest.raises(DataRefused, match=r"Expected a refund that was begun.*--error refund_refused"):
        resolving.resolve(company.runtime, "x1", "Done by hand.", "olivia", Done({"refund_id": "re_hand"}))
    resolving.resolve(company.runtime, "x1", "Paid by transfer.", "olivia", Ended("refund_refused"))
    assert (company.task(instance).flow_node, company.refunds()) == ("settle_refusal", [])


def test_one_refund_at_stripe_stands_for_one_of_ours(company: RefundCompany) -> None:
    company.charged()
    company.refunded("2.00")
    made = company.refunds()[0]
    broken_off(company)
    with pytest.raises(DataRefused, match=f"that of {made['id']}"):
        resolving.resolve(company.runtime, "x1", "Seen there.", "olivia", Done({"refund_id": made["refund"]}))
    resolving.resolve(company.runtime, "x1", "Seen there.", "olivia", Done({"refund_id": "re_other"}))
    assert [row["refund"] for row in company.refunds()] == [made["refund"], "re_other"]


# --- a deadline on a refund -----------------------------------------------------------------------------------------


def with_deadline(company: RefundCompany, state: RefundState) -> str:
    """A refund whose job is withdrawn after three days by the diagram; it is left in `state`."""
    deadline = (
        '<bpmn:boundaryEvent id="late" attachedToRef="give_back"><bpmn:outgoing>flow_late</bpmn:outgoing>'
        '<bpmn:timerEventDefinition id="late_timer"><bpmn:timeDuration>P3D</bpmn:timeDuration></bpmn:timerEventDefinition>'
        '</bpmn:boundaryEvent><bpmn:sequenceFlow id="flow_late" sourceRef="late" targetRef="settle_refusal"/></bpmn:process>'
    )
    files = company.refund_files()
    drawn = files["refund.bpmn"].decode()
    drawn = drawn.replace("</bpmn:process>", deadline).replace(
        "<bpmn:flowNodeRef>give_back<", "<bpmn:flowNodeRef>late</bpmn:flowNodeRef><bpmn:flowNodeRef>give_back<"
    )
    company.deploy({**files, "refund.bpmn": drawn.encode()})
    company.charged()
    company.back.otherwise = refunded_to(state)
    return company.refunded()


def test_a_deadline_voids_a_refund_that_was_never_sent(company: RefundCompany, clock: TurnedClock) -> None:
    instance = with_deadline(company, RefundState.PREPARED)
    clock.advance(timedelta(days=4))
    company.work()
    assert (company.refund_state(instance), company.task(instance).flow_node) == ("canceled", "settle_refusal")


def test_a_deadline_waits_for_a_refund_in_doubt(company: RefundCompany, clock: TurnedClock) -> None:
    instance = with_deadline(company, RefundState.SUBMITTING)
    clock.advance(timedelta(days=4))
    company.work()
    assert (company.refund_state(instance), company.open(instance)) == ("submitting", [])


# --- beside other ways ----------------------------------------------------------------------------------------------


def test_the_request_of_a_job_is_what_its_diagram_passes(company: RefundCompany) -> None:
    company.charged()
    company.refunded("2.00")
    [request] = company.back.requests
    assert asked_of(request) == request_of(200, comment="Delivered late.")
