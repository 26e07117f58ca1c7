"""The limit on requests that all who work on one database share: against the real clock, with threads and processes."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
import stripe
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from connectors.stripe_sandbox import start_sandbox
from engine.services.pacing import Pacer
from engine.store import rate_limits
from engine.store.database import Database
from engine.store.rate_limits import GivenBack, Permits, Taken, Turn
from tests.builders.permits import KEY, SERVICE, busiest_second, takers

LIMIT = 100
SECONDS = 2.5
BUSY_MACHINE = 4  # runs until a machine that does other things as well has time for one
SECOND = 1_000_000
THREE = Permits(SERVICE, 3, SECOND)


def taken(database: Database, count: int, permits: Permits = THREE) -> list[Taken]:
    return list(exchanged(database, count, permits).permits)


def exchanged(database: Database, count: int, permits: Permits = THREE, *done: GivenBack) -> Turn:
    with database.transaction() as connection:
        rate_limits.prepare(connection, permits)
    with database.transaction() as connection:
        given = rate_limits.exchange(connection, permits, done, count, SECOND // 2)
    return given()


def test_a_permit_that_is_held_is_nobody_elses_until_its_time_is_over(database: Database) -> None:
    first, second, third = taken(database, 2), taken(database, 2), taken(database, 9)
    assert [len(each) for each in (first, second, third)] == [2, 2, 3]
    assert {each.name for each in [*first, *second]} == {each.name for each in third}
    again = next(each for each in [*second, *third] if each.name == first[0].name)
    assert again.free_at == first[0].held_until == first[0].free_at + SECOND // 2 + THREE.period


def test_a_permit_that_was_given_back_is_free_a_second_after_its_use(database: Database) -> None:
    [permit, *_] = taken(database, 3)
    used_at = permit.free_at + 1000
    [again] = exchanged(database, 1, THREE, GivenBack(permit, used_at + THREE.period)).permits
    assert (again.name, again.free_at) == (permit.name, used_at + THREE.period)
    too_late = GivenBack(permit, 0)  # somebody else holds it
    assert exchanged(database, 3, THREE, too_late).permits[-1].free_at >= again.held_until


def test_a_permit_that_has_to_wait_for_its_turn_is_held_from_then_on(database: Database) -> None:
    ahead = exchanged(database, 30)  # 30 times a third of a second, a little quicker
    turn = exchanged(database, 1)
    [waiting] = turn.permits
    assert turn.begin == ahead.begin + 30 * THREE.step
    assert (waiting.free_at, waiting.held_until) == (turn.begin, turn.begin + SECOND // 2 + THREE.period)


def test_services_have_permits_of_their_own(database: Database) -> None:
    other = Permits("stripe live", 2, SECOND)
    assert not {each.name for each in taken(database, 3)} & {each.name for each in taken(database, 3, other)}


def test_a_database_whose_clock_is_put_back_gives_permits_again(database: Database) -> None:
    [permit] = taken(database, 1)
    _run(database, f"UPDATE rate_limits SET next_free = next_free + {3600 * SECOND}")
    assert taken(database, 1)[0].free_at < permit.free_at + 60 * SECOND


def test_permits_that_were_free_for_long_are_not_all_used_at_once(database: Database) -> None:
    moments: list[float] = []
    pacer = Pacer(database)
    _in_threads(20, lambda: (pacer.take(SERVICE, LIMIT), moments.append(time.monotonic())))
    assert max(moments) - min(moments) > 19 / LIMIT / 2  # what is late may hurry


def test_two_processes_at_full_demand_stay_within_the_limit_and_use_98_percent_of_it(database_url: str) -> None:
    shares = []
    for _ in range(BUSY_MACHINE):
        with takers(2, database_url, LIMIT, 20) as pair:
            begin = time.monotonic() + 0.2
            for taker in pair:
                taker.begin(begin, begin + SECONDS)
            each = [taker.taken() for taker in pair]
        moments = sorted(moment for taken in each for moment in taken if moment <= begin + SECONDS)
        assert busiest_second(moments) <= LIMIT
        assert min(map(len, each)) > LIMIT * SECONDS / 4  # neither starves
        turns = [after - before for before, after in zip(moments, moments[2 * LIMIT :], strict=False)]
        shares.append(2 / statistics.mean(turns))
        tell(f"{len(moments)} permits, {shares[-1]:.2%} of the limit, {busiest_second(moments)} in the busiest second")
        if shares[-1] >= 0.98:
            return
    pytest.fail(f"used {shares} of the limit")


def test_a_process_that_was_stopped_does_not_catch_up_with_what_it_missed(database_url: str) -> None:
    with takers(2, database_url, LIMIT, 10) as (stopped, other):
        begin = time.monotonic() + 0.2
        stopped.begin(begin, begin + 2.7)
        other.begin(begin, begin + 2.7)
        time.sleep(0.7)
        stopped.pause()
        time.sleep(1.2)
        stopped.go_on()
        ours, others = stopped.taken(), other.taken()
    pauses = [after - before for before, after in pairwise(ours)]
    resumed = ours[pauses.index(max(pauses)) + 1]
    tell(f"stopped for {max(pauses):.2f} s, {busiest_second(ours + others)} in the busiest second")
    assert max(pauses) > 1.1
    assert sum(resumed <= moment < resumed + 0.2 for moment in ours) <= LIMIT * 0.2 * 1.1 + 1
    assert busiest_second(ours + others) <= LIMIT


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_whoever_stands_still_while_taking_permits_keeps_nobody_waiting(database: Database) -> None:
    taken(database, 1)
    with database.transaction() as standing:  # stopped before it sends, or after
        rate_limits.exchange(standing, THREE, [], 1, SECOND // 2)
        begun = time.monotonic()
        taken(database, 1)
        assert time.monotonic() - begun < 5


def test_a_single_request_now_and_then_does_not_wait(database: Database) -> None:
    pacer, waits = Pacer(database), []
    for _ in range(12):
        before = time.monotonic()
        pacer.take(SERVICE, 25)
        waits.append(time.monotonic() - before)
        time.sleep(0.045)  # a little more than the 40 ms that belong to one of 25 requests a second
    assert statistics.median(waits) < 0.02


def test_threads_that_wait_together_are_served_by_few_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = []
    exchange = rate_limits.exchange

    def counted(connection: Connection, permits: Permits, done: Iterable[GivenBack], count: int, hold: int) -> Callable[[], Turn]:
        transactions.append(count)
        return exchange(connection, permits, done, count, hold)

    monkeypatch.setattr(rate_limits, "exchange", counted)
    pacer = Pacer(database)
    _in_threads(60, lambda: pacer.take(SERVICE, LIMIT))
    assert len(transactions) <= 15


def test_a_database_that_fails_gives_no_permit_and_the_next_one_is_given_again(database: Database) -> None:
    pacer = Pacer(database)
    pacer.take(SERVICE, LIMIT)
    _run(database, "ALTER TABLE rate_limits RENAME TO gone")
    for _ in range(2):
        with pytest.raises(DBAPIError):
            pacer.take(SERVICE, LIMIT)
    _run(database, "ALTER TABLE gone RENAME TO rate_limits")
    pacer.take(SERVICE, LIMIT)


def test_a_stripe_that_counts_refuses_nobody_while_two_processes_charge(database_url: str) -> None:
    limit, overtaking = 50, 4  # requests may overtake each other on their way, and do so on a busy machine
    with start_sandbox(latency_ms=100, rate_limit=limit + overtaking) as sandbox:
        client = stripe.StripeClient(KEY, base_addresses={"api": sandbox.url})
        card = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
        customer = client.v1.customers.create(card).id  # type: ignore[arg-type]
        with takers(2, database_url, limit, 12, sandbox.url, customer) as pair:
            begin = time.monotonic() + 1.0
            for taker in pair:
                taker.begin(begin, begin + SECONDS)
            sent = sum(len(taker.taken()) for taker in pair)
        state = sandbox.control.state()
    tell(f"{sent} requests, {state['busiest_second']} in the busiest second, {state['refused_for_rate']} refused")
    assert state["refused_for_rate"] == 0
    assert state["charges_taken"] == sent // 2 + 2
    assert sent > limit * SECONDS * 0.8


def _in_threads(number: int, piece: Callable[[], object]) -> None:
    threads = [threading.Thread(target=piece) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _run(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement))


def tell(figures: str) -> None:
    """For whoever runs the tests with -rP."""
    sys.stdout.write(figures + "\n")
