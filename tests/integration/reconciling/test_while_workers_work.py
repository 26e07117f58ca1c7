"""A month is compared while workers go on charging: what happens in between is never reported as a difference."""

from __future__ import annotations

import threading

from sqlalchemy import select

from engine.connector import ChargeState
from engine.services.working import Worker
from engine.store import tables
from tests.builders.books import Books

# The requests are: payments (1), refunds (2), then those that are asked for again.


def test_a_charge_made_before_stripe_answers_is_no_finding(books: Books) -> None:
    books.approved()
    done = books.reconcile({1: books.company.work})
    assert (done.findings, done.charges, done.payments) == ((), 1, 1)


def test_a_charge_made_after_stripe_has_listed_its_payments_is_asked_for_again(books: Books) -> None:
    books.approved()
    done = books.reconcile({2: books.company.work})
    assert (done.findings, done.charges, done.payments) == ((), 1, 1)
    assert done.totals[0].charged_theirs == 12_050


def test_what_was_asked_for_again_is_compared_as_well(books: Books) -> None:
    customer = books.approved()

    def charge_and_tamper() -> None:
        books.company.work()
        books.change(customer, amount=1)

    assert [str(found.kind) for found in books.reconcile({2: charge_and_tamper}).findings] == ["amount_differs"]


def test_a_row_that_goes_on_changing_is_asked_for_again_until_it_stands(books: Books) -> None:
    customer = books.charged()
    payment = books.payment_of(customer)
    books.change(customer, state=ChargeState.CREATED, charged_at=None)
    done = books.reconcile(
        {
            2: lambda: books.change(customer, state=ChargeState.CONFIRMING),
            3: lambda: books.change(customer, state=ChargeState.SUCCEEDED, intent=payment),
        }
    )
    assert done.findings == ()


def test_a_row_that_never_stands_still_is_in_doubt(books: Books) -> None:
    customer = books.charged()

    def another(number: int) -> None:
        books.change(customer, intent=f"pi_{number}")

    done = books.reconcile({number: lambda number=number: another(number) for number in range(2, 9)})  # type: ignore[misc]
    assert ("in_doubt", customer) in {(str(found.kind), found.customer) for found in done.findings}
    assert "bill_without_charge" not in {str(found.kind) for found in done.findings}


def test_a_refund_recorded_while_stripe_was_asked_is_asked_for_again(books: Books) -> None:
    customer = books.charged()

    def give_back() -> None:
        refund = books.give_back(books.payment_of(customer), 2_000, refund_key=f"refund|{customer}")
        books.write_refund(customer, refund=refund)

    assert books.reconcile({2: give_back}).findings == ()
    assert books.reconcile().findings == ()


def test_a_refund_that_was_recorded_after_stripe_had_listed_its_refunds(books: Books) -> None:
    customer = books.charged()
    books.write_refund(customer)
    refund = books.give_back(books.payment_of(customer), 2_000, refund_key="another")
    # the row learns its refund's id once the list was read: nothing is asked between the list and the second reading
    assert [str(found.kind) for found in books.reconcile().findings] == ["unknown_refund", "refund_missing"]
    done = books.reconcile({2: lambda: books.change_refund(customer, refund=refund)})
    assert done.findings == ()


def test_a_worker_that_charges_all_the_while_makes_no_finding(books: Books) -> None:
    for _ in range(12):
        books.approved()
    worker = Worker(books.company.runtime, "w1", 4, lambda _: None)
    working = threading.Thread(target=lambda: worker.run(until_idle=True))
    working.start()
    looks = 0
    while working.is_alive():
        assert [found for found in books.reconcile().findings if found.kind != "in_doubt"] == []
        looks += 1
    working.join()
    assert looks > 0
    done = books.reconcile()
    assert (done.findings, done.payments) == ((), 12)
    with books.company.runtime.database.reading() as connection:
        assert set(connection.scalars(select(tables.charges.c.state))) == {"succeeded"}
