"""What the sandbox answers instead of a result, in Stripe's form: a status and `{"error": {...}}`.

    ApiRefused               any answer that is not a 2xx; its result is saved under the idempotency key
    ├── ParameterRefused     the request itself is wrong: nothing was begun, so nothing is saved under the key
    └── CardRefused          402: the attempt was made and the card said no

Follows https://docs.stripe.com/api/errors (fields) and https://docs.stripe.com/api/idempotent_requests (what is saved).
The texts are the sandbox's own: Stripe promises its codes, not its wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiRefused(Exception):
    """An error answer. `status` is HTTP's, `error` what stands under that key in the body, `headers` go with it."""

    saved_under_key = True

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - the field's name at Stripe
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        error = {"type": type, "code": code, "message": message, "param": param, **more}
        self.error: dict[str, Any] = {name: value for name, value in error.items() if value is not None}
        if code is not None:
            self.error["doc_url"] = f"https://docs.stripe.com/error-codes#{code.replace('_', '-')}"

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": self.error}


class ParameterRefused(ApiRefused):
    """A parameter is missing, unknown or out of bounds. Found before anything is begun."""

    saved_under_key = False

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(status, message, code=code, param=param)


class CardRefused(ApiRefused):
    """A card was declined: final for this attempt."""

    def __init__(self, failure: Mapping[str, Any], **more: Any) -> None:
        details = dict(failure)
        super().__init__(402, details.pop("message"), **details, **more)


def no_such(kind: str, identifier: str, param: str = "id", status: int = 404) -> ParameterRefused:
    """Refusal of an id that nothing has. Stripe answers 404 for the path's id, 400 for an id in a parameter."""
    words = kind.replace("_", " ")
    return ParameterRefused(
        f"No such {words}: '{identifier}'. Expected the id of one in this account and mode. Do: list them.",
        param,
        "resource_missing",
        status,
    )
