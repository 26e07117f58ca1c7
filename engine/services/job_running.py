"""Call a leased job's connector, outside any transaction: whatever comes of it is an outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from pydantic import ValidationError

from engine.clock import Clock
from engine.connector import ChargeLedger, Connector, Fatal, JobRequest, Outcome, Permits, RefundLedger, Retryable
from engine.definition.process_definition import ProcessDefinition
from engine.errors import EngineError, LeaseLost
from engine.model.identifiers import Kind, format_id
from engine.services.charging import JobLedger
from engine.services.refunding import JobRefunds
from engine.services.runtime import Runtime
from engine.store import instances
from engine.store.database import may_pass
from engine.store.instances import InstanceRow
from engine.store.jobs import JobRow

log = structlog.get_logger("run_process.worker")

MOST_LOSSES = 20
"""So many workers may die with a job before it is taken from them."""


@dataclass(frozen=True)
class _Context:
    clock: Clock
    ledger: ChargeLedger
    refunds: RefundLedger
    permits: Permits


def call_connector(runtime: Runtime, job: JobRow) -> Outcome:
    """Call the job's connector. Raises LeaseLost when somebody else holds the job by now; nothing else."""
    connector = runtime.connectors[job.topic]
    if job.losses > MOST_LOSSES:
        return Fatal(
            f"Expected the connector {job.topic!r} to give an outcome, but {job.losses} workers were lost while it ran. "
            "Do: look at what it is given and at the workers' logs, then retry."
        )
    try:
        context = _Context(runtime.clock, JobLedger(runtime, job), JobRefunds(runtime, job), runtime.permits)
        instance, definition = _bearings(runtime, job)
        return connector.run(request_of(job, instance, connector, definition.resources), context)
    except LeaseLost:
        raise
    except EngineError as error:
        return Fatal(str(error))
    except ValidationError as error:
        return Fatal(parameters_refused(job, error))
    except Exception as error:
        if may_pass(error):
            # Whatever was sent before stands in the ledger, and the next run looks before it sends anything.
            return Retryable(f"Expected the database to answer, but it failed ({type(error).__name__}). Do: check the database.")
        log.error("connector_failed", job=format_id(Kind.JOB, job.id), topic=job.topic, error=type(error).__name__)
        log.debug("connector_failed", exc_info=True)
        return Fatal(
            f"Expected the connector {job.topic!r} to give an outcome, but it failed with {type(error).__name__}. "
            "Do: run the worker with --debug, and report what it shows."
        )


def parameters_refused(job: JobRow, error: ValidationError) -> str:
    """What a person is told of parameters that the job's connector doesn't take; the values aren't shown."""
    wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'they'}: {each['msg']}" for each in error.errors(include_input=False))
    return (
        f"Expected parameters that {job.topic} accepts, but {wrong}. "
        f"Do: correct what {job.flow_node!r} passes and deploy; this instance keeps its version, so cancel it and start it anew."
    )


def _bearings(runtime: Runtime, job: JobRow) -> tuple[InstanceRow, ProcessDefinition]:
    """The job's instance, of which what never changes is asked, and its definition; mostly both are known."""
    known = job.instance_row
    definition = runtime.definitions.known(known.process, known.version) if known is not None else None
    if known is not None and definition is not None:
        return known, definition
    with runtime.database.reading() as connection:
        instance = instances.get(connection, job.instance)
        return instance, runtime.definition(connection, instance.process, instance.version)


def request_of(
    job: JobRow, instance: InstanceRow, connector: Connector, resources: Mapping[str, bytes] = MappingProxyType({})
) -> JobRequest:
    """A job as its connector sees it. Raises ValidationError for parameters that the connector doesn't take."""
    return JobRequest(
        id=format_id(Kind.JOB, job.id),
        topic=job.topic,
        parameters=connector.parameters.model_validate(dict(job.parameters)),
        attempt=job.attempts,
        process=instance.process,
        version=instance.version,
        instance=format_id(Kind.INSTANCE, instance.id),
        flow_node=job.flow_node,
        customer=instance.customer,
        period=instance.period,
        resources=resources,
    )
