"""Closes PaymentIntents that nobody will confirm any more, so that no customer can still pay them, and looks refunds up.

Cancelling moves no money, so it may be asked for again and again; what Stripe shows is what counts
(https://docs.stripe.com/api/payment_intents/cancel).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.stripe.amounts import to_iso
from connectors.stripe.intents import Failure, Intent, Intents, Listed, Trouble
from connectors.stripe.refund_outcomes import standing
from engine.connector import Closed, IntentPage, NoAnswer, OpenIntent, StillOpen, Taken

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.stripe.refunds import Refunds
    from engine.connector import Closing, RefundStanding

_OPEN = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})


@dataclass(frozen=True, slots=True)
class StripeKeeper:
    """The `ChargeKeeper` of one Stripe account. `livemode` is that of its key."""

    intents: Intents
    refunds: Refunds
    livemode: bool

    def close(self, intent: str) -> Closing:
        """See ChargeKeeper. One request where it is still open, else one more that shows why it isn't."""
        answer = self.intents.cancel(intent)
        if isinstance(answer, Failure) and answer.trouble is Trouble.CHANGED:
            answer = self.intents.retrieve(intent)
        if isinstance(answer, Failure):
            # One that isn't there (another account's, deleted test data) says nothing about the others.
            return StillOpen(answer.text) if answer.missing else NoAnswer(answer.text)
        return _closing(answer)

    def open_intents(self, since: datetime, until: datetime, after: str | None = None) -> IntentPage | NoAnswer:
        """See ChargeKeeper. One request."""
        page = self.intents.created(since, until, after)
        if isinstance(page, Failure):
            return NoAnswer(page.text)
        ours = tuple(_ours(each) for each in page.found if each.status in _OPEN and _is_ours(each))
        return IntentPage(ours, page.found[-1].id if page.more and page.found else None)

    def refund(self, refund: str) -> RefundStanding | NoAnswer:
        """See ChargeKeeper. One request."""
        found = self.refunds.retrieve(refund)
        return NoAnswer(found.text) if isinstance(found, Failure) else standing(found)


def _closing(intent: Intent) -> Closing:
    if intent.over:
        return Closed()
    if intent.status == "succeeded" and intent.charged_at is not None:
        return Taken(to_iso(intent.received, intent.currency), intent.currency, intent.charged_at)
    return StillOpen(f"{intent.id} is {intent.status} at Stripe")


def _is_ours(listed: Listed) -> bool:
    """Whether it has what `protocol` writes on every intent that it makes. A key too long for metadata isn't recognised: such
    an intent stays open, which takes no money.
    """
    return all(_is_text(listed.metadata.get(name)) for name in ("charge_key", "process", "period", "instance"))


def _is_text(value: str | None) -> bool:
    """Whether it is there, in characters that every database takes."""
    return value is not None and "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def _ours(listed: Listed) -> OpenIntent:
    return OpenIntent(listed.id, listed.metadata["charge_key"], listed.metadata["instance"], listed.created_at)
