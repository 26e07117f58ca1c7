"""Start instances: by hand, from a finished instance (reuse), from a file of customers, or by the hand-over message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engine.billing.roster import RosterEvent, Standing, standing_in
from engine.connector import Value
from engine.definition.beginning import bill_of, known_items, none_start, present, refuse_entries, values_at_start
from engine.definition.carry_over import hand_over, read_values, refuse_other_bill
from engine.definition.process_definition import ProcessDefinition
from engine.errors import (
    AlreadyBilled,
    DataRefused,
    EngineError,
    InstanceStillActive,
    NotBilled,
    PeriodClosed,
)
from engine.execution.state import dump_state, load_state
from engine.execution.transition import Effect, Start
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.applying import apply_transition, ended
from engine.services.batches import Row, RowReport, in_batches, readable_row
from engine.services.runtime import Runtime
from engine.store import calls, customers, history, instances, periods
from engine.store.calls import NewCall
from engine.store.customers import CustomerRow
from engine.store.deployments import Deployment
from engine.store.instances import NewInstance


@dataclass(frozen=True)
class Beginning:
    """How an instance begins. `started_by`: manual, reuse, message, timer, repair or call. `previous_values` are shown beside
    empty fields. `message` is the id of the message that starts it, where that isn't the hand-over; `call` what calls it.
    """

    start_event: str
    data: Mapping[str, Value]
    started_by: str
    by: str
    previous_id: int | None = None
    previous_values: Mapping[str, Value] | None = None
    message: str | None = None
    call: NewCall | None = None


def start_instance(
    connection: Connection, runtime: Runtime, deployment: Deployment, beginning: Beginning, later: list[Effect] | None = None
) -> int:
    """Start an instance of a deployed version, in the caller's transaction, and give its number. `later` is as in
    `apply_transition`.

    A customer who is started by a person and isn't on the roster yet is enrolled. Raises AlreadyBilled when the customer's
    period has an instance, NotBilled where the roster says that they are not to be billed for it, PeriodClosed, and DataRefused
    when customer or period are unusable.
    """
    from engine.execution.advance import advance  # loads the execution library, which listings don't need

    executable = runtime.definitions.executable(connection, deployment.digest)
    customer, period = bill_of(executable.definition.carry_over, beginning.data)
    try:
        transition = advance(executable, None, Start(beginning.start_event, beginning.data), runtime.clock)
    except EngineError:
        _refuse_billed(connection, deployment.process, customer, period)
        raise
    new = _row(runtime, deployment, beginning, customer, period)
    row = instances.add(connection, new, dump_state(transition.state), ended(transition, new.started_at))
    if beginning.call is not None:
        calls.add(connection, beginning.call, row.id, new.started_at)
    refuse_billed = _claim_bill(connection, deployment.process, customer, period, row.id)
    if customer is not None and period is not None and beginning.started_by != instances.MESSAGE:
        customers.enrol(connection, _enrolment(deployment.process, customer, period, beginning, new.started_at))
    cause = ("instance_started", _started(deployment, beginning))
    try:
        apply_transition(connection, runtime, row, executable, transition, cause, beginning.by, history.BEGINNING, later)
    except EngineError:
        refuse_billed()
        raise
    refuse_billed()
    return row.id


def _row(runtime: Runtime, deployment: Deployment, beginning: Beginning, customer: str | None, period: str | None) -> NewInstance:
    return NewInstance(
        process=deployment.process,
        version=deployment.version,
        customer=customer,
        period=period,
        started_by=beginning.started_by,
        started_user=beginning.by,
        previous_id=beginning.previous_id,
        started_at=runtime.now(),
        previous_values=dict(beginning.previous_values or {}),
    )


def _started(deployment: Deployment, beginning: Beginning) -> dict[str, Any]:
    previous = format_id(Kind.INSTANCE, beginning.previous_id) if beginning.previous_id is not None else None
    return {
        "process": deployment.process,
        "version": deployment.version,
        "started_by": beginning.started_by,
        "start_event": beginning.start_event,
        "previous": previous,
        **({"message": beginning.message} if beginning.message is not None else {}),
        **(_called_by(beginning.call) if beginning.call is not None else {}),
        "data": dict(beginning.data),
    }


def _called_by(call: NewCall) -> dict[str, str]:
    return {"called_by": format_id(Kind.INSTANCE, call.instance), "flow_node": call.flow_node}


def _refuse_billed(connection: Connection, process: str, customer: str | None, period: str | None) -> None:
    """Raise AlreadyBilled, which says more than that the instance can't start, for a bill that there is."""
    if customer is not None and period is not None:
        existing = instances.billed_by(connection, process, customer, period)
        if existing is not None:
            raise AlreadyBilled(process, customer, period, format_id(Kind.INSTANCE, existing))


def _claim_bill(
    connection: Connection, process: str, customer: str | None, period: str | None, number: int
) -> Callable[[], None]:
    """Claim the bill, if the definition has any, with the statements that follow. What is given raises AlreadyBilled."""
    if customer is None or period is None:
        return lambda: None
    is_closed = periods.ask_closed(connection, process, period)
    events = customers.ask_events(connection, process, customer)
    claimed = instances.claim_bill(connection, process, customer, period, number)

    def refuse() -> None:
        existing = claimed()
        if existing is not None:
            raise AlreadyBilled(process, customer, period, format_id(Kind.INSTANCE, existing))
        if is_closed():
            raise period_closed(process, period)
        _refuse_unbilled(process, customer, period, events())

    return refuse


