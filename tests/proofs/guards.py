"""The guards that money and hand-overs rest on, how each is taken away, and the tests that must notice.

Some back each other up. Those are taken away together, with as many of them left as make no difference: then the data stays right
though the answer is worse.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from connectors.stripe import outcomes
from connectors.stripe.protocol import ChargeRun
from engine.services import charging, committing
from engine.store import charges, jobs
from tests.integration import (
    test_history,
    test_interleavings,
    test_leasing,
    test_outcomes,
    test_starting,
    test_store_charges,
    test_worklist,
)
from tests.integration.stripe_charge import test_crashes, test_doubt
from tests.proofs.removing import Dropped, Patched, Removal, Rewritten, Without

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@dataclass(frozen=True)
class Trial:
    """A test of the suite. `given` are arguments that aren't fixtures of their own names."""

    test: Callable[..., None]
    given: Mapping[str, Any] = field(default_factory=dict)
    fixtures: Mapping[str, str] = field(default_factory=dict)
    database: str = SQLITE


@dataclass(frozen=True)
class Guard:
    """What is taken away, and which test must fail then; with `backed_up` it must pass all the same, since others hold."""

    name: str
    removed: tuple[Removal, ...]
    noticed_by: Trial
    backed_up: bool = False


def on_postgresql(test: Callable[..., None]) -> Trial:
    return Trial(test, database=POSTGRESQL)


# --- removals -------------------------------------------------------------------------------------------------------


def nothing(*_: Any, **__: Any) -> None:
    """A check that finds nothing."""


def always(statement: str, condition: str) -> Rewritten:
    """A condition of a statement holds whatever there is."""
    return Rewritten((statement,), rf"({condition})", r"(\1 OR 1 = 1)")


def any_state(change: Callable[..., Any]) -> Callable[..., Any]:
    """A compare-and-set without its comparison."""
    compare = charges._change

    def changed(*given: Any) -> Any:
        def set_only(connection: Any, key: str, _expected: Any, values: Any, at: Any) -> Any:
            return compare(connection, key, {}, values, at)

        return with_global(change, "_change", set_only)(*given)

    return changed


def with_global(function: Callable[..., Any], name: str, value: Any) -> Callable[..., Any]:
    """The same function, to which one name of its module means something else."""
    from types import FunctionType

    assert isinstance(function, FunctionType)
    return FunctionType(function.__code__, function.__globals__ | {name: value}, function.__name__, function.__defaults__)


def new_key(*_: Any, **__: Any) -> str:
    """An idempotency key that is never used again is none."""
    return uuid.uuid4().hex


def run_in_any_mode(run: ChargeRun) -> Any:
    """As `run` is, but for its comparison of modes."""
    row = run.ledger.prepare(run.request)
    return run._continue(row)


INSTANCE_LOCK = Rewritten(("SELECT instances.", "SELECT user_tasks."), " FOR NO KEY UPDATE( OF instances, user_tasks)?$")
INSTANCE_REVISION = always("UPDATE instances", r"instances\.revision = (?:\?|%\(\w+\)s(?:::\w+)?)")
TASK_KEY = Dropped("user_tasks", ("instance_id", "token"))
HISTORY_KEY = Dropped("history", ("instance_id", "number"))
MESSAGE_LOCK = Rewritten(("SELECT messages.",), " FOR UPDATE SKIP LOCKED")
BILL_KEY = Dropped("bills", ("process", "customer", "period"))
CLAIM = always("UPDATE user_tasks", r"user_tasks\.state = (?:\?|%\(\w+\)s(?:::\w+)?)")
CHARGE_KEY = Dropped("charges", ("charge_key",))
CHARGE_BILL = Dropped("charges", ("process", "customer", "period"))
TIMER_LOCK = Rewritten(("SELECT timers.",), " FOR NO KEY UPDATE OF instances SKIP LOCKED")

