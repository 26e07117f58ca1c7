"""A process that asks a decision table, from `check` over scenarios to instances that end."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.program import Program
from tests.builders.decisions import ask, dmn, table
from tests.builders.drawing import carry_over, diagram, element, end, exclusive, flows, form_field, start, user

ITEMS = {
    "amount": "{type: money, currency: USD, carry: drop}",
    "tier": "{type: choice, choices: [gold, silver], carry: drop}",
    "needs_approval": "{type: boolean, carry: drop}",
    "level": "{type: integer, carry: drop}",
}
RULES = ["> 10000 | - -> true | 2", '<= 10000 | "gold" -> false | 0', '<= 10000 | "silver" -> true | 1']
DATA = (
    '<dataObject id="d_order"/><dataObjectReference id="r_order" name="Order" dataObjectRef="d_order"/>'
    '<dataStoreReference id="ledger" name="Ledger"/>'
)
ASSOCIATIONS = (
    '<property id="p" name="__targetRef_placeholder"/>'
    '<dataInputAssociation id="in"><sourceRef>r_order</sourceRef><targetRef>p</targetRef></dataInputAssociation>'
    '<dataOutputAssociation id="out"><targetRef>ledger</targetRef></dataOutputAssociation>'
)
OUTPUTS = {"needs_approval": '${result["needs_approval"]}', "level": '${result["level"]}'}
FIELDS = form_field("amount") + form_field("tier")
ENTER = element(
    "userTask",
    "enter",
    f"<extensionElements><camunda:formData>{FIELDS}</camunda:formData></extensionElements>{ASSOCIATIONS}",
    'camunda:candidateGroups="Sales"',
)
ORDERS = diagram(
    start(),
    ENTER,
    ask("rate", "approval", "result", "singleResult", outputs=OUTPUTS),
    exclusive("which", "which-done"),
    user("approve", form_field("level", "long")),
    end("done"),
    end("approved"),
    DATA,
    flows("start -> enter -> rate -> which -> done", "which -> approve if ${needs_approval}", "approve -> approved"),
    key="orders",
)
SCENARIOS = """
process: orders
scenarios:
  - name: A large order is approved by whom its level says
    steps:
      - {task: enter, with: {amount: 100.01, tier: gold}, expect: {passed: rate, data: {level: 2}, task: approve}}
      - {task: approve}
    expect: {ended: approved}
  - name: A small order of a good customer is not
    steps:
      - {task: enter, with: {amount: 100.00, tier: gold}, expect: {data: {needs_approval: no}}}
    expect: {ended: done}
"""


def write(run: Program, rules: list[str], policy: str = "UNIQUE") -> None:
    approval = table(rules, ("amount", "tier"), ("needs_approval", "level"), policy, key="approval", types=("integer", "string"))
    files = {
        "orders.bpmn": ORDERS,
        "orders.carry-over.yaml": carry_over(ITEMS, repeats="", key="orders"),
        "orders.scenarios.yaml": SCENARIOS.encode(),
        "orders.decisions/approval.dmn": dmn(approval),
    }
    for name, content in files.items():
        (run.folder / name).parent.mkdir(exist_ok=True)
        (run.folder / name).write_bytes(content)


@pytest.fixture
def orders(run: Program) -> Program:
    write(run, RULES)
    return run


def begun(run: Program) -> tuple[str, str]:
    """(instance, task) of an order that waits to be entered."""
    instance = run("start", "orders", "--as", "olivia").stdout.strip()
    [task] = [each["id"] for each in run("tasks", "--json").json if each["instance"] == instance]
    return instance, task


def data_of(run: Program, instance: str) -> dict[str, object]:
    shown = run("show", instance, "--json").json
    found: dict[str, object] = shown["data"]
    return found


def test_a_table_decides_from_check_to_the_end(orders: Program) -> None:
    said = orders("check", ".").stdout
    assert "note: drawing-only" in said
    assert "the diagram draws 3 data objects or stores, which nothing reads" in said
    assert "2 scenarios passed; covered are 7 of 7 flow nodes, 6 of 6 sequence flows: 100%" in orders("test", ".").stdout
    orders("deploy", ".", "--as", "olivia")
    small, task = begun(orders)
    orders("complete", task, "--set", "amount=99", "--set", "tier=gold", "--as", "sara")
    assert orders("show", small, "--json").json["state"] == "completed"
    large, task = begun(orders)
    orders("complete", task, "--set", "amount=500", "--set", "tier=gold", "--as", "sara")
    [open_task] = orders("tasks", "--json").json
    assert (open_task["instance"], open_task["flow_node"]) == (large, "approve")


def test_instances_keep_the_table_that_they_began_with(orders: Program) -> None:
    assert orders("deploy", ".", "--as", "olivia").stdout == "orders@1\n"
    _, before = begun(orders)
    write(orders, ["- | - -> false | 0"])
    assert orders("deploy", ".", "--as", "olivia").stdout == "orders@2\n"
    _, after = begun(orders)
    for task in (before, after):
        orders("complete", task, "--set", "amount=500", "--set", "tier=gold", "--as", "sara")
    [waiting] = orders("tasks", "--json").json
    assert waiting["flow_node"] == "approve"


def test_where_no_rule_holds_the_task_stays_open_and_the_lines_are_told(orders: Program) -> None:
    write(orders, RULES[:2])
    orders("deploy", ".", "--as", "olivia")
    _, task = begun(orders)
    said = orders.refused("complete", task, "--set", "amount=5", "--set", "tier=silver", "--as", "sara")
    assert "(orders.decisions/approval.dmn:2): Expected one of the rules in the lines 7 and 8 to hold, but none does." in said


def test_check_points_into_the_table(orders: Program) -> None:
    write(orders, [*RULES[:2], "<= 10000 | silver -> true | 1.5"])
    found = json.loads(orders("check", ".", "--format", "json", code=3).stdout)
    errors = [each for each in (found["findings"] if isinstance(found, dict) else found) if each["severity"] == "error"]
    assert {(each["rule"], each["file"], each["line"]) for each in errors} == {
        ("decision-invalid", "orders.decisions/approval.dmn", 9)
    }
    assert "decision-invalid" in orders("deploy", ".", code=1).stderr
