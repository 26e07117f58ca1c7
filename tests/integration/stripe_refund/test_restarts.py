"""A worker that refunds at the Stripe sandbox is killed between any two steps, or loses an answer, and another one goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import stripe

from connectors.stripe.refund import StripeRefunding
from connectors.stripe_sandbox import Sandbox
from engine.clock import Clock, TurnedClock
from engine.connector import (
    ChargeLedger,
    JobContext,
    JobRequest,
    NotRefundable,
    Outcome,
    Permits,
    Refund,
    RefundLedger,
    RefundRequest,
)
from engine.services import resolving
from engine.services.runtime import Runtime
from tests.builders.refund_company import RefundCompany
from tests.builders.stripe_shop import DAY_AND_HOUR, KEY, MINUTE
from tests.doubles.connectors import RecordingConnector
from tests.doubles.ledger import Moment, ProcessKilled

POINTS = [("prepare", Moment.BEFORE), ("prepare", Moment.AFTER), ("begin", Moment.BEFORE), ("begin", Moment.AFTER)]


@dataclass
class Killed:
    """The ledger of a worker that is killed around one of its transactions."""

    real: RefundLedger
    at: tuple[str, Moment] | None

    def prepare(self, request: RefundRequest) -> Refund | NotRefundable:
        return self._around("prepare", lambda: self.real.prepare(request))  # type: ignore[no-any-return] # either

    def begin(self, refund_key: str, attempt: int) -> Refund:
        return self._around("begin", lambda: self.real.begin(refund_key, attempt))  # type: ignore[no-any-return] # a row

    def _around(self, method: str, call: Callable[[], Any]) -> Any:
        if self.at == (method, Moment.BEFORE):
            raise ProcessKilled(method)
        done = call()
        if self.at == (method, Moment.AFTER):
            raise ProcessKilled(method)
        return done


@dataclass
class Context:
    clock: Clock
    ledger: ChargeLedger
    refunds: RefundLedger
    permits: Permits


class Interrupted(StripeRefunding):
    """The connector as it is, in a worker that is killed once: around a transaction, or before it commits the outcome."""

    kill: tuple[str, Moment] | None = None

    def run(self, request: JobRequest, context: JobContext) -> Outcome:
        at, self.kill = self.kill, None
        bound = Context(context.clock, context.ledger, Killed(context.refunds, at), context.permits)
        outcome = super().run(request, bound)
        if at == ("commit", Moment.BEFORE):
            raise ProcessKilled("commit")
        return outcome


@dataclass
class Office(RefundCompany):
    """The company at the sandbox."""

    sandbox: Sandbox = None  # type: ignore[assignment] # a dataclass's parent has defaults
    stripe: Any = None

    def really_charged(self) -> str:
        """A bill that was charged at the sandbox."""
        client = self.stripe.v1
        customer = client.customers.create({"name": "Acme"}).id
        card = client.payment_methods.attach("pm_card_visa", {"customer": customer}).id
        made = client.payment_intents.create(
            {"amount": 500, "currency": "usd", "customer": customer, "allowed_payment_method_types": ["card"]}
        )
        client.payment_intents.confirm(made.id, {"payment_method": card, "off_session": True})
        return self.charged(intent=made.id)

    def work_again_after(self, seconds: int) -> None:
        """Both clocks go on, and another worker begins."""
        self.sandbox.control.advance(seconds)
        self.runtime.clock.advance(timedelta(seconds=seconds))  # type: ignore[attr-defined] # it is a turned one
        self.work("w2")

    @property
    def given_back(self) -> list[int]:
        return [refund.amount for refund in self.stripe.v1.refunds.list({"limit": 100}).data]


@pytest.fixture
def office(
    running: Sandbox, runtime_with: Callable[..., Runtime], pay: RecordingConnector, email_send: RecordingConnector
) -> Iterator[Office]:
    running.control.reset()
    back = Interrupted(KEY, running.url, live=False, rate=10_000)
    runtime = runtime_with(connectors={c.topic: c for c in (pay, back, email_send)})
    client = stripe.StripeClient(KEY, base_addresses={"api": running.url})
    opened = Office(runtime, pay=pay, back=back, sandbox=running, stripe=client)  # type: ignore[arg-type] # the real one
    opened.deploy()
    opened.deploy(opened.refund_files())
    yield opened
    running.control.clear_faults()


@pytest.mark.parametrize("later", [61, DAY_AND_HOUR])
@pytest.mark.parametrize("point", [*POINTS, ("commit", Moment.BEFORE)], ids=" ".join)
def test_a_killed_workers_refund_is_finished_once_by_the_next(office: Office, point: tuple[str, Moment], later: int) -> None:
    bill = office.really_charged()
    instance = office.asked("2.00")
    office.back.kill = point  # type: ignore[attr-defined] # it is an Interrupted
    with pytest.raises(ProcessKilled):
        office.work()
    office.work_again_after(later)
    assert office.instance(instance).end_events == ("refunded",)
    assert office.given_back == [200]
    [row] = office.refunds()
    assert (row["state"], row["amount"]) == ("succeeded", 200)
    assert len(office.entries(bill, "charge_refunded")) == 1


@pytest.mark.parametrize("later", [MINUTE * 2, DAY_AND_HOUR])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "hang", "500_after"])
def test_a_lost_answer_is_looked_up_and_the_money_given_back_once(
    office: Office, kind: str, later: int, clock: TurnedClock
) -> None:
    office.really_charged()
    seconds = {"seconds": 1.2} if kind == "hang" else {}
    if seconds:
        office.back._read_timeout = 0.3  # type: ignore[attr-defined] # an impatient one
    office.sandbox.control.add_fault(kind, method="POST", path="/v1/refunds", **seconds)
    instance = office.refunded("2.00")
    assert (office.refund_state(instance), office.instance(instance).state) == ("unknown", "active")
    office.work_again_after(later)
    assert office.refund_state(instance) == "succeeded"
    assert office.given_back == [200]
    assert resolving.open_incidents(office.runtime) == []


def test_a_saved_error_keeps_a_refund_in_doubt_for_a_day_and_not_longer(office: Office) -> None:
    office.really_charged()
    office.sandbox.control.add_fault("500_before", method="POST", path="/v1/refunds")
    instance = office.refunded("2.00")
    for _ in range(2):
        office.work_again_after(600)
        assert (office.refund_state(instance), office.given_back) == ("unknown", [])
    office.work_again_after(DAY_AND_HOUR)
    assert (office.refund_state(instance), office.given_back) == ("succeeded", [200])
