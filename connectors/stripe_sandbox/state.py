"""What the sandbox remembers, and what a request may see of it.

Records are kept as the JSON objects that Stripe shows (https://docs.stripe.com/api), in memory, in the order of their creation.
A key that begins with `_` is the sandbox's own and never leaves it. Everything here is called under the application's one lock.
"""

from __future__ import annotations

import copy
import itertools
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from connectors.stripe_sandbox.refusals import no_such

if TYPE_CHECKING:
    from engine.clock import Clock

Record: TypeAlias = dict[str, Any]
PREFIXES: Final = {
    "balance_transaction": "txn",
    "charge": "ch",
    "customer": "cus",
    "event": "evt",
    "payment_intent": "pi",
    "payment_method": "pm",
    "refund": "re",
    "request": "req",
}


class SandboxClock:
    """The given clock, moved forward by what the control says. Never goes back."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._offset = timedelta()

    def now(self) -> datetime:
        """The sandbox's present moment, aware, in UTC."""
        return self._base.now() + self._offset

    def advance(self, by: timedelta) -> None:
        """Move forward by `by`, which must not be negative."""
        if by < timedelta():
            raise ValueError("Expected to move the clock forward, but the step is negative. Do: pass 0 or more seconds.")
        self._offset += by


@dataclass
class State:
    """All records by kind and id. `run` keeps the ids of two runs of the sandbox apart."""

    run: str = field(default_factory=lambda: secrets.token_hex(4))
    tables: dict[str, dict[str, Record]] = field(default_factory=lambda: {kind: {} for kind in PREFIXES if kind != "request"})
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def clear(self) -> None:
        """Forget every record. Numbers go on, so that an id is never given twice."""
        for table in self.tables.values():
            table.clear()

    def new_id(self, kind: str) -> str:
        """An id that no record of this or another run has."""
        return f"{PREFIXES[kind]}_{self.run}{next(self.numbers):08d}"


@dataclass(frozen=True)
class Context:
    """One request's view: its mode, its moment, and the records of that mode.

    `slow_network` makes a card network answer later: the intent stays `processing` until it is settled.
    """

    state: State
    now: datetime
    livemode: bool
    request_id: str = ""
    idempotency_key: str | None = None
    api_version: str | None = None
    slow_network: bool = False
    emitted: list[Record] = field(default_factory=list)

    @property
    def timestamp(self) -> int:
        """Now, as Stripe writes it: whole seconds since 1970, UTC."""
        return int(self.now.timestamp())

    def new(self, kind: str, **fields: Any) -> Record:
        """Store and return a new record."""
        identifier = self.state.new_id(kind)
        record = {"id": identifier, "object": kind, "created": self.timestamp, "livemode": self.livemode, **fields}
        record["_livemode"] = self.livemode
        self.state.tables[kind][identifier] = record
        return record

    def find(self, kind: str, identifier: str, param: str = "id", status: int = 404) -> Record:
        """The record, or a refusal: an object of the other mode does not exist here, https://docs.stripe.com/keys."""
        record = self.state.tables[kind].get(identifier)
        if record is None or record["_livemode"] != self.livemode:
            raise no_such(kind, identifier, param, status)
        return record

    def all(self, kind: str) -> list[Record]:
        """The records of this mode, newest first, as every list at Stripe, https://docs.stripe.com/api/pagination."""
        return [record for record in reversed(self.state.tables[kind].values()) if record["_livemode"] == self.livemode]

    def emit(self, type_: str, record: Record) -> None:
        """Store an event with the record as it stands now, https://docs.stripe.com/api/events/object."""
        origin = {"id": self.request_id, "idempotency_key": self.idempotency_key}
        data = {"object": public(record)}
        event = self.new("event", type=type_, data=data, api_version=self.api_version, pending_webhooks=0, request=origin)
        self.emitted.append(event)


def public(record: Record) -> Record:
    """A copy without what is the sandbox's own."""
    return copy.deepcopy({name: value for name, value in record.items() if not name.startswith("_")})
