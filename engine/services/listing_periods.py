"""The periods of a process, and how each stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engine.billing.closing import differs, totals_of
from engine.billing.coverage import cover
from engine.services.coverage import situation_of
from engine.services.enrolling import billing_map
from engine.services.runtime import Runtime
from engine.store import coverage as facts
from engine.store import periods
from engine.store.periods import ClosingRow

OPEN, CLOSED, CHANGED = "open", "closed", "changed"


@dataclass(frozen=True, slots=True)
class PeriodView:
    """A period of a process: `open` (so far), `closed` (with what was recorded then), or `changed` (closed, but no longer what
    was recorded; with what is there now).
    """

    process: str
    period: str
    state: str
    customers: int
    at: datetime | None
    by: str | None
    reason: str | None
    totals: Mapping[str, Any]
    digest: str | None


def list_periods(runtime: Runtime, process: str, *, verify: bool = False) -> list[PeriodView]:
    """Every period in which the process has a bill, oldest first. Only with `verify` closed ones are worked out anew, which takes
    seconds for a hundred thousand customers, and `changed` is told. Raises DefinitionNotDeployed, DataRefused.
    """
    with runtime.database.reading(snapshot=True) as connection:
        billing_map(connection, runtime, process)
        decided = {row.period: row for row in periods.listing(connection, process)}  # the newest of each
        return [
            _view(connection, runtime, process, period, decided.get(period), verify)
            for period in sorted({*facts.periods_of(connection, process), *decided})
        ]


def _view(
    connection: Connection, runtime: Runtime, process: str, period: str, last: ClosingRow | None, verify: bool
) -> PeriodView:
    at, by, reason, digest = (last.at, last.by, last.reason, last.digest) if last is not None else (None,) * 4
    closed = last is not None and last.event == periods.CLOSED
    if closed and last is not None and last.totals is not None and not verify:
        return PeriodView(process, period, CLOSED, last.totals["customers"], at, by, reason, last.totals, digest)
    rows = cover(situation_of(connection, runtime, process, period))
    state = OPEN
    if closed and last is not None:
        state = CHANGED if differs(last.digest, last.totals, rows) else CLOSED
    return PeriodView(process, period, state, len(rows), at, by, reason, totals_of(rows), digest)
