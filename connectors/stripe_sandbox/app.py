"""One request from its headers to its reply: key, version, rate, idempotency, parameters, the operation, and the planned fault.

The order is Stripe's (https://docs.stripe.com/error-low-level): a missing key (401) and too many requests (429) are answered
before the idempotency layer sees the request, so nothing is saved for them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from connectors.stripe_sandbox import expansion, forms, idempotency, routes
from connectors.stripe_sandbox.faults import Fault, FaultKind, FaultPlan
from connectors.stripe_sandbox.idempotency import IdempotencyKeys, Saved
from connectors.stripe_sandbox.refusals import ApiRefused, ParameterRefused
from connectors.stripe_sandbox.state import Context, SandboxClock, State, public
from connectors.stripe_sandbox.traffic import Traffic
from connectors.stripe_sandbox.validation import Validator, api_version
from connectors.stripe_sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    from engine.clock import Clock

_KEY: Final = re.compile(r"sk_(test|live)_[A-Za-z0-9_]{4,240}")
_NOT_TAKEN: Final = (FaultKind.CONFLICT, FaultKind.TOO_MANY, FaultKind.REFUSED)
MOST_LOGGED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """A request that arrived whole. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Ending(Enum):
    """How the reply reaches the caller."""

    WHOLE = "whole"
    SILENT = "silent"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back, and how."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = Ending.WHOLE


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that was admitted."""

    request: Request
    form: dict[str, Any]
    fault: FaultKind | None
    request_id: str
    livemode: bool

    @property
    def key(self) -> str | None:
        return self.request.headers.get("idempotency-key") if self.request.method == "POST" else None


class Application:
    """The sandbox without its sockets. `lock` guards all that it remembers."""

    def __init__(self, clock: Clock, latency_ms: int = 0, live_allowed: bool = False, rate_limit: int | None = None) -> None:
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.clock = SandboxClock(clock)
        self.state = State()
        self.keys = IdempotencyKeys()
        self.faults = FaultPlan()
        self.webhooks = Webhooks(self.clock, self.closing)
        self.requests: deque[dict[str, Any]] = deque(maxlen=MOST_LOGGED)
        self.latency_ms = latency_ms
        self.live_allowed = live_allowed
        self.traffic = Traffic(rate_limit)
        self._validator = Validator()

    def reset(self) -> None:
        """Forget records, keys, faults, webhooks, the log and the traffic; the clock and the latency stay."""
        with self.lock:
            self.state.clear()
            self.keys.clear()
            self.faults.clear()
            self.webhooks.configure(None)
            self.requests.clear()
            self.traffic.clear()

    def answer(self, request: Request) -> Reply:
        """The reply to one request, after the latency and with the fault that the plan has for it."""
        with self.lock:
            self.traffic.arrive(self.clock.now())
            fault = self.faults.take(request.method, request.path)
            entry = self._log(request, fault)
        if fault is not None and (fault.kind is FaultKind.DROP_BEFORE or (fault.kind is FaultKind.HANG and not fault.taken)):
            self.closing.wait(fault.seconds if fault.kind is FaultKind.HANG else 0)
            return Reply(0, b"", ending=Ending.SILENT)
        reply = self._reply(request, fault, entry["id"])
        with self.lock:
            entry |= {"status": reply.status, "replayed": "Idempotent-Replayed" in reply.headers}
        return self._on_the_way(reply, fault)

    def _log(self, request: Request, fault: Fault | None) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": self.state.new_id("request"),
            "method": request.method,
            "path": request.path,
            "idempotency_key": request.headers.get("idempotency-key"),
            "fault": fault.kind.value if fault else None,
            "status": None,
            "replayed": False,
        }
        self.requests.append(entry)
        return entry

    def _on_the_way(self, reply: Reply, fault: Fault | None) -> Reply:
        """What a fault makes of a reply that was given."""
        kind = fault.kind if fault else None
        if fault is not None and kind is FaultKind.HANG:
            self.closing.wait(fault.seconds)
        if kind in (FaultKind.DROP_AFTER, FaultKind.HANG):
            return replace(reply, ending=Ending.SILENT)
        if kind is FaultKind.TRUNCATED:
            return replace(reply, ending=Ending.TRUNCATED)
        if kind is FaultKind.GARBLED:
            return replace(reply, body=b"<html>" + reply.body[::-1])
        return reply

    def _reply(self, request: Request, fault: Fault | None, request_id: str) -> Reply:
        headers = {"Request-Id": request_id}
        try:
            livemode = self._admit(request, fault)
            kind = fault.kind if fault else None
            saved, replayed = self._once(_Call(request, forms.decode(_form(request)), kind, request_id, livemode))
            headers |= {"Idempotent-Replayed": "true", "Original-Request": saved.request_id} if replayed else {}
            status, body = saved.status, saved.body
        except ApiRefused as refused:
            status, body = refused.status, _json(refused.body())
            headers |= refused.headers
        if fault is not None and fault.should_retry is not None and status >= 400:
            headers["Stripe-Should-Retry"] = "true" if fault.should_retry else "false"
        return Reply(status, body, headers)

    def _admit(self, request: Request, fault: Fault | None) -> bool:
        """The mode of the caller's key; raises ApiRefused for what is answered before anything is begun."""
        livemode = self._mode(request.headers)
        version = request.headers.get("stripe-version", api_version())
        if version != api_version():
            raise ApiRefused(400, f"Expected Stripe-Version {api_version()}, but found {version}. Do: use its SDK.")
        if fault is not None and fault.kind in _NOT_TAKEN:
            raise _planned(fault)
        with self.lock:
            if not self.traffic.admit(self.clock.now()):
                raise too_many("rate_limit")
        return livemode

    def _mode(self, headers: Mapping[str, str]) -> bool:
        """https://docs.stripe.com/keys: a secret key, `sk_test_...` or `sk_live_...`, as Bearer or as the user name of Basic,
        https://docs.stripe.com/api/authentication.
        """
        match = _KEY.fullmatch(_sent_key(headers.get("authorization", "")))
        if match is None:
            raise ApiRefused(401, "Expected a secret key, but none that is whole was sent. Do: send sk_test_... as Bearer.")
        if match[1] == "live" and not self.live_allowed:
            raise ApiRefused(401, "Expected a test key, but this sandbox was not started for live keys. Do: send sk_test_...")
        return match[1] == "live"

    def _once(self, call: _Call) -> tuple[Saved, bool]:
        """The result and whether it is a repeated one; only POST has idempotency keys."""
        if call.key is None:
            return self._perform(call), False
        key = (call.livemode, idempotency.check_key(call.key))
        mark = idempotency.fingerprint(call.request.method, call.request.path, call.form)
        with self.lock:
            saved = self.keys.begin(key, mark, self.clock.now())
        if saved is not None:
            return saved, True
        try:
            result = self._perform(call)
            with self.lock:
                self.keys.save(key, result)
            return result, False
        finally:
            with self.lock:
                self.keys.release(key)

    def _perform(self, call: _Call) -> Saved:
        """Check and do it. What is not to be saved is raised, everything else is returned."""
        route, ids = routes.find(call.request.method, call.request.path)
        params = self._params(route, call.form)
        self.closing.wait(self.latency_ms / 1000)
        if call.fault is FaultKind.FAILED_BEFORE:
            return Saved(500, _json(_failed().body()), call.request_id)
        status = 200
        try:
            with self._context(call) as context:
                paths = params.pop("expand", [])
                shown = public(route.handler(context, params, *ids))
                answer = expansion.expand(context, route.kind, shown, paths)
        except ApiRefused as refused:
            if not refused.saved_under_key:
                raise
            status, answer = refused.status, refused.body()
        if call.fault is FaultKind.FAILED_AFTER:
            status, answer = 500, _failed().body()
        return Saved(status, _json(answer), call.request_id)

    def _params(self, route: routes.Route, form: dict[str, Any]) -> dict[str, Any]:
        params = self._validator.check(route.params, form)
        for name in params.keys() - route.plays:
            raise ParameterRefused(
                f"Expected only parameters that this sandbox plays, but found {name}. Do: leave it out, or try it at Stripe.",
                name,
                "not_played_by_sandbox",
            )
        expansion.check(route.kind, route.many, params.get("expand", []))
        return params

    @contextlib.contextmanager
    def _context(self, call: _Call) -> Iterator[Context]:
        slow = call.fault is FaultKind.PROCESSING
        with self.lock:
            context = Context(self.state, self.clock.now(), call.livemode, call.request_id, call.key, api_version(), slow)
            try:
                yield context
            finally:
                self.webhooks.take(context.emitted)

    @contextlib.contextmanager
    def outside(self, livemode: bool = False) -> Iterator[Context]:
        """A context for what happens without a request of the seller: the customer's bank, the card network."""
        nobody = Request("", "", "", {}, b"")
        with self._context(_Call(nobody, {}, None, "", livemode)) as context:
            yield context


