"""The play: sales and the manager at their tasks, the worker between them, the clock turned from month to month."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from commands.demo.cast import DECLINED, ENDS, RETRIED, SENT_BACK, ZERO, Customer
from commands.demo.sandbox_customers import StripeSide
from engine.clock import TurnedClock
from engine.services import inspecting, worklist
from engine.services.runtime import Runtime
from engine.services.starting import start_by_hand
from engine.services.views import TaskView
from engine.services.working import Worker

PROCESS = "monthly-card-charge"
OPERATOR, SALES, MANAGER = "olivia", ("sara", "tom"), "mia"
GROUPS = {"Sales": SALES, "Department Manager": (MANAGER,)}

Say = Callable[[str], None]


@dataclass
class Play:
    """One run of the demo. `step` is told about each finished piece of work, `say` about what is out of the ordinary."""

    runtime: Runtime
    clock: TurnedClock
    stripe: StripeSide
    say: Say
    step: Callable[[], None]
    people: dict[str, Customer] = field(default_factory=dict)

    def enrol(self, customers: list[Customer], first_period: str) -> None:
        """Save everyone's card at Stripe and start everyone's first month."""
        for customer in customers:
            stripe_id = self.stripe.enrol(customer.name, customer.email, customer.card)
            self.people[stripe_id] = customer
            values = {
                "customer_name": customer.name,
                "email": customer.email,
                "stripe_customer_id": stripe_id,
                "currency": customer.currency,
                "billing_month": first_period,
            }
            start_by_hand(self.runtime, PROCESS, values, OPERATOR)
            self.step()

    def month(self, number: int) -> None:
        """Everybody does what there is to do in this month, until only next month's tasks are left."""
        period = self._open()[0].period
        while tasks := [task for task in self._open() if task.period == period]:
            for task in tasks:
                self._do(task, number)
                self.step()
            self._work()
        self.clock.advance(timedelta(days=30))

    def _open(self) -> list[TaskView]:
        return worklist.tasks(self.runtime, {})

    def _work(self) -> None:
        Worker(self.runtime, "demo", report=lambda _: self.step()).run(until_idle=True)

    def _do(self, task: TaskView, number: int) -> None:
        customer = self.people[task.customer or ""]
        if task.flow_node == "wait_to_retry" and customer.twist == RETRIED:
            self._wait_a_day(task, customer)
            return
        values, user = _PARTS[task.flow_node](self, task, customer, number)
        worklist.complete(self.runtime, task.id, values, user)

    def _wait_a_day(self, task: TaskView, customer: Customer) -> None:
        """Nobody does anything: the timer tries the card again."""
        self.stripe.fill_account(task.customer or "")
        self.say(f"{customer.name}: the card was declined for now; nobody does anything, and a day later it is charged")
        self.clock.advance(timedelta(days=1))

    # what each does at each task ....................................................................................

    def enter_amount(self, task: TaskView, customer: Customer, number: int) -> tuple[Mapping[str, str], str]:
        """Sales enter what the customer owes."""
        amount = customer.amounts[number]
        first, second = customer.details
        if customer.in_month(ZERO, number):
            self.say(f"{customer.name}: nothing due this month")
        return {"billing_amount": amount, "billing_details": f"{first}\n{second}"}, SALES[int(task.id[1:]) % 2]

    def approve(self, task: TaskView, customer: Customer, number: int) -> tuple[Mapping[str, str], str]:
        """The manager approves; but sends one back, and ends one contract."""
        if customer.in_month(SENT_BACK, number) and not any(f.name == "return_comment" and f.value for f in task.fields):
            self.say(f"{customer.name}: the manager sends the amount back with a comment")
            return {"approval": "send_back", "return_comment": "Please check the usage."}, MANAGER
        if customer.in_month(ENDS, number):
            self.say(f"{customer.name}: the manager ends the contract")
            return {"approval": "end_contract", "end_reason": "Moved away."}, MANAGER
        return {"approval": "approve"}, MANAGER

    def issue_credit(self, task: TaskView, customer: Customer, number: int) -> tuple[Mapping[str, str], str]:
        """A negative month is credited by hand, and never charged."""
        self.say(f"{customer.name}: a negative month, credited by hand")
        return {"credit_reference": f"CR-{task.id}"}, SALES[0]

    def wait_to_retry(self, task: TaskView, customer: Customer, number: int) -> tuple[Mapping[str, str], str]:
        """A card declined for now: one customer saves a new one, another can't pay this month."""
        if customer.twist == DECLINED:
            self.stripe.save_card(task.customer or "", "pm_card_visa")
            self.say(f"{customer.name}: the card was declined; a new one is saved, and charged")
            return {"contact_result": "retry"}, SALES[1]
        self.say(f"{customer.name}: the card was declined; given up for this month, and the chain goes on")
        self.stripe.save_card(task.customer or "", "pm_card_visa")
        return {"contact_result": "give_up"}, SALES[1]

    def ask_to_authenticate(self, task: TaskView, customer: Customer, number: int) -> tuple[Mapping[str, str], str]:
        """The bank wants to see the customer, who confirms the payment; from then on the card may be charged."""
        _, details = inspecting.show(self.runtime, task.instance)
        self.stripe.authenticate(task.customer or "", details["charges"][0]["intent"])
        self.say(f"{customer.name}: the bank asked the customer to confirm, and they did")
        self.stripe.save_card(task.customer or "", "pm_card_visa")
        return {"authentication_result": "retry"}, SALES[0]


_PARTS: Mapping[str, Callable[[Play, TaskView, Customer, int], tuple[Mapping[str, str], str]]] = {
    "enter_amount": Play.enter_amount,
    "approve": Play.approve,
    "issue_credit": Play.issue_credit,
    "wait_to_retry": Play.wait_to_retry,
    "ask_to_authenticate": Play.ask_to_authenticate,
}
