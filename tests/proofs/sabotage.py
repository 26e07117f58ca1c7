"""Ways to break the promise, so that a proof can show that it would notice. Only ever applied in a forked child."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from connectors.stripe import outcomes
from connectors.stripe.intents import Failure
from connectors.stripe.protocol import ChargeRun
from engine.connector import Retryable, Unknown
from engine.store import charges, jobs, messages, tables

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.connector import Outcome
    from engine.store.messages import MessageRow


def store_after_the_call() -> None:
    """Charge first and store afterwards, with a new idempotency key each time."""
    _charge_in_one_go(lambda _: uuid.uuid4().hex)


def trust_the_key_alone() -> None:
    """The same with one key for each bill: it holds as long as Stripe remembers it."""
    _charge_in_one_go(lambda run: run.request.charge_key.encode().hex())


def forget_the_result() -> None:
    """The step is committed without the charge's result."""
    _replace(charges, "apply", lambda *_: None)


def ignore_the_fence() -> None:
    """Whoever had a job commits what became of it, though somebody else has had it since."""
    _replace(jobs, "check_fence", lambda *_: None)


def take_the_message_first() -> None:
    """A hand-over is noted as delivered and committed (on SQLite), and then the next instance is started."""
    lock_due = messages.lock_due

    def early(connection: Connection, now: datetime) -> MessageRow | None:
        message = lock_due(connection, now)
        if message is not None:
            connection.execute(update(tables.messages).where(tables.messages.c.id == message.id).values(state="delivered"))
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        return message

    _replace(messages, "lock_due", early)


SABOTAGES: Mapping[str, Callable[[], None]] = {
    each.__name__: each
    for each in (store_after_the_call, trust_the_key_alone, forget_the_result, ignore_the_fence, take_the_message_first)
}


def _charge_in_one_go(key: Callable[[ChargeRun], str]) -> None:
    def run(self: ChargeRun) -> Outcome:
        row = self.ledger.prepare(self.request)
        created = self.intents.create(self._order(row), f"create|{key(self)}")
        if isinstance(created, Failure):
            return Retryable(created.text)
        assert created.card is not None
        taken = self.intents.confirm(created.id, created.card, f"confirm|{key(self)}")
        if isinstance(taken, Failure):
            return Unknown(taken.text)
        self.ledger.record_intent(row.request.charge_key, row.generation, taken.id)
        return outcomes.completed(row, taken)

    _replace(ChargeRun, "run", run)


def _replace(owner: Any, name: str, by: Any) -> None:
    setattr(owner, name, by)
