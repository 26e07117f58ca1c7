"""Coverage: what became of each customer who should be billed for a period, in exactly one state.

Who should be billed comes from the roster, so that a customer whose chain is broken is found although nothing of it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from engine.billing.roster import RosterEvent, Standing, standing_in
from engine.billing.situation import Before, ChargeFact, IncidentFact, InstanceFact, Situation, WorkFact
from engine.model.identifiers import Kind, format_id


class CoverageState(StrEnum):
    """What became of a customer in a period."""

    CHARGED = "charged"
    CREDITED = "credited"
    NOTHING_DUE = "nothing_due"
    OPEN = "open"  # a person is to do something
    WAITING = "waiting"  # a worker or a time is waited for, or the month before
    FAILED = "failed"  # declined and given up
    UNRESOLVED = "unresolved"  # not known, or an incident
    PAUSED = "paused"
    ENDED = "ended"
    MISSING = "missing"  # should have an instance and has none
    DUPLICATE = "duplicate"


SETTLED = frozenset({"charged", "credited", "nothing_due", "failed", "paused", "ended"})
"""States in which nothing more is to come."""


@dataclass(slots=True)
class CoverageRow:
    """One customer in one period. Amounts are in minor units of `currency`; `refunded` is part of `amount`.

    `settled` says that nothing more is to come: a charged month whose e-mail hasn't been sent yet is not. `command` mends it or
    takes it further, None where nothing is to be done or time does it. `enrolled` is false for who isn't on the roster.
    """

    customer: str
    state: CoverageState
    settled: bool
    instance: str | None
    reason: str
    amount: int | None = None
    currency: str | None = None
    refunded: int = 0
    since: datetime | None = None
    task: str | None = None
    assignee: str | None = None
    overdue: bool = False
    command: str | None = None
    enrolled: bool = True


def cover(situation: Situation) -> list[CoverageRow]:
    """One row for each customer who should be billed in the period or is, by customer."""
    customers = sorted({*situation.first_periods, *situation.instances, *situation.charges, *situation.strangers})
    return [row for customer in customers if (row := _row(situation, customer)) is not None]


def _row(of: Situation, customer: str) -> CoverageRow | None:
    first = of.first_periods.get(customer)
    event = None
    standing = Standing.BILLED
    if first is not None:
        standing, event = standing_in(of.period, first, of.events.get(customer, ()))
    found = [each for each in of.instances.get(customer, ()) if each.billed or each.state != "cancelled"]
    if len(found) > 1:
        return _duplicate(customer, found)
    charge = of.charges.get(customer)
    if found or (charge is not None and (charge.in_doubt or charge.state == "succeeded")):
        row = _of_bill(of, customer, found[0] if found else None, charge, event)
    elif standing is Standing.NOT_YET:
        return None
    elif event is not None and standing is not Standing.BILLED:
        row = CoverageRow(customer, CoverageState(standing.value), True, None, _said(event), since=event.at)
    else:
        row = _not_started(of, customer)
    row.refunded = of.refunded.get(customer, 0)
    return row if first is not None else _stranger(of, row)


def _said(event: RosterEvent) -> str:
    through = f" ({format_id(Kind.INSTANCE, event.instance)})" if event.instance is not None else ""
    return f"from {event.from_period} by {event.by}{through}: {event.reason}"


def not_enrolled(process: str, customer: str, where: str) -> CoverageRow:
    """The row of a customer whom an outside list has and our roster doesn't."""
    command = f"run-process customers enrol {process} --csv FILE"
    return CoverageRow(
        customer, CoverageState.MISSING, False, None, f"in {where}, but not on the roster", command=command, enrolled=False
    )


def _duplicate(customer: str, found: Sequence[InstanceFact]) -> CoverageRow:
    numbers = [format_id(Kind.INSTANCE, each.number) for each in found]
    reason = f"{len(found)} instances for one bill: {', '.join(numbers)}"
    return CoverageRow(
        customer, CoverageState.DUPLICATE, False, numbers[0], reason, command=f"run-process cancel {numbers[-1]} --reason TEXT"
    )


def _stranger(of: Situation, row: CoverageRow) -> CoverageRow:
    """They are billed, but nobody would notice if they weren't."""
    row.settled = row.enrolled = False
    row.reason = f"not on the roster; {row.reason}" if row.reason else "not on the roster"
    row.command = row.command or repair_command(of.process, of.period)
    return row


def repair_command(process: str, period: str) -> str:
    """What starts what is missing."""
    return f"run-process coverage {process} --period {period} --repair"


# --- with a bill -----------------------------------------------------------------------------------------------------


