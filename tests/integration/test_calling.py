"""Call activities between instances: each calls once and returns once, and nothing that was called is left running."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import pytest

from engine.clock import TurnedClock
from engine.connector import BusinessError
from engine.errors import DataRefused, DefinitionInvalid, EngineError
from engine.services import deploying, inspecting, receiving, resolving, sending_messages, starting, timing, worklist
from engine.services.runtime import Runtime
from engine.services.working import Worker
from engine.store.database import Database
from tests.builders.calls import CHECKING, ITEMS, ORDER, binding, call, deployed, process, return_all
from tests.builders.company import Company
from tests.builders.drawing import (
    boundary,
    boundary_timer,
    element,
    end,
    exclusive,
    flows,
    script,
    service,
    start,
    user,
)
from tests.builders.events import catch
from tests.builders.interleaving import meanwhile
from tests.doubles.connectors import RecordingConnector
from tests.doubles.failing_database import Failure, Faults

_T = TypeVar("_T")
ORDERS, CHECKS = process("order", *ORDER), process("checking", *CHECKING)


@pytest.fixture
def orders(runtime: Runtime) -> Company:
    return deployed(runtime, ORDERS, CHECKS)


def begun(company: Company, **values: Any) -> str:
    return starting.start_by_hand(company.runtime, company.process, values, "olivia")


def called_by(company: Company, instance: str) -> list[str]:
    return [each["called"] for each in company.details(instance)["calls"]]


def only_called(company: Company, instance: str) -> str:
    [called] = called_by(company, instance)
    return called


def looked(company: Company, instance: str, **values: Any) -> str:
    """Somebody looks at what an instance has called."""
    called = only_called(company, instance)
    company.do(called, "ann", **values)
    return called


def waiting(company: Company, instance: str) -> list[str]:
    return [task.flow_node for task in company.open(instance)]


# --- there and back -------------------------------------------------------------------------------------------------


def test_the_called_instance_starts_with_the_step_that_calls_it_and_its_end_leads_on(orders: Company) -> None:
    order = begun(orders, order="A-1", amount="5")
    called = only_called(orders, order)
    assert orders.details(called)["data"] == {"order": "A-1", "amount": 5}
    assert (waiting(orders, order), waiting(orders, called)) == ([], ["look"])
    looked(orders, order, approved=True, note="Fine.")
    assert orders.instance(called).state == "completed"
    assert waiting(orders, order) == []
    [returned] = return_all(orders.runtime)
    assert returned.state == "returned"
    assert waiting(orders, order) == ["ship"]
    assert orders.details(order)["data"] == {"order": "A-1", "amount": 5, "approved": True, "note": "Fine."}


def test_caller_and_called_name_each_other(orders: Company) -> None:
    order = begun(orders, order="A-1")
    called = looked(orders, order, approved=True)
    return_all(orders.runtime)
    assert orders.instance(called).called_by == order
    assert orders.instance(called).started_by == "call"
    assert orders.instance(order).called_by is None
    assert [each.called_by for each in inspecting.list_instances(orders.runtime, {})] == [None, order]
    [shown] = orders.details(order)["calls"]
    assert (shown["id"], shown["flow_node"], shown["called"], shown["state"]) == ("c1", "check", called, "returned")


def test_history_says_on_both_sides_what_was_called_and_how_it_ended(orders: Company) -> None:
    order = begun(orders, order="A-1", amount="5")
    called = looked(orders, order, approved=True)
    return_all(orders.runtime)
    of_caller, broken = inspecting.read_history(orders.runtime, order)
    assert [(each["event"], each["by"]) for each in of_caller] == [
        ("instance_started", "olivia"),
        ("instance_called", "olivia"),
        ("call_completed", "worker w1"),
        ("task_created", "worker w1"),
    ]
    asked = of_caller[1]["details"]
    assert (asked["instance"], asked["process"], asked["version"]) == (called, "checking", 1)
    assert asked["data"] == {"order": "A-1", "amount": 5}
    of_called, broken_there = inspecting.read_history(orders.runtime, called)
    assert (of_called[0]["details"]["called_by"], of_called[0]["details"]["flow_node"]) == (order, "check")
    assert (broken, broken_there) == (None, None)


def test_a_worker_leads_callers_on_beside_everything_else(orders: Company) -> None:
    order = begun(orders, order="A-1")
    looked(orders, order, approved=True)
    told: list[object] = []
    backlog = Worker(orders.runtime, "w1", 2, told.append).run(until_idle=True)
    assert (backlog.messages, len(told)) == (0, 1)
    assert waiting(orders, order) == ["ship"]


def test_a_called_instance_that_waits_for_nothing_is_over_with_the_step_that_called_it(runtime: Runtime) -> None:
    quick = process("checking", start(), script("add", "amount = amount + 1"), end(), flows("start -> add -> end"))
    caller = process(
        "order", start(), call("check", ins={"amount": "amount"}, outs={"amount": "amount"}), user("ship"), end(),
        flows("start -> check -> ship -> end"), items=ITEMS,
    )  # fmt: skip
    company = deployed(runtime, caller, quick)
    order = begun(company, amount="5")
    assert company.instance(only_called(company, order)).state == "completed"
    return_all(runtime)
    assert (waiting(company, order), company.details(order)["data"]) == (["ship"], {"amount": 6})


def test_calls_go_on_inside_each_other(runtime: Runtime) -> None:
    middle = process("middle", start(), call("ask", outs={"note": "note"}), end(), flows("start -> ask -> end"))
    outer = process("outer", start(), call("ask", "middle", outs={"note": "note"}), user("read"), end(),
                    flows("start -> ask -> read -> end"))  # fmt: skip
    company = deployed(runtime, outer, middle, CHECKS)
    top = begun(company)
    inner = only_called(company, only_called(company, top))
    company.do(inner, "ann", note="Deep.")
    assert [each.state for each in return_all(runtime)] == ["returned", "returned"]
    assert (waiting(company, top), company.details(top)["data"]) == (["read"], {"note": "Deep."})


@pytest.mark.parametrize("sequential", ["true", "false"])
def test_a_repeated_call_activity_calls_one_instance_for_each(runtime: Runtime, sequential: str) -> None:
    marker = (
        f"<multiInstanceLoopCharacteristics isSequential=\"{sequential}\" camunda:collection=\"${{['north', 'south']}}\" "
        'camunda:elementVariable="order"/>'
    )
    drawn = call("check", ins={"order": "order"}, inside=marker)
    caller = process("order", start(), drawn, user("ship"), end(), flows("start -> check -> ship -> end"))
    company = deployed(runtime, caller, CHECKS)
    order = begun(company)
    seen = []
    while not waiting(company, order):
        called = next(each for each in called_by(company, order) if company.instance(each).state == "active")
        seen.append(company.details(called)["data"]["order"])
        company.do(called, "ann", approved=True)
        return_all(runtime)
    assert seen == ["north", "south"]


# --- errors ---------------------------------------------------------------------------------------------------------


def test_an_error_end_event_comes_to_the_callers_boundary_event_and_needs_nobody(orders: Company) -> None:
    order = begun(orders, order="A-1")
    called = looked(orders, order, approved=False)
    assert orders.instance(called).state == "completed"
    return_all(orders.runtime)
    assert waiting(orders, order) == ["tell"]
    assert resolving.open_incidents(orders.runtime) == []
    assert orders.details(order)["calls"][0]["error"] == "declined"
    assert "call_failed" in orders.events(order)
    assert "error_thrown" in orders.events(called)


def test_an_error_that_no_caller_catches_ends_all_of_them_and_a_person_is_told_once(runtime: Runtime) -> None:
    middle = process("middle", start(), call("ask"), end(), flows("start -> ask -> end"))
    outer = process("outer", start(), call("ask", "middle"), user("read"), end(), flows("start -> ask -> read -> end"))
    company = deployed(runtime, outer, middle, CHECKS)
    top = begun(company)
    company.do(only_called(company, only_called(company, top)), "ann", approved=False)
    return_all(runtime)
    [incident] = resolving.open_incidents(runtime)
    assert (incident["instance"], incident["flow_node"]) == (top, "ask")
    assert company.instance(top).state == "completed"


def test_an_error_passes_through_a_caller_to_one_that_catches_it(runtime: Runtime) -> None:
    middle = process("middle", start(), call("ask"), end(), flows("start -> ask -> end"))
    outer = process("outer", start(), call("ask", "middle"), boundary("declined", "ask"), user("tell"), end(),
                    flows("start -> ask -> end", "declined -> tell -> end"))  # fmt: skip
    company = deployed(runtime, outer, middle, CHECKS)
    top = begun(company)
    company.do(only_called(company, only_called(company, top)), "ann", approved=False)
    return_all(runtime)
    assert waiting(company, top) == ["tell"]
    assert resolving.open_incidents(runtime) == []


def test_a_caller_that_cannot_go_on_with_what_comes_back_is_an_incident_that_can_be_tried_again(runtime: Runtime) -> None:
    gate = exclusive("fine")
    parts = (start(), call("check", outs={"note": "note"}), gate, user("ship"), user("hold"), end())
    ways = flows("start -> check -> fine", "fine -> ship if ${note == 'yes'}", "fine -> hold if ${note == 'no'}",
                 "ship -> end", "hold -> end")  # fmt: skip
    company = deployed(runtime, process("order", *parts, ways), CHECKS)
    order = begun(company)
    looked(company, order, note="perhaps")
    [failed] = return_all(runtime)
    assert failed.state == "failed"
    [incident] = resolving.open_incidents(runtime)
    assert (incident["call"], incident["kind"], incident["instance"]) == ("c1", "stuck", order)
    with pytest.raises(DataRefused, match="one of a call, and its instance waits for it"):
        resolving.resolve(runtime, incident["id"], "It is fine.", "olivia")
    resolving.put_back(runtime, "c1", "olivia")
    assert [each.state for each in return_all(runtime)] == ["failed"]
    resolving.cancel(runtime, order, "No way out.", "olivia")
    assert resolving.open_incidents(runtime) == []


def test_what_cannot_be_called_takes_the_step_back(orders: Company) -> None:
    with_flag = {**ITEMS, "amount": "{type: boolean, carry: drop}"}
    deploying.deploy(orders.runtime, process("checking", start(), user("look"), end(), flows("start -> look -> end"),
                                             items=with_flag), "ada")  # fmt: skip
    with pytest.raises(DataRefused, match="In what 'check' passes to checking: amount: Expected true or false"):
        begun(orders, order="A-1", amount="5")
    assert inspecting.list_instances(orders.runtime, {}) == []


def test_a_job_whose_step_calls_what_cannot_be_called_is_an_incident(runtime: Runtime, pay: RecordingConnector) -> None:
    charge = service("pay", {"amount": "${amount}"}, {})
    drawn = (start(), charge, call("check", ins={"amount": "amount"}), end(), flows("start -> pay -> check -> end"))
    company = deployed(runtime, process("order", *drawn), CHECKS)
    deploying.deploy(runtime, process("checking", start(), user("look"), end(), flows("start -> look -> end"),
                                      items={**ITEMS, "amount": "{type: boolean, carry: drop}"}), "ada")  # fmt: skip
    order = begun(company, amount="5")
    company.work()
    [incident] = resolving.open_incidents(runtime)
    assert (incident["kind"], incident["job"]) == ("stuck", "j1")
    deploying.deploy(runtime, CHECKS, "ada")
    resolving.retry(runtime, incident["id"], "olivia")
    company.work()
    assert waiting(company, only_called(company, order)) == ["look"]


# --- going on without -----------------------------------------------------------------------------------------------


def late(runtime: Runtime) -> Company:
    drawn = (start(), call("check"), boundary_timer("late", "check"), user("tell"), end())
    return deployed(runtime, process("order", *drawn, flows("start -> check -> end", "late -> tell -> end")), CHECKS)


def test_a_timer_that_interrupts_ends_what_was_called_and_its_work(runtime: Runtime, clock: TurnedClock) -> None:
    company = late(runtime)
    order = begun(company)
    called = only_called(company, order)
    clock.advance(timedelta(days=4))
    timing.fire_next(runtime, "worker w1")
    assert waiting(company, order) == ["tell"]
    assert (company.instance(called).state, waiting(company, called)) == ("cancelled", [])
    assert [each["state"] for each in company.details(order)["calls"]] == ["withdrawn"]
    assert "call_withdrawn" in company.events(order)
    [why] = [e for e in inspecting.read_history(runtime, called)[0] if e["event"] == "instance_cancelled"]
    assert why["details"]["reason"] == f"{order} has gone on without it"
    assert return_all(runtime) == []


def test_what_has_ended_already_is_not_taken_back_but_returns_nothing(runtime: Runtime, clock: TurnedClock) -> None:
    company = late(runtime)
    order = begun(company)
    called = looked(company, order, approved=True)
    clock.advance(timedelta(days=4))
    timing.fire_next(runtime, "worker w1")
    assert (company.instance(called).state, waiting(company, order)) == ("completed", ["tell"])
    assert return_all(runtime) == []


def test_cancelling_the_caller_ends_everything_that_it_has_called(runtime: Runtime) -> None:
    deep = process("deep", start(), user("look"), boundary_timer("late", "look", interrupting=False), end("told"), end(),
                   flows("start -> look -> end", "late -> told"))  # fmt: skip
    middle = process("checking", start(), call("deeper", "deep"), end(), flows("start -> deeper -> end"))
    company = deployed(runtime, process("order", *ORDER), middle, deep)
    order = begun(company)
    called = only_called(company, order)
    inner = only_called(company, called)
    resolving.cancel(runtime, order, "Never mind.", "olivia")
    assert {company.instance(each).state for each in (order, called, inner)} == {"cancelled"}
    assert worklist.tasks(runtime, {}) == []
    assert [each["state"] for each in company.details(inner)["timers"]] == ["withdrawn"]


def test_a_called_instance_is_not_cancelled_by_itself(orders: Company) -> None:
    order = begun(orders, order="A-1")
    called = only_called(orders, order)
    with pytest.raises(DataRefused, match=f"{called} was called by {order}, which waits for it at 'check'"):
        resolving.cancel(orders.runtime, called, "Not needed.", "olivia")
    assert waiting(orders, called) == ["look"]


def test_an_error_beside_the_call_ends_what_was_called(runtime: Runtime, pay: RecordingConnector) -> None:
    pay.answers(BusinessError("declined", "The card is declined."))
    inside = start("in") + call("check") + service("pay", {"amount": "${amount}"}, {}) + end("out")
    inside += flows("in -> check -> out", "in -> pay -> out")
    drawn = (start(), element("subProcess", "all", inside), boundary("declined", "all"), user("tell"), end())
    company = deployed(runtime, process("order", *drawn, flows("start -> all -> end", "declined -> tell -> end")), CHECKS)
    order = begun(company, amount="5")
    called = only_called(company, order)
    company.work()
    assert (waiting(company, order), company.instance(called).state) == (["tell"], "cancelled")


# --- versions -------------------------------------------------------------------------------------------------------


def noting(note: str) -> dict[str, bytes]:
    return process("checking", start(), script("note_it", f"note = '{note}'"), end(), flows("start -> note_it -> end"))


def bound(attributes: str = "") -> dict[str, bytes]:
    drawn = (start(), call("check", outs={"note": "note"}, attributes=attributes), user("read"), end())
    return process("order", *drawn, flows("start -> check -> read -> end"))


def note_of(company: Company) -> str:
    order = begun(company)
    return_all(company.runtime)
    return str(company.details(order)["data"]["note"])


def test_the_latest_version_is_called_unless_something_else_is_said(runtime: Runtime) -> None:
    company = deployed(runtime, bound(), noting("one"))
    deploying.deploy(runtime, noting("two"), "ada")
    assert note_of(company) == "two"


def test_a_version_is_called_by_its_number(runtime: Runtime) -> None:
    deploying.deploy(runtime, noting("one"), "ada")
    deploying.deploy(runtime, noting("two"), "ada")
    company = deployed(runtime, bound(binding("version", 1)))
    assert note_of(company) == "one"
    with pytest.raises(DefinitionInvalid, match="its version 7 isn't deployed"):
        deploying.deploy(runtime, bound(binding("version", 7)), "ada")


def test_the_version_that_was_deployed_together_is_called(runtime: Runtime) -> None:
    caller = bound(binding("deployment"))
    company = deployed(runtime, caller, noting("one"))
    deploying.deploy(runtime, noting("two"), "ada")
    assert note_of(company) == "one"
    [again, _] = deploying.deploy_together(runtime, [caller, noting("two")], "ada")
    assert (again.created, again.deployment.version) == (True, 2)
    assert note_of(company) == "two"
    assert not deploying.deploy_together(runtime, [caller, noting("two")], "ada")[0].created
    assert not deploying.deploy(runtime, caller, "ada").created


def test_what_is_bound_to_one_deployment_is_deployed_together(runtime: Runtime) -> None:
    deploying.deploy(runtime, noting("one"), "ada")
    with pytest.raises(DefinitionInvalid, match="it isn't deployed together with it"):
        deploying.deploy(runtime, bound(binding("deployment")), "ada")


def test_what_is_called_has_to_be_there(runtime: Runtime) -> None:
    with pytest.raises(DefinitionInvalid, match='Expected the process "checking", which order calls, to be there'):
        deploying.deploy(runtime, ORDERS, "ada")
    assert deploying.definitions(runtime) == []


def test_what_passes_between_the_two_is_checked_against_what_is_deployed(runtime: Runtime) -> None:
    deploying.deploy(runtime, CHECKS, "ada")
    drawn = (start(), call("check", ins={"approved": "amount"}), end(), flows("start -> check -> end"))
    with pytest.raises(DefinitionInvalid) as refused:
        deploying.deploy(runtime, process("order", *drawn), "ada")
    assert "call-type" in {finding.rule for finding in refused.value.findings}


# --- without end ----------------------------------------------------------------------------------------------------


def test_calls_inside_each_other_stop_at_the_tenth(runtime: Runtime) -> None:
    endless = process("order", start(), call("again", "order"), end(), flows("start -> again -> end"))
    company = deployed(runtime, endless)
    with pytest.raises(DefinitionInvalid, match="Expected at most 10 calls inside each other"):
        begun(company)
    assert inspecting.list_instances(runtime, {}) == []


def test_a_process_may_call_itself_as_long_as_a_condition_ends_it(runtime: Runtime) -> None:
    parts = (
        start(), exclusive("more", "more-end"), call("again", "order", ins={"amount": "${amount - 1}"}), end(),
        flows("start -> more", "more -> again if ${amount > 0}", "more -> end", "again -> end"),
    )  # fmt: skip
    company = deployed(runtime, process("order", *parts))
    order = begun(company, amount="9")
    assert len(return_all(runtime)) == 9
    assert company.instance(order).state == "completed"


# --- once, and never lost -------------------------------------------------------------------------------------------


def test_of_several_engines_that_race_one_leads_each_caller_on(orders: Company, database_url: str, clock: TurnedClock) -> None:
    begins = [begun(orders, order=f"A-{number}") for number in range(8)]
    for order in begins:
        looked(orders, order, approved=True)
    done: list[int] = []

    def work() -> None:
        database = Database(database_url)
        try:
            mine = Runtime(database, clock, orders.runtime.connectors)
            done.extend(each.id for each in return_all(mine))
        finally:
            database.close()

    together(*[work] * 3)
    assert sorted(done) == list(range(1, 9))
    assert all(waiting(orders, order) == ["ship"] for order in begins)


def test_whatever_write_fails_each_call_starts_one_instance_and_returns_once(orders: Company, database: Database) -> None:
    """A step that fails has done nothing, and is done again: as after a crash at that moment."""
    faults, nth = Faults(), 0
    faults.attach(database)
    while True:
        nth += 1
        faults.plan(nth, Failure.IO_ERROR)
        again(partial(begun, orders, order=f"A-{nth}"))
        order = again(lambda: inspecting.list_instances(orders.runtime, {"process": "order"}))[-1].id
        called = again(partial(only_called, orders, order))
        again(partial(orders.do, called, "ann", approved=True))
        again(lambda: return_all(orders.runtime))
        failed = faults.failed
        faults.plan(0, Failure.IO_ERROR)
        assert waiting(orders, order) == ["ship"]
        assert [each["state"] for each in orders.details(order)["calls"]] == ["returned"]
        assert orders.events(order).count("call_completed") == 1
        if failed is None:
            break
    started = [each for each in inspecting.list_instances(orders.runtime, {}) if each.process == "checking"]
    assert len(started) == nth
    assert nth > 10


def test_a_timer_and_the_way_back_at_the_same_moment_do_one_or_the_other(runtime: Runtime, clock: TurnedClock) -> None:
    if runtime.database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite lets one write at a time")
    company = late(runtime)
    order = begun(company)
    called = only_called(company, order)
    clock.advance(timedelta(days=4))
    with meanwhile(runtime.database, "UPDATE calls", lambda: company.do(called, "ann", approved=True)) as other:
        timing.fire_next(runtime, "worker w1")
    assert other.had_to_wait
    with pytest.raises(EngineError):
        other.result()
    assert (waiting(company, order), company.instance(called).state) == (["tell"], "cancelled")


def test_an_instance_that_ends_while_its_caller_gives_up_on_it_deadlocks_nobody(
    runtime: Runtime, clock: TurnedClock, database_url: str
) -> None:
    company = late(runtime)
    begins = [begun(company) for _ in range(6)]
    tasks = [company.task(only_called(company, order)).id for order in begins]
    clock.advance(timedelta(days=4))

    def fire() -> None:
        with_own(database_url, runtime, clock, lambda mine: [*iter(lambda: timing.fire_next(mine, "worker w1"), None)])

    def finish() -> None:
        def do(mine: Runtime) -> None:
            for task in reversed(tasks):
                try:
                    worklist.complete(mine, task, {"approved": "yes"}, "ann")
                except EngineError:
                    continue  # withdrawn meanwhile
            return_all(mine)

        with_own(database_url, runtime, clock, do)

    together(fire, finish)
    return_all(runtime)
    for order in begins:
        called = only_called(company, order)
        assert company.instance(called).state in ("completed", "cancelled")
        assert company.instance(order).state == "completed" or waiting(company, order) == ["tell"]


def with_own(url: str, runtime: Runtime, clock: TurnedClock, do: Callable[[Runtime], object]) -> None:
    database = Database(url)
    try:
        do(Runtime(database, clock, runtime.connectors))
    finally:
        database.close()


def together(*works: Callable[[], None]) -> None:
    """Each of these in a thread, at once."""
    barrier, wrong = threading.Barrier(len(works)), list[Exception]()

    def run(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread's error is the test's
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert wrong == []


def again(do: Callable[[], _T]) -> _T:
    """Do a step; where the database fails, once more."""
    try:
        return do()
    except Exception:  # noqa: BLE001 - what fails is planned; a second failure isn't
        return do()


def test_a_message_kept_for_a_called_instance_reaches_it(runtime: Runtime) -> None:
    checks = process("checking", start(), catch("paid", by="${order}"), end(), flows("start -> paid -> end"))
    caller = process("order", start(), call("check", ins={"order": "order"}), user("ship"), end(),
                     flows("start -> check -> ship -> end"))  # fmt: skip
    company = deployed(runtime, caller, checks)
    sending_messages.send(runtime, "paid", "A-1", {}, "bank")
    order = begun(company, order="A-1")
    while receiving.deliver_next(runtime, "worker w1") is not None:
        pass
    return_all(runtime)
    assert waiting(company, order) == ["ship"]
