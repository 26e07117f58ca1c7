"""What a person says of a job that charges or settles a bill, as the ledger of charges keeps it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError
from sqlalchemy import Connection

from engine.connector import Charge, ChargeResult, ChargeState, KeepsCharges, PaysBills, Value
from engine.errors import ConfigurationInvalid, DataRefused
from engine.model.identifiers import Kind, format_id
from engine.model.text import shown
from engine.services.job_running import parameters_refused, request_of
from engine.services.runtime import Runtime
from engine.store import charges, history
from engine.store.instances import InstanceRow
from engine.store.jobs import JobRow


def with_intent(connection: Connection, runtime: Runtime, job: JobRow, outputs: Mapping[str, Value]) -> Mapping[str, Value]:
    """The results; for a charge in doubt with the payment that the ledger holds. Raises DataRefused for another, or an empty."""
    connector = runtime.connectors.get(job.topic)
    if not isinstance(connector, KeepsCharges):
        return outputs
    name = connector.intent_output
    given = outputs.get(name)
    if isinstance(given, str) and not given.strip():
        raise DataRefused(f"Expected {name} to name a payment, but it is empty. Do: --set {name}=..., as Stripe names it.")
    for charge in charges.touched_by(connection, job.instance):
        if charge.state.in_doubt and charge.intent is not None:
            if given not in (None, charge.intent):
                raise DataRefused(
                    f"Expected the payment whose outcome is in doubt, {charge.intent}, but {name} names {shown(given)}. "
                    f"Do: look {charge.intent} up at Stripe; leave --set {name} out if it was charged."
                )
            given = charge.intent
    return outputs if given is None else {**outputs, name: given}


def settle_charges(
    connection: Connection, runtime: Runtime, job: JobRow, instance: InstanceRow, state: ChargeState, reason: str, by: str
) -> None:
    """What a person knows ends the doubt about the charge that this job was making; and what they say was charged or paid
    otherwise is charged, also where the job never came so far that the ledger knew of its bill.

    Raises DataRefused where the ledger knows otherwise or the bill can't be told, ConfigurationInvalid where its mode can't.
    """
    if not isinstance(runtime.connectors.get(job.topic), KeepsCharges | PaysBills):
        return
    paid = state is ChargeState.SUCCEEDED
    found = charges.touched_by(connection, job.instance)
    if paid and not found:
        found = _frozen_now(connection, runtime, job, instance)
    for charge in found:
        if charge.state is ChargeState.SUCCEEDED and not paid:
            raise DataRefused(
                f"Expected nothing charged for {charge.request.charge_key}, but the ledger says that it was. "
                "Do: --done, with --set for its results; or give the money back at Stripe and cancel."
            )
        if charge.state.in_doubt or (paid and charge.state is not ChargeState.SUCCEEDED):
            now = runtime.now()
            said = ChargeResult(charge.request.charge_key, state, f"settled by {by}: {reason}", now if paid else None)
            charges.apply(connection, said, now)
            details = {"job": format_id(Kind.JOB, job.id), "state": str(state), "intent": charge.intent, "reason": reason}
            history.append(connection, job.instance, now, by, [("charge_settled", details)])


def _frozen_now(connection: Connection, runtime: Runtime, job: JobRow, instance: InstanceRow) -> list[Charge]:
    """The bill of a job that froze none yet. An earlier instance's, which was cancelled uncharged, is taken over."""
    connector = runtime.connectors.get(job.topic)
    if not isinstance(connector, PaysBills) or instance.customer is None or instance.period is None:
        return []
    try:
        job_request = request_of(job, instance, runtime.connectors[job.topic])
    except ValidationError as error:
        raise DataRefused(parameters_refused(job, error)) from error
    request = connector.bill(job_request, livemode=_livemode(connection, runtime, instance.process))
    return [charges.take_over(connection, request, job.instance, runtime.now())]


def _livemode(connection: Connection, runtime: Runtime, process: str) -> bool:
    """Whether a process charges real money: what its ledger says, else the key."""
    known = charges.livemode_of(connection, process)
    keepers = (each.keeper(runtime.permits) for each in runtime.connectors.values() if isinstance(each, KeepsCharges))
    keeper = next((each for each in keepers if each is not None), None) if known is None else None
    if known is None and keeper is None:
        raise ConfigurationInvalid(
            f"Expected to know whether {process} charges real money, but its ledger is empty and there is no key for Stripe. "
            "Do: set RUN_PROCESS_STRIPE_KEY, and do it again."
        )
    return keeper.livemode if keeper is not None else bool(known)
