"""Processes with timers at work: deployed with what a test draws, and fired as a worker does."""

from __future__ import annotations

from engine.services.runtime import Runtime
from engine.services.timing import fire_next
from engine.store.timers import TimerRow
from tests.builders.company import Company, definition


def deployed(runtime: Runtime, nodes: dict[str, str], ways: dict[str, str]) -> Company:
    opened = Company(runtime)
    opened.deploy(definition(nodes, ways))
    return opened


def fire_all(runtime: Runtime) -> list[TimerRow]:
    fired = []
    while (timer := fire_next(runtime, "worker w1")) is not None:
        fired.append(timer)
    return fired


def timers_of(company: Company, instance: str) -> dict[str, str]:
    return {timer["flow_node"]: timer["state"] for timer in company.details(instance)["timers"]}
