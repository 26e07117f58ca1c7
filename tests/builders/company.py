"""A small company at work: its own billing process, the people at their tasks, and a worker, on a real engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.stripe.refund import StripeRefunding
from connectors.stripe.settle import StripeSettling
from engine.connector import ChargeKeeper, Connector, Permits
from engine.services import deploying, inspecting, starting, worklist
from engine.services.runtime import Runtime
from engine.services.views import InstanceView, TaskView
from engine.services.working import Backlog, Report, Worker
from tests.builders.drawing import NAME, billing, boundary, carry_over, files, form_field, service, user

REQUIRED = '<camunda:validation><camunda:constraint name="required"/></camunda:validation>'
READONLY = '<camunda:validation><camunda:constraint name="readonly"/></camunda:validation>'
NOTED = 'camunda:errorMessageVariable="problem"'

ITEMS = {
    "customer": "{type: string, carry: copy}",
    "name": "{type: string, carry: copy}",
    "month": "{type: month, carry: next}",
    "amount": "{type: money, currency: USD, carry: drop, show_previous: true}",
    "details": "{type: text, carry: drop}",
    "approved": "{type: boolean, carry: drop}",
    "receipt": "{type: string, carry: drop}",
    "problem": "{type: text, carry: drop}",
}
NODES = {
    "enter": user(
        "enter",
        form_field("amount", inside=REQUIRED) + form_field("details") + form_field("name") + form_field("month", inside=READONLY),
    ),
    "approve": user(
        "approve",
        form_field("amount", inside=READONLY) + form_field("approved", "boolean", REQUIRED),
        'camunda:candidateGroups="Manager"',
    ),
    "charge": service("charge", {"amount": "${amount}", "purpose": "Bill"}, {"receipt": "${payment_id}"}),
    "declined": boundary("declined", "charge", attributes=NOTED),
    "call": user("call", form_field("problem", inside=READONLY) + form_field("name")),
}


def definition(
    nodes: Mapping[str, str] | None = None,
    ways: Mapping[str, str] | None = None,
    items: Mapping[str, str] | None = None,
    controls: Sequence[str] = (),
) -> dict[str, bytes]:
    """The company's process: enter, approve (or send back), charge, hand over; with what a test draws differently."""
    return files(billing({**NODES, **(nodes or {})}, ways), carry_over({**ITEMS, **(items or {})}, controls=controls))


@dataclass
class Company:
    """People and a worker on one runtime."""

    runtime: Runtime
    process: str = NAME

    def deploy(self, given: Mapping[str, bytes] | None = None) -> int:
        return deploying.deploy(self.runtime, given or definition(), "ada").deployment.version

    def start(self, customer: str = "acme", month: str = "2026-10", **values: Any) -> str:
        return starting.start_by_hand(self.runtime, self.process, {"customer": customer, "month": month, **values}, "olivia")

    def open(self, instance: str) -> list[TaskView]:
        return [task for task in worklist.tasks(self.runtime, {}) if task.instance == instance]

    def task(self, instance: str) -> TaskView:
        """The one task that an instance waits for."""
        [task] = self.open(instance)
        return task

    def do(self, instance: str, by: str, **values: Any) -> TaskView:
        return worklist.complete(self.runtime, self.task(instance).id, values, by)

    def enter(self, instance: str, amount: str = "5.00", by: str = "sara", **values: Any) -> TaskView:
        return self.do(instance, by, amount=amount, **values)

    def approve(self, instance: str, by: str = "mia", *, approved: bool = True) -> TaskView:
        return self.do(instance, by, approved=approved)

    def approved(self, customer: str = "acme", month: str = "2026-10", **values: Any) -> str:
        """An instance that waits for its charge."""
        instance = self.start(customer, month, **values)
        self.enter(instance)
        self.approve(instance)
        return instance

    def work(self, name: str = "w1", concurrency: int = 4, report: Report = lambda _: None) -> Backlog:
        return Worker(self.runtime, name, concurrency, report).run(until_idle=True)

    def billed(self, customer: str = "acme", month: str = "2026-10", **values: Any) -> str:
        """An instance whose month is over, with the next one started."""
        instance = self.approved(customer, month, **values)
        self.work()
        return instance

    def instance(self, instance: str) -> InstanceView:
        return inspecting.show(self.runtime, instance)[0]

    def details(self, instance: str) -> dict[str, Any]:
        return inspecting.show(self.runtime, instance)[1]

    def job(self, instance: str) -> dict[str, Any]:
        """The job that an instance came to last."""
        job: dict[str, Any] = self.details(instance)["jobs"][-1]
        return job

    def charge_state(self, instance: str) -> str | None:
        """Where its charge stands; None where none was begun."""
        charges = self.details(instance)["charges"]
        return charges[0]["state"] if charges else None

    def events(self, instance: str) -> list[str]:
        return [entry["event"] for entry in inspecting.read_history(self.runtime, instance)[0]]


PROCESSES = Path(__file__).parents[2] / "processes"


def beside(keeper: Callable[[Permits], ChargeKeeper | None]) -> tuple[Connector, ...]:
    """The connectors of Stripe that the shipped process has beside `stripe.charge`, whose keeper this is. Refunds go nowhere."""
    return StripeSettling(keeper), StripeRefunding(None, None, live=False)


@dataclass
class CardCompany(Company):
    """The same people with the process that is shipped."""

    process: str = "monthly-card-charge"

    def deploy(self, given: Mapping[str, bytes] | None = None) -> int:
        return super().deploy(given or deploying.read_files(PROCESSES / f"{self.process}.bpmn"))

    def start(self, customer: str = "cus_acme", month: str = "2026-10", **values: Any) -> str:
        given = {
            "stripe_customer_id": customer,
            "billing_month": month,
            "customer_name": "Acme",
            "email": "billing@acme.example",
            "currency": "USD",
        }
        return starting.start_by_hand(self.runtime, self.process, {**given, **values}, "olivia")

    def enter(self, instance: str, amount: str = "120.50", by: str = "sara", **values: Any) -> TaskView:
        return self.do(instance, by, **{"billing_amount": amount, "billing_details": "Consulting", **values})

    def approve(self, instance: str, by: str = "mia", *, approved: bool = True) -> TaskView:
        decision = {"approval": "approve"} if approved else {"approval": "send_back", "return_comment": "Too high."}
        return self.do(instance, by, **decision)
