"""Events: what happened, with the object as it was then. Follows https://docs.stripe.com/api/events."""

from __future__ import annotations

from typing import Any

from connectors.stripe_sandbox.listing import EVENTS_KEPT
from connectors.stripe_sandbox.refusals import no_such
from connectors.stripe_sandbox.state import Context, Record


def retrieve(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/events/retrieve; gone after 30 days."""
    event = context.find("event", identifier)
    if context.timestamp - event["created"] >= EVENTS_KEPT.total_seconds():
        raise no_such("event", identifier)
    return event
