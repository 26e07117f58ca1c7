"""Webhooks: events posted to one address, signed; on wish twice, in another order, or only when asked.

Follows https://docs.stripe.com/webhooks (duplicates and order are not promised, failed deliveries are repeated for three days)
and https://docs.stripe.com/webhooks/signature (`t=...,v1=` HMAC-SHA256 over timestamp, dot and raw body).
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from connectors.stripe_sandbox.state import Record, public

if TYPE_CHECKING:
    from engine.clock import Clock

REPEATED: Final = timedelta(days=3)
_PATIENCE_SECONDS: Final = 5
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class Order(StrEnum):
    """In which order the events of a batch are sent."""

    CREATED = "created"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go. `automatic` sends them after the request that caused them; otherwise they wait for `deliver`.

    Each is sent `copies` times. `seed` is for the shuffled order. Only addresses on this machine are taken.
    """

    url: str
    secret: str
    copies: int = 1
    order: Order = Order.CREATED
    automatic: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what must not be reached from here."""
        parts = urlsplit(self.url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK or self.copies < 1:
            raise ValueError("Expected http:// at this machine and copies from 1, but found others. Do: pass a loopback address.")


def signature(payload: bytes, secret: str, at: datetime) -> str:
    """The `Stripe-Signature` header of `payload`, sent at `at`."""
    timestamp = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


class Webhooks:
    """The events that wait for delivery, and the thread that delivers them."""

    def __init__(self, clock: Clock, closing: threading.Event) -> None:
        self._clock = clock
        self._closing = closing
        self._wake = threading.Condition()
        self._waiting: deque[Record] = deque()
        self._failed: deque[Record] = deque()
        self._endpoint: Endpoint | None = None
        self._thread: threading.Thread | None = None

    def configure(self, endpoint: Endpoint | None) -> None:
        """Send to `endpoint` from now on, or nowhere. What waits is forgotten."""
        with self._wake:
            self._endpoint = endpoint
            self._waiting.clear()
            self._failed.clear()
            if endpoint is not None and endpoint.automatic and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
                self._thread.start()

    def take(self, events: list[Record]) -> None:
        """The events of one request, in the order they happened."""
        with self._wake:
            if self._endpoint is None:
                return
            for event in events:
                event["pending_webhooks"] = 1
                self._waiting.append(public(event))
            self._wake.notify()

    def deliver(self, order: Order | None = None, copies: int | None = None) -> list[dict[str, Any]]:
        """Send all that waits or failed before, now; says for each sending how it ended (`status` None: not reached)."""
        with self._wake:
            endpoint = self._endpoint
            if endpoint is None:
                return []
            batch = [*self._failed, *self._waiting]
            self._failed.clear()
            self._waiting.clear()
        return self._send_all(endpoint, batch, order or endpoint.order, copies or endpoint.copies)

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._wake:
                self._wake.wait_for(self._due, timeout=1)
                endpoint, batch = self._endpoint, list(self._waiting)
                if endpoint is None or not self._due():
                    continue
                self._waiting.clear()
            self._send_all(endpoint, batch, endpoint.order, endpoint.copies)

    def _due(self) -> bool:
        return bool(self._waiting) and self._endpoint is not None and self._endpoint.automatic

    def _send_all(self, endpoint: Endpoint, batch: list[Record], order: Order, copies: int) -> list[dict[str, Any]]:
        now = self._clock.now()
        kept = [event for event in batch if now.timestamp() - event["created"] < REPEATED.total_seconds()]
        sendings = [event for event in kept for _ in range(copies)]
        if order is Order.REVERSED:
            sendings.reverse()
        elif order is Order.SHUFFLED:
            random.Random(endpoint.seed).shuffle(sendings)  # noqa: S311 - a repeatable order, no secret
        results = []
        for event in sendings:
            status = _post(endpoint, json.dumps(event, indent=2).encode(), self._clock.now())
            results.append({"event": event["id"], "type": event["type"], "status": status})
        arrived = {each["event"] for each in results if each["status"] is not None and 200 <= each["status"] < 300}
        with self._wake:
            self._failed.extend(event for event in kept if event["id"] not in arrived)
        return results


def _post(endpoint: Endpoint, payload: bytes, at: datetime) -> int | None:
    """HTTP's status, or None when nobody answered: as at Stripe, that is repeated later and no error here."""
    parts = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_PATIENCE_SECONDS)
    headers = {"Content-Type": "application/json", "Stripe-Signature": signature(payload, endpoint.secret, at)}
    try:
        connection.request("POST", parts._replace(scheme="", netloc="").geturl() or "/", payload, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
