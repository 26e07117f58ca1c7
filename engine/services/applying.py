"""Carry out a transition: the new state, the work it opens and closes, what it throws, and its history, in the caller's
transaction. The one place where an instance changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.billing.roster import ENDED, RosterEvent
from engine.connector import Value
from engine.definition.carry_over import EveryEndHandsOver, hand_over
from engine.definition.process_definition import ProcessDefinition
from engine.errors import ChargeInDoubt
from engine.execution.state import dump_state
from engine.execution.transition import (
    CallClosed,
    Effect,
    ErrorNotCaught,
    InstanceCalled,
    InstanceCompleted,
    JobClosed,
    JobCreated,
    MessageThrown,
    SignalThrown,
    SubscriptionClosed,
    SubscriptionOpened,
    TimerClosed,
    TimerStarted,
    Transition,
    UserTaskClosed,
    UserTaskOpened,
)
from engine.model.identifiers import Kind, format_id
from engine.model.moment import format_moment
from engine.services import ending, subscribing
from engine.services.raising import Trouble, note_incident
from engine.services.refunding import refuse_doubt
from engine.services.runtime import Runtime
from engine.store import calls, charges, customers, history, incidents, instances, jobs, messages, refunds, timers, user_tasks
from engine.store.history import Head
from engine.store.instances import InstanceRow

if TYPE_CHECKING:
    from engine.execution.executable import Executable

Event = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Application:
    """One transition being applied to one instance."""

    connection: Connection
    instance: InstanceRow
    definition: ProcessDefinition
    data: Mapping[str, Value]
    by: str
    now: datetime
    runtime: Runtime
    later: list[Effect]


def apply_transition(
    connection: Connection,
    runtime: Runtime,
    instance: InstanceRow,
    executable: Executable,
    transition: Transition,
    cause: Event,
    by: str,
    head: Head | None = None,
    later: list[Effect] | None = None,
) -> datetime:
    """Store a transition of `instance` (locked by the caller), and give the moment that it stands under. `cause` is the history
    event that led to it. With `head`, where its history stands, the new state is stored already. `later` takes the effects of an
    instance that is called, for the calling step to do with all of them at its end what is to be done last.

    Raises DataRefused when the carry-over map refuses the hand-over, and what keeps an instance from being called.
    """
    asked = later if later is not None else []
    asked += transition.effects
    now = runtime.now()
    application = _Application(connection, instance, executable.definition, transition.state.data, by, now, runtime, asked)
    events: list[Event] = [(cause[0], {**cause[1], "path": list(transition.path)})]
    saved = None
    if head is None:
        state = dump_state(transition.state)
        saved = instances.begin_saving(connection, instance, state, ended(transition, application.now))
    for effect in transition.effects:
        events += _carry_out(effect, application)
    if later is None:
        subscribing.wake(connection, asked, application.now)
    history.append(connection, instance.id, application.now, by, events, saved() if saved else head)
    return application.now


def ended(transition: Transition, now: datetime) -> dict[str, Any]:
    """What an instance's row says of its end, if that comes with this transition."""
    for effect in transition.effects:
        if isinstance(effect, InstanceCompleted):
            return {"state": instances.COMPLETED, "ended_at": now, "end_events": list(effect.end_events)}
    return {}


@singledispatch
def _carry_out(effect: Effect, application: _Application) -> list[Event]:
    raise TypeError(f"Expected a known effect, but {effect!r} is none. Do: say here how it is carried out.")


@_carry_out.register
def _(effect: UserTaskOpened, application: _Application) -> list[Event]:
    node = application.definition.process.nodes[effect.flow_node]
    number = user_tasks.add(
        application.connection,
        {
            "instance_id": application.instance.id,
            "token": effect.token,
            "process": application.instance.process,
            "flow_node": node.id,
            "name": node.name,
            "group_name": node.group,
            "created_at": application.now,
            "due_at": effect.due_at,
            "customer": application.instance.customer,
            "period": application.instance.period,
        },
    )
    return [("task_created", {"task": format_id(Kind.TASK, number), "flow_node": node.id, "group": node.group})]


@_carry_out.register
def _(effect: UserTaskClosed, application: _Application) -> list[Event]:
    state = user_tasks.COMPLETED if effect.completed else user_tasks.WITHDRAWN
    now = application.now
    user_tasks.close(application.connection, application.instance.id, effect.token, state, now)
    return []


@_carry_out.register
def _(effect: JobCreated, application: _Application) -> list[Event]:
    now = application.now
    number = jobs.add(
        application.connection,
        {
            "instance_id": application.instance.id,
            "token": effect.token,
            "flow_node": effect.flow_node,
            "topic": effect.topic,
            "parameters": effect.parameters,
            "run_at": now,
            "created_at": now,
        },
    )
    return [("job_created", {"job": format_id(Kind.JOB, number), "flow_node": effect.flow_node, "topic": effect.topic})]


@_carry_out.register
def _(effect: JobClosed, application: _Application) -> list[Event]:
    state = jobs.DONE if effect.completed else jobs.WITHDRAWN
    connection, now = application.connection, application.now
    jobs.close(connection, application.instance.id, effect.token, state, now)
    if not effect.completed:
        # Nobody is needed for it any more, and it must not be given to a worker again.
        number = jobs.number_of(connection, application.instance.id, effect.token)
        incidents.resolve_of_job(connection, number, application.by, now)
        _refuse_doubt(application)
        refunds.give_up_prepared(connection, application.instance.id, now, [format_id(Kind.JOB, number)])
    return []


