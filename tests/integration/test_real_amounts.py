"""Seven months of a wholesaler's real amounts, charged to the penny: people's tasks, the worker, Stripe's API, e-mails.

The first 200 customers are those that the file mentions first. Whoever has no row in a month has a zero month.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from stripe import StripeClient

from connectors.registry import ConnectorSettings, build_connectors
from connectors.stripe.client import build_client
from connectors.stripe.rate import MOST
from connectors.stripe_sandbox import start_sandbox
from engine.clock import TurnedClock
from engine.services import inspecting, worklist
from engine.services.configuration import Configuration
from engine.services.deploying import deploy, read_files
from engine.services.runtime import Runtime
from engine.services.starting import start_by_hand
from engine.services.views import TaskView
from engine.services.working import Backlog, Worker
from engine.store.database import Database
from tests.integration.online_retail import AFTERWARDS, CURRENCY, PERIODS, VARIABLE, Account, amounts_file, first_accounts

CUSTOMERS = 200
PROCESS = "monthly-card-charge"
DIAGRAM = Path(__file__).parents[2] / "processes" / "monthly-card-charge.bpmn"
GROUPS = {"Sales": frozenset({"sara"}), "Department Manager": frozenset({"mia"})}
KEY = "sk_test_real_amounts"
ENTRY = "enter_amount"
CARRIED = {"customer_name", "email", "stripe_customer_id", "currency", "billing_month"}

pytestmark = pytest.mark.skipif(
    not amounts_file().is_file(),
    reason=f"the real amounts are not at {amounts_file()}; set {VARIABLE} to a monthly_amounts.csv",
)


@dataclass
class Billing:
    """The engine at work for accounts that are known by their ids at Stripe. `credited` is who had a credit task when."""

    runtime: Runtime
    clock: TurnedClock
    mail: Path
    stripe: StripeClient
    accounts: dict[str, Account] = field(default_factory=dict)
    credited: list[tuple[str, str]] = field(default_factory=list)

    def enrol(self, account: Account) -> None:
        """Save a card at Stripe and start the first month by hand."""
        card = self.stripe.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
        default: Any = {"default_payment_method": card}
        customer = self.stripe.v1.customers.create({"payment_method": card, "invoice_settings": default}).id
        self.accounts[customer] = account
        values = {"customer_name": account.name, "email": account.email, "stripe_customer_id": customer}
        start_by_hand(self.runtime, PROCESS, {**values, "currency": CURRENCY, "billing_month": PERIODS[0]}, "olivia")

    def month(self, period: str, before: str | None) -> None:
        """Everybody does their tasks of one month, and the worker does the rest."""
        for task in self.tasks(period, ENTRY, CUSTOMERS):
            account = self.accounts[task.customer or ""]
            assert_nothing_is_prefilled(task, account, before)
            self.enter(task, account, period)
        for task in self.tasks(period, "approve", CUSTOMERS):
            assert shown(task)["billing_amount"] == self.accounts[task.customer or ""].amount(period)
            worklist.complete(self.runtime, task.id, {"approval": "approve"}, "mia")
        self.work()
        negative = sum(account.amount(period) < 0 for account in self.accounts.values())
        for task in self.tasks(period, "issue_credit", negative):
            self.credited.append((task.customer or "", period))
            worklist.complete(self.runtime, task.id, {"credit_reference": f"CR-{task.id}"}, "sara")
        self.work()
        self.clock.advance(timedelta(days=30))

    def enter(self, task: TaskView, account: Account, period: str) -> None:
        """Sales enter the amount in pounds, as people write it."""
        pounds = str(Decimal(account.amount(period)).scaleb(-2))
        values = {"billing_amount": pounds, "billing_details": f"Purchases in {period}"}
        worklist.complete(self.runtime, task.id, values, "sara")

    def tasks(self, period: str, flow_node: str, expected: int) -> list[TaskView]:
        """The open tasks of a period: so many, and all at one flow node."""
        tasks = worklist.tasks(self.runtime, {"period": period})
        assert Counter(task.flow_node for task in tasks) == Counter({flow_node: expected})
        return tasks

    def work(self) -> None:
        """The worker does everything that is due, and leaves nothing and nobody waiting."""
        assert Worker(self.runtime, "test").run(until_idle=True) == Backlog(jobs=0, messages=0, incidents=0)


@pytest.fixture
def billing(tmp_path: Path) -> Iterator[Billing]:
    mail = tmp_path / "mail"
    clock = TurnedClock(datetime(2010, 12, 1, 9, tzinfo=UTC))
    database = Database(f"sqlite:///{tmp_path / 'billing.db'}")
    with start_sandbox() as sandbox:
        settings = ConnectorSettings(KEY, sandbox.url, False, mail.as_uri(), "Billing <billing@example.com>", stripe_rate=MOST)
        runtime = Runtime(database, clock, build_connectors(settings), lambda: Configuration(GROUPS))
        deploy(runtime, read_files(DIAGRAM), "olivia")
        yield Billing(runtime, clock, mail, build_client(KEY, sandbox.url))
    database.close()


def test_seven_real_months_are_charged_to_the_penny_and_every_chain_goes_on(billing: Billing) -> None:
    for account in first_accounts(amounts_file(), CUSTOMERS):
        billing.enrol(account)
    for before, period in pairwise((None, *PERIODS)):
        assert period is not None
        billing.month(period, before)

    due = {(customer, period): account.amount(period) for customer, account in billing.accounts.items() for period in PERIODS}
    to_charge = {bill: amount for bill, amount in due.items() if amount > 0}
    assert len(due) == CUSTOMERS * len(PERIODS)
    assert min(due.values()) < 0 < sum(to_charge.values())
    assert 0 in due.values()

    assert charged_by_stripe(billing) == to_charge
    assert charged_by_ledger(billing) == to_charge
    assert sum(inspecting.charged_totals(billing.runtime, PROCESS).values()) == sum(to_charge.values())
    assert sorted(billing.credited) == sorted(bill for bill, amount in due.items() if amount < 0)
    assert len(list(billing.mail.glob("*.eml"))) == len(due)
    for customer in billing.accounts:
        assert_chain_is_whole(billing.runtime, customer)
    for task in billing.tasks(AFTERWARDS, ENTRY, CUSTOMERS):
        assert_nothing_is_prefilled(task, billing.accounts[task.customer or ""], PERIODS[-1])


def shown(task: TaskView) -> Mapping[str, object]:
    """What stands in the form's fields."""
    return {view.name: view.value for view in task.fields if view.value is not None}


