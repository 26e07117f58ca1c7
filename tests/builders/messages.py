"""Processes that wait for messages and signals, deployed with what a test draws, and delivered to as a worker does."""

from __future__ import annotations

from collections.abc import Mapping

from engine.services import deploying, starting
from engine.services.receiving import deliver_next
from engine.services.runtime import Runtime
from engine.store.sent_messages import SentMessageRow
from tests.builders.company import Company
from tests.builders.drawing import carry_over, diagram

ITEMS = {
    "order": "{type: string, carry: drop}",
    "receipt": "{type: string, carry: drop}",
    "amount": "{type: integer, carry: drop}",
    "note": "{type: text, carry: drop}",
}


def deploy(runtime: Runtime, key: str, *parts: str, items: Mapping[str, str] = ITEMS) -> Company:
    """A process without bills."""
    files = {f"{key}.bpmn": diagram(*parts, key=key), f"{key}.carry-over.yaml": carry_over(items, repeats="", key=key)}
    deploying.deploy(runtime, files, "ada")
    return Company(runtime, key)


def started(company: Company, **values: str) -> str:
    return starting.start_by_hand(company.runtime, company.process, values, "olivia")


def deliver_all(runtime: Runtime) -> list[SentMessageRow]:
    delivered = []
    while (message := deliver_next(runtime, "worker w1")) is not None:
        delivered.append(message)
    return delivered


def awaited_of(company: Company, instance: str) -> dict[str, str]:
    return {each["flow_node"]: each["state"] for each in company.details(instance)["subscriptions"]}
