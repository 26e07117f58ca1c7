"""The refund protocol: each refund that was approved is made at most once, whatever fails in between.

What the safety rests on:

- Its row is in the ledger before anything is sent, with the amount that it reserves of the charge: so all refunds together are
  never more than was charged, also where two are asked for at once.
- The request is sent only after the ledger says so (SUBMITTING). It names the row's key in its metadata, and its idempotency key
  is the row's and the attempt's.
- A run that finds a row in doubt (SUBMITTING, UNKNOWN) looks through all refunds of the payment first, which a new one is in at
  once (https://docs.stripe.com/api/refunds/list). Where the row's is not among them, the same request is sent with the same key:
  within 24 hours that can only give the first answer again; later the key is forgotten, but no request is under way for so long,
  so what isn't in the list then was never made.
- Another attempt, with another key, is made only after the first sending of an attempt was refused: that one gave nothing back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.stripe import refund_outcomes as outcomes
from connectors.stripe.amounts import to_stripe
from connectors.stripe.answers import Failure
from connectors.stripe.protocol import key_in_metadata
from connectors.stripe.refunds import RefundOrder
from engine.connector import Fatal, NotRefundable, RefundState, Retryable
from engine.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from connectors.stripe.refunds import Refunds, StripeRefund
    from engine.connector import Outcome, Refund, RefundLedger, RefundRequest

KEY_IN_METADATA = "refund_key"
"""Under which name a refund's metadata says which row of the ledger it is."""


@dataclass(frozen=True, slots=True)
class RefundRun:
    """One run of one job: brings its refund as far as it can. LeaseLost from the ledger passes through."""

    refunds: Refunds
    ledger: RefundLedger
    request: RefundRequest

    def run(self) -> Outcome:
        """Give the money back, or find out what became of an earlier run."""
        try:
            row = self.ledger.prepare(self.request)
        except ConfigurationInvalid as error:
            return Fatal(str(error))
        if isinstance(row, NotRefundable):
            return outcomes.refused(row.reason)
        return self._submit(row) if row.state is RefundState.PREPARED else self._look_up(row)

    def _submit(self, row: Refund) -> Outcome:
        attempt = row.attempt + 1
        begun = self.ledger.begin(row.refund_key, attempt)
        if (begun.state, begun.attempt) != (RefundState.SUBMITTING, attempt):
            return _overtaken(begun)
        return self._send(begun, resent=False)

    def _look_up(self, row: Refund) -> Outcome:
        """The row was sent, or ended otherwise; what Stripe shows is what counts."""
        found = self.refunds.of_intent(row.intent)
        if isinstance(found, Failure):
            return outcomes.after_list(row, found)
        ours = next((each for each in found if _is_ours(row, each)), None)
        if ours is not None:
            return outcomes.judge(row, ours)
        return self._send(row, resent=True) if row.state.in_doubt else outcomes.not_found(row)

    def _send(self, row: Refund, *, resent: bool) -> Outcome:
        answer = self.refunds.create(_order(row), _key(row))
        if isinstance(answer, Failure):
            return outcomes.after_create(row, answer, resent=resent)
        return outcomes.judge(row, answer)


def _is_ours(row: Refund, found: StripeRefund) -> bool:
    wanted = _order(row).metadata
    return all(found.metadata.get(name) == wanted[name] for name in (KEY_IN_METADATA, "instance"))


def _order(row: Refund) -> RefundOrder:
    request = row.request
    metadata = {
        KEY_IN_METADATA: row.refund_key,
        "charge_key": key_in_metadata(f"{request.process}|{request.customer}|{request.period}"),
        "process": request.process,
        "period": request.period,
        "instance": row.instance,
    }
    return RefundOrder(row.intent, to_stripe(row.amount, request.currency), request.reason, metadata)


def _key(row: Refund) -> str:
    """At most 255 characters. A database that is made anew counts its jobs anew, so the payment is part of it."""
    return f"refund|{_digest(f'{row.intent}|{row.refund_key}|{row.instance}')}|{row.attempt}"


def _overtaken(row: Refund) -> Retryable:
    return Retryable(
        f"Expected to be alone with the refund {row.refund_key}, but it was moved on to {row.state}. "
        "Do: nothing yet; it is looked at again."
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
