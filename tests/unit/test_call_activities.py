"""Call activities in the functional core: what they ask for, and how their tokens go on. Saved and restored between every two
steps.
"""

from __future__ import annotations

import pytest

from engine.definition.process_definition import ProcessDefinition, read_definition
from engine.errors import DataRefused, DefinitionInvalid, ExpressionFailed
from engine.execution import calls
from engine.execution.transition import CallClosed, ErrorNotCaught, InstanceCalled
from tests.builders.calls import ITEMS, ORDER, call, process
from tests.builders.drawing import (
    boundary,
    boundary_timer,
    element,
    end,
    exclusive,
    flows,
    parallel,
    service,
    start,
    user,
)
from tests.builders.play import Play, executable_of

MONEY = {"amount": "{type: money, currency: currency, carry: drop}", "currency": "{type: currency, carry: drop}"}


def play(*parts: str, items: dict[str, str] | None = None) -> Play:
    return Play(executable_of(*parts, items={**ITEMS, **(items or {})}, repeats=""))


def checking(items: dict[str, str] | None = None, repeats: str = "", *parts: str) -> ProcessDefinition:
    drawn = parts or (start(), user("look"), end(), flows("start -> look -> end"))
    return read_definition(process("checking", *drawn, items={**ITEMS, **(items or {})}, repeats=repeats))


def called(of: Play) -> InstanceCalled:
    [effect] = of.of_type(InstanceCalled)
    return effect  # type: ignore[no-any-return]


def test_only_what_is_named_is_passed_to_the_called_process() -> None:
    order = play(*ORDER).start(order="A-1", amount=5, note="internal")
    asked = called(order)
    assert (asked.flow_node, asked.process, asked.binding, asked.version) == ("check", "checking", "latest", None)
    assert asked.data == {"order": "A-1", "amount": 5}
    assert order.waiting == ["check"]


def test_what_has_no_value_is_not_passed() -> None:
    assert called(play(*ORDER).start(order="A-1")).data == {"order": "A-1"}


def test_the_call_activity_waits_and_takes_only_what_it_names() -> None:
    order = play(*ORDER).start(order="A-1", amount=5)
    order.returned("check", approved=True, note="Fine.", order="B-2", amount=7)
    assert order.waiting == ["ship"]
    assert order.data == {"order": "A-1", "amount": 5, "approved": True, "note": "Fine."}
    [closed] = order.of_type(CallClosed)
    assert closed.returned


def test_expressions_pass_values_both_ways() -> None:
    drawn = call("check", ins={"amount": "${amount * 2}", "note": "for ${order}"}, outs={"amount": "${amount + 1}"})
    order = play(start(), drawn, end(), flows("start -> check -> end")).start(order="A-1", amount=5)
    assert called(order).data == {"amount": 10, "note": "for A-1"}
    order.returned("check", amount=10, note=None)
    assert order.completed
    assert order.data["amount"] == 11


def test_an_error_of_the_called_process_is_caught_by_its_code() -> None:
    order = play(*ORDER).start(order="A-1").call_failed("check", "declined")
    assert order.waiting == ["tell"]


def test_an_error_that_nothing_catches_ends_the_caller_by_it_too() -> None:
    order = play(*ORDER).start(order="A-1").call_failed("check", "odd")
    assert order.completed
    assert order.end_events == ()
    assert order.of_type(ErrorNotCaught) == [ErrorNotCaught("check", "odd")]


def test_an_error_is_caught_around_the_sub_process_that_calls() -> None:
    inside = start("in") + call("check") + user("beside") + end("out") + flows("in -> check -> out", "in -> beside -> out")
    drawn = (start(), element("subProcess", "all", inside), boundary("declined", "all"), user("tell"), end())
    order = play(*drawn, flows("start -> all -> end", "declined -> tell -> end")).start()
    assert sorted(order.waiting) == ["beside", "check"]
    order.call_failed("check", "declined")
    assert order.waiting == ["tell"]


def test_an_interrupting_timer_withdraws_the_call() -> None:
    drawn = (start(), call("check"), boundary_timer("late", "check"), user("tell"), end())
    order = play(*drawn, flows("start -> check -> end", "late -> tell -> end")).start()
    order.fire("late")
    assert order.waiting == ["tell"]
    assert [each.returned for each in order.of_type(CallClosed)] == [False]


def test_a_timer_that_does_not_interrupt_leaves_the_call_alone() -> None:
    drawn = (start(), call("check"), boundary_timer("late", "check", interrupting=False), user("tell"), end("told"), end())
    order = play(*drawn, flows("start -> check -> end", "late -> tell -> told")).start()
    order.fire("late")
    assert sorted(order.waiting) == ["check", "tell"]
    assert order.returned("check").complete("tell").completed


def test_terminating_withdraws_the_call() -> None:
    stop = element("endEvent", "stop", "<terminateEventDefinition/>")
    order = play(
        start(), parallel("both"), call("check"), user("give_up"), stop, end(),
        flows("start -> both -> check -> end", "both -> give_up -> stop"),
    ).start()  # fmt: skip
    order.complete("give_up")
    assert order.completed
    assert [each.returned for each in order.of_type(CallClosed)] == [False]


