"""The control's side in the server: `/_sandbox/...` as the package's docstring lists them.

Bodies and answers are JSON. What is wrong in a request is answered with 400 and `{"error": {"message": ...}}`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connectors.stripe_sandbox import confirmation, refunds
from connectors.stripe_sandbox.cards import CARDS
from connectors.stripe_sandbox.faults import Fault, FaultKind
from connectors.stripe_sandbox.refusals import ApiRefused
from connectors.stripe_sandbox.state import public
from connectors.stripe_sandbox.webhooks import Endpoint, Order

if TYPE_CHECKING:
    from connectors.stripe_sandbox.app import Application, Request

PREFIX = "/_sandbox/"


class Control:
    """Answers the control's requests on the given application."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._actions: Mapping[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "state"): self._state,
            ("POST", "reset"): self._reset,
            ("POST", "clock"): self._clock,
            ("POST", "latency"): self._latency,
            ("POST", "rate_limit"): self._rate_limit,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "webhooks"): self._webhooks,
            ("DELETE", "webhooks"): self._no_webhooks,
            ("POST", "webhooks/deliver"): self._deliver,
            ("GET", "requests"): self._requests,
            ("POST", "authenticate"): self._authenticate,
            ("POST", "settle"): self._settle,
            ("POST", "refunds"): self._refunds,
            ("POST", "cards"): self._cards,
        }

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Status and JSON body."""
        action = self._actions.get((request.method, request.path.removeprefix(PREFIX)))
        try:
            if action is None:
                raise ValueError(f"Expected a control request, but {request.method} {request.path} is not one. Do: see the docs.")
            result = action(json.loads(request.body or b"{}"))
        except ApiRefused as refused:
            return refused.status, json.dumps(refused.body()).encode()
        except (ValueError, TypeError, KeyError) as error:
            return 400, json.dumps({"error": {"message": f"{type(error).__name__}: {error}"}}).encode()
        return 200, json.dumps(result).encode()

    def _state(self, _given: dict[str, Any]) -> Any:
        app = self._app
        with app.lock:
            tables = app.state.tables
            taken = [charge for charge in tables["charge"].values() if charge["captured"]]
            charged: Counter[str] = Counter()
            for charge in taken:
                charged[charge["currency"]] += charge["amount_captured"]
            refunded: Counter[str] = Counter()
            for refund in tables["refund"].values():
                refunded[refund["currency"]] += refunds.given_back([refund])
            return {
                "now": app.clock.now().isoformat(),
                "latency_ms": app.latency_ms,
                "rate_limit": app.traffic.limit,
                "busiest_second": app.traffic.busiest_second,
                "refused_for_rate": app.traffic.refused,
                "faults_left": app.faults.left(),
                "counts": {kind: len(table) for kind, table in tables.items()},
                "charges_taken": len(taken),
                "charged": dict(charged),
                "refunded": dict(+refunded),
                "payment_intents": dict(Counter(intent["status"] for intent in tables["payment_intent"].values())),
            }

    def _reset(self, _given: dict[str, Any]) -> Any:
        self._app.reset()
        return {}

    def _clock(self, given: dict[str, Any]) -> Any:
        with self._app.lock:
            self._app.clock.advance(timedelta(seconds=given["advance_seconds"]))
            return {"now": self._app.clock.now().isoformat()}

    def _latency(self, given: dict[str, Any]) -> Any:
        latency = given["latency_ms"]
        if not isinstance(latency, int) or not 0 <= latency <= 600_000:
            raise ValueError("Expected 0 to 600000 milliseconds, but found others. Do: pass an integer.")
        self._app.latency_ms = latency
        return {"latency_ms": latency}

    def _rate_limit(self, given: dict[str, Any]) -> Any:
        limit = given["per_second"]
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise ValueError("Expected a number of requests from 1, or null, but found others. Do: correct it.")
        with self._app.lock:
            self._app.traffic.limit = limit
        return {"per_second": limit}

    def _add_fault(self, given: dict[str, Any]) -> Any:
        fault = Fault(**{**given, "kind": FaultKind(given["kind"])})
        with self._app.lock:
            self._app.faults.add(fault)
            return {"faults_left": self._app.faults.left()}

    def _clear_faults(self, _given: dict[str, Any]) -> Any:
        with self._app.lock:
            self._app.faults.clear()
        return {"faults_left": 0}

    def _webhooks(self, given: dict[str, Any]) -> Any:
        self._app.webhooks.configure(Endpoint(**{**given, "order": Order(given.get("order", "created"))}))
        return {}

    def _no_webhooks(self, _given: dict[str, Any]) -> Any:
        self._app.webhooks.configure(None)
        return {}

    def _deliver(self, given: dict[str, Any]) -> Any:
        order = given.get("order")
        return {"deliveries": self._app.webhooks.deliver(Order(order) if order else None, given.get("copies"))}

    def _requests(self, _given: dict[str, Any]) -> Any:
        with self._app.lock:
            return {"requests": list(self._app.requests)}

    def _authenticate(self, given: dict[str, Any]) -> Any:
        with self._app.outside(given.get("livemode", False)) as context:
            intent = context.find("payment_intent", given["payment_intent"])
            return public(confirmation.authenticate(context, intent, given.get("succeeds", True)))

    def _settle(self, given: dict[str, Any]) -> Any:
        with self._app.outside(given.get("livemode", False)) as context:
            intent = context.find("payment_intent", given["payment_intent"])
            return public(confirmation.settle(context, intent, given.get("succeeds", True)))

    def _refunds(self, given: dict[str, Any]) -> Any:
        with self._app.outside(given.get("livemode", False)) as context:
            refund = context.find("refund", given["refund"])
            return public(refunds.end(context, refund, given["status"], given.get("reason")))

    def _cards(self, given: dict[str, Any]) -> Any:
        if given["behaves_as"] not in CARDS:
            raise ValueError(f"Expected the name of a test card, but found {given['behaves_as']}. Do: pass pm_card_....")
        with self._app.outside(given.get("livemode", False)) as context:
            card = context.find("payment_method", given["payment_method"])
            card["_card"] = given["behaves_as"]
            return public(card)
