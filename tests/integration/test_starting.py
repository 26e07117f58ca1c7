"""Starting instances: once for each customer and period, ever."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from engine.errors import (
    AlreadyBilled,
    DataRefused,
    DefinitionInvalid,
    DefinitionNotDeployed,
    EngineError,
    InstanceStillActive,
    NotFound,
)
from engine.services import resolving, starting
from engine.services.inspecting import list_instances
from engine.services.runtime import Runtime
from engine.services.starting import RowReport, reuse, start_by_hand, start_rows
from engine.store.database import Database
from engine.store.tables import instances
from tests.builders.company import CardCompany, Company, definition


def count(runtime: Runtime) -> int:
    with runtime.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(instances)).scalar_one())


# --- by hand --------------------------------------------------------------------------------------------------------


def test_an_instance_waits_at_its_first_task_with_what_was_entered(company: Company) -> None:
    instance = company.start(name=" Acme  & Söhne 💶 ")
    view = company.instance(instance)
    assert (view.state, view.customer, view.period, view.started_by) == ("active", "acme", "2026-10", "manual")
    assert (view.previous, view.next, view.version) == (None, None, 1)
    assert company.details(instance)["data"] == {"customer": "acme", "month": "2026-10", "name": "Acme  & Söhne 💶"}
    task = company.task(instance)
    assert (task.flow_node, task.group, task.state, task.customer, task.period) == (
        "enter",
        "Sales",
        "offered",
        "acme",
        "2026-10",
    )


def test_a_customer_s_period_is_started_once_and_the_error_names_the_instance(company: Company) -> None:
    first = company.start()
    with pytest.raises(
        AlreadyBilled, match=f"no instance of billing for customer acme in 2026-10, but {first} is that bill"
    ) as told:
        company.start()
    assert told.value.instance == first
    assert count(company.runtime) == 1
    assert company.start(month="2026-11") != first
    assert company.start("other") != first


def test_a_period_stays_billed_when_its_month_is_over(company: Company) -> None:
    first = company.billed()
    with pytest.raises(AlreadyBilled, match=first):
        company.start()


def test_of_many_who_start_the_same_bill_at_once_exactly_one_wins(
    company: Company, database_url: str, runtime_with: Callable[..., Runtime]
) -> None:
    """Half of them through another connection pool, as another process would."""
    other = Database(database_url)
    runtimes = [company.runtime, runtime_with(database=other)]
    barrier = threading.Barrier(12)

    def start(number: int) -> str:
        barrier.wait(10)
        try:
            values = {"customer": "acme", "month": "2026-10"}
            return start_by_hand(runtimes[number % 2], "billing", values, f"user{number}")
        except AlreadyBilled as already:
            return f"told {already.instance}"

    with ThreadPoolExecutor(12) as pool:
        said = Counter(pool.map(start, range(12)))
    other.close()
    [winner] = [each for each in said if not each.startswith("told")]
    assert said == {winner: 1, f"told {winner}": 11}
    assert count(company.runtime) == 1


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"customer": ""}, "Expected customer to have a value"),
        ({"month": None}, "Expected month to have a value"),
        ({"month": "2026-13"}, "month: Expected a month of the calendar"),
        ({"month": "9999-12"}, "beyond the year 9999"),
        ({"customer": "x" * 256}, "at most 255 characters"),
        ({"customer": "a\ud800"}, r"U\+D800"),
        ({"customer": "a\x00b"}, r"U\+0000"),
        ({"amount": "1.001"}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"nmae": "Acme"}, 'Expected a data item of billing, but "nmae" is none. Do: write "name"'),
        ({"\ud800": "x"}, "is none"),
        ({"typename": "x"}, "is none"),
        ({"name": {"typename": "x"}}, "name"),
        ({"details": "x" * 10_001}, "at most 10000 characters"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason_and_starts_nothing(
    company: Company, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(DataRefused, match=says):
        company.start(**{"customer": "acme", "month": "2026-10", **values})
    assert count(company.runtime) == 0
    assert company.start()  # the bill is still free


@pytest.mark.parametrize(
    "text", ["💶" * 2_000, "x" * 10_000, "${amount}", "{{ 7 * 7 }}", "<b>&amp;", '{"typename": "a"}', "__class__"]
)
def test_odd_texts_are_stored_and_shown_as_they_are(company: Company, text: str) -> None:
    instance = company.start(details=text)
    company.enter(instance)
    assert company.details(instance)["data"]["details"] == text
    company.approve(instance)
    company.work()
    assert company.instance(instance).state == "completed"


def test_an_unknown_process_is_refused(company: Company) -> None:
    with pytest.raises(DefinitionNotDeployed, match=r"a deployed process 'billling', but there is none.*Do: run-process deploy"):
        start_by_hand(company.runtime, "billling", {}, "olivia")


def test_a_new_instance_is_of_the_newest_version_and_a_running_one_keeps_its_own(company: Company) -> None:
    old = company.start()
    assert company.deploy(definition(items={"note": "{type: text, carry: drop}"})) == 2
    new = company.start("other")
    assert (company.instance(old).version, company.instance(new).version) == (1, 2)
    company.enter(old)
    company.approve(old)
    company.work()
    assert company.instance(old).version == 1


# --- reuse ----------------------------------------------------------------------------------------------------------


def give_up(company: Company, instance: str) -> None:
    """End an instance without a hand-over."""
    company.enter(instance, amount="0")
    company.approve(instance)
    assert company.instance(instance).state == "completed"


def test_a_finished_instance_is_used_again_through_the_map(company: Company) -> None:
    old = company.start(name="Acme")
    company.enter(old, amount="0", details="nothing this month")
    company.approve(old)
    new = reuse(company.runtime, "billing", old, {}, "olivia")
    assert company.details(new)["data"] == {"customer": "acme", "month": "2026-11", "name": "Acme"}
    view = company.instance(new)
    assert (view.started_by, view.previous, view.period) == ("reuse", old, "2026-11")
    assert company.instance(old).next == new
    [amount] = [field for field in company.task(new).fields if field.name == "amount"]
    assert (amount.value, amount.text) == (None, "")
    assert (amount.previous, amount.previous_text) == (0, "0.00 USD")


def test_what_is_entered_at_reuse_replaces_what_the_map_carries(company: Company) -> None:
    old = company.start(name="Acme")
    give_up(company, old)
    new = reuse(company.runtime, "billing", old, {"name": "Acme Ltd"}, "olivia")
    assert company.details(new)["data"] == {"customer": "acme", "month": "2026-11", "name": "Acme Ltd"}


def test_a_cancelled_instance_can_be_used_again_for_the_following_period(company: Company) -> None:
    old = company.start()
    resolving.cancel(company.runtime, old, "wrong customer", "olivia")
    assert company.instance(reuse(company.runtime, "billing", old, {}, "olivia")).period == "2026-11"


def test_an_active_instance_is_not_used_again(company: Company) -> None:
    old = company.start()
    with pytest.raises(InstanceStillActive, match=f"Expected {old} to have ended, but it is active"):
        reuse(company.runtime, "billing", old, {}, "olivia")
    assert count(company.runtime) == 1


def test_an_instance_whose_next_one_exists_is_not_used_again(company: Company) -> None:
    old = company.billed()
    following = company.instance(old).next
    with pytest.raises(AlreadyBilled) as told:
        reuse(company.runtime, "billing", old, {}, "olivia")
    assert told.value.instance == following


def test_a_cancelled_successor_is_replaced_in_the_chain_by_the_one_that_took_its_place(company: Company) -> None:
    old = company.billed()
    cancelled = company.instance(old).next
    assert cancelled is not None
    assert resolving.cancel(company.runtime, cancelled, "wrong address", "olivia")
    assert company.instance(old).next == cancelled
    new = reuse(company.runtime, "billing", old, {}, "olivia")
    assert company.instance(new).period == "2026-11"
    assert company.instance(old).next == new
    assert next(view.next for view in list_instances(company.runtime, {})) == new


def test_an_instance_of_another_process_or_an_unknown_one_is_refused(company: Company, card_company: CardCompany) -> None:
    old = company.start()
    give_up(company, old)
    with pytest.raises(DataRefused, match=f"Expected an instance of monthly-card-charge, but {old} is one of billing"):
        reuse(company.runtime, "monthly-card-charge", old, {}, "olivia")
    for unknown in ("i999", "t1", "x", "", "i-1", "i99999999999999999999999"):
        with pytest.raises(NotFound):
            reuse(company.runtime, "billing", unknown, {}, "olivia")


# --- rows of a file -------------------------------------------------------------------------------------------------


def rows_of(company: Company, *rows: dict[str, Any] | DataRefused) -> list[RowReport]:
    said: list[RowReport] = []
    start_rows(company.runtime, "billing", iter(enumerate(rows, start=2)), "olivia", said.append)
    return said


def test_every_row_is_reported_and_a_second_run_starts_nothing_twice(company: Company) -> None:
    rows = [
        {"customer": "a", "month": "2026-10"},
        {"customer": "b", "month": "soon"},
        DataRefused("Expected 2 columns, but there are 3."),
        {"customer": "a", "month": "2026-10"},
        {"customer": "c", "month": "2026-10"},
    ]
    first = rows_of(company, *rows)
    assert [(row.line, row.outcome) for row in first] == [
        (2, "started"),
        (3, "refused"),
        (4, "refused"),
        (5, "already"),
        (6, "started"),
    ]
    assert "Expected a month of the calendar" in (first[1].reason or "")
    assert first[2].reason == "Expected 2 columns, but there are 3."
    assert first[3].instance == first[0].instance
    second = rows_of(company, *rows)
    assert [row.outcome for row in second] == ["already", "refused", "refused", "already", "already"]
    assert [row.instance for row in second if row.outcome == "already"] == [
        first[0].instance,
        first[0].instance,
        first[4].instance,
    ]
    assert count(company.runtime) == 2


def test_rows_for_an_unknown_process_are_refused_before_the_first(company: Company) -> None:
    said: list[RowReport] = []
    with pytest.raises(DefinitionNotDeployed):
        start_rows(company.runtime, "nothing", iter([(2, {"customer": "a"})]), "olivia", said.append)
    assert said == []


# --- all or nothing -------------------------------------------------------------------------------------------------


def test_a_start_that_breaks_off_leaves_nothing_and_the_bill_free(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(starting, "apply_transition", killed)
        with pytest.raises(Killed):
            company.start()
    assert count(company.runtime) == 0
    assert company.start()


def test_a_connection_that_is_lost_in_the_midst_of_a_start_is_told_as_that(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is tried again by itself later must not look like a fault of this program."""

    def lose(connection: Connection, *_: object) -> None:
        connection.invalidate()
        raise OperationalError("INSERT", {}, Exception("server closed the connection unexpectedly"))

    with monkeypatch.context() as broken:
        broken.setattr(starting, "apply_transition", lose)
        with pytest.raises(OperationalError):
            company.start()
    assert company.start()


def test_a_definition_with_errors_is_not_deployed_and_nothing_starts(company: Company) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        company.deploy(definition(ways={"yes": "decision -> charge"}))
    assert "gateway-condition-missing" in {finding.rule for finding in refused.value.findings}
    assert isinstance(refused.value, EngineError)
    assert company.instance(company.start()).version == 1


def test_reuse_goes_on_with_the_same_customer_and_the_period_after(company: Company) -> None:
    old = company.billed()
    for value in ({"month": "2027-03"}, {"customer": "other"}):
        with pytest.raises(DataRefused, match="because it tells which bill this is"):
            reuse(company.runtime, "billing", old, value, "olivia")


def test_a_new_amount_is_entered_in_its_form_and_not_at_the_start(company: Company) -> None:
    """Else nobody would have entered what somebody approves."""
    with pytest.raises(DataRefused, match="Expected amount to be entered in its form"):
        start_by_hand(company.runtime, "billing", {"customer": "acme", "month": "2026-10", "amount": "1.00"}, "ann")