@pytest.mark.parametrize("sequential", [True, False])
def test_each_instance_of_a_repeated_call_activity_calls_for_itself(sequential: bool) -> None:
    marker = f'<multiInstanceLoopCharacteristics isSequential="{str(sequential).lower()}" camunda:collection="{{}}" '
    marker = marker.replace("{}", "${['north', 'south']}") + 'camunda:elementVariable="order"/>'
    drawn = call("check", ins={"order": "order"}, outs={"note": "note"}, inside=marker)
    order = play(start(), drawn, user("ship"), end(), flows("start -> check -> ship -> end")).start()
    asked = [each.data["order"] for each in order.of_type(InstanceCalled)]
    order.returned("check", note="one")
    asked += [each.data["order"] for each in order.of_type(InstanceCalled)]
    order.returned("check", note="two")
    assert asked == ["north", "south"]
    assert order.waiting == ["ship"]


def test_a_value_without_a_result_is_an_error_for_the_call_activity() -> None:
    drawn = call("check", ins={"amount": "${amount * 2}"})
    parts = (start(), drawn, end(), user("tell"), flows("start -> check -> end", "failed -> tell -> end"))
    with pytest.raises(ExpressionFailed, match="amount"):
        play(*parts).start()
    assert play(*parts, boundary("failed", "check", "e_script")).start().waiting == ["tell"]


def test_a_loop_round_a_call_activity_calls_anew_each_time() -> None:
    drawn = (start(), call("check", outs={"approved": "approved"}), exclusive("ok", "ok-end"), end())
    order = play(*drawn, flows("start -> check -> ok", "ok -> check if ${not approved}", "ok -> end")).start()
    first = order.token("check")
    order.returned("check", approved=False)
    assert order.token("check") != first
    assert len(order.of_type(InstanceCalled)) == 1
    assert order.returned("check", approved=True).completed


# --- what fits ------------------------------------------------------------------------------------------------------


def test_what_comes_back_has_to_fit_the_callers_items() -> None:
    order = play(*ORDER).start(order="A-1")
    with pytest.raises(DataRefused, match="In what 'check' takes from checking: approved: Expected true or false"):
        order.returned("check", approved="yes", note=None)


def test_what_is_passed_has_to_fit_the_called_processs_items() -> None:
    order = play(*ORDER).start(order="A-1", amount=5)
    assert calls.beginning(checking(), called(order)).data == {"order": "A-1", "amount": 5}
    with pytest.raises(DataRefused, match="In what 'check' passes to checking: amount: Expected true or false"):
        calls.beginning(checking({"amount": "{type: boolean, carry: drop}"}), called(order))


def test_what_the_called_process_does_not_list_is_refused() -> None:
    order = play(start(), call("check", ins={"colour": "order"}), end(), flows("start -> check -> end")).start(order="A-1")
    with pytest.raises(DataRefused, match='"colour" is none'):
        calls.beginning(checking(), called(order))


def test_an_amount_is_passed_with_its_currency_or_not_at_all() -> None:
    both = call("check", ins={"amount": "amount", "currency": "currency"})
    order = play(start(), both, end(), flows("start -> check -> end"), items=MONEY).start(amount=500, currency="EUR")
    assert calls.beginning(checking(MONEY), called(order)).data == {"amount": 500, "currency": "EUR"}
    in_yen = {"amount": "{type: money, currency: JPY, carry: drop}", "currency": "{type: currency, carry: drop}"}
    with pytest.raises(DataRefused, match="Expected amount in JPY, but it is in EUR"):
        calls.beginning(checking(in_yen), called(order))
    alone = call("check", ins={"amount": "${amount * 2}", "currency": "currency"})
    order = play(start(), alone, end(), flows("start -> check -> end"), items=MONEY).start(amount=500, currency="EUR")
    with pytest.raises(DataRefused, match="an amount without a currency"):
        calls.beginning(checking(MONEY), called(order))


def test_an_amount_comes_back_in_the_callers_currency_or_not_at_all() -> None:
    drawn = (start(), call("check", outs={"amount": "amount"}), end(), flows("start -> check -> end"))
    order = play(*drawn, items=MONEY).start(currency="EUR")
    with pytest.raises(DataRefused, match="Expected amount in EUR, but it is in USD"):
        order.returned("check", {"amount": "USD"}, amount=500)
    assert order.returned("check", {"amount": "EUR"}, amount=500).data["amount"] == 500


def test_a_process_that_bills_customers_is_not_called() -> None:
    order = play(*ORDER).start(order="A-1")
    billed = {"customer": "{type: string, carry: copy}", "month": "{type: month, carry: next}"}
    bill = "message: next\nbill: {customer: customer, period: month, every: P1M}\n"
    with pytest.raises(DefinitionInvalid, match="without a bill at 'check', but checking bills"):
        calls.beginning(checking(billed, bill), called(order))


def test_a_process_that_only_a_message_starts_is_not_called() -> None:
    order = play(*ORDER).start(order="A-1")
    by_message = (start("start", "m_paid"), user("look"), end(), flows("start -> look -> end"))
    with pytest.raises(DefinitionInvalid, match="a start event without a message in checking"):
        calls.beginning(checking(None, "", *by_message), called(order))


def test_a_call_activity_beside_a_job_is_closed_when_the_job_interrupts_the_scope() -> None:
    pay = service("pay", {"amount": "${amount}"}, {})
    inside = start("in") + call("check") + pay + end("out") + flows("in -> check -> out", "in -> pay -> out")
    drawn = (start(), element("subProcess", "all", inside), boundary("declined", "all"), end())
    order = play(*drawn, flows("start -> all -> end", "declined -> end")).start(amount=1)
    order.fail("pay", "declined")
    assert order.completed
    assert [each.returned for each in order.of_type(CallClosed)] == [False]
