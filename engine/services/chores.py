"""Chores: what one of the workers does now and then for all of them.

Each chore is claimed in the database, so that of several workers one does it. One that fails is due again a little later; it
stops nobody's work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from engine.errors import EngineError
from engine.services.raising import unexpected
from engine.services.runtime import Runtime
from engine.store import chores
from engine.store.chores import Claim
from engine.store.database import may_pass

log = structlog.get_logger("run_process.worker")

_CLAIM = timedelta(hours=1)  # a round takes minutes
_AFTER_FAILURE = timedelta(minutes=10)
_MORE = timedelta(seconds=30)


@dataclass(slots=True)
class Round:
    """What one round of a chore did, noted while it does it: `counts` says what and how often.

    `more` says that there was more to do than one round does; `failure` is why it broke off, None where it didn't. `stop` says
    whether the worker has to end.
    """

    stop: Callable[[], bool]
    counts: Counter[str] = field(default_factory=Counter)
    more: bool = False
    failure: str | None = None

    def is_over(self) -> bool:
        """Whether it is to end before its subject does; what is left then is noted as `more`."""
        self.more = self.more or self.stop()
        return self.more or self.failure is not None


Work: TypeAlias = Callable[[Round, datetime | None], datetime | None]
"""Does one round. It is given how far the chore's subject has been looked through, and gives that back; None: nothing to tell."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do now and then. `due_after` says from a moment when it was done when it is due again.

    `begin` binds it to what this worker has for it and to who does it; None where the worker lacks something: then it is left to
    others. It may raise ConfigurationInvalid.
    """

    name: str
    due_after: Callable[[datetime], datetime]
    begin: Callable[[Runtime, str], Work | None]


@dataclass(frozen=True, slots=True)
class ChoreReport:
    """What a round of a chore did, why it broke off (None where it didn't), and when it is due again."""

    name: str
    counts: Counter[str]
    failure: str | None
    next_at: datetime


def do_due_chores(
    runtime: Runtime, known: Iterable[Chore], by: str, stop: Callable[[], bool] = lambda: False
) -> list[ChoreReport]:
    """Do those of the `known` chores that are due and that no other worker has; what was done, mostly nothing.

    Asks the database only, unless one is due and this worker can do it. Takes up to some minutes then, but ends soon after
    `stop` says so. Raises what the database raises while it can't be used; anything else that goes wrong is in the report and
    in the log.
    """
    with runtime.database.reading() as connection:
        due = [chore for chore in known if chores.is_due(connection, chore.name, runtime.now())]
    reports = [_do(runtime, chore, by, Round(stop)) for chore in due]
    return [report for report in reports if report is not None]


def _do(runtime: Runtime, chore: Chore, by: str, done: Round) -> ChoreReport | None:
    done_until, claim = None, None
    try:
        work = chore.begin(runtime, by)
        if work is None:
            return None
        with runtime.database.transaction() as connection:
            claim = chores.claim(connection, chore.name, runtime.now(), runtime.now() + _CLAIM)
        if claim is None:
            return None
        done_until = claim.done_until
        done_until = work(done, done_until)
    except Exception as error:
        if may_pass(error):
            raise
        done.failure = str(error) if isinstance(error, EngineError) else unexpected(error)
        log.debug("chore_failed", exc_info=True)
    return _finish(runtime, chore, claim, done, done_until)


def _finish(runtime: Runtime, chore: Chore, claim: Claim | None, done: Round, done_until: datetime | None) -> ChoreReport:
    now = runtime.now()
    next_at = now + _AFTER_FAILURE if done.failure is not None else now + _MORE if done.more else chore.due_after(now)
    if claim is not None:
        with runtime.database.transaction() as connection:
            chores.finish(connection, claim, next_at, done_until)
    if done.failure is not None:
        log.warning("chore_failed", chore=chore.name, reason=done.failure)
    if done.counts:
        log.info("chore_done", chore=chore.name, **done.counts)
    return ChoreReport(chore.name, done.counts, done.failure, next_at)