def assert_nothing_is_prefilled(task: TaskView, account: Account, before: str | None) -> None:
    """A new form holds what is carried and no more; last month's amount stands beside its empty field."""
    assert shown(task).keys() == CARRIED
    amount = next(view for view in task.fields if view.name == "billing_amount")
    assert amount.value is None
    assert amount.text == ""
    assert amount.previous == (account.amount(before) if before else None)


def assert_chain_is_whole(runtime: Runtime, customer: str) -> None:
    """Seven instances that have ended and the open eighth, each linked to its neighbours."""
    chain = [instance for instance, _ in inspecting.chain(runtime, customer)]
    assert [instance.period for instance in chain] == [*PERIODS, AFTERWARDS]
    assert [instance.state for instance in chain] == ["completed"] * len(PERIODS) + ["active"]
    assert [instance.started_by for instance in chain] == ["manual"] + ["message"] * len(PERIODS)
    assert [chain[0].previous, chain[-1].next] == [None, None]
    for instance, following in pairwise(chain):
        assert instance.next == following.id
        assert following.previous == instance.id


def charged_by_stripe(billing: Billing) -> dict[tuple[str, str], int]:
    """What Stripe's own list of payments says it took, by customer and period, in pence."""
    charged: dict[tuple[str, str], int] = {}
    for intent in billing.stripe.v1.payment_intents.list({"limit": 100}).auto_paging_iter():
        bill = (str(intent.customer), intent.metadata["period"])
        assert (intent.status, intent.currency, bill in charged) == ("succeeded", "gbp", False)
        charged[bill] = intent.amount_received
    return charged


def charged_by_ledger(billing: Billing) -> dict[tuple[str, str], int]:
    """The same from the ledger, which must hold no other charge, not even one that failed."""
    charged: dict[tuple[str, str], int] = {}
    for customer in billing.accounts:
        for instance, charge in inspecting.chain(billing.runtime, customer):
            if charge is not None:
                assert (charge["state"], charge["currency"]) == ("succeeded", CURRENCY)
                charged[customer, instance.period or ""] = charge["amount"]
    return charged
