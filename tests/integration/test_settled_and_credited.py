"""What the books say of a bill that was paid otherwise, and of a credit that gives an earlier charge back; at the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import stripe

from connectors.registry import ConnectorSettings, build_connectors
from connectors.stripe.rate import MOST
from connectors.stripe_sandbox import Sandbox, start_sandbox
from engine.clock import TurnedClock
from engine.connector import RefundStanding, RefundState
from engine.services import coverage, pending_refunds, resolving, working
from engine.services.reconciling import reconcile
from engine.services.runtime import Runtime
from tests.builders.stripe_company import DECLINED, KEY, StripeCompany
from tests.doubles.connectors import RecordingConnector

OCTOBER = "2026-10"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture
def clock(sandbox: Sandbox) -> TurnedClock:
    """The engine's clock shows what the sandbox's does."""
    sandbox.control.reset()
    return TurnedClock(datetime.fromisoformat(sandbox.control.advance(0)))


@pytest.fixture
def company(
    runtime_with: Callable[..., Runtime], email_send: RecordingConnector, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> StripeCompany:
    monkeypatch.setattr(working, "do_due_chores", lambda *_: [])
    connectors = build_connectors(ConnectorSettings(KEY, sandbox.url, False, "file:///nowhere", "a@example.com", MOST))
    client = stripe.StripeClient(KEY, base_addresses={"api": sandbox.url})
    runtime = runtime_with(connectors={**connectors, email_send.topic: email_send})
    opened = StripeCompany(runtime, sandbox=sandbox, client=client)
    opened.deploy()
    return opened


def test_a_bill_that_was_paid_otherwise_is_covered_and_agrees_with_stripe(company: StripeCompany) -> None:
    instance = company.failed(DECLINED)
    company.do(instance, "sara", contact_result="settled", settled_otherwise="Bank transfer")
    company.do(instance, "mia", payment_confirmation="confirm")
    company.work()
    [row] = coverage.coverage(company.runtime, company.process, OCTOBER)
    assert (row.state, row.settled, row.reason) == ("charged", True, "settled by mia: Bank transfer")
    assert reconcile(company.runtime, company.process, OCTOBER).findings == ()


def in_november(company: StripeCompany, amount: str, **values: Any) -> str:
    """The month after one that was charged 120.50, approved."""
    october = company.approved(company.customer(), OCTOBER)
    company.work()
    november = company.instance(october).next
    assert november is not None
    company.enter(november, amount=amount, **values)
    company.approve(november)
    company.work()
    return november


def test_a_credit_that_names_a_month_gives_its_charge_back(company: StripeCompany, email_send: RecordingConnector) -> None:
    november = in_november(company, "-20.00", refund_month=OCTOBER)
    [refund] = company.client.v1.refunds.list().data
    assert (refund.amount, refund.status) == (2000, "succeeded")
    data = company.details(november)["data"]
    assert data["credit_reference"] == refund.id
    assert company.instance(november).state == "completed"
    assert [request.parameters.template for request in email_send.requests] == ["charged", "credited"]  # type: ignore[attr-defined]
    assert reconcile(company.runtime, company.process, OCTOBER).findings == ()


def test_a_credit_that_the_bank_sends_back_is_unresolved_until_somebody_says_what_they_did(company: StripeCompany) -> None:
    november = in_november(company, "-20.00", refund_month=OCTOBER)
    [key] = [refund["id"] for refund in company.details(november)["refunds"]]

    class Bank:
        livemode = False

        def refund(self, _: str) -> RefundStanding:
            return RefundStanding(RefundState.FAILED, "lost_or_stolen_card")

    pending_refunds.look_up(company.runtime, Bank(), key, "olivia")  # type: ignore[arg-type] # it asks nothing else
    [row] = coverage.coverage(company.runtime, company.process, "2026-11")
    assert (row.state, row.command) == ("unresolved", "run-process resolve x1 --reason TEXT")
    resolving.resolve(company.runtime, "x1", "Paid by bank transfer.", "olivia")
    [row] = coverage.coverage(company.runtime, company.process, "2026-11")
    assert (row.state, row.settled) == ("credited", True)


def test_a_credit_that_cannot_be_given_back_is_issued_by_hand(company: StripeCompany) -> None:
    november = in_november(company, "-500.00", refund_month=OCTOBER)  # more than was charged
    task = company.task(november)
    shown = {field.name: field.value for field in task.fields}
    assert task.flow_node == "issue_credit"
    assert shown["refund_problem"]
    assert company.client.v1.refunds.list().data == []


def test_a_credit_that_names_no_month_is_issued_by_hand_as_ever(company: StripeCompany) -> None:
    november = in_november(company, "-20.00")
    company.do(november, "sara", credit_reference="CN-1")
    company.work()
    assert company.instance(november).state == "completed"
    assert company.client.v1.refunds.list().data == []
