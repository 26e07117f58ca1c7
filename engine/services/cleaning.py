"""Chores: what one of the workers cleans up now and then.

Each chore is claimed in the database, so that of several workers one does it. One that fails is due again a little later; it
stops nobody's work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from engine.connector import ChargeKeeper, KeepsCharges
from engine.errors import EngineError
from engine.services.closing import Round, close_abandoned, close_unknown
from engine.services.raising import unexpected
from engine.services.runtime import Runtime
from engine.store import chores
from engine.store.chores import Claim
from engine.store.database import may_pass

log = structlog.get_logger("run_process.worker")

ABANDONED, UNKNOWN = "close_abandoned_charges", "close_unknown_intents"

_CLAIM = timedelta(hours=1)  # a round takes minutes
_AFTER_FAILURE = timedelta(minutes=10)
_MORE = timedelta(seconds=30)

_Work: TypeAlias = Callable[[ChargeKeeper, str, Round, datetime | None], datetime | None]


@dataclass(frozen=True, slots=True)
class ChoreReport:
    """What a chore did: how many intents were cancelled, found charged (each is an incident now), and left for the next round.
    `failure` is why it broke off, None where it didn't. `next_at` is when it is due again.
    """

    name: str
    canceled: int
    charged: int
    left: int
    failure: str | None
    next_at: datetime


def do_due_chores(runtime: Runtime, by: str, stop: Callable[[], bool] = lambda: False) -> list[ChoreReport]:
    """Do the chores that are due and that no other worker has; what was done, mostly nothing.

    Asks the database only, unless one is due and there is a key. Takes up to some minutes then, but ends soon after `stop` says
    so. Raises what the database raises while it can't be used; anything else that goes wrong is in the report and in the log.
    """

    def abandoned(keeper: ChargeKeeper, topic: str, done: Round, _: datetime | None) -> None:
        close_abandoned(runtime, keeper, topic, by, done)

    def unknown(keeper: ChargeKeeper, topic: str, done: Round, done_until: datetime | None) -> datetime | None:
        return close_unknown(runtime, keeper, topic, by, done, done_until)

    work: dict[str, tuple[timedelta, _Work]] = {
        ABANDONED: (timedelta(hours=1), abandoned),
        UNKNOWN: (timedelta(days=1), unknown),
    }
    with runtime.database.reading() as connection:
        due = [name for name in work if chores.is_due(connection, name, runtime.now())]
    reports = [_do(runtime, name, *work[name], stop) for name in due]
    return [report for report in reports if report is not None]


def _do(runtime: Runtime, name: str, every: timedelta, work: _Work, stop: Callable[[], bool]) -> ChoreReport | None:
    done, done_until, claim = Round(stop), None, None
    try:
        topic, keeper = _keeper(runtime)
        if keeper is None:
            return None  # this worker charges nobody; another may
        with runtime.database.transaction() as connection:
            claim = chores.claim(connection, name, runtime.now(), runtime.now() + _CLAIM)
        if claim is None:
            return None
        done_until = claim.done_until
        done_until = work(keeper, topic, done, done_until)
    except Exception as error:
        if may_pass(error):
            raise
        done.failure = str(error) if isinstance(error, EngineError) else unexpected(error)
        log.debug("chore_failed", exc_info=True)
    return _finish(runtime, name, every, claim, done, done_until)


def _keeper(runtime: Runtime) -> tuple[str, ChargeKeeper | None]:
    for connector in runtime.connectors.values():
        if isinstance(connector, KeepsCharges):
            return connector.topic, connector.keeper(runtime.permits)
    return "", None


def _finish(
    runtime: Runtime, name: str, every: timedelta, claim: Claim | None, done: Round, done_until: datetime | None
) -> ChoreReport:
    pause = _AFTER_FAILURE if done.failure is not None else _MORE if done.more else every
    next_at = runtime.now() + pause
    if claim is not None:
        with runtime.database.transaction() as connection:
            chores.finish(connection, claim, next_at, done_until)
    if done.failure is not None:
        log.warning("chore_failed", chore=name, reason=done.failure)
    if done.canceled or done.charged or done.left:
        log.info("chore_done", chore=name, canceled=done.canceled, charged=done.charged, left=done.left)
    return ChoreReport(name, done.canceled, done.charged, done.left, done.failure, next_at)
