"""What people and programs are shown of everything else that is stored: work, incidents, charges, refunds and history.

These are the stable JSON forms of the command line; docs/json.md describes them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeAlias

from engine.connector import Charge, Refund
from engine.model.identifiers import Kind, format_id
from engine.store import incidents
from engine.store.calls import CallRow
from engine.store.history import Entry
from engine.store.incidents import IncidentRow
from engine.store.jobs import JobRow
from engine.store.messages import MessageRow
from engine.store.sent_messages import SentMessageRow
from engine.store.start_timers import StartTimerRow
from engine.store.subscriptions import SubscriptionRow
from engine.store.timers import TimerRow

Worked: TypeAlias = JobRow | MessageRow | SentMessageRow | TimerRow | StartTimerRow | CallRow
"""What a worker does."""


def job_json(row: JobRow) -> dict[str, Any]:
    """A job. `next_at` is when it may run next, None when it will not run by itself."""
    waits = row.state in ("ready", "leased")
    return {
        "id": format_id(Kind.JOB, row.id),
        "flow_node": row.flow_node,
        "topic": row.topic,
        "state": row.state,
        "attempts": row.attempts,
        "next_at": (row.lease_until or row.run_at) if waits else None,
        "last_error": row.last_error,
        "parameters": row.parameters,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }


def message_json(row: MessageRow) -> dict[str, Any]:
    """A thrown message."""
    return {
        "id": format_id(Kind.MESSAGE, row.id),
        "name": row.name,
        "flow_node": row.flow_node,
        "state": row.state,
        "thrown_at": row.thrown_at,
        "delivered_at": row.delivered_at,
        "delivered_to": format_id(Kind.INSTANCE, row.delivered_to) if row.delivered_to is not None else None,
        "last_error": row.last_error,
    }


def sent_message_json(row: SentMessageRow) -> dict[str, Any]:
    """A message that isn't the hand-over, or a signal to one receiver."""
    return {
        "id": format_id(Kind.SENT_MESSAGE, row.id),
        "kind": row.kind,
        "name": row.name,
        "key": row.key,
        "state": row.state,
        "thrown_by": format_id(Kind.INSTANCE, row.instance) if row.instance is not None else None,
        "flow_node": row.flow_node,
        "sent_by": row.sent_by,
        "outside_id": row.outside_id,
        "sent_at": row.sent_at,
        "delivered_at": row.delivered_at,
        "delivered_to": format_id(Kind.INSTANCE, row.delivered_to) if row.delivered_to is not None else None,
        "last_error": row.last_error,
        "data": dict(row.data),
    }


def subscription_json(row: SubscriptionRow) -> dict[str, Any]:
    """A message or signal that an instance waits for, or has waited for."""
    return {
        "id": format_id(Kind.SUBSCRIPTION, row.id),
        "instance": format_id(Kind.INSTANCE, row.instance),
        "flow_node": row.flow_node,
        "kind": row.kind,
        "name": row.name,
        "key": row.key,
        "state": row.state,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }


def timer_json(row: TimerRow) -> dict[str, Any]:
    """A timer. A waiting one whose time has passed fires as soon as a worker runs."""
    return {
        "id": format_id(Kind.TIMER, row.id),
        "flow_node": row.flow_node,
        "state": row.state,
        "due_at": row.due_at,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }


def call_json(row: CallRow) -> dict[str, Any]:
    """A call activity's call. `instance` is the one that calls, `called` the one that is called; `error` what that ended by."""
    return {
        "id": format_id(Kind.CALL, row.id),
        "instance": format_id(Kind.INSTANCE, row.instance),
        "flow_node": row.flow_node,
        "called": format_id(Kind.INSTANCE, row.called),
        "state": row.state,
        "error": row.error,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }


def incident_json(row: IncidentRow) -> dict[str, Any]:
    """An incident, with the commands that resolve it."""
    return {
        "id": format_id(Kind.INCIDENT, row.id),
        "instance": format_id(Kind.INSTANCE, row.instance),
        "job": format_id(Kind.JOB, row.job) if row.job is not None else None,
        "message": _message_of(row),
        "timer": format_id(Kind.TIMER, row.timer) if row.timer is not None else None,
        "call": format_id(Kind.CALL, row.call) if row.call is not None else None,
        "customer": row.customer,
        "period": row.period,
        "kind": row.kind,
        "flow_node": row.flow_node,
        "reason": row.what,
        "tried": row.tried,
        "created_at": row.created_at,
        "resolved_at": row.resolved_at,
        "resolved_by": row.resolved_by,
        "resolution": row.resolution,
        "commands": [] if row.resolved_at else _remedies(row),
    }


def _message_of(row: IncidentRow) -> str | None:
    if row.message is not None:
        return format_id(Kind.MESSAGE, row.message)
    return format_id(Kind.SENT_MESSAGE, row.sent_message) if row.sent_message is not None else None


