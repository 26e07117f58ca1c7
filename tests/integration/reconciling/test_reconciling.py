"""The ledger is compared with Stripe's own records, on the real databases and through the real SDK."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.stripe.charge import StripeCharge
from engine.connector import ChargeState, RefundState
from engine.errors import ConfigurationInvalid, DataRefused, DefinitionNotDeployed
from engine.services.reconciling import reconcile
from engine.services.runtime import Runtime
from tests.builders.books import Books
from tests.builders.stripe_company import DECLINED, KEY

# --- what is in order -----------------------------------------------------------------------------------------------


def test_a_month_that_was_charged_agrees_with_stripe(books: Books) -> None:
    books.charged()
    books.charged(DECLINED)
    books.approved()
    done = books.reconcile()
    assert (done.findings, done.unreconciled) == ((), [])
    assert (done.charges, done.payments, done.refunds, done.livemode, done.other_mode) == (2, 1, 0, False, 0)
    [total] = done.totals
    assert (total.currency, total.charged_ours, total.charged_theirs) == ("USD", 12_050, 12_050)
    assert done.since < done.until == books.company.runtime.now()


def test_a_charge_is_found_at_a_stripe_whose_clock_is_ahead_of_ours(books: Books) -> None:
    books.company.sandbox.control.advance(60)
    books.charged()
    assert books.findings() == []


def test_other_months_processes_and_customers_are_left_alone(books: Books) -> None:
    customer = books.charged()
    stranger = books.company.customer()
    books.pay(stranger)  # no customer of ours
    books.pay_bill(stranger, month="2020-01")  # another month's
    books.pay(customer, process="webshop", order="17")  # says what it is for
    books.pay_bill(stranger, charge_key=f"webshop|{customer}|{books.month}", process="webshop")
    assert books.findings() == []


def test_a_payment_by_hand_is_of_the_month_in_which_it_was_made(books: Books) -> None:
    customer = books.charged()
    books.company.later(days=31)
    books.pay(customer)
    assert books.findings() == []
    later = f"{books.company.runtime.now():%Y-%m}"
    assert books.findings(later) == [("charged_by_hand", customer)]


def test_a_month_to_come_of_which_nothing_was_charged_asks_stripe_nothing(books: Books) -> None:
    before = len(books.requests())
    assert books.findings("2099-01") == []
    assert len(books.requests()) == before


def test_bills_are_found_that_were_charged_long_before_their_month(books: Books) -> None:
    customer = books.company.customer()
    early = "2099-01"
    books.instances[customer] = books.company.approved(customer, early)
    books.company.work()
    books.pay_bill(customer, month=early)
    assert books.findings(early) == [("charged_twice", customer)]


# --- what is found --------------------------------------------------------------------------------------------------


def test_money_for_a_bill_that_is_not_in_the_ledger(books: Books) -> None:
    lost, charged = books.charged(), books.charged()
    payment = books.payment_of(lost)
    books.forget(lost)
    stranger = books.company.customer()
    books.pay_bill(stranger)
    assert sorted(books.findings()) == sorted([("charged_without_bill", lost), ("charged_without_bill", stranger)])
    assert payment in {found.theirs.id for found in books.reconcile().findings if found.theirs}
    assert charged not in {customer for _, customer in books.findings()}


def test_money_for_a_bill_that_the_ledger_takes_for_declined(books: Books) -> None:
    customer = books.charged()
    books.change(customer, state=ChargeState.DECLINED, reason="lost_card")
    found = books.only()
    assert (found.kind, found.customer, found.instance) == ("charged_without_bill", customer, books.instances[customer])


def test_a_bill_without_money(books: Books) -> None:
    declined = books.charged(DECLINED)
    books.change(declined, state=ChargeState.SUCCEEDED, reason=None)
    found = books.only()
    assert (found.kind, found.theirs and found.theirs.state) == ("bill_without_charge", "requires_payment_method")
    books.change(declined, intent="pi_never")
    assert books.only().theirs is None


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"amount": 12_000}, "amount_differs"),
        ({"currency": "EUR"}, "currency_differs"),
        ({"stripe_customer": "cus_other"}, "customer_differs"),
    ],
)
def test_what_differs(books: Books, changed: dict[str, object], kind: str) -> None:
    customer = books.charged()
    books.change(customer, **changed)
    found = books.only()
    assert (found.kind, found.theirs and found.theirs.id) == (kind, books.payment_of(customer))


def test_more_than_one_success_for_a_bill(books: Books) -> None:
    customer, other = books.charged(), books.charged()
    again, beside = books.pay_bill(customer), books.pay(other, amount=500)
    found = {found.theirs.id: str(found.kind) for found in books.reconcile().findings if found.theirs}
    assert found == {again: "charged_twice", beside: "charged_twice"}
    books.give_back(again)
    books.give_back(beside)
    assert books.findings() == []


def test_payments_by_hand_of_customers_who_were_charged_before_or_are_on_the_roster(books: Books) -> None:
    declined, enrolled = books.charged(DECLINED), books.company.customer()
    books.enrol(enrolled)
    books.company.give_card(declined, "pm_card_visa")
    books.pay(declined)
    payment = books.pay(enrolled, amount=700, currency="eur")
    assert sorted(books.findings()) == sorted([("charged_by_hand", declined), ("charged_by_hand", enrolled)])
    [total] = [each for each in books.reconcile().totals if each.currency == "EUR"]
    assert (total.charged_ours, total.charged_theirs) == (0, 700)
    books.give_back(payment)
    assert books.findings() == [("charged_by_hand", declined)]


def test_a_charge_in_doubt(books: Books) -> None:
    customer = books.charged()
    books.change(customer, state=ChargeState.UNKNOWN, charged_at=None)
    found = books.only()
    assert (found.kind, found.theirs and found.theirs.state) == ("in_doubt", "succeeded")


def test_refunds_that_only_one_side_knows(books: Books) -> None:
    by_hand, missing, known, differs = (books.charged() for _ in range(4))
    unknown = books.give_back(books.payment_of(by_hand), 1_000)
    books.write_refund(missing, refund="re_never")
    books.write_refund(known)
    books.give_back(books.payment_of(known), 2_000, refund_key=f"refund|{known}")
    books.write_refund(differs)
    books.give_back(books.payment_of(differs), 1_999, refund_key=f"refund|{differs}")
    done = books.reconcile()
    assert {(str(found.kind), found.customer) for found in done.findings} == {
        ("unknown_refund", by_hand),
        ("refund_missing", missing),
        ("refund_differs", differs),
    }
    assert unknown in {found.theirs.id for found in done.findings if found.theirs}
    assert (done.refunds, done.totals[0].refunded_ours, done.totals[0].refunded_theirs) == (3, 6_000, 4_999)


def test_a_refund_in_doubt(books: Books) -> None:
    customer = books.charged()
    books.write_refund(customer, state=RefundState.UNKNOWN)
    assert books.findings() == [("in_doubt", customer)]


def test_a_charge_whose_metadata_was_removed_at_stripe_is_still_the_bills(books: Books) -> None:
    customer = books.charged()
    nothing = dict.fromkeys(("charge_key", "process", "period", "instance"), "")
    books.company.client.v1.payment_intents.update(books.payment_of(customer), {"metadata": nothing})
    assert books.findings() == []


def test_a_payment_without_metadata_that_is_another_months_bill_is_left_to_that_month(books: Books) -> None:
    customer = books.company.customer()
    books.instances[customer] = books.company.approved(customer, "2020-01")
    books.company.work()
    nothing = dict.fromkeys(("charge_key", "process", "period", "instance"), "")
    books.company.client.v1.payment_intents.update(books.payment_of(customer), {"metadata": nothing})
    assert books.findings() == []


# --- the two modes --------------------------------------------------------------------------------------------------


def test_charges_of_the_other_mode_are_told_and_not_compared(books: Books) -> None:
    customer = books.charged()
    books.change(customer, livemode=True)
    done = books.reconcile()
    assert (done.charges, done.other_mode) == (0, 1)
    assert "1 in live mode" in done.unreconciled[-1]
    assert [str(found.kind) for found in done.findings] == ["charged_without_bill"]  # real money isn't what the test key shows
    books.change(customer, state=ChargeState.DECLINED)
    assert books.reconcile().other_mode == 0


# --- what can't be compared -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "sk_live_nobody", "pk_test_wrong"])
def test_without_a_suitable_key_nothing_is_compared_and_the_key_is_not_shown(books: Books, key: str | None) -> None:
    charge = StripeCharge(key, books.company.sandbox.url, live=False)
    runtime = Runtime(books.company.runtime.database, books.company.runtime.clock, {charge.topic: charge})
    with pytest.raises(ConfigurationInvalid) as refused:
        reconcile(runtime, books.company.process, books.month)
    assert "RUN_PROCESS_STRIPE_KEY" in str(refused.value)
    assert "nobody" not in str(refused.value)
    assert "wrong" not in str(refused.value)


def test_without_a_connector_that_charges_nothing_is_compared(books: Books) -> None:
    runtime = Runtime(books.company.runtime.database, books.company.runtime.clock, {})
    with pytest.raises(ConfigurationInvalid, match="RUN_PROCESS_STRIPE_KEY"):
        reconcile(runtime, books.company.process, books.month)


def test_a_process_or_period_that_is_none_is_refused(books: Books) -> None:
    with pytest.raises(DefinitionNotDeployed):
        reconcile(books.company.runtime, "monthly-card-charges", books.month)
    with pytest.raises(DataRefused, match="month"):
        reconcile(books.company.runtime, books.company.process, f"{books.month}-01")


def test_the_key_waits_for_the_rate_that_all_keep_together(books: Books) -> None:
    charge = StripeCharge(KEY, books.company.sandbox.url, live=False, rate=5)
    runtime = Runtime(books.company.runtime.database, books.company.runtime.clock, {charge.topic: charge})
    taken: list[tuple[str, int]] = []

    class Permits:
        def take(self, service: str, per_second: int) -> None:
            taken.append((service, per_second))

    runtime.__dict__["permits"] = Permits()
    reconcile(runtime, books.company.process, books.month)
    assert taken == [("stripe test", 5)] * 2  # one page of payments, one of refunds


def test_the_window_begins_with_the_ledger_where_that_is_earlier_than_the_month(books: Books) -> None:
    customer = books.company.customer()
    now = books.company.runtime.now()
    books.instances[customer] = books.company.approved(customer, "2099-01")
    books.company.work()
    assert books.reconcile(month="2099-01").since == pytest.approx(now - timedelta(days=1), abs=timedelta(minutes=5))
    assert books.reconcile().since == now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
