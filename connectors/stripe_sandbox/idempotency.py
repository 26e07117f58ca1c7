"""Idempotency keys: the first result of a POST is given again to whoever repeats it.

Follows https://docs.stripe.com/api/idempotent_requests and https://docs.stripe.com/error-low-level#idempotency:
- the first result is saved, status and body, 402 and 500 too; a repeat gets it with `Idempotent-Replayed: true`;
- the same key with other parameters, or at another endpoint: 400 `idempotency_error`;
- the same key while the first request is under way: 409 `idempotency_key_in_use`;
- nothing is saved when the parameters are refused or the request was never begun;
- at most 255 characters; after 24 hours a key may be pruned, and then it makes a new request;
- only POST has keys; test and live mode have their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from connectors.stripe_sandbox.refusals import ApiRefused, ParameterRefused

KEPT: Final = timedelta(hours=24)
LONGEST: Final = 255
Key: TypeAlias = tuple[bool, str]
"""Mode (live or not) and the caller's key."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A result, as it was answered the first time."""

    status: int
    body: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class _Use:
    fingerprint: str
    begun_at: datetime
    saved: Saved | None = None


class IdempotencyKeys:
    """The keys in use and their results. Called under the application's lock."""

    def __init__(self) -> None:
        self._uses: dict[Key, _Use] = {}

    def begin(self, key: Key, fingerprint: str, now: datetime) -> Saved | None:
        """The saved result to answer with, or None: then this request owns the key until `save` or `release`."""
        use = self._uses.get(key)
        if use is not None and use.saved is not None and now - use.begun_at >= KEPT:
            use = None
        if use is None:
            self._uses[key] = _Use(fingerprint, now)
            return None
        if use.saved is None:
            raise key_in_use()
        if use.fingerprint != fingerprint:
            raise ApiRefused(
                400,
                "Expected the parameters that this idempotency key was first used with, but they differ. Do: use a new key.",
                type="idempotency_error",
            )
        return use.saved

    def save(self, key: Key, result: Saved) -> None:
        """Keep the result of the request that owns the key (nothing, if all keys were forgotten meanwhile)."""
        use = self._uses.get(key)
        if use is not None:
            self._uses[key] = _Use(use.fingerprint, use.begun_at, result)

    def release(self, key: Key) -> None:
        """Give the key back unused, unless its result was saved."""
        use = self._uses.get(key)
        if use is not None and use.saved is None:
            del self._uses[key]

    def clear(self) -> None:
        """Forget every key."""
        self._uses.clear()


def check_key(key: str) -> str:
    """Raises ParameterRefused for a key that is too long."""
    if len(key) > LONGEST:
        raise ParameterRefused(f"Expected an idempotency key of at most {LONGEST} characters, but it has {len(key)}.")
    return key


def fingerprint(method: str, path: str, form: Mapping[str, Any]) -> str:
    """What must be equal for two requests to be the same; the order of the parameters does not matter."""
    return hashlib.sha256(f"{method} {path}\n{json.dumps(form, sort_keys=True)}".encode()).hexdigest()


def key_in_use() -> ApiRefused:
    """409, https://docs.stripe.com/error-codes#idempotency-key-in-use."""
    return ApiRefused(
        409,
        "Expected this idempotency key to be free, but a request with it is under way. Do: wait and repeat it.",
        type="idempotency_error",
        code="idempotency_key_in_use",
    )
