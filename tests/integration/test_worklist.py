"""People and their tasks: who may, who was first, what a form takes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from engine.clock import TurnedClock
from engine.errors import DataRefused, EngineError, ExpressionFailed, NotFound, NotPermitted, TaskNotOpen
from engine.services import resolving, worklist
from engine.services.configuration import Configuration
from engine.services.runtime import Runtime
from engine.store.database import Database
from tests.builders.company import REQUIRED, CardCompany, Company, definition
from tests.builders.drawing import exclusive, form_field, user

APART = "{different_people: [enter, approve]}"
GROUPS = Configuration(groups={"Sales": frozenset({"sara", "tom"}), "Manager": frozenset({"mia"})})


def field(company: Company, instance: str, name: str) -> Any:
    return next(field for field in company.task(instance).fields if field.name == name)


def stands_as_before(company: Company, instance: str, change: Callable[[], Any], error: type[EngineError], says: str) -> None:
    """`change` is refused, and nothing of it is stored."""
    before = company.details(instance), company.events(instance)
    with pytest.raises(error, match=says):
        change()
    assert (company.details(instance), company.events(instance)) == before


# --- claiming -------------------------------------------------------------------------------------------------------


def test_a_claimed_task_is_one_person_s_until_they_give_it_back(company: Company) -> None:
    instance = company.start()
    task = company.task(instance).id
    assert worklist.claim(company.runtime, task, "sara").claimed_by == "sara"
    assert worklist.claim(company.runtime, task, "sara").state == "claimed"  # twice changes nothing
    for attempt in (lambda: worklist.claim(company.runtime, task, "tom"), lambda: company.enter(instance, by="tom")):
        stands_as_before(company, instance, attempt, TaskNotOpen, f"Expected {task} to be free, but sara has claimed it")
    assert worklist.release(company.runtime, task, "sara").state == "offered"
    assert worklist.claim(company.runtime, task, "tom").claimed_by == "tom"
    assert company.events(instance).count("task_claimed") == 2


def test_someone_else_s_task_is_released_only_with_a_reason_which_is_recorded(company: Company) -> None:
    instance = company.start()
    task = company.task(instance).id
    worklist.claim(company.runtime, task, "sara")
    release = lambda: worklist.release(company.runtime, task, "olivia")  # noqa: E731 - called twice, told apart by name
    stands_as_before(company, instance, release, NotPermitted, "claimed by olivia, but it is claimed by sara")
    worklist.release(company.runtime, task, "olivia", "on holiday")
    assert company.task(instance).claimed_by is None
    with pytest.raises(TaskNotOpen, match="offered to everyone"):
        release()


def test_of_many_who_claim_at_once_exactly_one_wins_and_the_others_are_told_who(
    company: Company, database_url: str, runtime_with: Callable[..., Runtime]
) -> None:
    """Half of them through another connection pool, as another process would."""
    other = Database(database_url)
    runtimes = [company.runtime, runtime_with(database=other)]
    task = company.task(company.start()).id
    barrier = threading.Barrier(16)

    def claim(number: int) -> str:
        barrier.wait(10)
        try:
            return str(worklist.claim(runtimes[number % 2], task, f"user{number}").claimed_by)
        except TaskNotOpen as late:
            return str(late)

    with ThreadPoolExecutor(16) as pool:
        said = Counter(pool.map(claim, range(16)))
    other.close()
    [winner] = [each for each in said if each.startswith("user")]
    late = f"Expected {task} to be free, but {winner} has claimed it. Do: choose another, or ask them to release it."
    assert said == {winner: 1, late: 15}
    assert worklist.task(company.runtime, task).claimed_by == winner


def test_of_many_who_complete_at_once_exactly_one_does(company: Company) -> None:
    instance = company.start()
    task = company.task(instance).id
    barrier = threading.Barrier(8)

    def complete(number: int) -> bool:
        barrier.wait(10)
        try:
            worklist.complete(company.runtime, task, {"amount": f"{number + 1}.00"}, f"user{number}")
        except TaskNotOpen:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(complete, range(8)))
    assert done.count(True) == 1
    assert company.details(instance)["data"]["amount"] == (done.index(True) + 1) * 100
    assert [task.flow_node for task in company.open(instance)] == ["approve"]


def test_a_completed_or_withdrawn_task_is_not_open_any_more(company: Company) -> None:
    instance = company.start()
    task = company.task(instance).id
    company.enter(instance, by="sara")
    for change in (worklist.claim, worklist.release):
        with pytest.raises(TaskNotOpen, match=f"Expected {task} to be open, but it is completed by sara"):
            change(company.runtime, task, "tom")
    withdrawn = company.task(instance).id
    worklist.claim(company.runtime, withdrawn, "mia")
    resolving.cancel(company.runtime, instance, "wrong", "olivia")
    with pytest.raises(TaskNotOpen, match=f"Expected {withdrawn} to be open, but it is withdrawn[.]"):
        worklist.complete(company.runtime, withdrawn, {"approved": True}, "mia")


@pytest.mark.parametrize("unknown", ["t999", "i1", "t", "", "1", "t1; DROP TABLE user_tasks", "t٣", "t-1"])
def test_an_unknown_id_is_refused(company: Company, unknown: str) -> None:
    company.start()
    with pytest.raises(NotFound):
        worklist.claim(company.runtime, unknown, "sara")


def test_completing_an_offered_task_claims_it_on_the_way(company: Company) -> None:
    instance = company.start()
    done = company.enter(instance, by="sara")
    assert (done.state, done.claimed_by) == ("completed", "sara")


def test_the_list_shows_open_tasks_oldest_first_in_pages(company: Company) -> None:
    started = [company.start(f"c{number}") for number in range(5)]
    company.enter(started[0])
    runtime = company.runtime
    assert [task.instance for task in worklist.tasks(runtime, {})] == [*started[1:], started[0]]
    assert [task.instance for task in worklist.tasks(runtime, {"group_name": "Sales"}, limit=2)] == started[1:3]
    last = worklist.tasks(runtime, {"group_name": "Sales"}, limit=2)[-1].id
    assert [task.instance for task in worklist.tasks(runtime, {"group_name": "Sales"}, after=last)] == started[3:]
    assert [task.instance for task in worklist.tasks(runtime, {"customer": "c3"})] == [started[3]]
    assert len(worklist.tasks(runtime, {}, completed=True)) == 6


def test_overdue_tasks_are_listed_the_longest_overdue_first_in_pages(company: Company, clock: TurnedClock) -> None:
    due = 'camunda:candidateGroups="Sales" camunda:dueDate="P{}D"'
    for days in (3, 1, 2):
        enter = user("enter", form_field("amount", inside=REQUIRED), due.format(days))
        company.deploy(definition({"enter": enter}))
        company.start(f"c{days}")
    clock.advance(timedelta(days=2))
    runtime = company.runtime
    company.start("new")
    assert [task.customer for task in worklist.tasks(runtime, {}, overdue=True)] == ["c1"]  # due now is not overdue yet
    assert [task.overdue for task in worklist.tasks(runtime, {})] == [False, True, False, False]
    clock.advance(timedelta(days=1, seconds=1))
    assert [task.customer for task in worklist.tasks(runtime, {"group_name": "Sales"}, overdue=True)] == ["c1", "c2", "c3"]
    first = worklist.tasks(runtime, {}, overdue=True, limit=2)
    assert [task.customer for task in first] == ["c1", "c2"]
    assert [task.customer for task in worklist.tasks(runtime, {}, overdue=True, after=first[-1].id)] == ["c3"]
    company.enter(first[0].instance)
    assert [task.customer for task in worklist.tasks(runtime, {}, overdue=True)] == ["c2", "c3"]
    assert not any(task.overdue for task in worklist.tasks(runtime, {"customer": "c1"}, completed=True))


def test_a_group_that_nobody_knows_is_told(company: Company, runtime_with: Callable[..., Runtime]) -> None:
    with pytest.raises(NotFound, match=r'Expected a group .* but "sales" is none\. Do: write "Sales"'):
        worklist.tasks(company.runtime, {"group_name": "sales"})
    assert worklist.tasks(company.runtime, {"group_name": "Manager"}) == []
    other = Configuration(groups={"Support": frozenset()})
    assert worklist.tasks(runtime_with(configure=lambda: other), {"group_name": "Support"}) == []


# --- groups and controls --------------------------------------------------------------------------------------------


def test_a_task_is_for_the_members_of_its_group(company: Company, runtime_with: Callable[..., Runtime]) -> None:
    strict = Company(runtime_with(configure=lambda: GROUPS))
    instance = strict.start()
    task = strict.task(instance).id
    for attempt in (lambda: worklist.claim(strict.runtime, task, "mia"), lambda: strict.enter(instance, by="mia")):
        stands_as_before(strict, instance, attempt, NotPermitted, f"a member of 'Sales' for {task}, but mia is none")
    strict.enter(instance, by="tom")
    with pytest.raises(NotPermitted, match="'Manager'"):
        strict.approve(instance, by="sara")
    strict.approve(instance, by="mia")


def test_a_group_that_nobody_configured_is_open_to_everyone(company: Company, runtime_with: Callable[..., Runtime]) -> None:
    partly = Company(runtime_with(configure=lambda: Configuration(groups={"Manager": frozenset({"mia"})})))
    instance = partly.start()
    partly.enter(instance, by="anybody")
    with pytest.raises(NotPermitted):
        partly.approve(instance, by="anybody")


def test_a_group_without_members_is_closed(runtime_with: Callable[..., Runtime], company: Company) -> None:
    closed = Company(runtime_with(configure=lambda: Configuration(groups={"Sales": frozenset()})))
    with pytest.raises(NotPermitted):
        closed.enter(closed.start(), by="sara")


def test_who_entered_the_amount_neither_claims_nor_approves_it(company: Company) -> None:
    company.deploy(definition(controls=[APART]))
    instance = company.start()
    company.enter(instance, by="ann")
    task = company.task(instance).id
    for attempt in (lambda: worklist.claim(company.runtime, task, "ann"), lambda: company.approve(instance, by="ann")):
        stands_as_before(company, instance, attempt, NotPermitted, f"someone other than ann for {task}, but ann has done 'Enter'")
    company.approve(instance, by="bob")


def test_people_stay_apart_when_the_task_comes_back(company: Company) -> None:
    company.deploy(definition(controls=[APART]))
    instance = company.start()
    company.enter(instance, by="ann")
    company.approve(instance, by="bob", approved=False)
    with pytest.raises(NotPermitted, match="bob has done 'Approve'"):
        company.enter(instance, by="bob")
    company.enter(instance, by="cleo")
    for early in ("ann", "cleo"):  # also who entered it in an earlier round
        with pytest.raises(NotPermitted):
            company.approve(instance, by=early)
    company.approve(instance, by="bob")


def test_people_stay_apart_though_one_claimed_before_they_did_the_other_task(company: Company) -> None:
    company.deploy(definition(controls=[APART]))
    instance = company.start()
    company.enter(instance, by="ann")
    company.approve(instance, by="bob", approved=False)
    worklist.claim(company.runtime, company.task(instance).id, "ann")
    company.enter(instance, by="ann")
    with pytest.raises(NotPermitted):
        company.approve(instance, by="ann")


def test_controls_hold_for_the_next_instance_anew(company: Company) -> None:
    company.deploy(definition(controls=[APART]))
    first = company.start()
    company.enter(first, by="ann")
    company.approve(first, by="bob")
    company.work()
    second = company.instance(first).next
    assert second is not None
    company.enter(second, by="bob")  # who approved last month may enter this month's
    with pytest.raises(NotPermitted):
        company.approve(second, by="bob")


# --- forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, r"Expected a value for amount \(amount\), but it is empty. Do: --set amount=VALUE"),
        ({"amount": "  "}, "Expected a value for amount"),
        ({"amount": None}, "Expected a value for amount"),
        ({"amount": "12.345"}, "amount"),
        ({"amount": "many"}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": ["1"]}, "amount"),
        ({"amount": "1e3"}, "amount"),
        (
            {"amount": "5.00", "month": "2026-11"},
            r"Expected 'month' to stay as it is in t1 \(Enter\), but it was set. Do: leave it out",
        ),
        ({"amount": "5.00", "approved": True}, "but 'approved' is none"),
        ({"amount": "5.00", "receipt": "pay_9"}, "but 'receipt' is none"),
        ({"amount": "5.00", "amuont": "6.00"}, "amuont.* is none.*amount"),
        ({"amount": "5.00", "name": "two\nlines"}, "name: Expected one line"),
        ({"amount": "5.00", "name": "a\ud800"}, r"U\+D800"),
        ({"amount": "5.00", "name": "\u202eevil"}, r"U\+202E"),
        ({"amount": "5.00", "details": "bell\x07"}, r"U\+0007"),
        ({"amount": "5.00", "details": {"typename": "x"}}, "details"),
        ({"amount": "9" * 30}, "amount"),
    ],
)
def test_a_form_takes_its_fields_in_their_types_and_else_nothing_changes(
    company: Company, values: dict[str, Any], says: str
) -> None:
    instance = company.start()
    stands_as_before(company, instance, lambda: company.do(instance, "sara", **values), DataRefused, says)
    assert company.task(instance).state == "offered"
    company.enter(instance)


def test_amounts_are_entered_in_major_units_and_stored_in_minor_ones(company: Company) -> None:
    instance = company.start()
    company.enter(instance, amount="120.50")
    assert company.details(instance)["data"]["amount"] == 12_050
    assert field(company, instance, "amount").text == "120.50 USD"


def test_what_was_entered_stands_in_the_form_when_it_comes_back(company: Company) -> None:
    instance = company.start()
    company.enter(instance, amount="7.00", details="one\ntwo")
    company.approve(instance, approved=False)
    assert (field(company, instance, "amount").value, field(company, instance, "details").value) == (700, "one\ntwo")
    company.do(instance, "sara")  # a required field that has a value need not be entered again
    assert company.details(instance)["data"]["amount"] == 700


def test_a_field_can_be_cleared_unless_it_is_required(company: Company) -> None:
    instance = company.start(name="Acme")
    company.enter(instance, details="much")
    company.approve(instance, approved=False)
    stands_as_before(company, instance, lambda: company.do(instance, "sara", amount=None), DataRefused, "amount")
    company.do(instance, "sara", details=None, name="")
    assert company.details(instance)["data"].keys() == {"customer", "month", "amount", "approved"}


def test_a_running_instance_does_not_become_another_bill(company: Company) -> None:
    fields = (
        form_field("amount", inside=REQUIRED)
        + form_field("customer")
        + form_field("month")
        + form_field("details")
        + form_field("name")
    )
    company.deploy(definition({"enter": user("enter", fields)}))
    instance = company.start()
    for other in ({"customer": "other"}, {"month": "2026-11"}, {"customer": None}):
        change = lambda other=other: company.enter(instance, **other)  # noqa: E731 - bound now, called at once
        stands_as_before(company, instance, change, DataRefused, "it tells which bill this is")
    company.enter(instance, customer="acme", month="2026-10")


def test_a_value_that_leaves_the_gateway_without_a_way_is_refused_and_the_task_stays(company: Company) -> None:
    ways = {
        "yes": "decision -> charge if ${approved and amount > 100}",
        "no": "decision -> enter if ${not approved and amount > 100}",
    }
    company.deploy(definition({"decision": exclusive("decision")}, ways))
    instance = company.start()
    company.enter(instance, amount="0.50")
    stands_as_before(company, instance, lambda: company.approve(instance), ExpressionFailed, "conditions after 'decision'")
    assert company.task(instance).claimed_by is None


# --- the shipped forms ----------------------------------------------------------------------------------------------


def test_a_comment_is_required_where_the_amount_is_sent_back_and_only_there(card_company: CardCompany) -> None:
    instance = card_company.start()
    card_company.enter(instance)
    back = lambda: card_company.do(instance, "mia", approval="send_back")  # noqa: E731 - named for its refusal
    stands_as_before(card_company, instance, back, DataRefused, "Expected a value for return_comment")
    ended = lambda: card_company.do(instance, "mia", approval="end_contract")  # noqa: E731 - named for its refusal
    stands_as_before(card_company, instance, ended, DataRefused, "Expected a value for end_reason")
    card_company.do(instance, "mia", approval="send_back", return_comment="Too high.")
    assert field(card_company, instance, "return_comment").value == "Too high."
    assert field(card_company, instance, "return_comment").readonly


def test_a_decision_is_made_anew_each_time_and_never_left_over(card_company: CardCompany) -> None:
    instance = card_company.start()
    card_company.enter(instance)
    card_company.approve(instance, approved=False)
    card_company.enter(instance)
    stands_as_before(
        card_company, instance, lambda: card_company.do(instance, "mia"), DataRefused, "Expected a value for approval"
    )
    card_company.approve(instance)
    assert card_company.open(instance) == []


def test_a_decision_is_one_of_its_choices(card_company: CardCompany) -> None:
    instance = card_company.start()
    card_company.enter(instance)
    wrong = lambda: card_company.do(instance, "mia", approval="aprove")  # noqa: E731 - named for its refusal
    stands_as_before(
        card_company, instance, wrong, DataRefused, 'Expected one of its choices, but "aprove" is none. Do: write "approve"'
    )


def test_the_first_task_is_due_thirty_days_after_its_creation(card_company: CardCompany) -> None:
    task = card_company.task(card_company.start())
    assert task.due_at is not None
    assert (task.due_at - task.created_at).days == 30


def test_a_currency_is_not_changed_under_an_amount_that_stands(card_company: CardCompany) -> None:
    instance = card_company.start()
    card_company.enter(instance, amount="120.50")
    card_company.approve(instance, approved=False)
    yen = lambda: card_company.do(instance, "sara", currency="JPY")  # noqa: E731 - named for its refusal
    stands_as_before(card_company, instance, yen, DataRefused, "billing_amount together with its new currency")
    card_company.do(instance, "sara", currency="JPY", billing_amount="120")
    assert card_company.details(instance)["data"]["billing_amount"] == 120
