"""End an instance and everything that it waits for: by hand, or because the instance that called it has gone on without it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engine.errors import ChargeInDoubt
from engine.execution.transition import CallClosed
from engine.model.identifiers import Kind, format_id
from engine.services import refunding
from engine.store import calls, charges, history, incidents, instances, jobs, refunds, subscriptions, timers, user_tasks
from engine.store.calls import CallRow
from engine.store.instances import InstanceRow

Event = tuple[str, Mapping[str, Any]]


def is_called(instance: InstanceRow) -> bool:
    """Whether another instance has called this one."""
    return instance.started_by == instances.CALL


def call_closed(connection: Connection, caller: InstanceRow, effect: CallClosed, by: str, now: datetime) -> list[Event]:
    """A call activity of `caller` (locked) waits no longer. What it called, and is still at work, is ended with all that it has
    called in turn, in the same transaction: nothing is left running.
    """
    call = calls.at_token(connection, caller.id, effect.token)
    if effect.returned:
        calls.close(connection, call.id, calls.RETURNED, now)
        incidents.resolve_of_call(connection, call.id, by, now)
        return []  # how it ended is the cause of all this
    _withdraw(connection, call, f"{format_id(Kind.INSTANCE, caller.id)} has gone on without it", by, now)
    return [("call_withdrawn", {"instance": format_id(Kind.INSTANCE, call.called), "flow_node": call.flow_node})]


def close_work(connection: Connection, number: int, by: str, reason: str, now: datetime) -> None:
    """Close everything that an instance (locked) waits for; what it has called ends as well.

    Raises ChargeInDoubt where the outcome of a called instance's refund isn't known.
    """
    user_tasks.withdraw_all(connection, number, now)
    jobs.withdraw_all(connection, number, now)
    timers.withdraw_all(connection, number, now)
    subscriptions.withdraw_all(connection, number, now)
    for call in calls.open_in(connection, number):
        _withdraw(connection, call, f"{format_id(Kind.INSTANCE, number)} was cancelled: {reason}", by, now)
    for incident in incidents.listing(connection, instance=number):
        # A message, and money that was taken, still need a person.
        if incident.job is not None or incident.timer is not None or incident.call is not None:
            incidents.resolve(connection, incident.id, by, now, f"cancelled: {reason}")


def _withdraw(connection: Connection, call: CallRow, reason: str, by: str, now: datetime) -> None:
    """The caller is locked, and calls no others meanwhile; so whoever locks callers before whom they call never waits for two who
    wait for each other.
    """
    called = instances.lock(connection, call.called, ended_too=True)
    calls.close(connection, call.id, calls.WITHDRAWN, now)
    incidents.resolve_of_call(connection, call.id, by, now)
    if called.state == instances.ACTIVE:
        _cancel(connection, called, reason, by, now)


def _cancel(connection: Connection, called: InstanceRow, reason: str, by: str, now: datetime) -> None:
    close_work(connection, called.id, by, reason, now)
    refunding.refuse_doubt(connection, called.id)
    if any(charge.state.in_doubt for charge in charges.touched_by(connection, called.id)):
        raise ChargeInDoubt(
            f"Expected no charge of {format_id(Kind.INSTANCE, called.id)} under way, but this step would end it while the "
            "outcome of one isn't known yet. Do: let a worker find it out, then try again."
        )
    instances.save(connection, called, called.token_state, {"state": instances.CANCELLED, "ended_at": now})
    refunds.give_up_prepared(connection, called.id, now)
    history.append(connection, called.id, now, by, [("instance_cancelled", {"reason": reason, "bill_freed": False})])
