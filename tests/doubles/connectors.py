"""Connectors that touch nothing outside: they note what they were asked and answer what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel

from engine.connector import (
    BusinessError,
    ChargeRequest,
    ChargeResult,
    ChargeState,
    Completed,
    Connector,
    Fatal,
    JobContext,
    JobRequest,
    Outcome,
    Unknown,
    Value,
)
from tests.builders.drawing import Payment

Answer: TypeAlias = Outcome | Callable[[JobRequest, JobContext], Outcome]
"""An outcome, or what makes one of the request; what it raises is raised."""


@dataclass
class RecordingConnector:
    """Answers with `queued` in turn, and with `otherwise` when that is used up. `requests` are those that came, in order."""

    topic: str = "pay"
    parameters: type[BaseModel] = Payment
    outputs: Mapping[str, str] = field(default_factory=lambda: {"payment_id": "Its number."})
    errors: Mapping[str, str] = field(default_factory=lambda: {"declined": "The card is declined."})
    otherwise: Answer = field(default_factory=lambda: Completed({"payment_id": "pay_1"}))
    queued: list[Answer] = field(default_factory=list)
    requests: list[JobRequest] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def standing_for(cls, real: Connector, otherwise: Answer) -> RecordingConnector:
        """One that keeps the contract of a real connector: its topic, parameters, outputs and errors."""
        return cls(real.topic, real.parameters, real.outputs, real.errors, otherwise)

    def answers(self, *answers: Answer) -> None:
        """Answer like this next."""
        self.queued.extend(answers)

    def run(self, request: JobRequest, context: JobContext) -> Outcome:
        with self._lock:
            self.requests.append(request)
            answer = self.queued.pop(0) if self.queued else self.otherwise
        return answer(request, context) if callable(answer) else answer


def charge_of(request: JobRequest, amount: int = 500, currency: str = "USD") -> ChargeRequest:
    """The ledger's request for a job's bill."""
    assert request.customer is not None
    assert request.period is not None
    return ChargeRequest(
        charge_key=f"{request.process}|{request.customer}|{request.period}",
        process=request.process,
        customer=request.customer,
        period=request.period,
        instance=request.instance,
        amount=amount,
        currency=currency,
        stripe_customer="cus_1",
        approved_by="mia",
        livemode=False,
    )


def charge_up_to(state: ChargeState) -> Callable[[JobRequest, JobContext], ChargeResult]:
    """Take a job's charge as far as the ledger's CONFIRMING; a result in `state` is for the caller to commit."""

    def charge(request: JobRequest, context: JobContext) -> ChargeResult:
        row = context.ledger.prepare(charge_of(request))
        key = row.request.charge_key
        context.ledger.record_intent(key, row.generation, f"pi_{request.id}")
        context.ledger.begin_confirm(key, row.attempt + 1, "pm_1")
        return ChargeResult(key, state, charged_at=context.clock.now() if state is ChargeState.SUCCEEDED else None)

    return charge


def charging(request: JobRequest, context: JobContext) -> Outcome:
    """An answer: the card is charged. Its outputs are those of `pay` and of `stripe.charge`."""
    intent = f"pi_{request.id}"
    outputs: dict[str, Value] = {"payment_id": intent, "payment_intent": intent, "charged_at": "2026-10-01T09:30:00+00:00"}
    return Completed(outputs, charge_up_to(ChargeState.SUCCEEDED)(request, context))


def charged_to(state: ChargeState) -> Any:
    """An answer that leaves the charge in `state`, and the instance where it was (or at the boundary event)."""
    charge = charge_up_to(state)

    def answer(request: JobRequest, context: JobContext) -> Outcome:
        result = charge(request, context)
        if state is ChargeState.CONFIRMING:
            return Fatal("Broke off while the card was being charged.")
        if state is ChargeState.SUCCEEDED:
            return Completed({"payment_id": 7}, result)  # an output that doesn't fit: the step waits for a person
        if state is ChargeState.UNKNOWN:
            return Unknown("No answer.", result)
        return BusinessError("declined", "Declined.", result)

    return answer
