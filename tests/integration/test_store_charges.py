"""The charge ledger in the database: one row per bill, moved by compare-and-set, closed to whoever lost the lease."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.clock import TurnedClock
from engine.connector import Charge, ChargeLedger, ChargeRequest, ChargeResult, ChargeState
from engine.errors import LeaseLost
from engine.services.charging import JobLedger
from engine.services.runtime import Runtime
from engine.store import charges, jobs
from engine.store.database import Database
from tests.builders.company import Company
from tests.doubles.ledger import MemoryLedger

REQUEST = ChargeRequest("billing|acme|2026-10", "billing", "acme", "2026-10", "i1", 500, "USD", "cus_1", "mia", livemode=False)
KEY = REQUEST.charge_key


def ledger_of(runtime: Runtime, worker: str = "w1") -> JobLedger:
    """The ledger of a freshly leased job."""
    with runtime.database.transaction() as connection:
        [job] = jobs.lease_due(connection, worker, ("pay",), runtime.now(), runtime.now() + timedelta(minutes=5), 1)
    return JobLedger(runtime, job)


@pytest.fixture
def ledger(company: Company) -> JobLedger:
    company.approved()
    return ledger_of(company.runtime)


@pytest.fixture(params=["database", "memory"])
def either(request: pytest.FixtureRequest, ledger: JobLedger) -> ChargeLedger:
    """The real ledger, and the double that connector tests use: one contract."""
    return MemoryLedger() if request.param == "memory" else ledger


def without_time(charge: Charge) -> Charge:
    return replace(charge, updated_at=None)


# --- the contract ---------------------------------------------------------------------------------------------------


def test_a_charge_is_prepared_once_and_its_request_is_frozen(either: ChargeLedger) -> None:
    assert without_time(either.prepare(REQUEST)) == Charge(REQUEST, ChargeState.PREPARED)
    assert either.prepare(replace(REQUEST, amount=999)).request == REQUEST


def test_an_intent_is_recorded_where_none_is(either: ChargeLedger) -> None:
    either.prepare(REQUEST)
    first = either.record_intent(KEY, 1, "pi_1")
    assert (first.state, first.intent) == (ChargeState.CREATED, "pi_1")
    assert either.record_intent(KEY, 1, "pi_2").intent == "pi_1"
    assert either.record_intent(KEY, 2, "pi_2").intent == "pi_1"


def test_attempts_are_begun_one_after_the_other(either: ChargeLedger) -> None:
    either.prepare(REQUEST)
    either.record_intent(KEY, 1, "pi_1")
    assert either.begin_confirm(KEY, 2, "pm_x").attempt == 0
    first = either.begin_confirm(KEY, 1, "pm_1")
    assert (first.state, first.attempt, first.payment_method) == (ChargeState.CONFIRMING, 1, "pm_1")
    assert either.begin_confirm(KEY, 1, "pm_2").payment_method == "pm_1"
    assert either.begin_confirm(KEY, 2, "pm_2").attempt == 2


def test_a_replaced_intent_begins_anew_as_the_next_generation(either: ChargeLedger) -> None:
    either.prepare(REQUEST)
    either.record_intent(KEY, 1, "pi_1")
    either.begin_confirm(KEY, 1, "pm_1")
    changed = replace(REQUEST, amount=700)
    assert either.replace_intent(changed, "pi_other").request == REQUEST
    after = either.replace_intent(changed, "pi_1")
    assert without_time(after) == Charge(changed, ChargeState.PREPARED, generation=2, attempt=1)  # the bill's, not the intent's
    assert either.record_intent(KEY, 1, "pi_late").intent is None
    assert either.record_intent(KEY, 2, "pi_2").intent == "pi_2"


def commit(ledger: ChargeLedger, company: Company, state: ChargeState) -> None:
    """Apply an outcome's result, as the worker does together with the BPMN step."""
    result = ChargeResult(KEY, state)
    if isinstance(ledger, MemoryLedger):
        ledger.commit(result)
        return
    with company.runtime.database.transaction() as connection:
        charges.apply(connection, result, company.runtime.now())


def test_a_charge_that_succeeded_is_never_replaced(either: ChargeLedger, company: Company) -> None:
    either.prepare(REQUEST)
    either.record_intent(KEY, 1, "pi_1")
    either.begin_confirm(KEY, 1, "pm_1")
    commit(either, company, ChargeState.SUCCEEDED)
    after = either.replace_intent(replace(REQUEST, amount=700), "pi_1")
    assert (after.state, after.request.amount, after.intent, after.generation) == (ChargeState.SUCCEEDED, 500, "pi_1", 1)


