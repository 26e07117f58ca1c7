"""Close a period, so that nothing of it changes any more, and open it again with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

from engine.billing.closing import digest_of, totals_of, unsettled
from engine.billing.coverage import CoverageRow, cover
from engine.errors import DataRefused, PeriodClosed
from engine.services.coverage import coverage, situation_of
from engine.services.enrolling import billing_map, check_period
from engine.services.runtime import Runtime
from engine.store import periods
from engine.store.periods import ClosingRow

Compare: TypeAlias = Callable[[], list[str]]
"""Compares the period with the service's own records; what differs, a sentence each."""


@dataclass(frozen=True)
class Closing:
    """An attempt to close: the record, or what keeps the period open: customers, and what the service's records say."""

    record: ClosingRow | None
    unsettled: list[CoverageRow]
    unreconciled: list[str]


def close(runtime: Runtime, process: str, period: str, by: str, compare: Compare, reason: str | None = None) -> Closing:
    """Close a period of which nothing more is to come and which agrees with the service's records.

    Whoever starts something in the period at this moment is waited for. `reason` is recorded. Raises DefinitionNotDeployed,
    DataRefused, and PeriodClosed where it is closed already.
    """
    with runtime.database.reading() as connection:
        period = check_period(billing_map(connection, runtime, process), period)
        _refuse_closed(connection, process, period)
    rows = coverage(runtime, process, period)
    if not rows:
        raise DataRefused(
            f"Expected somebody to be billed for {period}, but nobody was. Do: run-process periods {process} lists the periods."
        )
    if left := unsettled(rows):
        return Closing(None, left, [])
    if different := compare():
        return Closing(None, [], different)
    with runtime.database.transaction() as connection:
        periods.lock(connection, process, period)
        _refuse_closed(connection, process, period)
        rows = cover(situation_of(connection, runtime, process, period))
        if left := unsettled(rows):
            return Closing(None, left, [])
        record = _record(connection, runtime, process, period, periods.CLOSED, by, reason, rows)
        return Closing(record, [], [])


def _refuse_closed(connection: Connection, process: str, period: str) -> None:
    newest = periods.newest(connection, process, period)
    if newest is not None and newest.event == periods.CLOSED:
        raise PeriodClosed(
            f"Expected {period} of {process} to be open, but {newest.by} has closed it. Do: nothing, or reopen it."
        )


def _record(
    connection: Connection,
    runtime: Runtime,
    process: str,
    period: str,
    event: str,
    by: str,
    reason: str | None,
    rows: list[CoverageRow] | None,
) -> ClosingRow:
    newest = periods.newest(connection, process, period)
    number = newest.number + 1 if newest is not None else 1
    totals, digest = (totals_of(rows), digest_of(rows)) if rows is not None else (None, None)
    row = ClosingRow(process, period, number, event, runtime.now(), by, reason, totals, digest)
    periods.record(connection, row)
    return row


def reopen(runtime: Runtime, process: str, period: str, reason: str, by: str) -> ClosingRow:
    """Let a closed period change again. Raises DataRefused without a reason and for a period that isn't closed."""
    if not reason.strip():
        raise DataRefused("Expected a reason for reopening, but it is empty. Do: --reason 'why'.")
    with runtime.database.transaction() as connection:
        periods.lock(connection, process, period)
        if not periods.is_closed(connection, process, period):
            raise DataRefused(f"Expected {period} of {process} to be closed, but it isn't. Do: run-process periods {process}.")
        return _record(connection, runtime, process, period, periods.REOPENED, by, reason.strip(), None)