def _remedies(row: IncidentRow) -> list[str]:
    number, instance = format_id(Kind.INCIDENT, row.id), format_id(Kind.INSTANCE, row.instance)
    retry, cancel = f"run-process retry {number}", f"run-process cancel {instance} --reason TEXT"
    resolve = f"run-process resolve {number} --reason TEXT"
    if row.job is not None:
        told = f"{resolve} (--done | --error CODE)"
        return [retry, told] if row.kind == incidents.IN_DOUBT else [retry, told, cancel]
    if row.message is not None or row.sent_message is not None:
        return [retry, resolve]
    return [retry, cancel] if row.timer is not None or row.call is not None else [resolve]


def charge_json(charge: Charge) -> dict[str, Any]:
    """A ledger row: what was to be charged and how it stands. The amount is in minor units."""
    values = asdict(charge.request)
    keep = ("customer", "period", "instance", "amount", "currency", "stripe_customer", "approved_by", "livemode")
    return {
        **{name: values[name] for name in keep},
        "state": str(charge.state),
        "intent": charge.intent,
        "attempt": charge.attempt,
        "reason": charge.reason,
        "updated_at": charge.updated_at,
    }


def refund_json(refund: Refund) -> dict[str, Any]:
    """A refund: what was to be given back of which bill, and how it stands. The amount is in minor units."""
    request = refund.request
    return {
        "id": refund.refund_key,
        "customer": request.customer,
        "period": request.period,
        "instance": refund.instance,
        "bill": refund.bill,
        "amount": refund.amount,
        "currency": request.currency,
        "reason": request.reason,
        "comment": request.comment,
        "requested_by": request.requested_by,
        "approved_by": request.approved_by,
        "livemode": request.livemode,
        "state": str(refund.state),
        "refund": refund.refund,
        "intent": refund.intent,
        "attempt": refund.attempt,
        "problem": refund.problem,
        "refunded_at": refund.refunded_at,
        "updated_at": refund.updated_at,
    }


def history_json(entry: Entry) -> dict[str, Any]:
    """A history entry."""
    return asdict(entry)


def start_timer_json(row: StartTimerRow) -> dict[str, Any]:
    """A timer that starts instances of a process. `last_error` says why it couldn't the last time."""
    return {
        "process": row.process,
        "version": row.version,
        "flow_node": row.flow_node,
        "state": row.state,
        "due_at": row.due_at,
        "last_error": row.last_error,
    }


def work_json(done: Worked) -> dict[str, Any]:
    """What became of a piece of work: the job, message, timer or call as it is now."""
    if isinstance(done, StartTimerRow):
        return start_timer_json(done)
    if isinstance(done, CallRow):
        return call_json(done)
    if isinstance(done, MessageRow):
        return message_json(done)
    if isinstance(done, SentMessageRow):
        return sent_message_json(done)
    return timer_json(done) if isinstance(done, TimerRow) else job_json(done)


def work_line(done: Worked) -> str:
    """What became of a piece of work, as one line for people."""
    if isinstance(done, StartTimerRow):
        started = done.last_error or (f"started, next at {done.due_at:%Y-%m-%d %H:%MZ}" if done.state == "waiting" else "started")
        return f"{done.process}@{done.version} {done.flow_node}: {started}"
    if isinstance(done, SentMessageRow):
        return _sent_line(done)
    if isinstance(done, CallRow):
        return _call_line(done)
    instance = format_id(Kind.INSTANCE, done.instance)
    if isinstance(done, MessageRow):
        became = format_id(Kind.INSTANCE, done.delivered_to) if done.delivered_to is not None else done.last_error
        return f"{format_id(Kind.MESSAGE, done.id)} {instance} {done.name}: {done.state} {became}"
    if isinstance(done, TimerRow):
        return f"{format_id(Kind.TIMER, done.id)} {instance} {done.flow_node}: {done.state}"
    return f"{format_id(Kind.JOB, done.id)} {instance} {done.topic}: {_job_line(done)}"


def _call_line(row: CallRow) -> str:
    called = format_id(Kind.INSTANCE, row.called) + (f" ended by {row.error}" if row.error is not None else "")
    return f"{format_id(Kind.CALL, row.id)} {format_id(Kind.INSTANCE, row.instance)} {row.flow_node}: {row.state} {called}"


def _sent_line(row: SentMessageRow) -> str:
    sender = format_id(Kind.INSTANCE, row.instance) if row.instance is not None else row.sent_by
    became = f"to {format_id(Kind.INSTANCE, row.delivered_to)}" if row.delivered_to is not None else row.last_error or ""
    return f"{format_id(Kind.SENT_MESSAGE, row.id)} {sender} {row.name}: {row.state} {became}".rstrip()


def _job_line(job: JobRow) -> str:
    if job.state == "leased":
        return f"not done yet, {job.worker} is at it"
    if job.state == "ready":
        return f"waits until {job.run_at:%Y-%m-%d %H:%M:%SZ} after {job.last_error}" if job.last_error else "waits for a worker"
    if job.state == "done":
        return f"done, ended in {job.last_error}" if job.last_error else "done"
    return job.state + (f" {job.last_error}" if job.last_error else "")
