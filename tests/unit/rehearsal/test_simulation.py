"""Simulations: the same seed gives the same month, work piles up where it must, and books are kept as the product keeps them."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.registry import ConnectorSettings, build_connectors
from engine.connector import Connectors
from engine.definition.process_definition import read_definition
from engine.errors import DefinitionInvalid
from engine.execution.executable import Executable
from engine.execution.token_game import TokenGame
from engine.rehearsal import company
from engine.rehearsal.distribution import Fixed
from engine.rehearsal.profile import GroupHabits, Outage, Profile, ServiceHabits, TaskHabits
from engine.rehearsal.profile_reader import read_profile
from engine.rehearsal.rehearsing import prepare
from engine.rehearsal.simulation import Plan, Run, simulate
from engine.rehearsal.simulation_chart import chart_page, chart_svg
from engine.rehearsal.simulation_report import SimulationReport, TaskReport, report_of
from engine.rehearsal.working_hours import ALWAYS
from engine.services.deploying import read_files
from tests.builders.company import PROCESSES
from tests.builders.drawing import (
    boundary_timer,
    carry_over,
    diagram,
    end,
    files,
    flows,
    parallel,
    script,
    service,
    start,
    throw,
    user,
    wait,
)
from tests.doubles.connectors import RecordingConnector

CONNECTORS = build_connectors(ConnectorSettings(None, None, live=False, smtp_url="file:///nowhere", mail_from="a@example.com"))
DIAGRAM = PROCESSES / "monthly-card-charge.bpmn"
SHIPPED = prepare(read_files(DIAGRAM), None, "", CONNECTORS).executable
PROFILE = read_profile(DIAGRAM.with_suffix(".profile.yaml").read_bytes(), "shipped", SHIPPED.definition, CONNECTORS)
QUICK = GroupHabits(takes=Fixed(60), notices=Fixed(0), hours=ALWAYS)
CHECKOUT = Path(__file__).parents[3]


def shipped(customers: int = 30, months: int = 2, seed: int = 1, profile: Profile = PROFILE) -> Run:
    return simulate(SHIPPED, CONNECTORS, profile, Plan(customers, months, seed))


def drawn(*parts: str, items: dict[str, str] | None = None, **options: Any) -> Executable:
    repeats = options.get("repeats") != ""
    month = "{type: month, carry: next}" if repeats else "{type: month, carry: drop}"
    given = {
        "customer": "{type: string, carry: copy}" if repeats else "{type: string, carry: drop}",
        "month": month,
        **(items or {}),
    }
    pay: Connectors = {"pay": RecordingConnector()}
    return prepare(files(diagram(*parts), carry_over(given, **options)), None, "", pay).executable


def as_text(report: SimulationReport) -> str:
    return json.dumps(dataclasses.asdict(report), default=str)


def task(report: SimulationReport, key: str) -> TaskReport:
    return next(each for each in report.tasks if each.task == key)


# --- the same again ---------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_report_and_chart_byte_for_byte() -> None:
    one, other, different = report_of(shipped()), report_of(shipped()), report_of(shipped(seed=2))
    assert as_text(one) == as_text(other)
    assert chart_svg(one) == chart_svg(other)
    assert as_text(one) != as_text(different)


def test_it_depends_on_no_order_that_python_makes_up() -> None:
    simulated = [
        subprocess.run(
            [sys.executable, "-P", "-m", "cli", "simulate", DIAGRAM, "--customers", "12", "--months", "1", "--json"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    ]
    assert simulated[0] == simulated[1]
    assert json.loads(simulated[0])["charges"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_game_that_remembers_leads_where_one_leads_that_is_played(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = shipped(20, 2, seed)

    class Plain:
        begin = TokenGame

    monkeypatch.setattr(company, "Remembering", Plain)
    played = shipped(20, 2, seed)
    assert played.tally.moves == remembered.tally.moves > 150
    assert played.company.instances == remembered.company.instances
    assert as_text(report_of(played)) == as_text(report_of(remembered))


def test_games_on_other_diagrams_are_remembered_as_well_or_played(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (
        start(),
        start("again", "m_next"),
        script("count", "amount = 1 if amount == None else amount + 1"),
        parallel("split"),
        user("left"),
        user("right"),
        boundary_timer("remind", "left", "PT1M", interrupting=False),
        user("reminded"),
        end("told"),
        parallel("join"),
        wait("pause", "PT2H"),
        service("charge", {"amount": "${amount}"}, {"receipt": "${payment_id}"}),
        throw("next"),
        end(),
        flows("start -> count -> split -> left -> join -> pause -> charge -> next -> end", "split -> right -> join"),
        flows("again -> count", "remind -> reminded -> told"),
    )
    items = {"amount": "{type: integer, carry: copy}", "receipt": "{type: string, carry: drop}"}
    pay: Connectors = {"pay": RecordingConnector()}
    profile = Profile(groups={"Sales": GroupHabits(takes=Fixed(90), notices=Fixed(30), hours=ALWAYS)})
    executable = drawn(*parts, items=items)
    remembered = simulate(executable, pay, profile, Plan(10, 3, 1))

    class Plain:
        begin = TokenGame

    monkeypatch.setattr(company, "Remembering", Plain)
    played = simulate(executable, pay, profile, Plan(10, 3, 1))
    assert played.company.instances == remembered.company.instances
    assert len(played.company.instances) == 30
    assert task(report_of(played), "reminded").done > 0


# --- where work piles up ----------------------------------------------------------------------------------------------


def test_tasks_pile_up_where_a_group_can_do_fewer_a_day_than_come() -> None:
    slow = GroupHabits(people=1, takes=Fixed(60), notices=Fixed(0), tasks_a_day=5)
    groups = {"Sales": QUICK, "Department Manager": slow}
    report = report_of(shipped(150, 1, profile=dataclasses.replace(PROFILE, groups=groups)))
    approval, entry = task(report, "approve"), task(report, "enter_amount")
    assert approval.waiting.most > 100
    assert entry.p95_wait is not None
    assert approval.p95_wait is not None
    assert entry.p95_wait < 3_600 < approval.p95_wait
    assert 20 * 5 <= approval.done <= 23 * 5  # working days of January
    manager = next(group for group in report.groups if group.group == "Department Manager")
    assert manager.waiting.by_day[0] == manager.waiting.most > manager.waiting.by_day[-1] > 0


def test_people_are_as_busy_as_the_time_that_they_spend_on_tasks() -> None:
    groups = {"Sales": QUICK, "Department Manager": GroupHabits(people=1, takes=Fixed(4 * 3_600), notices=Fixed(0), hours=ALWAYS)}
    report = report_of(shipped(200, 1, profile=dataclasses.replace(PROFILE, groups=groups)))
    manager = next(group for group in report.groups if group.group == "Department Manager")
    assert manager.busy in (99, 100)
    assert manager.done == pytest.approx(31 * 6, abs=3)


def test_a_task_that_is_late_by_its_own_due_date_is_overdue() -> None:
    groups = {"Sales": GroupHabits(people=1, tasks_a_day=1)}
    report = report_of(shipped(40, 2, profile=dataclasses.replace(PROFILE, groups=groups)))
    entry = task(report, "enter_amount")
    assert entry.open > 0
    assert entry.overdue >= entry.open  # they were due after 30 days


def test_nobody_approves_what_they_have_entered_and_who_can_only_do_both_stands_still() -> None:
    both = "different_people: [enter, approve]"
    executable = drawn(
        start(),
        user("enter"),
        user("approve"),
        end(),
        flows("start -> enter -> approve -> end"),
        repeats="",
        controls=[f"{{{both}}}"],
    )
    several = simulate(executable, {}, Profile(groups={"Sales": dataclasses.replace(QUICK, people=2)}), Plan(20, 1, 1))
    people = [instance.state.people for instance in several.company.instances.values() if not instance.active]
    assert len(people) == 20
    assert all(set(each["enter"]).isdisjoint(each["approve"]) for each in people)

    alone = report_of(simulate(executable, {}, Profile(groups={"Sales": dataclasses.replace(QUICK, people=1)}), Plan(20, 1, 1)))
    assert alone.ended == 0
    assert [(each.instances, "control" in each.reason) for each in alone.troubles] == [(20, True)]


# --- services ---------------------------------------------------------------------------------------------------------


def services(**habits: ServiceHabits) -> Profile:
    groups = {"Sales": QUICK, "Department Manager": QUICK}
    services = {**PROFILE.services, **{key.replace("_", "."): value for key, value in habits.items()}}
    return dataclasses.replace(PROFILE, groups=groups, services=services)


def test_a_short_outage_is_tried_through_and_a_long_one_needs_people() -> None:
    for lasts, incidents in ((timedelta(minutes=20), False), (timedelta(days=3), True)):
        habits = ServiceHabits(outages=(Outage(timedelta(), lasts),))
        report = report_of(shipped(20, 1, profile=services(stripe_charge=habits)))
        charge = next(each for each in report.services if each.topic == "stripe.charge")
        assert charge.tried_again > 0
        assert (charge.incidents > 0) is incidents
        assert report.periods[0].states["unresolved"] == 0  # all is well again by the end
        assert report.periods[0].states["charged"] >= 17


def test_an_outage_over_the_months_end_shows_as_unresolved() -> None:
    habits = ServiceHabits(outages=(Outage(timedelta(), timedelta(days=60)),))
    report = report_of(shipped(20, 1, profile=services(stripe_charge=habits)))
    assert report.periods[0].states["charged"] == 0
    assert report.periods[0].states["unresolved"] >= 17


def test_declines_come_as_often_as_the_profile_says() -> None:
    habits = ServiceHabits(errors={"card_declined": 0.3}, again={})
    report = report_of(shipped(150, 1, profile=services(stripe_charge=habits)))
    charge = next(each for each in report.services if each.topic == "stripe.charge")
    declined = charge.errors["card_declined"]
    assert declined / 150 == pytest.approx(0.3, abs=0.08)
    assert task(report, "contact_customer").offered == declined


def test_an_error_that_nothing_catches_stands_still_and_is_told() -> None:
    habits = ServiceHabits(errors={"card_declined": 1.0})
    executable = drawn(
        start(),
        service("charge", {"amount": "5"}, {}),
        end(),
        flows("start -> charge -> end"),
        repeats="",
    )
    report = report_of(simulate(executable, {}, Profile(services={"pay": habits}), Plan(3, 1, 1)))
    assert report.ended == 0
    assert sum(each.instances for each in report.troubles) == 3
    assert "card_declined" in report.troubles[0].reason


# --- the books --------------------------------------------------------------------------------------------------------


def test_every_customer_is_in_one_state_at_each_months_end_and_sums_agree() -> None:
    run = shipped(60, 3)
    report = report_of(run)
    assert [period.period for period in report.periods] == ["2026-01", "2026-02", "2026-03"]
    assert [period.at for period in report.periods] == [datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4)]
    assert all(sum(period.states.values()) == 60 for period in report.periods)
    assert all(period.states["missing"] == period.states["duplicate"] == 0 for period in report.periods)
    asked = [job for each in run.books.charges.values() for job in each.values()]
    assert report.charges == len(asked)
    assert sum(report.charged.values()) == sum(charge.amount for charge in asked)
    assert report.periods[0].states["charged"] <= report.charges


def test_contracts_that_the_diagram_ends_are_ended_in_the_books() -> None:
    ending = TaskHabits(fields={"approval": {"end_contract": 1.0}})
    report = report_of(shipped(10, 2, profile=dataclasses.replace(PROFILE, tasks={**PROFILE.tasks, "approve": ending})))
    assert [period.states["ended"] for period in report.periods] == [10, 10]
    assert (report.contracts_ended, report.charges, report.instances) == (10, 0, 10)


def test_nobody_works_on_a_period_that_has_not_begun() -> None:
    report = report_of(shipped(10, 3))
    assert task(report, "enter_amount").done <= 3 * 10 * 2  # sent back now and then, but no fourth month
    assert report.instances == 30


def test_what_people_enter_is_what_the_profile_says() -> None:
    nothing = TaskHabits(fields={"billing_amount": dataclasses.replace(_amounts(), zero=1.0)})
    report = report_of(shipped(12, 1, profile=dataclasses.replace(PROFILE, tasks={**PROFILE.tasks, "enter_amount": nothing})))
    assert report.periods[0].states["nothing_due"] + report.periods[0].states["ended"] == 12
    assert report.charges == 0


def _amounts() -> Any:
    return PROFILE.tasks["enter_amount"].fields["billing_amount"]


def test_a_process_that_does_not_repeat_is_started_anew_all_month() -> None:
    refund = prepare(read_files(PROCESSES / "refund.bpmn"), None, "", CONNECTORS).executable
    report = report_of(simulate(refund, CONNECTORS, Profile(), Plan(15, 2, 1)))
    assert (report.instances, report.periods, report.to_charge.number) == (30, (), 0)
    assert report.ended > 25


def test_a_process_that_calls_another_is_refused_by_name() -> None:
    calling = '<callActivity id="check_credit" name="Check credit" calledElement="credit"/>'
    drawing = diagram(start(), calling, end(), flows("start -> check_credit -> end"))
    executable = Executable(read_definition(files(drawing, carry_over({}, repeats="").replace(b"data:\n", b"data: {}\n"))))
    with pytest.raises(DefinitionInvalid, match="Check credit"):
        simulate(executable, {}, Profile(), Plan(1, 1, 1))


def test_the_chart_tells_everything_in_figures_too() -> None:
    report = report_of(shipped(30, 2))
    svg, page = chart_svg(report).decode(), chart_page(report).decode()
    for said in ("Department Manager", "2026-02", "nothing due", f">{report.periods[0].states['charged']}<"):
        assert said in svg
        assert said in page
    assert "<script" not in page


@pytest.mark.slow
def test_a_year_of_a_thousand_customers_takes_less_than_two_minutes() -> None:
    began = time.process_time()
    run = shipped(1_000, 12)
    took = time.process_time() - began
    print(f"{took:.0f} s of CPU, {run.tally.moves} moves, {len(run.company.instances)} instances")  # noqa: T201 - a figure for people
    assert len(run.coverage) == 12
    assert took < 120
