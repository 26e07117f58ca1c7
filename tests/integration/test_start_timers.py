"""Timers that start instances: each time once, of the newest version."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.clock import TurnedClock
from engine.errors import DefinitionInvalid
from engine.services import awaiting, inspecting, start_timing
from engine.services.runtime import Runtime
from engine.services.working import Worker
from engine.store.database import Database
from tests.builders.company import Company, definition
from tests.builders.drawing import element, end, flows, form_field, script, timer, user
from tests.builders.messages import deploy

DAY = timedelta(days=1)
ITEMS = {"note": "{type: text, carry: drop}", "amount": "{type: integer, carry: drop}"}


def looked_after(runtime: Runtime, text: str = "R/P1D", kind: str = "timeCycle", *inside: str) -> Company:
    """A process that begins by itself."""
    parts = (element("startEvent", "daily", timer(text, kind)), user("look", form_field("note")), *inside, end())
    way = "daily -> look -> end" if not inside else "daily -> compute -> look -> end"
    return deploy(runtime, "rounds", *parts, flows(way), items=ITEMS if inside else {"note": ITEMS["note"]})


def start_all(runtime: Runtime) -> list[str]:
    done = []
    while (row := start_timing.start_next(runtime, "worker w1")) is not None:
        done.append(row.last_error or row.state)
    return done


def begun(company: Company) -> list[datetime]:
    views = inspecting.list_instances(company.runtime, {"process": "rounds"})
    assert all(view.started_by == "timer" for view in views)
    return [view.started_at for view in views]


def test_a_process_begins_by_itself_every_day(runtime: Runtime, clock: TurnedClock) -> None:
    company = looked_after(runtime)
    deployed_at = clock.now()
    assert start_all(runtime) == []
    for number in range(1, 4):
        clock.advance(DAY)
        assert start_all(runtime) == ["waiting"]
        assert begun(company)[-1] == deployed_at + number * DAY
    assert company.task("i3").flow_node == "look"


def test_a_worker_begins_what_is_due(runtime: Runtime, clock: TurnedClock) -> None:
    company = looked_after(runtime)
    clock.advance(DAY)
    told: list[Any] = []
    Worker(runtime, "w1", 2, told.append).run(until_idle=True)
    assert [row.flow_node for row in told] == ["daily"]
    assert len(begun(company)) == 1


def test_a_cycle_ends_after_its_last_time_and_what_was_missed_is_made_up_for(runtime: Runtime, clock: TurnedClock) -> None:
    company = looked_after(runtime, "R3/P1D")
    clock.advance(30 * DAY)
    assert start_all(runtime) == ["waiting", "waiting", "done"]
    assert len(begun(company)) == 3
    clock.advance(30 * DAY)
    assert start_all(runtime) == []
    assert awaiting.starting_by_themselves(runtime) == []


def test_a_date_begins_one_instance_and_one_that_has_passed_none(runtime: Runtime, clock: TurnedClock) -> None:
    company = looked_after(runtime, "2026-12-01T09:00:00Z", "timeDate")
    [row] = awaiting.starting_by_themselves(runtime)
    assert (row["process"], row["due_at"]) == ("rounds", datetime(2026, 12, 1, 9, tzinfo=UTC))
    clock.advance(100 * DAY)
    assert start_all(runtime) == ["done"]
    looked_after(runtime, "2026-12-01", "timeDate")
    assert start_all(runtime) == []
    assert len(begun(company)) == 1


def test_a_new_version_begins_anew_and_the_one_before_never_again(runtime: Runtime, clock: TurnedClock) -> None:
    company = looked_after(runtime)
    clock.advance(DAY / 2)
    looked_after(runtime, "R/P7D")
    clock.advance(6 * DAY)
    assert start_all(runtime) == []
    clock.advance(DAY)
    assert start_all(runtime) == ["waiting"]
    assert company.instance("i1").version == 2


def test_the_same_content_deployed_again_changes_nothing(runtime: Runtime, clock: TurnedClock) -> None:
    looked_after(runtime)
    clock.advance(DAY / 2)
    looked_after(runtime)
    clock.advance(DAY / 2)
    assert start_all(runtime) == ["waiting"]


def test_of_two_engines_that_race_one_begins_each_time(runtime: Runtime, clock: TurnedClock, database_url: str) -> None:
    company = looked_after(runtime, "R/PT1H")
    clock.advance(timedelta(hours=10))
    together = threading.Barrier(2)

    def engine() -> None:
        database = Database(database_url)
        each = Runtime(database, clock, runtime.connectors)
        together.wait()
        for _ in range(12):
            start_timing.start_next(each, "w")
        database.close()

    threads = [threading.Thread(target=engine) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    start_all(runtime)  # what the other one had locked was passed over, and may have been the last
    assert len(begun(company)) == 10
    clock.advance(timedelta(minutes=59))
    assert start_all(runtime) == []


def test_one_that_cannot_begin_is_tried_again_and_says_why(runtime: Runtime, clock: TurnedClock) -> None:
    looked_after(runtime, "R/P1D", "timeCycle", script("compute", "amount = amount + 1"))
    clock.advance(DAY)
    [why] = start_all(runtime)
    assert "amount" in why
    [row] = awaiting.starting_by_themselves(runtime)
    assert (row["state"], row["due_at"]) == ("waiting", clock.now() + timedelta(minutes=10))
    assert row["last_error"] == why
    clock.advance(timedelta(minutes=10))
    assert start_all(runtime) == [why]


def test_a_process_that_bills_customers_never_begins_by_itself(runtime: Runtime) -> None:
    company = Company(runtime)
    with pytest.raises(DefinitionInvalid) as refused:
        company.deploy(
            definition({"daily": element("startEvent", "daily", timer("R/P1D", "timeCycle"))}, {"d": "daily -> enter"})
        )
    assert "timer-start-invalid" in {finding.rule for finding in refused.value.findings}
