"""Reminding: people are told by e-mail which tasks are overdue or due soon, each address once a day (UTC) at most.

The day is claimed in the database before a mail is sent, so that it doesn't matter how many workers and people send reminders.
The claim of a mail that was certainly not sent is given back; where that isn't known, the mail counts as sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

import structlog

from engine.billing.reminder_text import reminder_text
from engine.billing.reminders import DueTask, Reminder, ReminderPlan, Unaddressed, plan_reminders
from engine.connector import Completed, Fatal, Mail, Mailer, Retryable, SendsMail, Unknown
from engine.errors import ConfigurationInvalid
from engine.model.identifiers import Kind, format_id
from engine.model.text import with_remedy
from engine.services.chores import Chore, Round, Work
from engine.services.runtime import Runtime
from engine.store import reminders, user_tasks
from engine.store.user_tasks import UserTaskRow

log = structlog.get_logger("run_process.worker")

REMIND = "remind"
_MORNING = time(6)
"""UTC, as the day of the once-a-day rule is: read when work begins in Europe, and on the same day everywhere else."""
_MOST_FAILED = 5  # one after the other: the mail server is in trouble, not these addresses


class ReminderState(StrEnum):
    """What became of a reminder."""

    PLANNED = "planned"  # only shown
    SENT = "sent"
    UNKNOWN = "unknown"  # counts as sent
    ALREADY = "already"  # the address was reminded today
    FAILED = "failed"  # not sent; tried again on the same day
    REFUSED = "refused"  # not sent; a person has to mend something
    NO_ADDRESS = "no_address"


NEEDS_A_PERSON = frozenset({ReminderState.FAILED, ReminderState.REFUSED, ReminderState.NO_ADDRESS})


@dataclass(frozen=True, slots=True)
class ReminderView:
    """One address and what it is reminded of. `recipients` are the groups and users that it stands for, `escalated` tasks of
    others. Tasks without an address have a view of their own, with the address None; nobody in `recipients` means everyone.
    """

    address: str | None
    recipients: tuple[str, ...]
    tasks: tuple[str, ...]
    overdue: int
    escalated: tuple[str, ...]
    state: ReminderState
    reason: str | None


def planned_reminders(runtime: Runtime) -> list[ReminderView]:
    """Who would be reminded of what now; nothing is sent."""
    now = runtime.now()
    with runtime.database.reading() as connection:
        reminded = reminders.reminded_on(connection, now)
    plan = _plan(runtime, now)
    states = {True: ReminderState.ALREADY, False: ReminderState.PLANNED}
    return [
        *(_view(each, now, states[each.address in reminded], None) for each in plan.reminders),
        *(_without_address(each, now) for each in plan.unaddressed),
    ]


def remind(runtime: Runtime) -> list[ReminderView]:
    """Remind everybody who is to be reminded and wasn't today; what became of each. Raises ConfigurationInvalid for a mail
    server or sender with which nothing can be sent.
    """
    mailer = _mailer(runtime)
    if mailer is None:
        raise ConfigurationInvalid("Expected a connector that sends mail, but there is none. Do: run it with email.send.")
    return list(_send_all(runtime, mailer))


def _mailer(runtime: Runtime) -> Mailer | None:
    found = (connector for connector in runtime.connectors.values() if isinstance(connector, SendsMail))
    return next((connector.mailer() for connector in found), None)


# --- what there is to say --------------------------------------------------------------------------------------------


def _plan(runtime: Runtime, now: datetime) -> ReminderPlan:
    rules = runtime.configuration.reminders
    with runtime.database.reading() as connection:
        rows = user_tasks.due(connection, now + rules.due_within, {})
    return plan_reminders((_due_task(row) for row in rows), rules, now)


def _due_task(row: UserTaskRow) -> DueTask:
    assert row.due_at is not None
    return DueTask(row.id, row.name or row.flow_node, row.customer, row.period, row.group, row.claimed_by, row.due_at)


def _view(reminder: Reminder, now: datetime, state: ReminderState, reason: str | None) -> ReminderView:
    overdue = sum(task.is_overdue(now) for task in reminder.tasks)
    ids = _ids(reminder.tasks), overdue, _ids(reminder.escalated)
    return ReminderView(reminder.address, reminder.names, *ids, state, reason)


def _without_address(of: Unaddressed, now: datetime) -> ReminderView:
    names = () if of.name is None else (of.name,)
    overdue = sum(task.is_overdue(now) for task in of.tasks)
    reason = (
        "Expected a group or a person to remind, but these tasks are offered to everyone. Do: claim them, or draw a lane."
        if of.name is None
        else f"Expected an address for {of.name}, but run-process.yaml has none. Do: add it under `addresses`."
    )
    return ReminderView(None, names, _ids(of.tasks), overdue, (), ReminderState.NO_ADDRESS, reason)


def _ids(tasks: Sequence[DueTask]) -> tuple[str, ...]:
    return tuple(format_id(Kind.TASK, task.number) for task in tasks)


# --- sending ---------------------------------------------------------------------------------------------------------


def _send_all(runtime: Runtime, mailer: Mailer) -> Iterator[ReminderView]:
    """Reminders are sent while this is read. After some failures in a row the rest is left, so that nobody waits for each."""
    now = runtime.now()
    plan = _plan(runtime, now)
    failed_in_a_row, reason = 0, None
    for reminder in plan.reminders:
        if failed_in_a_row >= _MOST_FAILED:
            yield _view(reminder, now, ReminderState.FAILED, reason)
            continue
        state, reason = _send(runtime, mailer, reminder, now)
        failed_in_a_row = failed_in_a_row + 1 if state is ReminderState.FAILED else 0
        yield _view(reminder, now, state, reason)
    yield from (_without_address(each, now) for each in plan.unaddressed)


def _send(runtime: Runtime, mailer: Mailer, reminder: Reminder, now: datetime) -> tuple[ReminderState, str | None]:
    tasks = _ids((*reminder.tasks, *reminder.escalated))
    with runtime.database.transaction() as connection:
        if not reminders.claim(connection, reminder.address, now, tasks):
            return ReminderState.ALREADY, None
    match mailer.send(_mail(reminder, now)):
        case Completed():
            return ReminderState.SENT, None
        case Unknown(reason):
            return ReminderState.UNKNOWN, reason
        case Retryable(reason):
            _give_back(runtime, reminder, now)
            return ReminderState.FAILED, with_remedy(reason, "run-process remind again later; workers do so by themselves.")
        case Fatal(reason):
            _give_back(runtime, reminder, now)
            return ReminderState.REFUSED, reason


def _give_back(runtime: Runtime, reminder: Reminder, now: datetime) -> None:
    with runtime.database.transaction() as connection:
        reminders.give_back(connection, reminder.address, now)


def _mail(reminder: Reminder, now: datetime) -> Mail:
    """Its id is the address's and the day's, so that a mail which is sent again is recognised."""
    subject, text = reminder_text(reminder, now)
    address = hashlib.sha256(reminder.address.encode()).hexdigest()[:16]
    return Mail(f"reminder-{reminders.day_of(now)}-{address}", reminder.address, subject, text, now)


# --- every morning ---------------------------------------------------------------------------------------------------


def _begin(runtime: Runtime, _by: str) -> Work | None:
    if not runtime.configuration.reminders.addresses:
        return None  # this worker knows nobody; another may
    mailer = _mailer(runtime)
    if mailer is None:
        return None

    def work(done: Round, _: datetime | None) -> None:
        if runtime.now().time() >= _MORNING:  # a new day begins at midnight, also for what failed the day before
            _remind_in_round(runtime, mailer, done)

    return work


def _remind_in_round(runtime: Runtime, mailer: Mailer, done: Round) -> None:
    failure = None
    for each in _send_all(runtime, mailer):
        done.counts[each.state.value] += 1
        if each.state in NEEDS_A_PERSON:
            log.warning("reminder_not_sent", state=each.state.value, recipients=each.recipients, reason=each.reason)
        if each.state is ReminderState.FAILED:
            failure = each.reason
        if done.is_over():
            return
    done.failure = failure


def _next_morning(now: datetime) -> datetime:
    today = datetime.combine(now.astimezone(UTC).date(), _MORNING, UTC)
    return today if now < today else today + timedelta(days=1)


REMINDING = Chore(REMIND, _next_morning, _begin)
"""Every morning, by one of the workers that know addresses and a mail server."""