def _form(request: Request) -> str:
    try:
        return request.body.decode("utf-8") if request.method == "POST" else request.query
    except UnicodeDecodeError as error:
        raise ParameterRefused("Expected a form in UTF-8, but it cannot be read. Do: encode it.") from error


def too_many(code: str) -> ApiRefused:
    """429, https://docs.stripe.com/rate-limits; `lock_timeout` says that one object is busy."""
    return ApiRefused(429, "Expected fewer requests, but there are too many. Do: wait and try again.", code=code)


def _planned(fault: Fault) -> ApiRefused:
    if fault.kind is FaultKind.REFUSED:
        return ApiRefused(fault.status, "Expected a key that may do this, but it may not. Do: grant it.", code=fault.code)
    if fault.kind is FaultKind.TOO_MANY:
        return too_many(fault.code or "rate_limit")
    if fault.code not in (None, "idempotency_key_in_use"):
        return ApiRefused(409, "Expected the object to be free, but another request changes it. Do: try again.", code=fault.code)
    return idempotency.key_in_use()


def _failed() -> ApiRefused:
    return ApiRefused(500, "Something went wrong on this side. Do: find out what became of the request.", type="api_error")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sent_key(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return credentials
    try:
        return base64.b64decode(credentials, validate=True).decode("ascii").partition(":")[0]
    except ValueError:
        return ""
