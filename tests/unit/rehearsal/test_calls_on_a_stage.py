"""Call activities in memory: on a stage, and in scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from commands.testing.trying import prepare_trial
from engine.clock import SystemStopwatch, TurnedClock
from engine.definition.process_definition import read_definition
from engine.errors import DefinitionInvalid, DefinitionNotDeployed, ExpressionFailed
from engine.execution.executable import Executable
from engine.rehearsal.rehearsing import Rehearsal, rehearse
from engine.rehearsal.stage import Stage
from tests.builders.calls import CHECKING, ORDER, call, process
from tests.builders.drawing import boundary_timer, connectors, end, exclusive, flows, script, service, start, user
from tests.doubles.context import START


def executable(files: Mapping[str, bytes]) -> Executable:
    return Executable(read_definition(files))


CHECKS = executable(process("checking", *CHECKING))


def stage(*processes: Mapping[str, bytes]) -> Stage:
    made = Stage(TurnedClock(START))
    for each in (CHECKS, *map(executable, processes)):
        made.deploy(each)
    return made


def nodes(of: Stage, instance: int) -> list[str]:
    return [work.flow_node for work in of.work_of(instance)]


def test_what_is_called_runs_beside_its_caller_and_leads_it_on() -> None:
    made = stage(process("order", *ORDER))
    order = made.start("order", {"order": "A-1", "amount": "5"})
    [called] = [each for each in made.instances.values() if each.called_by == order.id]
    assert (nodes(made, order.id), nodes(made, called.id), called.data) == (["check"], ["look"], {"order": "A-1", "amount": 5})
    made.complete(made.tasks_of(called.id)[0].id, {"approved": "yes", "note": "Fine."}, "ann")
    assert not made.instances[called.id].active
    assert nodes(made, order.id) == ["ship"]
    assert made.instances[order.id].data["note"] == "Fine."
    assert made.calls == {}


def test_an_error_that_nothing_catches_there_comes_to_the_caller() -> None:
    made = stage(process("order", *ORDER))
    order = made.start("order", {"order": "A-1"})
    made.complete(made.tasks_of(2)[0].id, {"approved": "no"}, "ann")
    assert nodes(made, order.id) == ["tell"]


def test_a_caller_that_goes_on_without_ends_what_it_called() -> None:
    middle = process("middle", start(), call("deeper"), end(), flows("start -> deeper -> end"))
    outer = process("outer", start(), call("ask", "middle"), boundary_timer("late", "ask"), user("tell"), end(),
                    flows("start -> ask -> end", "late -> tell -> end"))  # fmt: skip
    made = stage(middle, outer)
    top = made.start("outer", {})
    made.turn(timedelta(days=4))
    assert nodes(made, top.id) == ["tell"]
    assert [(each.cancelled, each.active) for each in made.instances.values()] == [(False, True), (True, False), (True, False)]
    assert [task.instance for task in made.tasks.values()] == [top.id]


def test_what_is_over_at_once_leads_on_at_once() -> None:
    quick = process("quick", start(), script("add", "amount = amount + 1"), end(), flows("start -> add -> end"))
    parts = (call("one", "quick", {"amount": "amount"}, {"amount": "amount"}), user("ship"), end())
    made = stage(quick, process("order", start(), *parts, flows("start -> one -> ship -> end")))
    order = made.start("order", {"amount": "1"})
    assert (nodes(made, order.id), order.data) == (["ship"], {"amount": 2})


def test_a_call_that_cannot_be_made_changes_nothing() -> None:
    made = stage(
        process("order", start(), user("enter"), call("check", "nobody"), end(), flows("start -> enter -> check -> end"))
    )
    order = made.start("order", {})
    [task] = made.tasks.values()
    with pytest.raises(DefinitionNotDeployed, match="'nobody' is none"):
        made.complete(task.id, {}, "ann")
    assert (nodes(made, order.id), list(made.instances), made.calls) == (["enter"], [order.id], {})


def test_calls_stop_at_the_tenth() -> None:
    made = stage(process("order", start(), call("again", "order"), end(), flows("start -> again -> end")))
    with pytest.raises(DefinitionInvalid, match="at most 10 calls"):
        made.start("order", {})
    assert made.instances == {}


def test_a_caller_that_cannot_go_on_says_why() -> None:
    gate = exclusive("fine")
    ways = flows("start -> check -> fine", "fine -> end if ${note == 'yes'}", "fine -> stop if ${note == 'no'}")
    made = stage(process("order", start(), call("check", outs={"note": "note"}), gate, end(), end("stop"), ways))
    order = made.start("order", {})
    with pytest.raises(ExpressionFailed, match="none does"):
        made.complete(made.tasks_of(2)[0].id, {"note": "perhaps"}, "ann")
    [waits] = made.calls.values()
    assert (waits.instance, "none does" in (waits.trouble or "")) == (order.id, True)


# --- scenarios ------------------------------------------------------------------------------------------------------

SCENARIOS = """
process: order
scenarios:
  - name: Somebody approves
    start: {order: A-1, amount: 5}
    steps:
      - task: look
        with: {approved: yes, note: Fine.}
        expect:
          task: ship
          data: {approved: yes, note: Fine.}
      - task: ship
        expect: {ended: end}
  - name: Nobody approves
    start: {order: A-1}
    steps:
      - task: look
        with: {approved: no}
        expect: {task: tell}
      - task: tell
        expect: {ended: end}
"""


def rehearsed(folder: Path, scenarios: str, *processes: Mapping[str, bytes]) -> Rehearsal:
    for files in processes:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    (folder / "order.scenarios.yaml").write_text(scenarios)
    prepared = prepare_trial(folder / "order.bpmn", connectors())
    return rehearse(prepared, connectors(), lambda _: True, SystemStopwatch())


def test_scenarios_go_through_what_is_called_from_the_same_folder(tmp_path: Path) -> None:
    played = rehearsed(tmp_path, SCENARIOS, process("order", *ORDER), process("checking", *CHECKING))
    assert [each.failure for each in played.performances] == [None, None]
    assert played.coverage.percent == 100


def test_jobs_of_what_is_called_run_by_themselves(tmp_path: Path) -> None:
    items = {"amount": "{type: integer, carry: drop}", "receipt": "{type: string, carry: drop}"}
    pays = process("paying", start(), service("pay", {"amount": "${amount}"}, {"receipt": "${payment_id}"}), end(),
                   flows("start -> pay -> end"), items=items)  # fmt: skip
    drawn = (start(), call("ask", "paying", {"amount": "amount"}, {"receipt": "receipt"}), end(), flows("start -> ask -> end"))
    text = """
process: order
scenarios:
  - name: It pays
    start: {amount: 5}
    expect:
      ended: end
      passed: [ask]
"""
    played = rehearsed(tmp_path, text, process("order", *drawn, items=items), pays)
    assert [each.failure for each in played.performances] == [None]


def test_a_called_process_that_is_not_in_the_folder_fails_the_scenario(tmp_path: Path) -> None:
    text = "process: order\nscenarios:\n  - name: Alone\n    start: {order: A-1}\n    expect: {ended: end}\n"
    played = rehearsed(tmp_path, text, process("order", *ORDER))
    [performance] = played.performances
    assert performance.failure is not None
    assert "'checking' is none" in performance.failure.message
