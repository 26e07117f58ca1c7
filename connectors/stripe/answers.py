"""Stripe's answers, whatever was asked: what was read, or a `Failure`, sorted by the one question that matters, whether money
may have moved. No answer is an exception. Facts: https://docs.stripe.com/api/errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from stripe import APIConnectionError, IdempotencyError, StripeError

from connectors.stripe.declines import UNUSABLE, reason_of

_UNEXPECTED_STATE = "payment_intent_unexpected_state"
_PAYMENT_REQUIRED = 402
_MISSING = 404
_LONGEST_TEXT = 300
_T = TypeVar("_T")


class Trouble(StrEnum):
    """What a failed request leaves open."""

    DOUBT = "doubt"  # no answer, an unreadable one, or an error of Stripe's own: it may have been taken
    IN_FLIGHT = "in flight"  # the same request is under way at this moment
    LIMITED = "limited"  # too many requests: not taken
    CHANGED = "changed"  # the intent is no longer in the state that the request needs
    CARD = "card"  # the card or the bank said no, or the card can't be used any more
    REFUSED = "refused"  # the request, the key or the account is wrong: not taken


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that did not end as it should. `text` is for operators. `replayed`: a saved answer was given again. `missing`:
    there is no such object in this account. `status` and `code` are HTTP's and Stripe's own.
    """

    trouble: Trouble
    text: str
    decline: str | None = None
    replayed: bool = False
    missing: bool = False
    status: int | None = None
    code: str | None = None


def ask(permit: Callable[[], None], request: Callable[[], Any], read: Callable[[Any, bool], _T]) -> _T | Failure:
    """Send a request once `permit` lets it. `read` is given the answer's JSON, and whether it is a saved one that is given again;
    it raises what Python raises for missing keys and wrong types.
    """
    permit()
    try:
        response = request().last_response
        if response is None:
            raise ValueError("no response")
        return read(response.data, _is_replayed(response.headers))
    except StripeError as error:
        return failure_of(error)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        # JSON that isn't what it should be; the SDK itself stumbles over some of it
        return Failure(Trouble.DOUBT, f"Stripe's answer could not be read ({type(error).__name__})")


def decline_in(error: Mapping[str, Any] | None) -> str | None:
    """Why a card was declined, as the ledger keeps it; None for no error."""
    return None if error is None else reason_of(error.get("code"), error.get("decline_code"), error.get("advice_code"))


def failure_of(error: StripeError) -> Failure:
    """What an error that the SDK raised leaves open."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    details: Mapping[str, Any] = body["error"] if isinstance(body.get("error"), dict) else {}
    trouble = _trouble(error, details)
    decline = decline_in(details) if error.http_status == _PAYMENT_REQUIRED else UNUSABLE
    return Failure(
        trouble,
        _explained(error, details),
        decline=decline if trouble is Trouble.CARD else None,
        replayed=_is_replayed(error.headers or {}),
        missing=error.http_status == _MISSING,
        status=error.http_status,
        code=details.get("code"),
    )


def _trouble(error: StripeError, details: Mapping[str, Any]) -> Trouble:
    if isinstance(error, APIConnectionError):
        return Trouble.DOUBT
    if isinstance(error, IdempotencyError):
        return Trouble.CHANGED  # something else was sent with this key: what is there must be looked at
    if details.get("code") == _UNEXPECTED_STATE:
        return Trouble.CHANGED
    if details.get("param") == "payment_method" and error.http_status in (400, 404):
        return Trouble.CARD
    known = {_PAYMENT_REQUIRED: Trouble.CARD, 409: Trouble.IN_FLIGHT, 429: Trouble.LIMITED}
    refused = dict.fromkeys((400, 401, 403, 404), Trouble.REFUSED)
    return (known | refused).get(error.http_status or 0, Trouble.DOUBT) if details else Trouble.DOUBT


def _explained(error: StripeError, details: Mapping[str, Any]) -> str:
    """What Stripe says about it. A text of the SDK's own can quote a whole answer, so it is not used."""
    if isinstance(error, APIConnectionError):
        return f"no answer from Stripe ({type(error.__cause__ or error).__name__})"
    said = str(details.get("message") or "an answer that could not be read")
    code = f", {details['code']}" if details.get("code") else ""
    printable = "".join(c if c.isprintable() else " " for c in said)[:_LONGEST_TEXT]
    return f"{printable} (HTTP {error.http_status}{code})"


def _is_replayed(headers: Mapping[str, str]) -> bool:
    """Whether a saved answer was given again, https://docs.stripe.com/api/idempotent_requests."""
    return any(name.lower() == "idempotent-replayed" and value.lower() == "true" for name, value in headers.items())


def text_in(value: Any) -> str:
    """A text in an answer. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def integer_in(value: Any) -> int:
    """A whole number in an answer. Raises TypeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("integer expected")
    return value
