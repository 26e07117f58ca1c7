"""Two at once, at the worst moment: one is held up in the middle of its transaction while the other does all that it can."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.clock import TurnedClock
from engine.connector import ChargeRequest, ChargeState, JobContext, JobRequest, Outcome, Retryable
from engine.errors import AlreadyBilled, InstanceNotActive, TaskNotOpen
from engine.services import handing_over, resolving, worklist
from engine.services.handing_over import deliver_next
from engine.services.resolving import open_incidents
from engine.services.runtime import Runtime
from engine.services.timing import fire_next
from engine.store import charges, instances, jobs, messages, tables, workers
from engine.store import database as store
from engine.store.database import Database, may_pass
from engine.store.jobs import JobRow
from engine.store.tables import charges as ledger
from tests.builders.company import Company, definition
from tests.builders.drawing import boundary_timer, end, form_field, user
from tests.builders.interleaving import meanwhile
from tests.doubles.connectors import RecordingConnector, charge_of, charged_to, charging

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

REQUEST = ChargeRequest("billing|acme|2026-10", "billing", "acme", "2026-10", "i1", 500, "USD", "cus_1", "mia", livemode=False)


# --- one task, two people -------------------------------------------------------------------------------------------


def claimed(company: Company) -> str:
    """A task to enter an amount, claimed by Sara."""
    task = company.task(company.start()).id
    worklist.claim(company.runtime, task, "sara")
    return task


def enter_twice_at_once(company: Company, task: str) -> tuple[str | None, str | None]:
    """Sara completes her task in two windows; what each of them was told, None where it was done."""

    def enter(amount: str) -> str | None:
        try:
            worklist.complete(company.runtime, task, {"amount": amount}, "sara")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what she was told
            return type(error).__name__
        return None

    with meanwhile(company.runtime.database, "UPDATE instances", lambda: enter("2.00")) as other:
        first = enter("1.00")
    return first, other.result()


@on_postgresql
def test_of_two_who_complete_a_task_at_once_the_second_is_told_that_it_is_done(company: Company) -> None:
    assert enter_twice_at_once(company, claimed(company)) == (None, TaskNotOpen.__name__)
    assert company.details("i1")["data"]["amount"] == 100


@on_postgresql
def test_two_who_complete_a_task_at_once_leave_one_next_task(company: Company) -> None:
    enter_twice_at_once(company, claimed(company))
    assert [task.flow_node for task in company.open("i1")] == ["approve"]


@on_postgresql
def test_of_two_who_claim_a_task_at_once_one_has_it(company: Company) -> None:
    task = company.task(company.start()).id

    def claim(user: str) -> bool:
        try:
            worklist.claim(company.runtime, task, user)
        except TaskNotOpen:
            return False
        return True

    with meanwhile(company.runtime.database, "UPDATE user_tasks", lambda: claim("tom")) as other:
        sara = claim("sara")
    assert [sara, other.result()].count(True) == 1
    assert worklist.task(company.runtime, task).claimed_by == ("sara" if sara else "tom")


def test_a_state_that_has_moved_on_is_not_overwritten(company: Company) -> None:
    company.start()
    with company.runtime.database.reading() as connection:
        stale = instances.get(connection, 1)
    company.enter("i1")
    with pytest.raises(InstanceNotActive, match="it has moved on"), company.runtime.database.transaction() as connection:
        instances.save(connection, stale, stale.token_state, {})
    assert company.task("i1").flow_node == "approve"


# --- one message, two workers ---------------------------------------------------------------------------------------


def thrown(company: Company) -> None:
    """An instance whose message nobody has delivered yet."""
    company.deploy(definition({"charge": user("charge", form_field("receipt")), "declined": "", "call": ""}, {"declined": ""}))
    instance = company.approved()
    company.do(instance, "cleo", receipt="pay_1")


def deliver_twice_at_once(company: Company) -> list[bool]:
    """Whether each of two workers delivered something."""

    def deliver(name: str) -> bool:
        return deliver_next(company.runtime, f"worker {name}") is not None

    with meanwhile(company.runtime.database, "INSERT INTO instances", lambda: deliver("w2")) as other:
        first = deliver("w1")
    return [first, other.result()]


@on_postgresql
def test_of_two_workers_at_once_one_delivers_a_message(company: Company) -> None:
    thrown(company)
    assert deliver_twice_at_once(company) == [True, False]
    assert company.events("i1").count("message_delivered") == 1


@on_postgresql
def test_two_who_deliver_a_message_at_once_start_one_instance(company: Company) -> None:
    thrown(company)
    deliver_twice_at_once(company)
    with company.runtime.database.reading() as connection:
        assert len(instances.listing(connection, {}, 0, 10)) == 2


def test_a_visit_throws_one_message(company: Company) -> None:
    thrown(company)
    [message] = company.details("i1")["messages"]
    assert message["id"] == "m1"
    with company.runtime.database.reading() as connection:
        stored: dict[str, Any] = {
            name: getattr(messages.get(connection, 1), name)
            for name in ("number", "name", "flow_node", "data", "previous_values", "run_at", "thrown_at")
        }
    with pytest.raises(IntegrityError), company.runtime.database.transaction() as connection:
        connection.execute(insert(tables.messages).values(**stored, instance_id=1, state="waiting", attempts=0))


# --- one job, two workers -------------------------------------------------------------------------------------------


def lease(runtime: Runtime, worker: str) -> list[JobRow]:
    now = runtime.now()
    with runtime.database.transaction() as connection:
        return jobs.lease_due(connection, worker, ("pay",), now, now + timedelta(minutes=5), 1)


@on_postgresql
def test_of_two_workers_at_once_one_leases_a_job(company: Company) -> None:
    company.approved()
    with meanwhile(company.runtime.database, "UPDATE jobs", lambda: lease(company.runtime, "w2")) as other:
        first = lease(company.runtime, "w1")
    assert [len(first), len(other.result())] == [1, 0]


@on_postgresql
def test_two_workers_at_once_lease_different_jobs_and_do_not_wait_for_each_other(company: Company) -> None:
    company.approved("a")
    company.approved("b")
    with meanwhile(company.runtime.database, "UPDATE jobs", lambda: lease(company.runtime, "w2")) as other:
        [first] = lease(company.runtime, "w1")
    [second] = other.result()
    assert (first.id, second.id, other.had_to_wait) == (1, 2, False)


# --- one timer, two workers -----------------------------------------------------------------------------------------


@on_postgresql
def test_of_two_workers_at_once_one_fires_a_timer(company: Company, clock: TurnedClock) -> None:
    nodes = {
        "late": boundary_timer("late", "approve", "P5D"),
        "escalate": user("escalate", form_field("details")),
        "reminded": end("reminded"),
    }
    company.deploy(definition(nodes, {"late": "late -> escalate -> reminded"}))
    company.enter(company.start())
    clock.advance(timedelta(days=5))
    with meanwhile(company.runtime.database, "UPDATE timers", lambda: fire_next(company.runtime, "w2")) as other:
        first = fire_next(company.runtime, "w1")
    assert (first is not None, other.result()) == (True, None)
    assert company.events("i1").count("timer_fired") == 1
    assert [task.flow_node for task in company.open("i1")] == ["escalate"]
    assert open_incidents(company.runtime) == []


# --- one bill, two workers ------------------------------------------------------------------------------------------


@on_postgresql
def test_of_two_who_prepare_a_charge_at_once_both_have_the_same(company: Company) -> None:
    company.start()

    def prepare() -> int:
        with company.runtime.database.transaction() as connection:
            return charges.prepare(connection, REQUEST, 1, company.runtime.now()).request.amount

    with meanwhile(company.runtime.database, "INSERT INTO charges", prepare) as other:
        assert prepare() == other.result() == 500
    with company.runtime.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(ledger)).scalar_one() == 1


# --- one writer at a time -------------------------------------------------------------------------------------------


@on_sqlite
def test_while_a_transaction_that_may_write_reads_nobody_else_writes(database: Database) -> None:
    path = database.engine.url.database
    assert path is not None
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with database.transaction() as connection:
        assert instances.listing(connection, {}, 0, 1) == []
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.close()


# --- what is cancelled at the worst moment --------------------------------------------------------------------------


def test_a_bill_that_is_freed_before_its_instance_is_linked_gets_another_instance(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = company.approved()
    by_hand = company.start("acme", "2026-11")
    real = handing_over._try

    def cancelled_between(*arguments: Any) -> Any:
        found, failed = real(*arguments)
        if isinstance(failed, AlreadyBilled):
            resolving.cancel(company.runtime, by_hand, "mistake", "olivia")
        return found, failed

    monkeypatch.setattr(handing_over, "_try", cancelled_between)
    company.work()
    following = company.instance(instance).next
    assert following not in (None, by_hand)
    assert company.instance(str(following)).state == "active"
    assert open_incidents(company.runtime) == []


def test_a_next_month_that_was_charged_and_cancelled_does_not_end_the_chain_in_silence(
    company: Company, pay: RecordingConnector
) -> None:
    pay.otherwise = charged_to(ChargeState.SUCCEEDED)  # and its instance is stuck
    by_hand = company.approved("acme", "2026-11")
    company.work()
    resolving.cancel(company.runtime, by_hand, "mistake", "olivia")
    pay.otherwise = charging
    instance = company.approved()
    company.work()
    [incident] = open_incidents(company.runtime)
    assert (incident["kind"], incident["instance"]) == ("undelivered", instance)
    assert f"{by_hand} is that bill" in incident["reason"]


@on_postgresql
def test_cancelling_while_a_charge_is_begun_waits_and_is_no_deadlock(company: Company, pay: RecordingConnector) -> None:
    def prepare(request: JobRequest, context: JobContext) -> Outcome:
        context.ledger.prepare(charge_of(request))
        return Retryable("Busy.")

    pay.answers(prepare)
    instance = company.approved()
    with meanwhile(
        company.runtime.database, "INSERT INTO charges", lambda: resolving.cancel(company.runtime, instance, "stop", "olivia")
    ) as cancelled:
        company.work()
    assert cancelled.result()
    assert (company.instance(instance).state, company.charge_state(instance)) == ("cancelled", "prepared")


@on_postgresql
def test_who_stands_still_in_a_transaction_is_in_nobodys_way_for_long(
    database_url: str, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_IDLE_SECONDS", 0.2)
    still, other = Database(database_url), Database(database_url)
    worker = {"name": "w1", "host": "h", "process_id": 1, "program": "p", "topics": [], "concurrency": 1}
    with other.transaction() as connection:
        number = workers.add(connection, worker, clock.now())

    def stand_still() -> None:
        with still.transaction() as held:
            workers.seen(held, number, "working", 1, clock.now())
            with other.transaction() as connection:  # waits until the server takes back what the first one holds
                assert workers.seen(connection, number, "working", 2, clock.now())
            workers.seen(held, number, "working", 3, clock.now())

    with pytest.raises(DBAPIError) as ended:
        stand_still()
    assert may_pass(ended.value)
    with still.transaction() as connection:  # and it goes on with another connection
        assert [row.in_flight for row in workers.listing(connection)] == [2]
    still.close()
    other.close()
