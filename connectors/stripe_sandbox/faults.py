"""The fault plan: which requests meet which trouble on the way.

| kind          | the request is taken | what the caller sees |
|---------------|----------------------|----------------------|
| drop_before   | no                   | the connection closes |
| drop_after    | yes                  | the connection closes |
| hang          | as `taken` says      | nothing for `seconds`, then the connection closes |
| truncated     | yes                  | half an answer, then the connection closes |
| garbled       | yes                  | the status of the answer, with a body that is not JSON |
| 409           | no                   | 409 with `code`, by default `idempotency_key_in_use` |
| 429           | no                   | 429 with `code`, by default `rate_limit` |
| refused       | no                   | `status`, by default 403, as a restricted key gets it |
| 500_before    | no, but saved        | 500, given again for the same idempotency key |
| 500_after     | yes                  | 500, given again for the same idempotency key |
| processing    | yes                  | a payment that is `processing` until it is settled, a refund that is `pending` |

Follows https://docs.stripe.com/error-low-level (network, content and server errors), https://docs.stripe.com/rate-limits (429,
`lock_timeout`), https://docs.stripe.com/error-handling (403: the key's permissions) and
https://docs.stripe.com/api/idempotent_requests (a 500 is saved as well).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class FaultKind(StrEnum):
    """What goes wrong."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HANG = "hang"
    TRUNCATED = "truncated"
    GARBLED = "garbled"
    CONFLICT = "409"
    TOO_MANY = "429"
    REFUSED = "refused"
    FAILED_BEFORE = "500_before"
    FAILED_AFTER = "500_after"
    PROCESSING = "processing"


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule of the plan.

    It concerns requests of `method` (None: any) whose path fits the pattern `path`. Without a probability it meets `times`
    of them (default 1) from the `nth` on; with one it meets each with that probability, drawn from `seed`, at most `times`
    (default: no limit). `should_retry` sends Stripe's header of that name with an error answer.
    """

    kind: FaultKind
    method: str | None = None
    path: str = "/v1/*"
    nth: int = 1
    times: int | None = None
    probability: float | None = None
    seed: int = 0
    seconds: float = 3600.0
    taken: bool = True
    code: str | None = None
    status: int = 403
    should_retry: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be meant."""
        if self.nth < 1 or (self.times is not None and self.times < 1) or not 0 <= (self.probability or 0) <= 1:
            raise ValueError("Expected nth and times from 1 and a probability of 0 to 1, but found others. Do: correct it.")


class FaultPlan:
    """The rules, and how often each was met. Called under the application's lock."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []

    def add(self, fault: Fault) -> None:
        """Plan one more fault; its counting begins now."""
        self._rules.append(_Rule(fault))

    def clear(self) -> None:
        """Plan nothing any more."""
        self._rules.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets: the first rule that fires; all rules count it."""
        fired = [rule.fault for rule in self._rules if rule.fires(method, path)]
        return fired[0] if fired else None

    def left(self) -> int:
        """How many rules can still fire."""
        return sum(not rule.spent() for rule in self._rules)


class _Rule:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0
        self._met = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - repeatable faults, no secret

    def spent(self) -> bool:
        most = self.fault.times if self.fault.times is not None or self.fault.probability is not None else 1
        return most is not None and self._met >= most

    def fires(self, method: str, path: str) -> bool:
        fault = self.fault
        if fault.method not in (None, method) or not fnmatchcase(path, fault.path):
            return False
        self._seen += 1
        due = self._seen >= fault.nth if fault.probability is None else self._random.random() < fault.probability
        if not due or self.spent():
            return False
        self._met += 1
        return True