def test_a_charge_that_succeeded_is_not_confirmed_again(either: ChargeLedger, company: Company) -> None:
    either.prepare(REQUEST)
    either.record_intent(KEY, 1, "pi_1")
    either.begin_confirm(KEY, 1, "pm_1")
    commit(either, company, ChargeState.SUCCEEDED)
    assert either.begin_confirm(KEY, 2, "pm_1").state is ChargeState.SUCCEEDED


def apply(ledger: ChargeLedger, company: Company, result: ChargeResult) -> None:
    if isinstance(ledger, MemoryLedger):
        ledger.commit(result)
        return
    with company.runtime.database.transaction() as connection:
        charges.apply(connection, result, company.runtime.now())


@pytest.mark.parametrize("attempt", [(1, 1), (2, 1)], ids=["an earlier attempt", "another attempt of the new intent"])
def test_a_late_result_of_an_attempt_that_was_overtaken_is_not_stored(
    either: ChargeLedger, company: Company, attempt: tuple[int, int]
) -> None:
    either.prepare(REQUEST)
    either.record_intent(KEY, 1, "pi_1")
    either.begin_confirm(KEY, 1, "pm_1")
    either.replace_intent(replace(REQUEST, amount=700), "pi_1")
    either.record_intent(KEY, 2, "pi_2")
    either.begin_confirm(KEY, 2, "pm_2")
    apply(either, company, ChargeResult(KEY, ChargeState.DECLINED, "generic_decline", None, *attempt))
    assert either.prepare(REQUEST).state is ChargeState.CONFIRMING
    apply(either, company, ChargeResult(KEY, ChargeState.DECLINED, "generic_decline", None, 2, 2))
    assert either.prepare(REQUEST).state is ChargeState.DECLINED


def test_money_that_was_taken_is_stored_whichever_attempt_took_it(either: ChargeLedger, company: Company) -> None:
    either.prepare(REQUEST)
    either.record_intent(KEY, 1, "pi_1")
    either.begin_confirm(KEY, 1, "pm_1")
    either.begin_confirm(KEY, 2, "pm_1")
    apply(either, company, ChargeResult(KEY, ChargeState.SUCCEEDED, None, company.runtime.now(), 1, 1))
    assert either.prepare(REQUEST).state is ChargeState.SUCCEEDED


# --- many at once ---------------------------------------------------------------------------------------------------


def test_of_many_who_record_an_intent_at_once_one_wins_and_all_are_told(
    company: Company, ledger: JobLedger, database_url: str, runtime_with: Callable[..., Runtime]
) -> None:
    other = Database(database_url)
    ledgers = [ledger, JobLedger(runtime_with(database=other), ledger._job)]
    barrier = threading.Barrier(8)

    def record(number: int) -> str | None:
        own = ledgers[number % 2]
        barrier.wait(10)
        own.prepare(REQUEST)
        return own.record_intent(KEY, 1, f"pi_{number}").intent

    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(record, range(8)))
    other.close()
    assert len(told) == 1
    assert [charge["intent"] for charge in company.details("i1")["charges"]] == list(told)


def test_one_intent_is_never_recorded_for_two_bills(company: Company) -> None:
    company.approved("acme")
    first = ledger_of(company.runtime)
    company.approved("other")
    second = ledger_of(company.runtime)
    first.prepare(REQUEST)
    first.record_intent(KEY, 1, "pi_1")
    other = replace(REQUEST, charge_key="billing|other|2026-10", customer="other", instance="i2")
    second.prepare(other)
    with pytest.raises(Exception, match=r"(?i)unique"):
        second.record_intent(other.charge_key, 1, "pi_1")


# --- the lease ------------------------------------------------------------------------------------------------------


def test_a_worker_whose_lease_was_taken_over_changes_nothing_in_the_ledger(
    company: Company, ledger: JobLedger, clock: TurnedClock
) -> None:
    ledger.prepare(REQUEST)
    clock.advance(timedelta(minutes=6))
    newer = ledger_of(company.runtime, "w2")
    for change in (
        lambda: ledger.prepare(REQUEST),
        lambda: ledger.record_intent(KEY, 1, "pi_late"),
        lambda: ledger.begin_confirm(KEY, 1, "pm_late"),
        lambda: ledger.replace_intent(REQUEST, None),
    ):
        with pytest.raises(LeaseLost):
            change()
    assert without_time(newer.prepare(REQUEST)) == Charge(REQUEST, ChargeState.PREPARED)


def test_each_change_is_stored_before_it_returns(company: Company, ledger: JobLedger, database_url: str) -> None:
    ledger.prepare(REQUEST)
    reader = Database(database_url)
    for change, state in (
        (lambda: ledger.record_intent(KEY, 1, "pi_1"), "created"),
        (lambda: ledger.begin_confirm(KEY, 1, "pm_1"), "confirming"),
    ):
        change()
        with reader.reading() as connection:
            stored = charges.find(connection, KEY)
        assert stored is not None
        assert stored.state == state
    reader.close()