def _refuse_doubt(application: _Application) -> None:
    """A charge or refund whose outcome isn't known is never left behind by a diagram that goes on without it."""
    if any(charge.state.in_doubt for charge in charges.touched_by(application.connection, application.instance.id)):
        raise ChargeInDoubt(
            f"Expected no charge of {format_id(Kind.INSTANCE, application.instance.id)} under way, but this step would withdraw "
            "one whose outcome isn't known yet. Do: let a worker find it out, then try again."
        )
    refuse_doubt(application.connection, application.instance.id)


@_carry_out.register
def _(effect: TimerStarted, application: _Application) -> list[Event]:
    number = timers.add(
        application.connection,
        {
            "instance_id": application.instance.id,
            "token": effect.token,
            "flow_node": effect.flow_node,
            "due_at": effect.due_at,
            "created_at": application.now,
        },
    )
    details = {"timer": format_id(Kind.TIMER, number), "flow_node": effect.flow_node, "due_at": format_moment(effect.due_at)}
    return [("timer_started", details)]


@_carry_out.register
def _(effect: TimerClosed, application: _Application) -> list[Event]:
    connection, now = application.connection, application.now
    state = timers.FIRED if effect.fired else timers.WITHDRAWN
    number = timers.close(connection, application.instance.id, effect.token, state, now)
    incidents.resolve_of_timer(connection, number, application.by, now)
    details = {"timer": format_id(Kind.TIMER, number), "flow_node": effect.flow_node}
    return [] if effect.fired else [("timer_withdrawn", details)]  # that it fired is the cause of all this


@_carry_out.register
def _(effect: InstanceCalled, application: _Application) -> list[Event]:
    from engine.services import calling  # instances begin with what is said here, and calls begin instances

    of = application
    return [calling.call(of.connection, of.runtime, of.instance, effect, of.by, of.later)]


@_carry_out.register
def _(effect: CallClosed, application: _Application) -> list[Event]:
    of = application
    return ending.call_closed(of.connection, of.instance, effect, of.by, of.now)


@_carry_out.register
def _(effect: MessageThrown, application: _Application) -> list[Event]:
    carry_over = application.definition.carry_over
    if effect.message != carry_over.message:
        instance, by = application.instance.id, application.by
        return [subscribing.message_thrown(application.connection, instance, effect, by, application.now)]
    handed = hand_over(carry_over, effect.data)
    now = application.now
    number = messages.add(
        application.connection,
        {
            "instance_id": application.instance.id,
            "name": effect.message,
            "flow_node": effect.flow_node,
            "data": dict(handed.data),
            "previous_values": dict(handed.previous),
            "run_at": now,
            "thrown_at": now,
        },
    )
    details = {"message": format_id(Kind.MESSAGE, number), "name": effect.message, "flow_node": effect.flow_node}
    return [("message_thrown", {**details, "data": dict(handed.data)})]


@_carry_out.register
def _(effect: SignalThrown, application: _Application) -> list[Event]:
    instance, by = application.instance.id, application.by
    return [subscribing.signal_thrown(application.connection, instance, effect, by, application.now)]


@_carry_out.register
def _(effect: SubscriptionOpened, application: _Application) -> list[Event]:
    return [subscribing.opened(application.connection, application.instance.id, effect, application.now)]


@_carry_out.register
def _(effect: SubscriptionClosed, application: _Application) -> list[Event]:
    instance, by = application.instance.id, application.by
    return [*subscribing.closed(application.connection, instance, effect, by, application.now)]


@_carry_out.register
def _(effect: ErrorNotCaught, application: _Application) -> list[Event]:
    """An instance that ends by an error ends abnormally (BPMN 2.0.2, 10.5.6). Whoever called it gets the error; where nobody did,
    a person is told, and says what they did.
    """
    if ending.is_called(application.instance):
        calls.note_error(application.connection, application.instance.id, effect.code)
        return [("error_thrown", {"flow_node": effect.flow_node, "error": effect.code})]
    what = (
        f"Expected something that catches the error {effect.code!r} of {effect.flow_node!r}, but nothing does, so the instance "
        "has ended there. Do: see what it leaves undone, resolve with a reason; draw what should happen then, and deploy it."
    )
    trouble = Trouble(incidents.STUCK, what, effect.flow_node, tried=1)
    return [note_incident(application.connection, application.instance.id, trouble, application.now)]


@_carry_out.register
def _(effect: InstanceCompleted, application: _Application) -> list[Event]:
    _note_end_of_contract(effect, application)
    if ending.is_called(application.instance):
        calls.end(application.connection, application.instance.id, application.now)
    return [("instance_completed", {"end_events": list(effect.end_events)})]


def _note_end_of_contract(effect: InstanceCompleted, application: _Application) -> None:
    """An instance that ends at an end event which hands over to nobody ends its customer's contract: the roster says so then."""
    instance, carry_over = application.instance, application.definition.carry_over
    if instance.customer is None or instance.period is None or carry_over.bill is None:
        return
    excepted = {end for control in carry_over.controls if isinstance(control, EveryEndHandsOver) for end in control.except_}
    ends = [end for end in effect.end_events if end in excepted]
    if ends and not messages.count_thrown(application.connection, instance.id):
        given = application.data.get(carry_over.bill.end_reason or "")
        reason = str(given) if given else application.definition.process.nodes[ends[0]].name or ends[0]
        event = RosterEvent(ENDED, instance.period, reason, application.now, application.by, instance.id)
        customers.record(application.connection, instance.process, instance.customer, event)