_STEP_GUARDS: Mapping[str, Removal] = {"lock": INSTANCE_LOCK, "revision": INSTANCE_REVISION, "task key": TASK_KEY}
_ONE_TASK = on_postgresql(test_interleavings.test_two_who_complete_a_task_at_once_leave_one_next_task)
_ONE_INSTANCE = on_postgresql(test_interleavings.test_two_who_deliver_a_message_at_once_start_one_instance)
_ONE_FIRING = on_postgresql(test_interleavings.test_of_two_workers_at_once_one_fires_a_timer)
_ONE_CHARGE = on_postgresql(test_interleavings.test_of_two_who_prepare_a_charge_at_once_both_have_the_same)


def of_ledger(test: Callable[..., None]) -> Trial:
    return Trial(test, fixtures={"either": "ledger"})


GUARDS = (
    # one bill for each customer and month, one ledger row for each bill, one intent for each row
    Guard(
        "bills UNIQUE",
        (BILL_KEY,),
        Trial(test_starting.test_a_customer_s_period_is_started_once_and_the_error_names_the_instance),
    ),
    Guard("charges UNIQUE: both keys", (CHARGE_KEY, CHARGE_BILL), _ONE_CHARGE),
    Guard("charges UNIQUE: charge_key alone", (CHARGE_KEY,), _ONE_CHARGE, backed_up=True),
    Guard("charges UNIQUE: bill alone", (CHARGE_BILL,), _ONE_CHARGE, backed_up=True),
    Guard(
        "charges UNIQUE: intent",
        (Dropped("charges", ("intent",)),),
        Trial(test_store_charges.test_one_intent_is_never_recorded_for_two_bills),
    ),
    # the charge ledger's compare-and-sets
    Guard(
        "record_intent's compare-and-set",
        (Patched(charges, "record_intent", any_state(charges.record_intent)),),
        of_ledger(test_store_charges.test_an_intent_is_recorded_where_none_is),
    ),
    Guard(
        "begin_confirm's compare-and-set",
        (Patched(charges, "begin_confirm", any_state(charges.begin_confirm)),),
        of_ledger(test_store_charges.test_attempts_are_begun_one_after_the_other),
    ),
    Guard(
        "replace_intent's compare-and-set",
        (Patched(charges, "replace_intent", any_state(charges.replace_intent)),),
        of_ledger(test_store_charges.test_a_replaced_intent_begins_anew_as_the_next_generation),
    ),
    Guard(
        "a success is final",
        (always("UPDATE charges", r"charges\.state != \?"),),
        Trial(test_outcomes.test_a_success_in_the_ledger_is_never_overwritten),
    ),
    # Stripe
    Guard(
        "create's idempotency key",
        (Patched(ChargeRun, "_create_key", new_key),),
        Trial(test_doubt.test_an_intent_whose_creation_went_unheard_is_taken_up_and_no_second_one_made),
    ),
    Guard(
        "confirm's idempotency key",
        (Patched(ChargeRun, "_confirm_key", new_key),),
        Trial(
            test_doubt.test_trouble_while_confirming_is_in_doubt_until_stripe_shows_the_truth,
            {"kind": "500_before", "later": 60},
        ),
    ),
    Guard(
        "the livemode check",
        (Patched(ChargeRun, "run", run_in_any_mode),),
        Trial(test_crashes.test_a_bill_that_was_begun_in_live_mode_is_not_touched_with_a_test_key),
    ),
    Guard(
        "the intent's amount is checked",
        (Patched(outcomes, "mismatch", nothing),),
        Trial(test_crashes.test_an_intent_that_somebody_changed_at_stripe_is_not_charged),
    ),
    # leases and fences
    Guard(
        "the fence in the commit",
        (Patched(committing, "jobs", Without(jobs, check_fence=nothing)),),
        Trial(test_leasing.test_a_worker_whose_lease_was_taken_over_saves_nothing),
    ),
    Guard(
        "the fence in the ledger",
        (Patched(charging, "jobs", Without(jobs, check_fence=nothing)),),
        Trial(test_store_charges.test_a_worker_whose_lease_was_taken_over_changes_nothing_in_the_ledger),
    ),
    Guard(
        "a lease that runs is left alone",
        (always("SELECT jobs.id", r"jobs\.lease_until <= \?"),),
        Trial(test_leasing.test_a_leased_job_is_not_given_to_another_worker_until_the_lease_ends),
    ),
    Guard(
        "jobs are locked while they are leased",
        (Rewritten(("SELECT jobs.id",), " FOR UPDATE SKIP LOCKED"),),
        on_postgresql(test_interleavings.test_of_two_workers_at_once_one_leases_a_job),
    ),
    Guard(
        "SKIP LOCKED of jobs",
        (Rewritten(("SELECT jobs.id",), " SKIP LOCKED"),),
        on_postgresql(test_interleavings.test_two_workers_at_once_lease_different_jobs_and_do_not_wait_for_each_other),
    ),
    # people
    Guard(
        "the claim's compare-and-set", (CLAIM,), Trial(test_worklist.test_a_claimed_task_is_one_person_s_until_they_give_it_back)
    ),
    Guard(
        "claim: compare-and-set and instance lock",
        (CLAIM, INSTANCE_LOCK),
        on_postgresql(test_interleavings.test_of_two_who_claim_a_task_at_once_one_has_it),
    ),
    Guard(
        "claim: instance lock alone",
        (INSTANCE_LOCK,),
        on_postgresql(test_interleavings.test_of_two_who_claim_a_task_at_once_one_has_it),
        backed_up=True,
    ),
    # one step at a time: the lock gives the right answer, and any one of three keeps the data right
    Guard(
        "the instance lock",
        (INSTANCE_LOCK,),
        on_postgresql(test_interleavings.test_of_two_who_complete_a_task_at_once_the_second_is_told_that_it_is_done),
    ),
    Guard("the revision", (INSTANCE_REVISION,), Trial(test_interleavings.test_a_state_that_has_moved_on_is_not_overwritten)),
    Guard("lock, revision and task key", tuple(_STEP_GUARDS.values()), _ONE_TASK),
    *(
        Guard(
            f"{' and '.join(names)} alone (the third holds)",
            tuple(_STEP_GUARDS[name] for name in names),
            _ONE_TASK,
            backed_up=True,
        )
        for names in combinations(_STEP_GUARDS, 2)
    ),
    Guard("history UNIQUE", (HISTORY_KEY,), Trial(test_history.test_two_entries_never_have_one_number)),
    # messages
    Guard(
        "messages UNIQUE (instance, number)",
        (Dropped("messages", ("instance_id", "number")),),
        Trial(test_interleavings.test_a_visit_throws_one_message),
    ),
    Guard(
        "the message lock", (MESSAGE_LOCK,), on_postgresql(test_interleavings.test_of_two_workers_at_once_one_delivers_a_message)
    ),
    Guard("message lock and bills UNIQUE", (MESSAGE_LOCK, BILL_KEY), _ONE_INSTANCE),
    Guard("message lock alone", (MESSAGE_LOCK,), _ONE_INSTANCE, backed_up=True),
    # timers
    Guard("a timer's look and its instance's lock", (TIMER_LOCK, INSTANCE_LOCK), _ONE_FIRING),
    Guard("a timer's look alone", (TIMER_LOCK,), _ONE_FIRING, backed_up=True),
    Guard("a timer's instance lock alone", (INSTANCE_LOCK,), _ONE_FIRING, backed_up=True),
    # SQLite's one writer
    Guard(
        "SQLite's lock at the beginning",
        (Rewritten(("BEGIN IMMEDIATE",), " IMMEDIATE"),),
        Trial(test_interleavings.test_while_a_transaction_that_may_write_reads_nobody_else_writes),
    ),
)
