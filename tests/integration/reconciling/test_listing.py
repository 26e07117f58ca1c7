"""All of Stripe's records are read, or none count: pages, and what goes wrong in the middle of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from connectors.stripe.records import StripeRecords
from connectors.stripe_sandbox import Sandbox
from engine.errors import RecordsUnavailable
from tests.builders.books import Books
from tests.builders.stripe_shop import KEY, open_shop

PAYMENTS, REFUNDS = "/v1/payment_intents", "/v1/refunds"
BROKEN = ("drop_before", "drop_after", "truncated", "garbled", "429", "500_before", "refused")


def test_more_payments_than_fit_on_a_page_are_all_found(books: Books) -> None:
    customer = books.charged()
    made = {books.pay(customer, amount=100 + number) for number in range(120)}
    before = len(books.requests())
    done = books.reconcile()
    assert {found.theirs.id for found in done.findings if found.theirs} == made
    assert {str(found.kind) for found in done.findings} == {"charged_twice"}
    assert done.payments == 121
    assert books.requests()[before:] == [PAYMENTS, PAYMENTS, REFUNDS]


def test_more_refunds_than_fit_on_a_page_are_all_found(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.stripe.records._PAGE", 2)
    customer = books.charged()
    made = {books.give_back(books.payment_of(customer), 100 + number) for number in range(5)}
    done = books.reconcile()
    assert {found.theirs.id for found in done.findings if found.theirs} == made
    assert books.requests().count(REFUNDS) == 3


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("path", [PAYMENTS, REFUNDS])
def test_a_page_that_does_not_come_ends_the_list_with_an_error(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    monkeypatch.setattr("connectors.stripe.records._PAGE", 2)
    shop = open_shop(sandbox)
    for period in ("2026-10", "2026-11", "2026-12"):
        shop.period, shop.ledger = period, type(shop.ledger)()
        shop.work()
        shop.client.v1.refunds.create({"payment_intent": shop.row.intent})
    records = shop.connector.records(shop.permits)
    assert records is not None
    now = datetime.fromisoformat(sandbox.control.advance(0))
    read = records.payments if path == PAYMENTS else records.refunds
    window = (now - timedelta(hours=1), now + timedelta(hours=1))
    sandbox.control.add_fault(kind, method="GET", path=path, nth=2)
    seen = []
    with pytest.raises(RecordsUnavailable) as failed:
        seen.extend(each.id for each in read(*window))
    assert len(seen) <= 2
    assert "Nothing was compared" in str(failed.value)
    assert " Do: " in str(failed.value)
    assert KEY not in str(failed.value)
    assert len(list(read(*window))) == 3  # when Stripe is there again


@pytest.mark.parametrize(("path", "kind"), [(PAYMENTS, "429"), (REFUNDS, "drop_after")])
def test_part_of_a_list_is_never_compared(books: Books, monkeypatch: pytest.MonkeyPatch, path: str, kind: str) -> None:
    monkeypatch.setattr("connectors.stripe.records._PAGE", 2)
    customer = books.charged()
    for number in range(4):
        books.pay(customer, amount=100 + number)
        books.give_back(books.payment_of(customer), 100 + number)
    books.company.sandbox.control.add_fault(kind, method="GET", path=path, nth=2)
    with pytest.raises(RecordsUnavailable):
        books.reconcile()
    assert len(books.reconcile().findings) == 8


def test_stripe_that_is_not_there_is_told_as_that(books: Books) -> None:
    books.charged()
    books.company.sandbox.control.add_fault("drop_before", method="GET", path=PAYMENTS)
    with pytest.raises(RecordsUnavailable, match="no answer from Stripe"):
        books.reconcile()


def test_records_name_bills_with_long_keys_as_the_charge_did(books: Books) -> None:
    shop = open_shop(books.company.sandbox)
    process, customer = "p" * 250, "c" * 255
    shop.work(process=process, customer=customer)
    records = shop.connector.records(shop.permits)
    assert isinstance(records, StripeRecords)
    now = books.company.runtime.now()
    [payment] = records.payments(now - timedelta(hours=1), now + timedelta(hours=1))
    assert payment.charge_key == records.key_of(f"{process}|{customer}|{shop.period}")
    assert (payment.process, payment.period, payment.succeeded) == (process, shop.period, True)
    assert records.payment(payment.id) == payment
    assert records.payment("pi_nobody") is None
    assert records.refund("re_nobody") is None


def test_amounts_are_in_iso_minor_units_whatever_stripe_counts_in(books: Books) -> None:
    customer = books.charged()
    books.pay(customer, amount=12_300, currency="isk")
    by_hand = [found.theirs for found in books.reconcile().findings if found.theirs]
    assert [(side.amount, side.currency) for side in by_hand] == [(123, "ISK")]
