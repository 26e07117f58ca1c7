"""What can happen in a company's months, how often, and with which particulars; and what runs of the machine share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

from hypothesis import strategies as st

from engine.clock import TurnedClock
from engine.connector import BusinessError, Fatal, Outcome, Retryable, Unknown
from engine.services import deploying
from engine.services.runtime import DefinitionCache
from engine.store.jobs import JobRow
from tests.builders.company import PROCESSES
from tests.doubles.context import START
from tests.doubles.ledger import ProcessKilled
from tests.doubles.stripe_in_process import ANY, CONFIRM, CREATE, StripeSide

PROCESS = "monthly-card-charge"
LEASE = timedelta(minutes=5)

ENGINE = st.sampled_from([0, 1])
CUSTOMER = st.sampled_from([0, 1, 2])
MOMENT = st.integers(0, 5)  # of a charge's requests: before and after each
USER = st.sampled_from(["sara", "mia", "carl"])
AMOUNT = st.sampled_from(["120.50"] * 6 + ["0", "-5.00", "0.10"])  # the last is less than Stripe charges
PAUSE = st.sampled_from([timedelta(0), timedelta(minutes=2), timedelta(minutes=6), timedelta(hours=2), timedelta(hours=23)])
TURN = st.sampled_from([timedelta(minutes=1), timedelta(minutes=6), timedelta(hours=2), timedelta(days=2), timedelta(days=31)])
CARD = st.sampled_from(["visa", "chargeCustomerFail", "chargeDeclinedLostCard", "authenticationRequired"])
FAULT = st.sampled_from(
    ["drop_after", "drop_before", "truncated", "garbled", "409", "429", "500_before", "500_after", "processing"]
)
PATH = st.sampled_from([CONFIRM, CONFIRM, CREATE, ANY])
MAIL = st.sampled_from(
    [BusinessError("address_refused", "No such box."), Retryable("Busy."), Unknown("No answer."), Fatal("Refused.")]
)

PAID = {"contact_result": "settled", "settled_otherwise": "Bank transfer."}

HAPPY = {
    "approve": {"approval": "approve"},
    "wait_to_retry": {"contact_result": "retry"},
    "contact_customer": {"contact_result": "retry"},
    "confirm_payment": {"payment_confirmation": "confirm"},
    "ask_to_authenticate": {"authentication_result": "retry"},
    "issue_credit": {"credit_reference": "CN-1"},
    "correct_address": {"email": "new@acme.example"},
}
OTHERWISE = {
    "approve": [
        {"approval": "send_back", "return_comment": "Too high."},
        {"approval": "end_contract", "end_reason": "Moved away."},
    ],
    "wait_to_retry": [{"contact_result": "give_up"}, PAID],
    "contact_customer": [{"contact_result": "give_up"}, PAID],
    "confirm_payment": [{"payment_confirmation": "send_back", "payment_comment": "Nothing has come in."}],
    "ask_to_authenticate": [{"authentication_result": "give_up"}],
}


# What can happen, and how often beside the others.
EVERYDAY = {
    "people_go_on": 4,
    "a_worker_works": 3,
    "time_goes_by": 3,
    "an_incident_is_attended_to": 2,
    "a_slow_worker_comes_back": 3,
    "the_network_answers": 2,
    "a_month_starts": 1,
    "a_message_is_delivered": 1,
    "somebody_takes_a_task": 1,
}
MISFORTUNES = {
    "a_request_meets_trouble": 6,
    "a_card_changes": 4,
    "somebody_decides_otherwise": 3,
    "a_customer_pays_in_person": 4,
    "a_worker_dies": 4,
    "a_worker_is_slow": 5,
    "a_worker_is_paused_inside": 5,
    "an_instance_is_cancelled": 1,
    "another_version_is_deployed": 1,
    "the_post_fails": 2,
}


class Killed(ProcessKilled):
    """Stands for `kill -9` inside a connector."""


@dataclass
class Held:
    """A job in a slow worker's hands. `outcome` is None while the connector was not called yet."""

    engine: int
    job: JobRow
    outcome: Outcome | None


@cache
def version(number: int) -> dict[str, bytes]:
    """What is deployed as version `number`: the shipped process, the same relabelled, and one that goes by another message."""
    shipped = deploying.read_files(PROCESSES / f"{PROCESS}.bpmn")
    match number % 3:
        case 1:
            return shipped
        case 2:
            return _replaced(shipped, b"Charging amount entry", b"This month's amount")
        case _:
            return _replaced(shipped, b"next-billing", b"another-month")


def _replaced(files: dict[str, bytes], old: bytes, new: bytes) -> dict[str, bytes]:
    return {name: content.replace(old, new) for name, content in files.items()}


@dataclass
class Tools:
    """What runs share, because making it takes long: each engine's definitions and the auditor's, Stripe's checks.

    `reached` counts what came about, over all runs.
    """

    definitions: tuple[DefinitionCache, DefinitionCache, DefinitionCache] = field(
        default_factory=lambda: (DefinitionCache(), DefinitionCache(), DefinitionCache())
    )
    stripe: StripeSide = field(default_factory=lambda: StripeSide(TurnedClock(START)))
    reached: Counter[str] = field(default_factory=Counter)
