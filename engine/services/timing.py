"""Fire timers: each due timer moves its instance once, in one transaction, whichever worker comes first."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import Connection

from engine.definition.diagram import FlowNode
from engine.errors import ChargeInDoubt, EngineError
from engine.execution.advance import advance
from engine.execution.state import load_state
from engine.execution.transition import FireTimer
from engine.model.identifiers import Kind, format_id
from engine.model.moment import format_moment
from engine.services.applying import apply_transition
from engine.services.raising import Trouble, raise_incident, unexpected
from engine.services.runtime import Runtime
from engine.store import incidents, instances, timers, user_tasks
from engine.store.database import may_pass
from engine.store.instances import InstanceRow
from engine.store.sending import savepoint
from engine.store.timers import TimerRow

log = structlog.get_logger("run_process.worker")

_DOUBT_PAUSE = timedelta(minutes=1)
"""How long a timer waits that would leave a charge behind whose outcome isn't known."""
_CLAIM_PAUSE = timedelta(minutes=10)
"""How long a timer waits that may not take away a claimed task, before it looks again whether it was given back."""


class _Claimed(Exception):
    """Somebody has the task that the timer would take away."""


def fire_next(runtime: Runtime, by: str) -> TimerRow | None:
    """Fire the timer that is overdue the longest; the timer as it is afterwards, None when none is due.

    A timer that can't fire becomes an incident (its state `failed`), so that it holds up no other. One that would withdraw a
    charge in doubt is tried again a minute later, still `waiting`; so is one that fires unless its task is claimed, ten minutes
    later while it is. Raises what the database raises while it can't be used;
    nothing has changed then.
    """
    while True:
        with runtime.database.transaction() as connection:
            due = timers.lock_due(connection, runtime.now())
            if due is None:
                return None
            timer = _fire(connection, runtime, due.id, due.instance, by)
            if timer is not None:
                return timer
        # Another worker fired it while its instance was being locked: the next one is looked for in a new view.


def fire(runtime: Runtime, number: int, by: str) -> TimerRow:
    """Fire this timer, if it waits and is due; the timer as it is afterwards. Raises NotFound."""
    with runtime.database.transaction() as connection:
        timer = timers.get(connection, number)
        return _fire(connection, runtime, number, timer.instance, by) or timers.get(connection, number)


def _fire(connection: Connection, runtime: Runtime, number: int, instance_number: int, by: str) -> TimerRow | None:
    """Fire a timer that is due; None where, with the instance locked, it turns out that it isn't or doesn't wait any more."""
    instance = instances.lock(connection, instance_number, ended_too=True)
    timer = timers.get(connection, number)
    if timer.state != timers.WAITING or timer.due_at > runtime.now():
        return None
    try:
        with savepoint(connection):
            _step(connection, runtime, instance, timer, by)
    except ChargeInDoubt as doubt:
        log.info("timer_postponed", timer=format_id(Kind.TIMER, number), reason=str(doubt))
        timers.postpone(connection, number, runtime.now() + _DOUBT_PAUSE)
    except _Claimed:
        timers.postpone(connection, number, runtime.now() + _CLAIM_PAUSE)
    except EngineError as error:
        _fail(connection, runtime, timer, incidents.STUCK, str(error), by)
    except Exception as error:
        if may_pass(error):
            raise
        log.error("timer_failed", timer=format_id(Kind.TIMER, number), error=type(error).__name__)
        log.debug("timer_failed", exc_info=True)
        _fail(connection, runtime, timer, incidents.DEFECT, unexpected(error), by)
    return timers.get(connection, number)


def _step(connection: Connection, runtime: Runtime, instance: InstanceRow, timer: TimerRow, by: str) -> None:
    if instance.state != instances.ACTIVE:  # nothing moves any more, so nothing waits
        timers.withdraw_all(connection, instance.id, runtime.now())
        return
    executable = runtime.executable(connection, instance.process, instance.version)
    _refuse_claimed(connection, instance, executable.nodes[timer.flow_node])
    details = {"timer": format_id(Kind.TIMER, timer.id), "flow_node": timer.flow_node, "due_at": format_moment(timer.due_at)}
    transition = advance(executable, load_state(instance.token_state), FireTimer(timer.token), runtime.clock)
    apply_transition(connection, runtime, instance, executable, transition, ("timer_fired", details), by)


def _refuse_claimed(connection: Connection, instance: InstanceRow, event: FlowNode) -> None:
    """A timer with `unless_claimed` leaves a task alone that somebody has. Claiming locks the instance as well, so of a claim and
    a timer at the same moment one comes first, and the other sees it.
    """
    if event.unless_claimed == "true" and any(
        task.state == user_tasks.CLAIMED and task.flow_node == event.attached_to
        for task in user_tasks.of_instance(connection, instance.id)
    ):
        raise _Claimed


def _fail(connection: Connection, runtime: Runtime, timer: TimerRow, kind: str, what: str, by: str) -> None:
    """It doesn't fire by itself any more; a person is told."""
    timers.fail(connection, timer.id)
    raise_incident(connection, runtime, timer.instance, Trouble(kind, what, timer.flow_node, tried=1, timer=timer.id), by)
