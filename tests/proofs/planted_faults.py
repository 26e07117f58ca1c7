"""Faults planted at random in a database and at a sandbox, whether they are named, and whether they can be mended."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import delete, select, update

from engine.connector import ChargeState
from engine.model.identifiers import Kind, format_id
from engine.services import repairing, resolving
from engine.services.working import LEASE
from engine.store.tables import bills, charges, customers, history, instances, jobs, messages, user_tasks
from tests.proofs.wholesaler import PROCESS, Wholesaler

_OF_CHARGED = ("refunded by hand", "ledger changed")


@dataclass
class Planted:
    """What was planted: customer -> kind. `past` is a period that is over, `present` the one that is open."""

    wholesaler: Wholesaler
    past: str
    present: str
    all: dict[str, str] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)

    def named(self) -> Mapping[str, str]:
        """Customer -> what coverage or reconcile say of them."""
        told: dict[str, str] = {}
        for row in self.wholesaler.coverage(self.present).values():
            if row.state.value in ("missing", "waiting") or not row.enrolled:
                told[row.customer] = row.reason
        for finding in self.wholesaler.reconcile(self.past).findings:
            told[finding.customer or ""] = finding.message
        for finding in self.wholesaler.reconcile(self.present).findings:
            told[finding.customer or ""] = finding.message
        return told

    def mend(self) -> None:
        """Repair, twice, as two people would; and another worker takes over what the lost one held."""
        seen = repairing.broken(self.wholesaler.runtime, PROCESS, self.present)
        for person in ("olivia", "tom"):
            repairing.repair(self.wholesaler.runtime, PROCESS, self.present, seen, person, lambda _: None)
        self.wholesaler.clock.advance(2 * LEASE)
        self.wholesaler.work()

    def left(self) -> list[str]:
        """Whom coverage still finds missing, or on no roster; and whose charge was begun and isn't known to be taken."""
        rows = self.wholesaler.coverage(self.present)
        broken = [row.customer for row in rows.values() if row.state.value == "missing" or not row.enrolled]
        begun = [name for name, kind in self.all.items() if kind == "worker lost"]
        return broken + [name for name in begun if rows[name].state.value != "charged"]

    def charged_twice(self) -> list[str]:
        """Whose bill Stripe took money for more than once."""
        taken: Counter[str] = Counter()
        for intent in self.wholesaler.stripe.v1.payment_intents.list({"limit": 100}).auto_paging_iter():
            if intent.status == "succeeded" and "charge_key" in intent.metadata:
                taken[intent.metadata["charge_key"]] += 1
        return [key for key, count in taken.items() if count > 1]

    def figures(self) -> str:
        """What a report quotes."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(self.all.values()).items()))
        return f"{len(self.all)} faults planted ({kinds}); all named; what can be mended is mended; 0 charged twice"


def plant(wholesaler: Wholesaler, past: str, present: str, count: int) -> Planted:
    """Plant so many faults, each with another customer."""
    planted = Planted(wholesaler, past, present)
    chance = random.Random(20261123)
    charged = _charged_in(wholesaler, past)
    names = sorted(wholesaler.accounts)
    chance.shuffle(names)
    kinds: list[tuple[str, Callable[[Wholesaler, str, str, str], None]]] = [
        ("cancelled", _cancel),
        ("message lost", _lose_message),
        ("off the roster", _take_off_roster),
        ("charged by hand", _charge_by_hand),
        ("refunded by hand", _refund_by_hand),
        ("ledger changed", _change_ledger),
        ("worker lost", _wait_for_charge),
    ]
    for name in names:
        if len(planted.all) == count:
            break
        kind, fault = kinds[len(planted.all) % len(kinds)]
        if (kind in _OF_CHARGED and name not in charged) or (kind == "worker lost" and wholesaler.due(name, present) <= 0):
            kind, fault = kinds[len(planted.all) % 3]
        fault(wholesaler, name, past, present)
        planted.all[name] = kind
    waiting = {name for name, kind in planted.all.items() if kind == "worker lost"}
    wholesaler.approve(present, waiting)
    wholesaler.lose(len(waiting))
    return planted


def _wait_for_charge(wholesaler: Wholesaler, customer: str, past: str, present: str) -> None:
    """Nothing yet: all that wait for their charges are approved together, and lost with one worker."""


def _charged_in(wholesaler: Wholesaler, period: str) -> set[str]:
    where = (charges.c.period == period, charges.c.state == ChargeState.SUCCEEDED)
    with wholesaler.runtime.database.reading() as connection:
        return set(connection.execute(select(charges.c.customer).where(*where)).scalars())


def _instance(wholesaler: Wholesaler, customer: str, period: str) -> int:
    where = (instances.c.customer == customer, instances.c.period == period)
    with wholesaler.runtime.database.reading() as connection:
        return int(connection.execute(select(instances.c.id).where(*where)).scalar_one())


def _cancel(wholesaler: Wholesaler, customer: str, past: str, present: str) -> None:
    number = _instance(wholesaler, customer, present)
    resolving.cancel(wholesaler.runtime, format_id(Kind.INSTANCE, number), "By mistake.", "olivia")


def _lose_message(wholesaler: Wholesaler, customer: str, past: str, present: str) -> None:
    """The hand-over and what it started are gone from the database."""
    started, thrower = _instance(wholesaler, customer, present), _instance(wholesaler, customer, past)
    with wholesaler.runtime.database.transaction() as connection:
        connection.execute(delete(messages).where(messages.c.instance_id == thrower))
        for table in (user_tasks, jobs, history, bills):
            connection.execute(delete(table).where(table.c.instance_id == started))
        connection.execute(delete(instances).where(instances.c.id == started))


def _take_off_roster(wholesaler: Wholesaler, customer: str, past: str, present: str) -> None:
    with wholesaler.runtime.database.transaction() as connection:
        connection.execute(delete(customers).where(customers.c.customer == customer))


def _charge_by_hand(wholesaler: Wholesaler, customer: str, past: str, present: str) -> None:
    """Somebody charges the saved card in the dashboard."""
    card = wholesaler.stripe.v1.customers.retrieve(customer).invoice_settings.default_payment_method  # type: ignore[union-attr]
    wholesaler.stripe.v1.payment_intents.create(
        {
            "amount": 999,
            "currency": "gbp",
            "customer": customer,
            "payment_method": str(card),
            "confirm": True,
            "off_session": True,
        }
    )


def _refund_by_hand(wholesaler: Wholesaler, customer: str, past: str, present: str) -> None:
    """Somebody gives a pound back in the dashboard."""
    where = (charges.c.customer == customer, charges.c.period == past)
    with wholesaler.runtime.database.reading() as connection:
        intent = connection.execute(select(charges.c.intent).where(*where)).scalar_one()
    wholesaler.stripe.v1.refunds.create({"payment_intent": str(intent), "amount": 1})


def _change_ledger(wholesaler: Wholesaler, customer: str, past: str, present: str) -> None:
    """Somebody changes an amount in the database."""
    where = (charges.c.customer == customer, charges.c.period == past)
    with wholesaler.runtime.database.transaction() as connection:
        connection.execute(update(charges).where(*where).values(amount=charges.c.amount + 1))