def period_closed(process: str, period: str) -> PeriodClosed:
    """What is told of a period that is closed."""
    return PeriodClosed(
        f"Expected {period} of {process} to be open, but it is closed. "
        f"Do: leave it, or run-process reopen {process} --period {period} --reason TEXT."
    )


def _refuse_unbilled(process: str, customer: str, period: str, events: Iterable[RosterEvent]) -> None:
    standing, event = standing_in(period, period, events)
    if standing is not Standing.BILLED and event is not None:
        raise NotBilled(
            f"Expected {customer} to be billed for {period}, but {event.by} has {event.event} them from {event.from_period} on: "
            f"{event.reason} Do: leave it, or run-process customers resume {process} {customer} --from {period} --reason TEXT."
        )


def _enrolment(process: str, customer: str, period: str, beginning: Beginning, at: datetime) -> CustomerRow:
    return CustomerRow(process, customer, period, dict(beginning.data), at, beginning.by)


def start_by_hand(runtime: Runtime, process: str, raw: Mapping[str, Value], by: str) -> str:
    """Start an instance of the newest version at its none start event, with values as people typed them; its id."""
    with runtime.database.transaction() as connection:
        deployment = runtime.deployment(connection, process)
        beginning = by_hand(runtime.definitions.definition(connection, deployment.digest), raw, by)
        return format_id(Kind.INSTANCE, start_instance(connection, runtime, deployment, beginning))


def by_hand(definition: ProcessDefinition, raw: Mapping[str, Value], by: str) -> Beginning:
    """How an instance begins that a person starts, with values as people typed them. Raises DataRefused, DefinitionInvalid."""
    return Beginning(none_start(definition), values_at_start(definition.carry_over, raw), instances.MANUAL, by)


def reuse(runtime: Runtime, process: str, instance: str, raw: Mapping[str, Value], by: str) -> str:
    """Start the next instance by hand from one that has ended, through the carry-over map; `raw` replaces what it carries.

    Raises InstanceStillActive, DataRefused, AlreadyBilled.
    """
    number = parse_id(Kind.INSTANCE, instance)
    with runtime.database.transaction() as connection:
        old = instances.get(connection, number)
        if old.process != process:
            raise DataRefused(
                f"Expected an instance of {process}, but {instance} is one of {old.process}. Do: choose one of {process}."
            )
        if old.state == instances.ACTIVE:
            raise InstanceStillActive(
                f"Expected {instance} to have ended, but it is active. Do: complete it, or cancel it with a reason."
            )
        carry_over = runtime.definition(connection, old.process, old.version).carry_over
        handed = hand_over(carry_over, load_state(old.token_state).data)
        deployment = runtime.deployment(connection, process)
        definition = runtime.definitions.definition(connection, deployment.digest)
        carried = known_items(definition, handed.data)
        refuse_entries(definition.carry_over, raw)
        corrected = read_values(definition.carry_over, raw, carried)
        refuse_other_bill(definition.carry_over, corrected, carried)
        data = present({**carried, **corrected})
        start = none_start(definition)
        beginning = Beginning(start, data, instances.REUSE, by, number, known_items(definition, handed.previous))
        return format_id(Kind.INSTANCE, start_instance(connection, runtime, deployment, beginning))


def start_rows(runtime: Runtime, process: str, rows: Iterable[Row], by: str, report: Callable[[RowReport], None]) -> None:
    """Start an instance for each row; no row takes another back.

    Safe to run twice: what was started before is reported as `already`. Nothing is left out silently, and a row is reported
    once it is stored. Raises DefinitionNotDeployed, before the first row, when there is no such process.
    """
    with runtime.database.reading() as connection:
        runtime.deployment(connection, process)
    in_batches(
        rows,
        lambda some: _start_together(runtime, process, some, by),
        lambda row: _start_row(runtime, process, row, by),
        report,
    )


def _start_together(runtime: Runtime, process: str, rows: list[Row], by: str) -> list[RowReport] | None:
    """What became of the rows, started in one transaction: most of what a start alone takes is waiting for the disk.

    None when one of them can't be started after all; then none is, and each is to be tried on its own.
    """
    try:
        with runtime.database.transaction() as connection:
            deployment = runtime.deployment(connection, process)
            definition = runtime.definitions.definition(connection, deployment.digest)
            reports = []
            for line, values in rows:
                try:
                    beginning = by_hand(definition, readable_row(values), by)
                except EngineError as refused:  # nothing of this row is stored yet
                    reports.append(RowReport(line, "refused", reason=str(refused)))
                else:
                    number = start_instance(connection, runtime, deployment, beginning)
                    reports.append(RowReport(line, "started", format_id(Kind.INSTANCE, number)))
            return reports
    except EngineError:
        return None


def _start_row(runtime: Runtime, process: str, row: Row, by: str) -> RowReport:
    line, values = row
    try:
        return RowReport(line, "started", start_by_hand(runtime, process, readable_row(values), by))
    except AlreadyBilled as already:
        return RowReport(line, "already", already.instance, str(already))
    except EngineError as refused:
        return RowReport(line, "refused", reason=str(refused))
