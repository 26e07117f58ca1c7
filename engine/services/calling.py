"""Call activities: the called instance is started by the step that calls it, in one transaction; that it has ended is told to its
caller in a step of its own, exactly once, whichever worker comes first.

A process can't be called deeper than ten calls inside each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from engine.definition.call import DEPLOYMENT, LATEST
from engine.errors import ChargeInDoubt, DefinitionInvalid, DefinitionNotDeployed, EngineError
from engine.execution.advance import advance
from engine.execution.calls import MOST_CALLS, beginning, result_of
from engine.execution.state import load_state
from engine.execution.transition import CompleteCall, Effect, FailCall, InstanceCalled
from engine.model.identifiers import Kind, format_id
from engine.services.applying import apply_transition
from engine.services.ending import is_called
from engine.services.raising import Trouble, raise_incident, unexpected
from engine.services.runtime import Runtime
from engine.services.starting import Beginning, start_instance
from engine.store import calls, deployments, incidents, instances
from engine.store.calls import CallRow, NewCall
from engine.store.database import may_pass
from engine.store.deployments import Deployment
from engine.store.instances import InstanceRow
from engine.store.sending import savepoint

log = structlog.get_logger("run_process.worker")

_DOUBT_PAUSE = timedelta(minutes=1)
"""How long a caller waits that would leave a charge behind whose outcome isn't known."""


def call(
    connection: Connection, runtime: Runtime, caller: InstanceRow, effect: InstanceCalled, by: str, later: list[Effect]
) -> tuple[str, dict[str, Any]]:
    """Start what a call activity calls; what the caller's history says of it. `later` as in `apply_transition`.

    Raises DefinitionNotDeployed, DefinitionInvalid for a process that can't be called and for calls that are too deep,
    DataRefused for what doesn't fit its data items, and what keeps its first step from being taken.
    """
    new = NewCall(caller.id, effect.token, effect.flow_node, _depth(connection, caller, effect))
    deployment = _called(connection, runtime, caller, effect)
    start = beginning(runtime.definitions.definition(connection, deployment.digest), effect)
    begins = Beginning(start.start_event, start.data, instances.CALL, by, call=new)
    number = start_instance(connection, runtime, deployment, begins, later)
    details = {
        "instance": format_id(Kind.INSTANCE, number),
        "flow_node": effect.flow_node,
        "process": deployment.process,
        "version": deployment.version,
        "data": dict(start.data),
    }
    return "instance_called", details


def _depth(connection: Connection, caller: InstanceRow, effect: InstanceCalled) -> int:
    above = calls.calling(connection, caller.id) if is_called(caller) else None
    depth = above.depth + 1 if above is not None else 1
    if depth > MOST_CALLS:
        raise DefinitionInvalid(
            f"Expected at most {MOST_CALLS} calls inside each other, but {effect.flow_node!r} in "
            f"{format_id(Kind.INSTANCE, caller.id)} calls {effect.process} once more. Do: see whether the processes call each "
            "other in a circle; draw a condition that ends it, or a loop."
        )
    return depth


def _called(connection: Connection, runtime: Runtime, caller: InstanceRow, effect: InstanceCalled) -> Deployment:
    if effect.binding == LATEST:
        return runtime.deployment(connection, effect.process)
    version = effect.version
    if effect.binding == DEPLOYMENT:
        version = deployments.bindings(connection, caller.process, caller.version).get(effect.process)
    if version is None:  # `deploy` has seen to it
        raise DefinitionNotDeployed(
            f"Expected {effect.process} to have been deployed together with {caller.process}@{caller.version}, but it wasn't. "
            "Do: deploy both in one command, and start this instance anew."
        )
    return runtime.deployment(connection, effect.process, version)


# --- the way back ---------------------------------------------------------------------------------------------------


def return_next(runtime: Runtime, by: str) -> CallRow | None:
    """Tell the caller that waits for it longest what its called instance has ended with; the call as it is afterwards, None when
    none is to be told.

    Where the caller can't go on, the call becomes an incident (its state `failed`). What would withdraw a charge in doubt is
    tried again a minute later. Raises what the database raises while it can't be used; nothing has changed then.
    """
    while True:
        with runtime.database.transaction() as connection:
            due = calls.lock_due(connection, runtime.now())
            if due is None:
                return None
            call = _return(connection, runtime, due.id, due.instance, by)
            if call is not None:
                return call
        # Another worker told it while it was being locked: the next one is looked for in a new view.


def return_one(runtime: Runtime, number: int, by: str) -> CallRow:
    """Tell the caller of this call, if it is to be told; the call as it is afterwards. Raises NotFound."""
    with runtime.database.transaction() as connection:
        call = calls.get(connection, number)
        return _return(connection, runtime, number, call.instance, by) or calls.get(connection, number)


def _return(connection: Connection, runtime: Runtime, number: int, caller: int, by: str) -> CallRow | None:
    """Tell a caller; None where, with it locked, it turns out that there is nothing to tell it any more."""
    instance = instances.lock(connection, caller, ended_too=True)
    call = calls.get(connection, number)
    if call.state != calls.ENDED or call.run_at > runtime.now():
        return None
    try:
        with savepoint(connection):
            _step(connection, runtime, instance, call, by)
    except ChargeInDoubt as doubt:
        log.info("call_postponed", call=format_id(Kind.CALL, number), reason=str(doubt))
        calls.postpone(connection, number, runtime.now() + _DOUBT_PAUSE)
    except EngineError as error:
        _fail(connection, runtime, call, incidents.STUCK, str(error), by)
    except Exception as error:
        if may_pass(error):
            raise
        log.error("return_failed", call=format_id(Kind.CALL, number), error=type(error).__name__)
        log.debug("return_failed", exc_info=True)
        _fail(connection, runtime, call, incidents.DEFECT, unexpected(error), by)
    return calls.get(connection, number)


def _step(connection: Connection, runtime: Runtime, instance: InstanceRow, call: CallRow, by: str) -> None:
    called = instances.get(connection, call.called)  # it has ended, so it never changes any more
    trigger, cause = _told(connection, runtime, call, called)
    executable = runtime.executable(connection, instance.process, instance.version)
    transition = advance(executable, load_state(instance.token_state), trigger, runtime.clock)
    apply_transition(connection, runtime, instance, executable, transition, cause, by)


def _told(
    connection: Connection, runtime: Runtime, call: CallRow, called: InstanceRow
) -> tuple[CompleteCall | FailCall, tuple[str, Mapping[str, Any]]]:
    details = {"instance": format_id(Kind.INSTANCE, called.id), "flow_node": call.flow_node}
    definition = runtime.definition(connection, called.process, called.version)
    if call.error is not None:
        says = f"{definition.name} ended by the error {call.error}."
        return FailCall(call.token, call.error, says), ("call_failed", {**details, "error": call.error, "reason": says})
    result = result_of(definition.carry_over, load_state(called.token_state).data)
    return CompleteCall(call.token, result.values, result.currencies), ("call_completed", details)


def _fail(connection: Connection, runtime: Runtime, call: CallRow, kind: str, what: str, by: str) -> None:
    """It isn't told by itself any more; a person is told instead."""
    calls.fail(connection, call.id)
    trouble = Trouble(kind, what, call.flow_node, call.attempts + 1, call=call.id)
    raise_incident(connection, runtime, call.instance, trouble, by)