def _of_bill(
    of: Situation, customer: str, instance: InstanceFact | None, charge: ChargeFact | None, event: RosterEvent | None
) -> CoverageRow:
    number = instance.number if instance is not None else charge.instance if charge is not None else 0
    row = CoverageRow(customer, CoverageState.UNRESOLVED, False, format_id(Kind.INSTANCE, number), "")
    if charge is not None and (instance is None or instance.amount is None or charge.state == "succeeded"):
        row.amount, row.currency = charge.amount, charge.currency
    elif instance is not None:
        row.amount, row.currency = instance.amount, instance.currency
    incident = of.incidents.get(number)
    if incident is not None and incident.message is None:
        return _incident(row, incident)
    if charge is not None and charge.in_doubt:
        row.reason, row.since = f"whether it was charged isn't known: {charge.reason or 'no answer'}", charge.at
        return row
    if charge is not None and charge.state == "succeeded":
        return _charged(of, row, charge, instance)
    assert instance is not None  # a charge alone counts where it is money or in doubt
    return _uncharged(of, row, instance, charge, event)


def _incident(row: CoverageRow, incident: IncidentFact) -> CoverageRow:
    named = format_id(Kind.INCIDENT, incident.number)
    command = f"run-process retry {named}" if incident.can_be_retried else f"run-process resolve {named} --reason TEXT"
    row.reason, row.command = f"{named}: {incident.what}", command
    return row


def _charged(of: Situation, row: CoverageRow, charge: ChargeFact, instance: InstanceFact | None) -> CoverageRow:
    row.state, row.since = CoverageState.CHARGED, charge.at
    row.reason = charge.reason or ""
    row.settled = instance is not None and instance.state != "active"
    if not row.settled:
        row.reason = "charged; " + (_left(of, instance.number) if instance is not None else "its instance is gone")
    return row


def _left(of: Situation, number: int) -> str:
    tasks = [f"{each.name} ({format_id(Kind.TASK, each.number)})" for each in of.tasks.get(number, ())]
    work = [each.what for each in of.work.get(number, ())]
    return f"still to do: {', '.join([*tasks, *work]) or 'nothing that is known'}"


def _uncharged(
    of: Situation, row: CoverageRow, instance: InstanceFact, charge: ChargeFact | None, event: RosterEvent | None
) -> CoverageRow:
    if instance.damaged and (instance.state == "active" or (instance.thrown and charge is None)):
        return _damaged(row, instance)
    if instance.state == "active":
        return _active(of, row, instance)
    row.settled, row.since = True, instance.ended_at
    if instance.state == "cancelled":
        by, why = of.cancellations.get(instance.number, ("somebody", "?"))
        row.state, row.reason = CoverageState.FAILED, f"cancelled by {by}: {why}"
    elif not instance.thrown:
        row.state, row.amount, row.currency = CoverageState.ENDED, None, None  # whatever was entered is not billed
        row.reason = _said(event) if event is not None else "it ended without handing over"
    elif not instance.amount:
        row.state = CoverageState.NOTHING_DUE
    elif instance.amount < 0:
        row.state = CoverageState.CREDITED
    else:
        row.state = CoverageState.FAILED
        row.reason = f"given up: {charge.reason}" if charge is not None and charge.reason else "given up"
    return row


def _damaged(row: CoverageRow, instance: InstanceFact) -> CoverageRow:
    """What it came to stands in its state alone, and that can't be read."""
    row.reason = f"the stored state of {row.instance} is damaged"
    if instance.state == "active":
        row.command = f"run-process cancel {row.instance} --reason TEXT"
    else:
        row.reason += "; a backup of the database has it, and its history what was entered"
        row.command = f"run-process history {row.instance}"
    return row


def _active(of: Situation, row: CoverageRow, instance: InstanceFact) -> CoverageRow:
    tasks, work = of.tasks.get(instance.number), of.work.get(instance.number)
    if tasks:
        task = min(tasks, key=lambda each: each.number)
        row.state, row.since, row.task = CoverageState.OPEN, task.since, format_id(Kind.TASK, task.number)
        row.assignee = task.claimed_by or task.group
        row.overdue = task.due_at is not None and task.due_at < of.now
        whose = f"claimed by {task.claimed_by}" if task.claimed_by else f"offered to {task.group or 'everyone'}"
        row.reason = f"{task.name}: {whose}" + (", overdue" if row.overdue else "")
        row.command = f"run-process tasks {row.task}"
    elif work:
        _waiting(row, work)
    else:
        row.reason = "nothing moves it on: it has neither task nor job nor timer, and waits for no message"
        row.command = f"run-process cancel {row.instance} --reason TEXT"
    return row


