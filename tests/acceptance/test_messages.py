"""Messages and signals from the command line: sent once, received once, and what waits is listed."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.program import Program, settings
from tests.builders.drawing import carry_over, diagram, end, flows, form_field, start, user
from tests.builders.events import catch, catch_signal, event_gateway


@pytest.fixture
def orders(run: Program) -> Program:
    """A process whose instances wait for a payment of their order, or for an alarm; two have begun."""
    items = {"order": "{type: string, carry: drop}", "amount": "{type: integer, carry: drop}"}
    paid = catch("paid", by="${order}", outputs={"amount": "${sum}"})
    parts = (start(), event_gateway("first"), paid, catch_signal("alarm"), user("pack", form_field("amount", "long")), end())
    ways = flows("start -> first -> paid -> pack -> end", "first -> alarm -> end")
    (run.folder / "orders.bpmn").write_bytes(diagram(*parts, ways, key="orders"))
    (run.folder / "orders.carry-over.yaml").write_bytes(carry_over(items, repeats="", key="orders"))
    run("deploy", "orders.bpmn")
    for order in "AB":
        run("start", "orders", *settings(order=order))
    return run


def test_what_waits_and_what_is_kept_is_listed(orders: Program) -> None:
    assert orders("send", "paid", "--key", "C", "--set", "sum=5").stdout == "s1 paid: kept until somebody waits for it\n"
    listed = orders("messages").stdout
    assert re.search(r"^i1 +orders +paid +message +paid +A ", listed, re.MULTILINE)
    assert re.search(r"^i2 +orders +alarm +signal +alarm ", listed, re.MULTILINE)
    assert re.search(r"^s1 +message +paid +C +kept ", listed, re.MULTILINE)
    assert "i1" not in orders("messages", "--key", "C").stdout


def test_a_message_is_received_at_once_and_with_an_id_only_once(orders: Program) -> None:
    for _ in range(2):
        told = orders("send", "paid", "--key", "B", "--set", "sum=7", "--id", "bank-1", "--as", "bank").stdout
        assert told == "s1 paid: received by i2\n"
    assert orders("show", "i2", "--json").json["data"] == {"order": "B", "amount": 7}
    assert [entry["by"] for entry in orders("history", "i2", "--json").json if entry["event"] == "message_received"] == ["bank"]


def test_a_signal_comes_to_everybody_when_a_worker_runs(orders: Program) -> None:
    done = orders("signal", "alarm")
    assert done.stdout == "s1 alarm: on its way to 2 instances\n"
    assert "run-process work" in done.stderr
    orders("work", "--until-idle")
    assert {view["state"] for view in orders("instances", "--json").json} == {"completed"}
    assert orders("messages").stderr == "Nothing is waited for, and nothing is kept.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("send", "payd", "--key", "A"), 'write "paid"'),
        (("send", "paid"), "Expected a key"),
        (("send", "paid", "--key", "A", "--set", "sum=much"), "In what 'paid' receives: amount"),
        (("send", "paid", "--key", "A"), "sum"),
        (("signal", "alarn"), 'write "alarm"'),
    ],
)
def test_what_nobody_could_receive_is_refused(orders: Program, arguments: tuple[str, ...], says: str) -> None:
    assert says in orders.refused(*arguments)
