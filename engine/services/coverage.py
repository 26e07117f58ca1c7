"""Who is charged in a period, and who is not: read what the database knows, and let `engine.billing.coverage` judge it."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.billing.coverage import CoverageRow, cover
from engine.billing.situation import Situation
from engine.services.enrolling import billing_map, check_period
from engine.services.reconciling import records_of
from engine.services.runtime import Runtime
from engine.store import coverage as facts
from engine.store import customers, refunds


def coverage(runtime: Runtime, process: str, period: str) -> list[CoverageRow]:
    """One row for each customer who should be billed in `period`, by customer. Raises DefinitionNotDeployed, DataRefused."""
    with runtime.database.reading(snapshot=True) as connection:
        return cover(situation_of(connection, runtime, process, period))


def customer_item(runtime: Runtime, process: str) -> str:
    """The data item that says who is billed. Raises DefinitionNotDeployed, DataRefused."""
    with runtime.database.reading() as connection:
        bill = billing_map(connection, runtime, process).bill
    assert bill is not None
    return bill.customer


def customers_at_service(runtime: Runtime) -> set[str]:
    """All customers that the payment service has. Raises ConfigurationInvalid without a suitable key, RecordsUnavailable."""
    return set(records_of(runtime).customers())


def situation_of(connection: Connection, runtime: Runtime, process: str, period: str) -> Situation:
    """All that is known of a period of one process. Raises DefinitionNotDeployed, and DataRefused for a process without bills."""
    carry_over = billing_map(connection, runtime, process)
    period = check_period(carry_over, period)
    found = facts.instances_of(connection, process, period, carry_over.billed_item)
    on_roster = customers.first_periods(connection, process)
    strangers = facts.strangers(connection, process, period)
    live = {name for name, some in found.items() if any(each.billed or each.state != "cancelled" for each in some)}
    asked = [name for name in {*on_roster, *strangers} if name not in live]
    before = facts.bills_before(connection, process, period, asked)
    gone = [each.number for some in found.values() for each in some if each.state == "cancelled"]
    work = facts.work_of(connection, process, period)
    tasks = facts.tasks_of(connection, process, period)
    for of in {each.period for each in before.values() if each.state == "active"}:
        work |= facts.work_of(connection, process, of)
        tasks |= facts.tasks_of(connection, process, of)
    return Situation(
        process=process,
        period=period,
        now=runtime.now(),
        first_periods=on_roster,
        events=customers.events(connection, process),
        instances=found,
        charges=facts.charges_of(connection, process, period),
        refunded=refunds.of_charges(connection, process, period),
        tasks=tasks,
        work=work,
        incidents=facts.open_incidents(connection, process),
        before=before,
        cancellations=facts.cancellations(connection, gone),
        strangers=strangers,
    )
