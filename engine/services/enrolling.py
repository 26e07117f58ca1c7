"""The roster of a process: enrol its customers, pause them, resume them, end them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.billing import roster
from engine.billing.roster import RosterEvent, Standing, standing_in
from engine.connector import Value
from engine.errors import AlreadyBilled, DataRefused, EngineError, NotFound
from engine.model.identifiers import Kind, format_id
from engine.model.period import next_period, parse_period
from engine.services.batches import Row, RowReport, in_batches, readable_row
from engine.services.runtime import Runtime
from engine.services.starting import by_hand, period_closed, start_instance
from engine.store import customers, instances, periods
from engine.store.customers import CustomerRow

if TYPE_CHECKING:
    from engine.definition.carry_over import CarryOverMap

PAGE = 1_000


def billing_map(connection: Connection, runtime: Runtime, process: str) -> CarryOverMap:
    """The carry-over map of a process's newest version. Raises DefinitionNotDeployed, and DataRefused for one without bills."""
    deployment = runtime.deployment(connection, process)
    carry_over = runtime.definitions.definition(connection, deployment.digest).carry_over
    if carry_over.bill is None:
        raise DataRefused(f"Expected {process} to bill customers, but its map has no bill. Do: choose another process.")
    return carry_over


def data_items(runtime: Runtime, process: str) -> Collection[str]:
    """The data items of a process that bills. Raises DefinitionNotDeployed, DataRefused."""
    with runtime.database.reading() as connection:
        return billing_map(connection, runtime, process).items.keys()


def check_period(carry_over: CarryOverMap, period: str) -> str:
    """A period of the kind that a process bills by. Raises DataRefused."""
    assert carry_over.bill is not None
    return parse_period(period, carry_over.items[carry_over.bill.period].type)


# --- enrolling -------------------------------------------------------------------------------------------------------


def enrol_rows(
    runtime: Runtime,
    process: str,
    rows: Iterable[Row],
    by: str,
    report: Callable[[RowReport], None],
    *,
    first_period: str | None = None,
    dry_run: bool = False,
) -> None:
    """Enrol a customer for each row, and start their first instance; no row takes another back.

    Who is on the roster is reported as `already`, who has an instance for the period but isn't, as `enrolled`. `first_period`
    stands for rows that name none. With `dry_run` all is done the same way and nothing is kept. Raises DefinitionNotDeployed
    and DataRefused, before the first row, where nobody can be enrolled.
    """
    with runtime.database.reading() as connection:
        carry_over = billing_map(connection, runtime, process)
        first_period = check_period(carry_over, first_period) if first_period is not None else None
    enrolment = _Enrolment(runtime, process, by, first_period, dry_run)
    in_batches(rows, enrolment.together, enrolment.alone, report)


class _NotKept(Exception):
    """Takes a trial's transaction back."""


@dataclass
class _Enrolment:
    """One run over a file. `seen`: whom a trial has enrolled so far."""

    runtime: Runtime
    process: str
    by: str
    first_period: str | None
    dry_run: bool
    seen: set[str] = field(default_factory=set)

    def together(self, rows: list[Row]) -> list[RowReport] | None:
        """What became of the rows, in one transaction; None when one of them needs one of its own."""
        reports: list[RowReport] = []
        try:
            with self.runtime.database.transaction() as connection:
                reports = [self._enrol(connection, row) for row in rows]
                self._end_trial()
        except EngineError:
            return None
        except _NotKept:
            pass
        return reports

    def alone(self, row: Row) -> RowReport:
        """What became of one row."""
        line = row[0]
        report = RowReport(line, "refused")
        try:
            with self.runtime.database.transaction() as connection:
                report = self._enrol(connection, row)
                self._end_trial()
        except AlreadyBilled as already:
            return self._enrol_billed(row, already)
        except EngineError as refused:
            return RowReport(line, "refused", reason=str(refused))
        except _NotKept:
            pass
        return report

    def _end_trial(self) -> None:
        if self.dry_run:
            raise _NotKept

    def _enrol(self, connection: Connection, row: Row) -> RowReport:
        line, values = row
        deployment = self.runtime.deployment(connection, self.process)
        definition = self.runtime.definitions.definition(connection, deployment.digest)
        try:
            beginning = by_hand(definition, self._with_period(definition.carry_over, readable_row(values)), self.by)
            customer = definition.carry_over.customer_of(beginning.data) or ""
        except EngineError as refused:  # nothing of this row is stored yet
            return RowReport(line, "refused", reason=str(refused))
        if customer in self.seen or customers.find(connection, self.process, customer) is not None:
            return RowReport(line, "already", reason=f"{customer} is on the roster")
        number = start_instance(connection, self.runtime, deployment, beginning)
        if self.dry_run:
            self.seen.add(customer)
        return RowReport(line, "enrolled", None if self.dry_run else format_id(Kind.INSTANCE, number), reason=customer)

    def _with_period(self, carry_over: CarryOverMap, values: Mapping[str, Value]) -> Mapping[str, Value]:
        assert carry_over.bill is not None
        item = carry_over.bill.period
        if values.get(item):
            return values
        if self.first_period is None:
            raise DataRefused(f"Expected a first period, but {item} is empty. Do: enter it, or give one for all with --period.")
        return {**values, item: self.first_period}

    def _enrol_billed(self, row: Row, already: AlreadyBilled) -> RowReport:
        """Their first instance is there already; the roster lacks them."""
        line, values = row
        with self.runtime.database.transaction() as connection:
            deployment = self.runtime.deployment(connection, self.process)
            definition = self.runtime.definitions.definition(connection, deployment.digest)
            data = by_hand(definition, self._with_period(definition.carry_over, readable_row(values)), self.by).data
            if not self.dry_run:
                added = CustomerRow(self.process, already.customer, already.period, dict(data), self.runtime.now(), self.by)
                customers.enrol(connection, added)
        return RowReport(line, "enrolled", already.instance, reason=already.customer)


