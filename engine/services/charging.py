"""The charge ledger as a connector sees it: durable, and closed to whoever no longer holds the job's lease."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from engine.connector import Charge, ChargeRequest
from engine.model.identifiers import Kind, parse_id
from engine.services.runtime import Runtime
from engine.store import charges, jobs
from engine.store.jobs import JobRow


class JobLedger:
    """The `ChargeLedger` of one leased job. Each method is one transaction that checks the fencing token."""

    def __init__(self, runtime: Runtime, job: JobRow) -> None:
        self._runtime = runtime
        self._job = job

    def prepare(self, request: ChargeRequest) -> Charge:
        """See ChargeLedger."""
        instance = parse_id(Kind.INSTANCE, request.instance)
        return self._do(lambda connection: charges.prepare(connection, request, instance, self._runtime.now()))

    def record_intent(self, charge_key: str, generation: int, intent: str) -> Charge:
        """See ChargeLedger."""
        return self._do(lambda c: charges.record_intent(c, charge_key, generation, intent, self._runtime.now()))

    def begin_confirm(self, charge_key: str, attempt: int, payment_method: str) -> Charge:
        """See ChargeLedger."""
        return self._do(lambda c: charges.begin_confirm(c, charge_key, attempt, payment_method, self._runtime.now()))

    def replace_intent(self, request: ChargeRequest, canceled_intent: str | None) -> Charge:
        """See ChargeLedger."""
        instance = parse_id(Kind.INSTANCE, request.instance)
        return self._do(lambda c: charges.replace_intent(c, request, canceled_intent, instance, self._runtime.now()))

    def _do(self, change: Callable[[Connection], Charge]) -> Charge:
        with self._runtime.database.transaction() as connection:
            held = jobs.lock_held(connection, self._job.id)
            charge = change(connection)  # sent with the lock: if it isn't ours to change, all of it is taken back
            jobs.check_fence(held(), self._job.id, self._job.fence)
            return charge
