"""The small company with the refund process that is shipped, for its own bills, on a real engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.stripe.refund import StripeRefunding
from engine.connector import (
    BusinessError,
    ChargeResult,
    ChargeState,
    Completed,
    Fatal,
    JobContext,
    JobRequest,
    NotRefundable,
    Outcome,
    Refund,
    RefundRequest,
    RefundResult,
    RefundState,
    Unknown,
    Value,
)
from engine.services import deploying, inspecting, ledger, starting
from tests.builders.company import PROCESSES, Company
from tests.doubles.connectors import RecordingConnector, charge_of

ASKED = {
    "customer_name": "Acme",
    "email": "billing@acme.example",
    "billing_month": "2026-10",
    "currency": "USD",
    "refund_reason": "requested_by_customer",
    "refund_comment": "Delivered late.",
}


def asked_of(request: JobRequest) -> RefundRequest:
    """What a refund's job asks of the ledger."""
    return RefundRequest(**request.parameters.model_dump(), livemode=False)


def refunded_to(state: RefundState) -> Callable[[JobRequest, JobContext], Outcome]:
    """An answer that leaves the refund in `state`; SUBMITTING: it broke off while the money was given back."""

    def answer(request: JobRequest, context: JobContext) -> Outcome:
        row = context.refunds.prepare(asked_of(request))
        if isinstance(row, NotRefundable):
            return BusinessError("refund_refused", row.reason)
        if state is RefundState.PREPARED:
            return Fatal("The key is wrong.")
        if row.state is RefundState.PREPARED:
            row = context.refunds.begin(row.refund_key, row.attempt + 1)
        at = context.clock.now() if state.gives_back else None
        named = f"re_{row.refund_key}" if state.gives_back else None
        result = RefundResult(row.refund_key, state, named, None if at else "no answer", at)
        if state.gives_back:
            return Completed(dict(_results(replace(row, refund=named, refunded_at=at))), refund=result)
        if state is RefundState.FAILED:
            return BusinessError("refund_refused", "Stripe says no.", refund=result)
        return Unknown("No answer.", refund=result) if state is RefundState.UNKNOWN else Fatal("Broke off.")

    return answer


def _results(refund: Refund) -> Mapping[str, Value]:
    return StripeRefunding(None, None, live=False).results(refund)


@dataclass
class RefundingConnector(RecordingConnector):
    """Stands for `stripe.refund`."""

    refund_output: str = "refund_id"

    def results(self, refund: Refund) -> Mapping[str, Value]:
        return _results(refund)


def refunding(otherwise: RefundState = RefundState.SUCCEEDED) -> RefundingConnector:
    real = StripeRefunding(None, None, live=False)
    return RefundingConnector(real.topic, real.parameters, real.outputs, real.errors, refunded_to(otherwise))


def charged_as(intent: str) -> Callable[[JobRequest, JobContext], Outcome]:
    """An answer: 5.00 USD are charged by this payment."""

    def answer(request: JobRequest, context: JobContext) -> Outcome:
        key = context.ledger.prepare(charge_of(request)).request.charge_key
        context.ledger.record_intent(key, 1, intent)
        context.ledger.begin_confirm(key, 1, "pm_1")
        return Completed({"payment_id": intent}, ChargeResult(key, ChargeState.SUCCEEDED, charged_at=context.clock.now()))

    return answer


@dataclass
class RefundCompany(Company):
    """5.00 USD are charged each month; what was charged can be given back."""

    pay: RecordingConnector = field(default_factory=RecordingConnector)
    back: RefundingConnector = field(default_factory=refunding)

    def refund_files(self) -> dict[str, bytes]:
        """The shipped process, for the company's own bills."""
        files = deploying.read_files(PROCESSES / "refund.bpmn")
        return {**files, "refund.bpmn": files["refund.bpmn"].replace(b">monthly-card-charge<", b">billing<")}

    def charged(self, customer: str = "acme", month: str = "2026-10", intent: str | None = None) -> str:
        """A bill that was charged."""
        self.pay.answers(charged_as(intent or f"pi_{customer}_{month}"))
        return self.billed(customer, month)

    def started(self) -> str:
        return starting.start_by_hand(self.runtime, "refund", {}, "olivia")

    def ask(self, instance: str, amount: str | None = None, customer: str = "acme", **values: Any) -> str:
        given = {**ASKED, "stripe_customer_id": customer, "refund_amount": amount, **values}
        self.do(instance, "sara", **given)
        self.do(instance, "mia", approval="approve")
        return instance

    def asked(self, amount: str | None = None, customer: str = "acme", **values: Any) -> str:
        """A refund that waits for its job."""
        return self.ask(self.started(), amount, customer, **values)

    def refunded(self, amount: str | None = None, customer: str = "acme", **values: Any) -> str:
        """A refund that was worked on."""
        instance = self.asked(amount, customer, **values)
        self.work()
        return instance

    def refunds(self, **filters: str) -> list[dict[str, Any]]:
        return ledger.list_refunds(self.runtime, filters)

    def refund_state(self, instance: str) -> str | None:
        found = self.details(instance)["refunds"]
        return found[-1]["state"] if found else None

    def entries(self, instance: str, event: str) -> list[dict[str, Any]]:
        """The details of an event in an instance's history."""
        return [each["details"] for each in inspecting.read_history(self.runtime, instance)[0] if each["event"] == event]
