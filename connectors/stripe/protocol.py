"""The charge protocol: at most one successful charge per bill, whatever fails in between.

What the safety rests on:

- A PaymentIntent takes money at most once, so one bill has one intent that is not cancelled. Its id is in the ledger before
  the first confirmation; a replaced one is seen to be cancelled first.
- What moves money (confirm) is sent only after the ledger says so (CONFIRMING, the attempt, the card). Each attempt has one
  idempotency key, and its outcome is known before there is another attempt.
- A run that finds an intent's id looks at Stripe first. A row in doubt (CONFIRMING, UNKNOWN) whose intent still waits without
  a decline was never taken: the same attempt is sent again, with the same key and card. Within 24 hours that can only give the
  first answer again; later the key is forgotten, but then the intent itself shows that nothing was taken, and an intent takes
  money only once. A decline that is found is the attempt's own if its charge is not the one that was noted before.
- A job that meets a DECLINED, REQUIRES_ACTION or CANCELED row is a new one: those states are committed together with the BPMN
  step, so a person, or a timer in the diagram after a soft decline, has sent the instance back here. That approves one more
  attempt. So does a retry by hand after the first sending of an attempt was refused, which leaves the row CREATED: the refused
  request took nothing, and no other was sent.
- Attempts are counted by the ledger, over all of a bill's intents: whatever the diagram asks for, and whoever cancels an intent
  at Stripe to begin anew, there are so many and no more.

A charge that works takes two requests: create, confirm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.stripe import outcomes
from connectors.stripe.amounts import to_stripe
from connectors.stripe.declines import ATTEMPTS_EXHAUSTED, MOST_ATTEMPTS, NO_PAYMENT_METHOD, is_final
from connectors.stripe.intents import Failure, Intent, Intents, Order, Trouble
from engine.connector import ChargeState, Fatal, Retryable

if TYPE_CHECKING:
    from connectors.stripe.intents import Answer
    from engine.connector import Charge, ChargeLedger, ChargeRequest, Outcome

_MOST_CREATE_KEYS = 20
_LONGEST_METADATA = 500


@dataclass(frozen=True, slots=True)
class ChargeRun:
    """One run of one job: brings the bill's row as far as it can. LeaseLost from the ledger passes through."""

    intents: Intents
    ledger: ChargeLedger
    request: ChargeRequest
    description: str

    def run(self) -> Outcome:
        """Charge, or find out what became of an earlier run."""
        row = self.ledger.prepare(self.request)
        if row.request.livemode != self.request.livemode:
            return Fatal(
                f"Expected a {'live' if row.request.livemode else 'test'} key, with which {self.request.charge_key} was begun, "
                "but this one is of the other mode. Do: use that key, or another database."
            )
        return self._continue(row) if row.request == self.request else self._supersede(row)

    def _continue(self, row: Charge) -> Outcome:
        if row.intent is None:
            return self._create(row)
        found = self.intents.retrieve(row.intent)
        return outcomes.after_retrieve(row, found) if isinstance(found, Failure) else self._apply(row, found)

    def _create(self, row: Charge) -> Outcome:
        created = self._created(row)
        if isinstance(created, Failure):
            return outcomes.after_create(created)
        different = outcomes.mismatch(row.request, created)
        if different is not None:
            return different
        row = self.ledger.record_intent(row.request.charge_key, row.generation, created.id)
        if created.replayed or row.intent != created.id or row.state is not ChargeState.CREATED:
            # An answer given again is as old as the first one, and so is the card in it; another's intent is the one that counts.
            return self._continue(row) if row.intent is not None else _overtaken(row)
        return self._attempt(row, created)

    def _created(self, row: Charge) -> Answer:
        """Create under the bill's key, or under the next one where that key can give nothing but its old error for 24 hours.

        At worst an unconfirmed intent is left over, which moves no money.
        """
        order, turn = self._order(row), 1
        answer = self.intents.create(order, self._create_key(row, turn))
        while isinstance(answer, Failure) and _is_key_spent(answer) and turn < _MOST_CREATE_KEYS:
            turn += 1
            answer = self.intents.create(order, self._create_key(row, turn))
        return answer

    def _apply(self, row: Charge, intent: Intent) -> Outcome:
        """Act on what Stripe shows."""
        outcome = outcomes.judge(row, intent)
        if intent.over and row.state is ChargeState.CANCELED:
            return self._replace(row)
        if outcome is not None:
            return outcome
        if not row.state.in_doubt or row.payment_method is None:
            return self._attempt(row, intent)
        return outcomes.attempted(row, intent.new_decline) if intent.new_decline is not None else self._confirm(row, resent=True)

    def _attempt(self, row: Charge, intent: Intent) -> Outcome:
        """Begin one more attempt, with the customer's current card."""
        if row.attempt >= MOST_ATTEMPTS:
            return outcomes.declined(row, ATTEMPTS_EXHAUSTED)
        if intent.card is None:
            return outcomes.declined(row, NO_PAYMENT_METHOD)
        if intent.card == row.payment_method and row.reason is not None and is_final(row.reason):
            return outcomes.declined(row, row.reason)
        attempt = row.attempt + 1
        if intent.decline is not None:
            noted = self.intents.note_attempt(intent)
            if isinstance(noted, Failure):
                return outcomes.after_create(noted)
            changed = outcomes.judge(row, noted)
            if changed is not None:  # the customer has paid, or somebody has cancelled, at this very moment
                return changed
        row = self.ledger.begin_confirm(row.request.charge_key, attempt, intent.card)
        begun = (row.state, row.attempt, row.payment_method, row.intent)
        if begun != (ChargeState.CONFIRMING, attempt, intent.card, intent.id):
            return _overtaken(row)
        return self._confirm(row, resent=False)

    def _confirm(self, row: Charge, *, resent: bool) -> Outcome:
        """Send the attempt that the row holds, for the first time or again."""
        assert row.intent is not None
        assert row.payment_method is not None
        answer = self.intents.confirm(row.intent, row.payment_method, self._confirm_key(row))
        if isinstance(answer, Failure):
            return outcomes.after_confirm(row, answer, resent=resent)
        outcome = outcomes.judge(row, answer)
        if outcome is not None:
            return outcome
        if answer.new_decline is not None:
            return outcomes.attempted(row, answer.new_decline)
        return outcomes.unknown(row, f"{answer.id} is {answer.status} after it was confirmed")

    def _supersede(self, row: Charge) -> Outcome:
        """The row is of a cancelled instance, or of an amount that was corrected: make sure that it can't be charged."""
        if row.state is ChargeState.SUCCEEDED:
            return outcomes.already_charged(row, self.request)
        if row.intent is None:
            return self._replace(row)
        found = self.intents.retrieve(row.intent)
        if isinstance(found, Failure):
            return outcomes.after_retrieve(row, found)
        return self._cancel(row, found)

    def _cancel(self, row: Charge, found: Intent) -> Outcome:
        if found.over:
            return self._replace(row)
        different = outcomes.mismatch(row.request, found)
        if different is not None:
            return different
        if found.status == "succeeded":
            return outcomes.already_charged(row, self.request, found)
        if found.status in ("processing", "requires_capture"):
            return outcomes.unknown(row, f"{found.id} is {found.status} at Stripe")
        canceled = self.intents.cancel(found.id)
        if isinstance(canceled, Failure):
            return outcomes.after_create(canceled)
        if not canceled.over:
            return outcomes.unknown(row, f"{found.id} is {canceled.status} after it was cancelled")
        return self._replace(row)

    def _replace(self, row: Charge) -> Outcome:
        """Begin again with a new intent, the old one being cancelled."""
        row = self.ledger.replace_intent(self.request, row.intent)
        begun = row.request == self.request and row.state is ChargeState.PREPARED and row.intent is None
        return self._create(row) if begun else _overtaken(row)

    def _order(self, row: Charge) -> Order:
        request = row.request
        metadata = {
            "charge_key": key_in_metadata(request.charge_key),
            "process": request.process,
            "period": request.period,
            "instance": request.instance,
        }
        units = to_stripe(request.amount, request.currency)
        return Order(units, request.currency, request.stripe_customer, self.description, metadata)

    # Keys are at most 255 characters and hold nothing personal, so the bill's key, which can be an e-mail address, is hashed.

    def _create_key(self, row: Charge, turn: int) -> str:
        # The description isn't frozen: with another one the same key would be refused, and another key moves no money.
        said = _digest(self.description)[:16]
        key = f"create|{_digest(row.request.charge_key)}|{row.generation}|{said}"
        return key if turn == 1 else f"{key}|r{turn}"

    def _confirm_key(self, row: Charge) -> str:
        return f"confirm|{_digest(row.request.charge_key)}|{row.generation}|{row.attempt}"


def key_in_metadata(charge_key: str) -> str:
    """What an intent has as its `charge_key`: Stripe takes values of so many characters."""
    return charge_key if len(charge_key) <= _LONGEST_METADATA else _digest(charge_key)


def _is_key_spent(failure: Failure) -> bool:
    """Whether only another key can help: Stripe's own error was saved, or the key was used for other parameters."""
    return failure.trouble is Trouble.CHANGED or (failure.replayed and failure.trouble is Trouble.DOUBT)


def _overtaken(row: Charge) -> Retryable:
    return Retryable(
        f"Expected to be alone with the charge of {row.request.charge_key}, but it was moved on to {row.state}. "
        "Do: nothing yet; it is looked at again."
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
