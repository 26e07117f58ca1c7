"""Processes that call each other, from the command line: deployed together, shown on both sides, tried again by name."""

from __future__ import annotations

import pytest

from tests.acceptance.program import Program, settings
from tests.builders.calls import CHECKING, ORDER, call, process
from tests.builders.drawing import end, exclusive, flows, start, user

GATE = (start(), call("check", outs={"note": "note"}), exclusive("fine"), user("ship"), user("hold"), end())
WAYS = flows("start -> check -> fine", "fine -> ship if ${note == 'yes'}", "fine -> hold if ${note == 'no'}", "ship -> end")


def put(run: Program, *definitions: dict[str, bytes]) -> Program:
    for files in definitions:
        for name, content in files.items():
            (run.folder / name).write_bytes(content)
    return run


@pytest.fixture
def run(run: Program) -> Program:
    return put(run, process("order", *ORDER), process("checking", *CHECKING))


def test_what_is_called_is_deployed_with_its_caller_or_before(run: Program) -> None:
    said = run("deploy", "order.bpmn", code=1).stderr
    assert 'Expected the process "checking", which order calls, to be there to be called, but it isn\'t deployed.' in said
    assert run("deploy", "order.bpmn", "checking.bpmn").stdout == "order@1\nchecking@1\n"
    assert run("deploy", ".").stdout == "checking@1 (unchanged)\norder@1 (unchanged)\n"


def test_caller_and_called_are_shown_with_each_other(run: Program) -> None:
    run("deploy", ".")
    run("start", "order", *settings(order="A-1"))
    assert [each["called_by"] for each in run("instances", "--json").json] == [None, "i1"]
    run("complete", "t1", *settings(approved="yes"), "--as", "ann")
    run("work", "--until-idle")
    [made] = run("show", "i1", "--json").json["calls"]
    assert (made["called"], made["state"]) == ("i2", "returned")
    assert run("show", "i2", "--json").json["called_by"] == "i1"


def test_a_call_that_its_caller_cannot_go_on_with_is_tried_again_by_its_name(run: Program) -> None:
    put(run, process("order", *GATE, WAYS, flows("hold -> end")))
    run("deploy", ".")
    run("start", "order")
    run("complete", "t1", *settings(note="perhaps"), "--as", "ann")
    run("work", "--until-idle", code=3)
    [incident] = run("incidents", "--json", code=3).json
    assert incident["call"] == "c1"
    said = run("retry", "c1", code=3)
    assert said.stdout.startswith("c1 i1 check: failed i2")
    run("cancel", "i1", "--reason", "Nothing fits.")
    assert run("incidents", "--json").json == []


def test_an_instance_that_was_called_is_its_callers_to_cancel(run: Program) -> None:
    run("deploy", ".")
    run("start", "order")
    assert "i2 was called by i1, which waits for it at 'check'" in run.refused("cancel", "i2", "--reason", "No.")
    run("cancel", "i1", "--reason", "Never mind.")
    assert [each["state"] for each in run("instances", "--json").json] == ["cancelled", "cancelled"]
