"""The demo's last table: for each customer and month, what was charged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from commands.demo.cast import Customer
from engine.model.money import format_money
from engine.services import inspecting
from engine.services.runtime import Runtime
from engine.services.views import InstanceView


def monthly_rows(runtime: Runtime, people: Mapping[str, Customer], periods: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A row for each customer: the name, and for each period what became of it."""
    return [(customer.name, *_row(runtime, stripe_id, periods)) for stripe_id, customer in people.items()]


def _row(runtime: Runtime, stripe_id: str, periods: tuple[str, ...]) -> Iterator[str]:
    months = {instance.period: (instance, charge) for instance, charge in inspecting.chain(runtime, stripe_id)}
    for period in periods:
        yield _outcome(runtime, *months[period]) if period in months else "-"


def _outcome(runtime: Runtime, instance: InstanceView, charge: dict[str, Any] | None) -> str:
    if charge is not None and charge["state"] == "succeeded":
        return f"{format_money(charge['amount'], charge['currency'])} {charge['currency']}"
    if charge is not None:
        return f"not charged ({(charge['reason'] or charge['state']).partition('/')[0]})"  # the bank's advice is for operators
    if "contract_ended" in instance.end_events:
        return "contract ended"
    amount = inspecting.show(runtime, instance.id)[1]["data"].get("billing_amount")
    return "credited" if isinstance(amount, int) and amount < 0 else "nothing due"
