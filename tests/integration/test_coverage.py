"""Who is charged in a period, and who is not: every customer in one state, and what is broken is named and mended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from engine.billing.coverage import CoverageRow, CoverageState
from engine.clock import TurnedClock
from engine.connector import BusinessError, ChargeState, Fatal, Retryable
from engine.errors import DataRefused, NotBilled, PeriodClosed
from engine.services import coverage, enrolling, listing_periods, period_closing, repairing, resolving
from engine.services.repairing import Repair
from engine.store import tables
from tests.builders.company import CardCompany
from tests.doubles.connectors import RecordingConnector, charged_to

OCTOBER, NOVEMBER, DECEMBER = "2026-10", "2026-11", "2026-12"


def rows_of(company: CardCompany, period: str = OCTOBER) -> dict[str, CoverageRow]:
    return {row.customer: row for row in coverage.coverage(company.runtime, company.process, period)}


def row_of(company: CardCompany, period: str = OCTOBER, customer: str = "cus_acme") -> CoverageRow:
    return rows_of(company, period)[customer]


def states(company: CardCompany, period: str = OCTOBER) -> dict[str, str]:
    return {customer: row.state.value for customer, row in rows_of(company, period).items()}


def repaired(company: CardCompany, period: str) -> list[Repair]:
    done: list[Repair] = []
    broken = repairing.broken(company.runtime, company.process, period)
    repairing.repair(company.runtime, company.process, period, broken, "olivia", done.append)
    return done


# --- one state for each customer -------------------------------------------------------------------------------------


def test_a_month_goes_from_open_over_waiting_to_charged_and_the_next_one_is_there(card_company: CardCompany) -> None:
    instance = card_company.start()
    row = row_of(card_company)
    assert (row.state, row.settled, row.instance, row.task, row.assignee) == ("open", False, instance, "t1", "Sales")
    assert row.reason == "1. Charging amount entry: offered to Sales"
    card_company.enter(instance)
    assert row_of(card_company).amount == 12_050
    assert row_of(card_company, NOVEMBER).reason == f"{instance} of 2026-10 isn't done yet: still to do: 2. Approval (t2)"
    card_company.approve(instance)
    assert (row_of(card_company).state, row_of(card_company).reason[:18]) == ("waiting", "stripe.charge (j1)")
    card_company.work()
    row = row_of(card_company)
    assert (row.state, row.settled, row.amount, row.currency) == ("charged", True, 500, "USD")
    assert states(card_company, NOVEMBER) == {"cus_acme": "open"}
    assert states(card_company, "2026-09") == {}


def test_an_overdue_task_says_so(card_company: CardCompany, clock: TurnedClock) -> None:
    card_company.start()
    clock.advance(timedelta(days=31))
    assert row_of(card_company).overdue
    assert row_of(card_company).reason.endswith("offered to Sales, overdue")


def test_what_is_charged_and_still_has_work_to_do_is_charged_but_not_settled(
    card_company: CardCompany, email_send: RecordingConnector
) -> None:
    email_send.answers(Retryable("Busy."))
    card_company.approved("cus_acme")
    card_company.work()
    row = row_of(card_company)
    assert (row.state, row.settled, row.reason) == ("charged", False, "charged; still to do: email.send (j2)")


@pytest.mark.parametrize(("amount", "state"), [("0", "nothing_due"), ("-5", "credited")])
def test_a_month_without_a_charge_says_why(card_company: CardCompany, amount: str, state: str) -> None:
    instance = card_company.start()
    card_company.enter(instance, amount)
    card_company.approve(instance)
    if state == "credited":
        card_company.do(instance, "sara", credit_reference="CN-1")
    card_company.work()
    assert (row_of(card_company).state, row_of(card_company).settled) == (state, True)


def test_a_card_that_was_given_up_has_failed(card_company: CardCompany, stripe_charge: RecordingConnector) -> None:
    stripe_charge.answers(BusinessError("card_declined", "The card was declined."))
    instance = card_company.approved("cus_acme")
    card_company.work()
    card_company.do(instance, "sara", contact_result="give_up")
    card_company.work()
    row = row_of(card_company)
    assert (row.state, row.settled, row.amount) == ("failed", True, 12_050)


def test_a_charge_in_doubt_and_an_incident_are_unresolved(card_company: CardCompany, stripe_charge: RecordingConnector) -> None:
    stripe_charge.answers(charged_to(ChargeState.UNKNOWN), Fatal("No such customer."))
    card_company.approved("cus_a")
    card_company.work()
    card_company.approved("cus_b")
    card_company.work()
    found = rows_of(card_company)
    assert states(card_company) == {"cus_a": "unresolved", "cus_b": "unresolved"}
    assert found["cus_a"].reason.startswith("whether it was charged isn't known")
    assert found["cus_b"].command == "run-process retry x1"


@pytest.mark.parametrize("damage", ["garbage", "{}", '{"version":1,"start":', '{"version":1,"data":{"billing_amount":"x"}}'])
def test_an_instance_whose_state_is_damaged_is_unresolved_and_the_others_are_as_they_are(
    card_company: CardCompany, damage: str
) -> None:
    damaged, other = card_company.start("cus_a"), card_company.start("cus_b")
    card_company.enter(other)
    with card_company.runtime.database.transaction() as connection:
        connection.execute(update(tables.instances).where(tables.instances.c.id == 1).values(token_state=damage))
    found = rows_of(card_company)
    assert (found["cus_a"].state, found["cus_a"].settled) == ("unresolved", False)
    assert found["cus_a"].reason == f"the stored state of {damaged} is damaged"
    assert found["cus_a"].command == f"run-process cancel {damaged} --reason TEXT"
    assert (found["cus_b"].state, found["cus_b"].amount, found["cus_b"].currency) == ("open", 12_050, "USD")
    resolving.cancel(card_company.runtime, damaged, "Damaged.", "olivia")
    assert states(card_company) == {"cus_a": "missing", "cus_b": "open"}


def test_a_contract_that_the_diagram_ends_is_ended_with_its_reason_and_by_whom(card_company: CardCompany) -> None:
    instance = card_company.start()
    card_company.enter(instance)
    card_company.do(instance, "mia", approval="end_contract", end_reason="Moved away.")
    for period in (OCTOBER, NOVEMBER):
        row = row_of(card_company, period)
        assert (row.state, row.settled, row.reason) == ("ended", True, f"from 2026-10 by mia ({instance}): Moved away.")
        assert row.amount is None
    with pytest.raises(NotBilled, match="mia has ended them from 2026-10 on: Moved away"):
        card_company.start(month=NOVEMBER)


def test_two_instances_for_one_bill_are_a_duplicate(card_company: CardCompany) -> None:
    card_company.start()
    other = card_company.start(month=NOVEMBER)
    with card_company.runtime.database.transaction() as connection:  # as nobody but a hand on the database can do it
        connection.execute(update(tables.instances).where(tables.instances.c.id == int(other[1:])).values(period=OCTOBER))
    assert row_of(card_company).state is CoverageState.DUPLICATE


# --- the roster ------------------------------------------------------------------------------------------------------


def enrol(company: CardCompany, *customers: str, **options: Any) -> list[tuple[int, str, str | None]]:
    given = {"customer_name": "Acme", "email": "a@acme.example", "currency": "USD"}
    rows = [(line, {**given, "stripe_customer_id": name}) for line, name in enumerate(customers, 2)]
    found: list[tuple[int, str, str | None]] = []
    report = lambda row: found.append((row.line, row.outcome, row.instance))  # noqa: E731 - one line
    enrolling.enrol_rows(company.runtime, company.process, rows, "olivia", report, first_period=OCTOBER, **options)
    return found


def test_enrolling_is_safe_to_repeat_and_tells_of_each_row(card_company: CardCompany) -> None:
    assert enrol(card_company, "cus_a", "cus_b", dry_run=True) == [(2, "enrolled", None), (3, "enrolled", None)]
    assert states(card_company) == {}
    outcomes = [(line, outcome) for line, outcome, _ in enrol(card_company, "cus_a", "cus_b", "cus_a")]
    assert outcomes == [(2, "enrolled"), (3, "enrolled"), (4, "already")]
    assert [outcome for _, outcome, _ in enrol(card_company, "cus_b", "cus_c")] == ["already", "enrolled"]
    assert states(card_company) == {"cus_a": "open", "cus_b": "open", "cus_c": "open"}


def test_a_trial_tells_the_same_as_the_run(card_company: CardCompany) -> None:
    enrol(card_company, "cus_b")
    given = ("cus_a", "cus_b", "cus_a", "not\nfit")
    trial = [(line, outcome) for line, outcome, _ in enrol(card_company, *given, dry_run=True)]
    assert trial == [(line, outcome) for line, outcome, _ in enrol(card_company, *given)]


def test_who_is_paused_is_not_started_and_goes_on_where_they_are_resumed(card_company: CardCompany) -> None:
    instance = card_company.approved("cus_acme")
    with pytest.raises(DataRefused, match=f"{instance} is that of 2026-10"):
        enrolling.pause(card_company.runtime, card_company.process, "cus_acme", OCTOBER, "On holiday.", "olivia")
    enrolling.pause(card_company.runtime, card_company.process, "cus_acme", None, "On holiday.", "olivia")
    card_company.work()
    row = row_of(card_company, NOVEMBER)
    assert (row.state, row.settled, row.reason) == ("paused", True, "from 2026-11 by olivia: On holiday.")
    assert resolving.open_incidents(card_company.runtime) == []
    enrolling.resume(card_company.runtime, card_company.process, "cus_acme", DECEMBER, "Back.", "olivia")
    assert (states(card_company, NOVEMBER), states(card_company, DECEMBER)) == ({"cus_acme": "paused"}, {"cus_acme": "missing"})
    [repair] = repaired(card_company, DECEMBER)
    assert (repair.outcome, repair.period) == ("started", DECEMBER)
    assert states(card_company, DECEMBER) == {"cus_acme": "open"}
    assert states(card_company, NOVEMBER) == {"cus_acme": "paused"}


def test_decisions_need_a_reason_and_must_fit(card_company: CardCompany) -> None:
    card_company.start()
    process, runtime = card_company.process, card_company.runtime
    with pytest.raises(DataRefused, match="reason"):
        enrolling.end(runtime, process, "cus_acme", NOVEMBER, " ", "olivia")
    with pytest.raises(DataRefused, match="Expected cus_acme to be paused or ended in 2026-11, but they are billed"):
        enrolling.resume(runtime, process, "cus_acme", NOVEMBER, "Back.", "olivia")
    enrolling.end(runtime, process, "cus_acme", NOVEMBER, "Moved.", "olivia")
    with pytest.raises(DataRefused, match="but they are ended"):
        enrolling.pause(runtime, process, "cus_acme", DECEMBER, "Holiday.", "olivia")
    _, events = enrolling.show_customer(runtime, process, "cus_acme")
    assert [(event.event, event.from_period, event.reason) for event in events] == [("ended", NOVEMBER, "Moved.")]


# --- broken chains ---------------------------------------------------------------------------------------------------


def test_a_cancelled_month_is_missing_with_its_reason_and_is_repaired_once(card_company: CardCompany) -> None:
    card_company.billed("cus_acme")
    [november] = [row.instance for row in rows_of(card_company, NOVEMBER).values()]
    assert november is not None
    resolving.cancel(card_company.runtime, november, "Entered twice.", "olivia")
    row = row_of(card_company, NOVEMBER)
    assert (row.state, row.reason) == ("missing", f"{november} was cancelled by olivia: Entered twice.")
    [repair] = repaired(card_company, NOVEMBER)
    assert (repair.outcome, repair.instance) == ("started", "i3")
    assert repaired(card_company, NOVEMBER) == []
    assert row_of(card_company, NOVEMBER).state == "open"
    started = card_company.instance("i3")
    assert (started.started_by, started.previous, started.period) == ("repair", "i1", NOVEMBER)
    assert card_company.details("i3")["data"]["customer_name"] == "Acme"


def test_a_month_that_is_missing_in_the_midst_of_a_chain_is_started_as_well(card_company: CardCompany) -> None:
    card_company.billed("cus_acme")
    card_company.start("cus_acme", DECEMBER)
    resolving.cancel(card_company.runtime, "i2", "Entered twice.", "olivia")
    [repair] = repaired(card_company, NOVEMBER)
    assert (repair.outcome, repair.period) == ("started", NOVEMBER)
    assert (row_of(card_company, NOVEMBER).state, row_of(card_company, DECEMBER).state) == ("open", "open")


def test_who_pauses_after_a_declined_month_was_cancelled_is_paused(
    card_company: CardCompany, stripe_charge: RecordingConnector
) -> None:
    stripe_charge.answers(charged_to(ChargeState.DECLINED))
    instance = card_company.approved("cus_acme")
    card_company.work()
    resolving.cancel(card_company.runtime, instance, "They pause.", "olivia")
    row = row_of(card_company)
    assert (row.state, row.reason) == ("missing", f"{instance} was cancelled by olivia: They pause.")
    enrolling.pause(card_company.runtime, card_company.process, "cus_acme", OCTOBER, "Holiday.", "olivia")
    assert row_of(card_company).state == "paused"


def test_two_who_repair_at_once_start_one(card_company: CardCompany) -> None:
    card_company.billed("cus_acme")
    resolving.cancel(card_company.runtime, "i2", "Entered twice.", "olivia")
    seen = repairing.broken(card_company.runtime, card_company.process, NOVEMBER)
    both: list[Repair] = []
    for person in ("olivia", "tom"):
        repairing.repair(card_company.runtime, card_company.process, NOVEMBER, seen, person, both.append)
    assert [repair.outcome for repair in both] == ["started", "already"]


def test_a_lost_message_is_missing_and_repaired_through_the_map(card_company: CardCompany) -> None:
    card_company.billed("cus_acme")
    with card_company.runtime.database.transaction() as connection:
        connection.execute(delete(tables.user_tasks).where(tables.user_tasks.c.instance_id == 2))
        connection.execute(delete(tables.bills).where(tables.bills.c.instance_id == 2))
        connection.execute(delete(tables.history).where(tables.history.c.instance_id == 2))
        connection.execute(delete(tables.messages))
        connection.execute(delete(tables.instances).where(tables.instances.c.id == 2))
    assert row_of(card_company, NOVEMBER).reason == "i1 of 2026-10 ended without handing over"
    [repair] = repaired(card_company, NOVEMBER)
    assert (repair.outcome, repair.period) == ("started", NOVEMBER)


def test_an_undelivered_hand_over_is_delivered_by_the_repair(card_company: CardCompany) -> None:
    card_company.approved("cus_acme")
    card_company.work()
    with card_company.runtime.database.transaction() as connection:
        connection.execute(delete(tables.user_tasks).where(tables.user_tasks.c.instance_id == 2))
        connection.execute(delete(tables.bills).where(tables.bills.c.instance_id == 2))
        connection.execute(delete(tables.history).where(tables.history.c.instance_id == 2))
        connection.execute(update(tables.messages).values(state="failed", delivered_to=None, delivered_at=None))
        connection.execute(delete(tables.instances).where(tables.instances.c.id == 2))
        incident = {
            "instance_id": 1,
            "message_id": 1,
            "kind": "undelivered",
            "flow_node": "hand_over",
            "message": "No.",
            "tried": 1,
        }
        at = card_company.runtime.now()
        connection.execute(tables.incidents.insert().values(**incident, created_at=at))
    row = row_of(card_company, NOVEMBER)
    assert (row.state, row.command) == ("missing", "run-process retry x1")
    [repair] = repaired(card_company, NOVEMBER)
    assert (repair.outcome, row_of(card_company, NOVEMBER).state) == ("delivered", "open")
    assert resolving.open_incidents(card_company.runtime) == []


def test_who_was_taken_off_the_roster_is_named_and_enrolled_again(card_company: CardCompany) -> None:
    card_company.billed("cus_acme")
    with card_company.runtime.database.transaction() as connection:
        connection.execute(delete(tables.customers))
    row = row_of(card_company)
    assert (row.state, row.settled, row.reason) == ("charged", False, "not on the roster")
    assert [repair.outcome for repair in repaired(card_company, OCTOBER)] == ["enrolled"]
    assert row_of(card_company).settled


def test_a_chain_that_stood_still_catches_up_month_by_month(card_company: CardCompany, clock: TurnedClock) -> None:
    card_company.billed("cus_acme")
    resolving.cancel(card_company.runtime, "i2", "Entered twice.", "olivia")
    clock.advance(timedelta(days=100))
    assert row_of(card_company, "2027-01").state == "missing"
    [repair] = repaired(card_company, "2027-01")
    assert (repair.outcome, repair.period) == ("started", NOVEMBER)  # never one for today
    assert row_of(card_company, "2027-01").reason.startswith("i3 of 2026-11 isn't done yet")
    for number, period in enumerate((NOVEMBER, DECEMBER), 3):
        card_company.enter(f"i{number}", "1.00")
        card_company.approve(f"i{number}")
        card_company.work()
        assert row_of(card_company, period).state == "charged"
    assert row_of(card_company, "2027-01").state == "open"


# --- closing ---------------------------------------------------------------------------------------------------------


def close(company: CardCompany, period: str = OCTOBER, *different: str) -> period_closing.Closing:
    return period_closing.close(company.runtime, company.process, period, "ada", lambda: list(different))


def test_a_month_is_closed_when_nothing_more_is_to_come(card_company: CardCompany) -> None:
    card_company.approved("cus_acme")
    kept = close(card_company)
    assert (kept.record, [row.state for row in kept.unsettled]) == (None, ["waiting"])
    card_company.work()
    assert close(card_company, OCTOBER, "pi_1 has no bill").unreconciled == ["pi_1 has no bill"]
    record = close(card_company).record
    assert record is not None
    assert record.totals == {"customers": 1, "states": {"charged": 1}, "amounts": {"USD": {"charged": 500}}}
    with pytest.raises(PeriodClosed, match="ada has closed it"):
        close(card_company)
    with pytest.raises(PeriodClosed, match="Do: leave it, or run-process reopen"):
        card_company.start("cus_late")
    with pytest.raises(PeriodClosed, match="Expected 2026-10 of"):
        enrolling.end(card_company.runtime, card_company.process, "cus_acme", OCTOBER, "Moved.", "olivia")
    period_closing.reopen(card_company.runtime, card_company.process, OCTOBER, "One was forgotten.", "ada")
    card_company.start("cus_late")
    views = listing_periods.list_periods(card_company.runtime, card_company.process)
    assert [(view.period, view.state, view.reason) for view in views] == [
        (OCTOBER, "open", "One was forgotten."),
        (NOVEMBER, "open", None),
    ]


def test_a_closed_month_that_was_changed_behind_our_back_is_told(card_company: CardCompany) -> None:
    card_company.billed("cus_acme")
    close(card_company)
    [october, _] = listing_periods.list_periods(card_company.runtime, card_company.process, verify=True)
    assert october.state == "closed"
    with card_company.runtime.database.transaction() as connection:
        connection.execute(update(tables.charges).values(amount=1))
    [october, _] = listing_periods.list_periods(card_company.runtime, card_company.process)
    assert (october.state, october.totals["amounts"]) == ("closed", {"USD": {"charged": 500}})  # what was recorded
    [october, _] = listing_periods.list_periods(card_company.runtime, card_company.process, verify=True)
    assert (october.state, october.totals["amounts"]) == ("changed", {"USD": {"charged": 1}})
