"""The company's books next to the Stripe sandbox, and everything that people do to either of them by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, update

from engine.billing.reconciliation import Finding
from engine.connector import RefundState
from engine.model.identifiers import Kind, parse_id
from engine.services.reconciling import Reconciliation, reconcile
from engine.services.runtime import Runtime
from engine.store import tables
from tests.builders.stripe_company import StripeCompany


@dataclass
class Interruptions:
    """Permits without end; right before the nth request, counted from 1, something happens."""

    happens: Mapping[int, Callable[[], object]]
    asked: int = 0

    def take(self, service: str, per_second: int) -> None:
        self.asked += 1
        self.happens.get(self.asked, lambda: None)()


@dataclass
class Books:
    """A company that bills the current month, and its auditor."""

    company: StripeCompany
    month: str
    instances: dict[str, str] = field(default_factory=dict)

    def charged(self, card: str = "pm_card_visa") -> str:
        """A new customer whose month is charged; their id at Stripe, which is the bill's customer as well."""
        customer = self.approved(card)
        self.company.work()
        return customer

    def approved(self, card: str = "pm_card_visa") -> str:
        """A new customer whose charge waits for a worker."""
        customer = self.company.customer(card)
        self.instances[customer] = self.company.approved(customer, self.month)
        return customer

    def reconcile(self, happens: Mapping[int, Callable[[], object]] | None = None, month: str | None = None) -> Reconciliation:
        """Compare the month; what `happens` does comes right before the nth request to Stripe."""
        runtime = self.company.runtime
        watching = Runtime(runtime.database, runtime.clock, runtime.connectors)
        if happens is not None:
            watching.__dict__["permits"] = Interruptions(happens)
        return reconcile(watching, self.company.process, month or self.month)

    def findings(self, month: str | None = None) -> list[tuple[str, str | None]]:
        """Kind and customer of each finding."""
        return [(str(found.kind), found.customer) for found in self.reconcile(month=month).findings]

    def only(self) -> Finding:
        [found] = self.reconcile().findings
        return found

    # --- at Stripe --------------------------------------------------------------------------------------------------

    def pay(self, customer: str, amount: int = 12_050, currency: str = "usd", **metadata: str) -> str:
        """A payment made in the dashboard, with the customer's own card; its id."""
        card = self.company.client.v1.customers.retrieve(customer).invoice_settings.default_payment_method
        given: Any = {"amount": amount, "currency": currency, "customer": customer, "metadata": metadata}
        given |= {"payment_method": card, "confirm": True, "off_session": True}
        return self.company.client.v1.payment_intents.create(given).id

    def pay_bill(self, customer: str, month: str | None = None, **changes: str) -> str:
        """A payment with the metadata of a bill of ours."""
        of = month or self.month
        ours = {"charge_key": f"{self.company.process}|{customer}|{of}", "process": self.company.process, "period": of}
        return self.pay(customer, **{**ours, "instance": "i1", **changes})

    def give_back(self, payment: str, amount: int | None = None, **metadata: str) -> str:
        """A refund made in the dashboard; its id."""
        given: Any = {"payment_intent": payment, "metadata": metadata} | ({} if amount is None else {"amount": amount})
        return self.company.client.v1.refunds.create(given).id

    def requests(self) -> list[str]:
        """What was asked of Stripe's lists."""
        return [each["path"] for each in self.company.sandbox.control.requests() if each["method"] == "GET"]

    # --- in the database --------------------------------------------------------------------------------------------

    def payment_of(self, customer: str) -> str:
        """The payment that the ledger names."""
        return str(self.company.row(self.instances[customer])["intent"])

    def change(self, customer: str, **values: Any) -> None:
        """Change the ledger's row as nobody should."""
        key = f"{self.company.process}|{customer}|{self.month}"
        self._do(update(tables.charges).where(tables.charges.c.charge_key == key).values(**values))

    def forget(self, customer: str) -> None:
        """Take the row out of the ledger."""
        self._do(delete(tables.charges).where(tables.charges.c.customer == customer))

    def write_refund(self, customer: str, **values: Any) -> None:
        """A refund in our books, of which Stripe knows nothing yet."""
        now = self.company.runtime.now()
        key = f"{self.company.process}|{customer}|{self.month}"
        row: dict[str, Any] = {"refund_key": f"refund|{customer}", "charge_key": key, "amount": 2_000, "currency": "USD"}
        row |= {"instance_id": parse_id(Kind.INSTANCE, self.instances[customer]), "intent": self.payment_of(customer)}
        row |= {"reason": {"reason": "duplicate", "comment": None}, "livemode": False, "state": RefundState.SUCCEEDED}
        self._do(insert(tables.refunds).values(**{**row, "attempt": 1, "created_at": now, "updated_at": now, **values}))

    def change_refund(self, customer: str, **values: Any) -> None:
        """Change a refund in our books."""
        self._do(update(tables.refunds).where(tables.refunds.c.refund_key == f"refund|{customer}").values(**values))

    def enrol(self, customer: str) -> None:
        """Put a customer on the roster who was never billed."""
        now = self.company.runtime.now()
        row = {"process": self.company.process, "customer": customer, "first_period": self.month, "data": {}}
        self._do(insert(tables.customers).values(**row, enrolled_at=now, enrolled_by="olivia"))

    def _do(self, statement: Any) -> None:
        with self.company.runtime.database.transaction() as connection:
            connection.execute(statement)