def _waiting(row: CoverageRow, work: Sequence[WorkFact]) -> None:
    timed = sorted((each.next_at, number) for number, each in enumerate(work) if each.next_at is not None)
    first = work[timed[0][1]] if timed else min(work, key=lambda each: each.since)
    others = [each.what for each in work if each.next_at is None and each is not first]
    row.state, row.since = CoverageState.WAITING, first.since
    after = f" after {first.problem}" if first.problem else ""
    when = f": next at {first.next_at:%Y-%m-%d %H:%MZ}{after}" if first.next_at is not None else ""
    row.reason = f"{first.what}{when}" + (f"; {', '.join(others)}" if others else "")


# --- without one -----------------------------------------------------------------------------------------------------


def _not_started(of: Situation, customer: str) -> CoverageRow:
    before = of.before.get(customer)
    cancelled = [each for each in of.instances.get(customer, ()) if each.state == "cancelled"]
    row = CoverageRow(customer, CoverageState.MISSING, False, None, "", command=repair_command(of.process, of.period))
    if before is None:
        row.reason = f"enrolled from {of.first_periods[customer]} on, and there is no bill of theirs"
    else:
        _after(of, row, before)
    if cancelled and row.state is CoverageState.MISSING:
        number = cancelled[-1].number
        by, why = of.cancellations.get(number, ("somebody", "?"))
        row.reason, row.since = f"{format_id(Kind.INSTANCE, number)} was cancelled by {by}: {why}", cancelled[-1].ended_at
    return row


def _after(of: Situation, row: CoverageRow, before: Before) -> None:
    """Why the month before, or an earlier one, has not led to this one."""
    previous = f"{format_id(Kind.INSTANCE, before.number)} of {before.period}"
    incident = of.incidents.get(before.number)
    if incident is not None and incident.message is not None:
        named = format_id(Kind.INCIDENT, incident.number)
        row.reason = f"{named}: the hand-over of {previous} was not delivered: {incident.what}"
        row.command = f"run-process retry {named}"
    elif before.message is not None and before.message[1] == "waiting":
        row.state, row.command = CoverageState.WAITING, None
        row.reason = f"the hand-over of {previous} ({format_id(Kind.MESSAGE, before.message[0])}) waits for a worker"
    elif before.state == "active":
        row.state, row.command = CoverageState.WAITING, None
        row.reason = f"{previous} isn't done yet: {_left(of, before.number)}"
    elif before.message is None:
        row.reason = f"{previous} ended without handing over"
    elif before.message[1] == "settled":
        row.reason = (
            f"the hand-over of {previous} ({format_id(Kind.MESSAGE, before.message[0])}) was ended without starting anything"
        )
    else:
        row.reason = f"the hand-over of {previous} has led to no instance that is still there"


# --- in sum ----------------------------------------------------------------------------------------------------------


def count_states(rows: Iterable[CoverageRow]) -> dict[str, int]:
    """State -> how many customers, for every state."""
    counts = {state.value: 0 for state in CoverageState}
    for row in rows:
        counts[row.state] += 1
    return counts


def sum_amounts(rows: Iterable[CoverageRow]) -> dict[str, dict[str, int]]:
    """Currency -> state -> sum in minor units, of the rows that have an amount; what was refunded as a state of its own."""
    totals: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.amount is None or row.currency is None:
            continue
        of_currency = totals.setdefault(row.currency, {})
        of_currency[row.state] = of_currency.get(row.state, 0) + row.amount
        if row.refunded:
            of_currency["refunded"] = of_currency.get("refunded", 0) + row.refunded
    return {currency: totals[currency] for currency in sorted(totals)}


def summarise(rows: Iterable[CoverageRow], by: str) -> Iterator[dict[str, Any]]:
    """For a morning meeting: how many customers and what sums for each `task`, `assignee` or `state`, most first."""
    groups: dict[str, list[CoverageRow]] = {}
    for row in rows:
        if by == "state":
            groups.setdefault(row.state.value, []).append(row)
        elif row.state is CoverageState.OPEN:
            name = row.reason.partition(":")[0] if by == "task" else row.assignee
            groups.setdefault(name or "everyone", []).append(row)
    for name, some in sorted(groups.items(), key=lambda each: (-len(each[1]), each[0])):
        overdue = sum(row.overdue for row in some)
        oldest = min((row.since for row in some if row.since is not None), default=None)
        yield {"by": by, "name": name, "customers": len(some), "overdue": overdue, "since": oldest, "amounts": sum_amounts(some)}