# --- what is decided about a customer --------------------------------------------------------------------------------


def pause(runtime: Runtime, process: str, customer: str, period: str | None, reason: str, by: str) -> RosterEvent:
    """Bill a customer for no period from this one on (None: from the one behind their newest bill), until they are resumed.

    Raises NotFound, PeriodClosed where such a period is closed, and DataRefused without a reason, where they are billed for such
    a period already, or aren't billed anyway.
    """
    return _decide(runtime, process, customer, roster.PAUSED, period, reason, by)


def end(runtime: Runtime, process: str, customer: str, period: str | None, reason: str, by: str) -> RosterEvent:
    """The same for ever."""
    return _decide(runtime, process, customer, roster.ENDED, period, reason, by)


def resume(runtime: Runtime, process: str, customer: str, period: str | None, reason: str, by: str) -> RosterEvent:
    """Bill a customer again from this period on. Their chain goes on by `repairing.repair_customer`."""
    return _decide(runtime, process, customer, roster.RESUMED, period, reason, by)


def _decide(runtime: Runtime, process: str, customer: str, event: str, period: str | None, reason: str, by: str) -> RosterEvent:
    if not reason.strip():
        raise DataRefused("Expected a reason, but it is empty. Do: --reason 'why'.")
    with runtime.database.transaction() as connection:
        carry_over = billing_map(connection, runtime, process)
        row = on_roster(connection, process, customer)
        newest = instances.newest_bill(connection, process, customer)
        of = check_period(carry_over, period) if period else _next_to_bill(carry_over, row, newest)
        periods.ask_closed(connection, process, of)
        decided = RosterEvent(event, of, reason.strip(), runtime.now(), by)
        events = customers.ask_events(connection, process, customer)()
        _check_fits(row, decided, standing_in(of, row.first_period, events)[0])
        if closed := periods.closed_from(connection, process, of):
            raise period_closed(process, closed)
        if event != roster.RESUMED and newest is not None and newest.period >= of:
            raise DataRefused(
                f"Expected no bill of {customer} for {of} or later, but {format_id(Kind.INSTANCE, newest.instance)} is that of "
                f"{newest.period}. Do: choose a period behind it; if it is not to be charged, cancel it first."
            )
        customers.record(connection, process, customer, decided)
        return decided


def _next_to_bill(carry_over: CarryOverMap, row: CustomerRow, newest: instances.BillRow | None) -> str:
    assert carry_over.bill is not None
    return row.first_period if newest is None else next_period(newest.period, carry_over.bill.every)


def _check_fits(row: CustomerRow, decided: RosterEvent, standing: Standing) -> None:
    fits = standing is Standing.BILLED if decided.event != roster.RESUMED else standing in (Standing.PAUSED, Standing.ENDED)
    if decided.event == roster.ENDED and standing is Standing.PAUSED:
        fits = True
    if not fits:
        wanted = "paused or ended" if decided.event == roster.RESUMED else "billed"
        stands = f"on the roster from {row.first_period} on" if standing is Standing.NOT_YET else standing.value
        raise DataRefused(
            f"Expected {row.customer} to be {wanted} in {decided.from_period}, but they are {stands}. "
            f"Do: run-process customers show {row.process} {shlex.quote(row.customer)} tells what was decided."
        )


def on_roster(connection: Connection, process: str, customer: str) -> CustomerRow:
    """A customer's row. Raises NotFound."""
    row = customers.find(connection, process, customer)
    if row is None:
        raise NotFound(
            f"Expected {customer!r} on the roster of {process}, but they aren't. Do: run-process customers list {process}."
        )
    return row


# --- questions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer on the roster, and how they stand in the newest period that was decided about; `since` is that period."""

    process: str
    customer: str
    standing: str
    first_period: str
    since: str
    reason: str | None
    by: str
    at: datetime
    data: Mapping[str, Any]


def list_customers(runtime: Runtime, process: str, after: str = "", limit: int = PAGE) -> list[CustomerView]:
    """A page of the roster by customer. Raises DefinitionNotDeployed, DataRefused."""
    with runtime.database.reading() as connection:
        billing_map(connection, runtime, process)
        events = customers.events(connection, process)
        return [_view(row, events.get(row.customer, [])) for row in customers.listing(connection, process, after, limit)]


def show_customer(runtime: Runtime, process: str, customer: str) -> tuple[CustomerView, list[RosterEvent]]:
    """One customer, and what was decided about them. Raises NotFound."""
    with runtime.database.reading() as connection:
        row = on_roster(connection, process, customer)
        events = customers.ask_events(connection, process, customer)()
    return _view(row, events), events


def _view(row: CustomerRow, events: list[RosterEvent]) -> CustomerView:
    last = events[-1] if events else None
    standing = Standing.BILLED if last is None else standing_in(last.from_period, row.first_period, events)[0]
    if last is None:
        return CustomerView(
            row.process,
            row.customer,
            standing.value,
            row.first_period,
            row.first_period,
            None,
            row.enrolled_by,
            row.enrolled_at,
            row.data,
        )
    return CustomerView(
        row.process, row.customer, standing.value, row.first_period, last.from_period, last.reason, last.by, last.at, row.data
    )
