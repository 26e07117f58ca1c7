"""The control's side in the tests: a small client for `/_sandbox/...`."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final
from urllib.parse import urlsplit

_PATIENCE_SECONDS: Final = 30


class SandboxControl:
    """Turns a running sandbox. Each call is one request; raises ValueError with the sandbox's reason when it refuses."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80

    def advance(self, seconds: float) -> str:
        """Move the sandbox's clock forward; answers with its new time, ISO 8601, UTC."""
        return str(self._call("POST", "clock", {"advance_seconds": seconds})["now"])

    def set_latency(self, milliseconds: int) -> None:
        """Let every request take this long."""
        self._call("POST", "latency", {"latency_ms": milliseconds})

    def set_rate_limit(self, per_second: int | None) -> None:
        """Answer 429 to more requests than this in a second; None: no limit."""
        self._call("POST", "rate_limit", {"per_second": per_second})

    def add_fault(self, kind: str, **fault: Any) -> None:
        """Plan a fault; its fields are those of `faults.Fault` (method, path, nth, times, probability, seed, ...)."""
        self._call("POST", "faults", {"kind": kind, **fault})

    def clear_faults(self) -> None:
        """Plan no fault any more."""
        self._call("DELETE", "faults")

    def set_webhook(self, url: str, secret: str, **settings: Any) -> None:
        """Post signed events to `url`; settings are those of `webhooks.Endpoint` (copies, order, automatic, seed)."""
        self._call("POST", "webhooks", {"url": url, "secret": secret, **settings})

    def clear_webhook(self) -> None:
        """Post no events any more."""
        self._call("DELETE", "webhooks")

    def deliver_webhooks(self, order: str | None = None, copies: int | None = None) -> list[dict[str, Any]]:
        """Post what waits or failed, now; one `{event, type, status}` for each posting."""
        return list(self._call("POST", "webhooks/deliver", {"order": order, "copies": copies})["deliveries"])

    def authenticate(self, payment_intent: str, succeeds: bool = True) -> dict[str, Any]:
        """The customer answers the bank; the intent as it stands then."""
        return self._call("POST", "authenticate", {"payment_intent": payment_intent, "succeeds": succeeds})

    def settle(self, payment_intent: str, succeeds: bool = True) -> dict[str, Any]:
        """The card network answers for an intent that is `processing`; the intent as it stands then."""
        return self._call("POST", "settle", {"payment_intent": payment_intent, "succeeds": succeeds})

    def end_refund(self, refund: str, status: str, reason: str | None = None) -> dict[str, Any]:
        """A pending refund becomes succeeded, failed or canceled, or a succeeded one failed; the refund as it stands then."""
        return self._call("POST", "refunds", {"refund": refund, "status": status, "reason": reason})

    def change_card(self, payment_method: str, behaves_as: str) -> None:
        """From now on an attached card behaves as another test card: funds run out, a card is reported lost."""
        self._call("POST", "cards", {"payment_method": payment_method, "behaves_as": behaves_as})

    def reset(self) -> None:
        """Forget all records, keys, faults, webhooks, the log and the traffic; clock and latency stay, and the rate limit is what
        the sandbox was started with.
        """
        self._call("POST", "reset")

    def state(self) -> dict[str, Any]:
        """Counts and totals: `counts`, `charges_taken`, `charged` and `refunded` by currency, `payment_intents` by status;
        `busiest_second` is the most requests in any one second, `refused_for_rate` how many the rate limit refused.
        """
        return self._call("GET", "state")

    def requests(self) -> list[dict[str, Any]]:
        """What arrived since the last reset, in order: method, path, idempotency_key, fault, status, replayed."""
        return list(self._call("GET", "requests")["requests"])

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, f"/_sandbox/{path}", json.dumps(body or {}).encode())
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["error"]["message"])
        return answer
