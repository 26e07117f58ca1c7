"""Cleaning up: the chores that close payments which nobody will confirm any more, and look refunds up."""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.connector import ChargeKeeper, KeepsCharges
from engine.services.chores import Chore, Round, Work
from engine.services.closing import close_abandoned, close_unknown
from engine.services.pending_refunds import look_up_pending
from engine.services.runtime import Runtime

ABANDONED, UNKNOWN, REFUNDS = "close_abandoned_charges", "close_unknown_intents", "look_up_refunds"


def keeper_of(runtime: Runtime) -> ChargeKeeper | None:
    """What looks charges and refunds up; None without a key. Raises ConfigurationInvalid for an unsuitable one."""
    return _keeper(runtime)[1]


def _abandoned(runtime: Runtime, by: str) -> Work | None:
    topic, keeper = _keeper(runtime)
    if keeper is None:
        return None

    def work(done: Round, _: datetime | None) -> None:
        close_abandoned(runtime, keeper, topic, by, done)

    return work


def _unknown(runtime: Runtime, by: str) -> Work | None:
    topic, keeper = _keeper(runtime)
    if keeper is None:
        return None

    def work(done: Round, done_until: datetime | None) -> datetime | None:
        return close_unknown(runtime, keeper, topic, by, done, done_until)

    return work


def _refunds(runtime: Runtime, by: str) -> Work | None:
    keeper = keeper_of(runtime)
    if keeper is None:
        return None

    def work(done: Round, _: datetime | None) -> None:
        look_up_pending(runtime, keeper, by, done)

    return work


def _keeper(runtime: Runtime) -> tuple[str, ChargeKeeper | None]:
    """None where this worker charges nobody; another may."""
    for connector in runtime.connectors.values():
        if isinstance(connector, KeepsCharges):
            return connector.topic, connector.keeper(runtime.permits)
    return "", None


CLEANING = (
    Chore(ABANDONED, lambda at: at + timedelta(hours=1), _abandoned),
    Chore(UNKNOWN, lambda at: at + timedelta(days=1), _unknown),
    Chore(REFUNDS, lambda at: at + timedelta(hours=1), _refunds),
)
"""What a worker with a key does."""
