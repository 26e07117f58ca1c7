"""How tokens wait for messages and signals, and throw them. The state is stored and read back between every two steps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.clock import TurnedClock
from engine.errors import DataRefused, ExpressionFailed, TaskNotOpen
from engine.execution.transition import (
    FireTimer,
    JobClosed,
    MessageThrown,
    Receive,
    SignalThrown,
    SubscriptionClosed,
    SubscriptionOpened,
    TimerClosed,
    TimerStarted,
    UserTaskClosed,
)
from tests.builders.drawing import (
    boundary_timer,
    element,
    end,
    exclusive,
    flows,
    parallel,
    service,
    start,
    throw,
    user,
    wait,
)
from tests.builders.events import (
    catch,
    catch_signal,
    event_gateway,
    extensions,
    message,
    on_message,
    on_signal,
    receive,
    send,
    signal,
    throw_message,
    throw_signal,
)
from tests.builders.play import Play, executable_of
from tests.doubles.context import START

# --- catch events and receive tasks ---------------------------------------------------------------------------------

PAID = {"receipt": "${number}", "amount": "${paid}"}
PAYING = executable_of(start(), catch("paid", outputs=PAID), user("call"), end(), flows("start -> paid -> call -> end"))


def test_a_message_is_waited_for_with_the_bill_s_customer_as_its_key() -> None:
    play = Play(PAYING).start(customer="acme")
    assert play.effects == (SubscriptionOpened(play.token("paid"), "paid", "message", "paid", "acme"),)


def test_a_message_sets_what_the_event_s_output_parameters_name_and_nothing_else() -> None:
    play = Play(PAYING).start(customer="acme")
    token = play.token("paid")
    play.receive("paid", number="R-7", paid=500, customer="other", approved=True)
    assert play.effects[0] == SubscriptionClosed(token, "paid", received=True)
    assert play.data == {"customer": "acme", "receipt": "R-7", "amount": 500}
    assert play.path == ("paid",)
    assert play.waiting == ["call"]


def test_text_in_a_message_is_read_as_a_person_would_have_typed_it() -> None:
    assert Play(PAYING).start(customer="acme").receive("paid", number="R-7", paid=" 500 ").data["amount"] == 500


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ({"number": "R-7"}, ExpressionFailed, "paid"),
        ({"number": "R-7", "paid": "a lot"}, DataRefused, "In what 'paid' receives: amount: Expected a whole number"),
        ({"number": 7, "paid": 500}, DataRefused, "In what 'paid' receives: receipt: Expected text"),
        ({"number": "R-7", "paid": True}, DataRefused, "amount: Expected a whole number"),
    ],
)
def test_a_message_that_lacks_what_is_needed_is_refused_and_still_waited_for(
    values: dict[str, object], error: type[Exception], says: str
) -> None:
    play = Play(PAYING).start(customer="acme")
    with pytest.raises(error, match=says):
        play.receive("paid", **values)
    assert play.waiting == ["paid"]


def test_a_message_never_turns_an_instance_into_another_bill() -> None:
    drawn = executable_of(start(), catch("paid", outputs={"customer": "${payer}"}), end(), flows("start -> paid -> end"))
    play = Play(drawn).start(customer="acme")
    with pytest.raises(DataRefused, match='Expected customer to stay "acme"'):
        play.receive("paid", payer="bolt")
    assert play.receive("paid", payer="acme").completed


def test_a_message_is_received_once() -> None:
    play = Play(PAYING).start(customer="acme")
    token = play.token("paid")
    play.receive("paid", number="R-7", paid=1)
    with pytest.raises(TaskNotOpen, match="gone on without it"):
        play.step(Receive(token, {"number": "R-8", "paid": 2}))


def test_a_receive_task_waits_as_a_catch_event_does_and_has_boundary_events() -> None:
    drawn = executable_of(
        start(), receive("paid", outputs={"receipt": "${number}"}), boundary_timer("late", "paid", "P5D"), user("call"), end(),
        flows("start -> paid -> end", "late -> call -> end"),
    )  # fmt: skip
    play = Play(drawn).start(customer="acme")
    assert [type(effect) for effect in play.effects] == [SubscriptionOpened, TimerStarted]
    assert play.receive("paid", number="R-7").end_events == ("end",)
    late = Play(drawn).start(customer="acme")
    token = late.token("paid")
    late.fire("late")
    assert SubscriptionClosed(token, "paid", received=False) in late.effects
    assert late.waiting == ["call"]


def test_a_message_in_a_loop_is_waited_for_anew_each_time() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), catch("paid"), user("check"), exclusive("enough", "enough-merge"), end(),
        flows("start -> merge -> paid -> check -> enough", "enough -> end if ${approved}", "enough -> merge"),
    )  # fmt: skip
    play = Play(drawn).start(customer="acme")
    tokens = []
    for _ in range(3):
        tokens.append(play.token("paid"))
        play.receive("paid").complete("check", approved=False)
    assert len(set(tokens)) == 3


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "key"), [("${receipt}", "R-7"), ("${amount}", "12"), ("order-${receipt}", "order-R-7"), (" ${receipt} ", "R-7")]
)
def test_an_event_says_its_key_with_an_extension_property(by: str, key: str) -> None:
    drawn = executable_of(start(), catch("paid", by=by), end(), flows("start -> paid -> end"))
    assert Play(drawn).start(customer="acme", receipt="R-7", amount=12).effects[0].key == key  # type: ignore[union-attr]


@pytest.mark.parametrize("by", ["${receipt}", "${approved}", "${' '}"])
def test_a_key_that_says_nothing_refuses_the_step(by: str) -> None:
    drawn = executable_of(start(), user("enter"), catch("paid", by=by), end(), flows("start -> enter -> paid -> end"))
    play = Play(drawn).start(customer="acme", approved=True)
    with pytest.raises(ExpressionFailed, match="correlation key at 'paid'"):
        play.complete("enter")
    assert play.waiting == ["enter"]


# --- boundary events ------------------------------------------------------------------------------------------------

STOPPED = executable_of(
    start(), service("pay", {}, {}), on_message("stopped", "pay", outputs={"receipt": "${why}"}), boundary_timer("late", "pay"),
    user("call"), end(), flows("start -> pay -> end", "stopped -> call -> end", "late -> call"),
)  # fmt: skip


def test_a_message_at_an_activity_s_edge_withdraws_the_activity_and_its_other_events() -> None:
    play = Play(STOPPED).start(customer="acme")
    pay, stopped, late = play.token("pay"), play.token("stopped"), play.token("late")
    play.receive("stopped", why="moved away")
    closed = {JobClosed(pay, "pay", False), SubscriptionClosed(stopped, "stopped", True), TimerClosed(late, "late", False)}
    assert set(play.effects[:3]) == closed
    assert play.data["receipt"] == "moved away"
    assert play.waiting == ["call"]


def test_a_completed_activity_no_longer_waits_for_messages_at_its_edge() -> None:
    play = Play(STOPPED).start(customer="acme")
    stopped = play.token("stopped")
    play.done("pay")
    assert SubscriptionClosed(stopped, "stopped", received=False) in play.effects
    assert play.completed


@pytest.mark.parametrize(
    "edge", [on_message("told", "approve", interrupting=False), on_signal("told", "approve", interrupting=False)]
)
def test_an_event_that_does_not_interrupt_leaves_the_activity_open_and_goes_its_own_way(edge: str) -> None:
    drawn = executable_of(
        start(), user("approve"), edge, user("read"), end(), end("told_end"),
        flows("start -> approve -> end", "told -> read -> told_end"),
    )  # fmt: skip
    play = Play(drawn).start(customer="acme").receive("told")
    assert sorted(play.waiting) == ["approve", "read", "told"]  # it may come again while the activity is open
    play.complete("approve")
    assert play.waiting == ["read"]
    assert play.complete("read").completed


def test_a_signal_at_a_task_s_edge_takes_the_task_away() -> None:
    drawn = executable_of(
        start(), user("approve"), on_signal("alarm", "approve"), end(), end("stopped"),
        flows("start -> approve -> end", "alarm -> stopped"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.effects[1] == SubscriptionOpened(play.token("alarm"), "alarm", "signal", "alarm", None)
    token = play.token("approve")
    play.receive("alarm")
    assert UserTaskClosed(token, "approve", completed=False) in play.effects
    assert play.end_events == ("stopped",)


# --- throwing -------------------------------------------------------------------------------------------------------


def thrown_by(node: str, **data: object) -> MessageThrown:
    key = "tell"
    [thrown] = Play(executable_of(start(), node, end(), flows(f"start -> {key} -> end"))).start(**data).thrown
    return thrown


GIVEN = {"number": "${receipt}", "note": "Paid ${amount}"}


@pytest.mark.parametrize(
    "node",
    [
        throw_message("tell", inputs=GIVEN),
        send("tell", inputs=GIVEN),
        element("endEvent", "tell", extensions(GIVEN) + message("m_paid")),
    ],
)
def test_a_thrown_message_takes_along_what_its_input_parameters_name(node: str) -> None:
    drawn = [start(), node] + ([] if "endEvent" in node else [end()])
    ways = "start -> tell" if "endEvent" in node else "start -> tell -> end"
    play = Play(executable_of(*drawn, flows(ways))).start(customer="acme", receipt="R-7", amount=5, month="2026-10")
    assert play.thrown == [MessageThrown("tell", "paid", {"number": "R-7", "note": "Paid 5"}, "acme")]
    assert play.completed


def test_a_thrown_message_takes_nothing_along_that_is_not_named() -> None:
    assert thrown_by(throw_message("tell"), customer="acme", receipt="R-7").data == {}


def test_a_thrown_message_says_its_key_with_the_same_property() -> None:
    assert thrown_by(throw_message("tell", by="${receipt}"), customer="acme", receipt="R-7").key == "R-7"


def test_the_hand_over_takes_all_data_items_to_the_carry_over_map_and_has_no_key() -> None:
    assert thrown_by(throw("tell"), customer="acme", amount=5) == MessageThrown("tell", "next", {"customer": "acme", "amount": 5})


def test_a_process_without_bills_throws_messages_with_the_key_that_is_written() -> None:
    drawn = executable_of(
        start(), throw_message("tell", by="${receipt}"), end(), flows("start -> tell -> end"),
        items={"receipt": "{type: string, carry: drop}"}, repeats="",
    )  # fmt: skip
    assert Play(drawn).start(receipt="R-7").thrown == [MessageThrown("tell", "paid", {}, "R-7")]


def test_signals_are_thrown_on_the_way_and_at_ends() -> None:
    drawn = executable_of(
        start(), throw_signal("tell"), end("stop", inside=signal("s_calm")), flows("start -> tell -> stop"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.effects[:2] == (SignalThrown("tell", "alarm"), SignalThrown("stop", "calm"))
    assert play.end_events == ("stop",)


def test_a_send_task_with_a_topic_is_a_job() -> None:
    task = element(
        "sendTask",
        "mail",
        extensions({"purpose": "Bill"}, {"receipt": "${payment_id}"}),
        'camunda:type="external" camunda:topic="pay"',
    )
    play = Play(executable_of(start(), task, end(), flows("start -> mail -> end"))).start()
    assert play.waiting == ["mail"]
    assert play.done("mail", payment_id="p1").data == {"receipt": "p1"}


# --- event-based gateways -------------------------------------------------------------------------------------------

FIRST = executable_of(
    start(), event_gateway("first"), catch("paid"), catch_signal("alarm"), wait("late", "P5D"), receive("told", "m_other"),
    user("by_paid"), user("by_alarm"), user("by_late"), user("by_told"), end(),
    flows("start -> first -> paid -> by_paid -> end", "first -> alarm -> by_alarm -> end", "first -> late -> by_late -> end",
          "first -> told -> by_told -> end"),
)  # fmt: skip


@pytest.mark.parametrize("winner", ["paid", "alarm", "late", "told"])
def test_the_first_event_wins_and_the_others_are_withdrawn(winner: str) -> None:
    play = Play(FIRST).start(customer="acme")
    assert sorted(play.waiting) == ["alarm", "late", "paid", "told"]
    others = {play.token(node): node for node in ("paid", "alarm", "late", "told") if node != winner}
    if winner == "late":
        play.fire("late")
    else:
        play.receive(winner)
    withdrawn = {effect.token for effect in play.effects if isinstance(effect, SubscriptionClosed | TimerClosed)}
    assert others.keys() <= withdrawn
    assert play.waiting == [f"by_{winner}"]
    assert play.complete(f"by_{winner}").completed
    for token, node in others.items():
        with pytest.raises(TaskNotOpen):
            play.step(FireTimer(token) if node == "late" else Receive(token))


def test_an_event_based_gateway_in_a_loop_waits_anew_each_round() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), event_gateway("first"), catch("paid"), wait("late"), user("remind"), end(),
        flows("start -> merge -> first -> paid -> end", "first -> late -> remind -> merge"),
    )  # fmt: skip
    play = Play(drawn).start(customer="acme")
    tokens, sizes = set(), set()
    for _ in range(20):
        tokens |= {play.token("paid"), play.token("late")}
        play.fire("late").complete("remind")
        assert play.waiting == ["paid", "late"]
        sizes.add(len(play.state.tokens[2]))  # type: ignore[arg-type] # the rows of the tree
    assert len(tokens) == 40
    assert len(sizes) == 1
    assert play.receive("paid").completed


def test_two_tokens_at_one_event_based_gateway_do_not_withdraw_each_other_s_events() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("a"), exclusive("merge"), event_gateway("first"), catch("paid"), wait("late"), end(),
        flows("start -> split -> a -> merge -> first -> paid -> end", "split -> merge", "first -> late -> end"),
    )  # fmt: skip
    play = Play(drawn).start(customer="acme").complete("a")
    assert sorted(play.waiting) == ["late", "late", "paid", "paid"]
    play.receive("paid")
    assert sorted(play.waiting) == ["late", "paid"]
    assert play.fire("late").completed


# --- timers that repeat ---------------------------------------------------------------------------------------------


def reminded(cycle: str, clock: TurnedClock | None = None) -> Play:
    drawn = executable_of(
        start(), user("approve"), boundary_timer("remind", "approve", cycle, "timeCycle", interrupting=False),
        service("mail", {}, {}), end(), end("reminded"), flows("start -> approve -> end", "remind -> mail -> reminded"),
    )  # fmt: skip
    return Play(drawn, clock).start(amount=2)


def test_a_timer_that_repeats_brings_a_token_each_time_and_ends_after_the_last() -> None:
    play = reminded("R3/PT1H")
    due = []
    for number in range(1, 4):
        due += [effect.due_at - START for effect in play.of_type(TimerStarted)]
        play.fire("remind")
        assert play.waiting.count("mail") == number
        assert ("remind" in play.waiting) == (number < 3)
    assert due == [timedelta(hours=1), timedelta(hours=2), timedelta(hours=3)]
    play.complete("approve").done("mail").done("mail")
    assert not play.completed
    assert play.done("mail").completed


def test_a_timer_that_repeats_is_a_new_one_each_time() -> None:
    play = reminded("R/P1D")
    tokens, sizes = set(), set()
    for _ in range(30):
        tokens.add(play.token("remind"))
        play.fire("remind").done("mail")
        sizes.add(len(play.state.tokens[2]))  # type: ignore[arg-type] # the rows of the tree
    assert len(tokens) == 30
    assert len(sizes) == 1


def test_each_time_is_counted_from_the_beginning_however_late_a_worker_was() -> None:
    clock = TurnedClock(START)
    play = reminded("R/P1D", clock)
    assert [e.due_at for e in play.of_type(TimerStarted)] == [START + timedelta(days=1)]
    clock.advance(timedelta(days=1, hours=7))
    assert [e.due_at for e in play.fire("remind").of_type(TimerStarted)] == [START + timedelta(days=2)]
    clock.advance(timedelta(days=5))  # nobody worked: what is overdue is due at once, once for each time
    assert [e.due_at for e in play.fire("remind").of_type(TimerStarted)] == [clock.now()]
    assert [e.due_at for e in play.fire("remind").of_type(TimerStarted)] == [clock.now()]


@pytest.mark.parametrize(
    ("cycle", "first"),
    [
        ("R3/2026-12-01T09:00:00Z/PT1H", "2026-12-01T09:00:00+00:00"),
        ("R${amount}/P1D", "2026-10-02T09:30:00+00:00"),
        (" R/P1M ", "2026-11-01T09:30:00+00:00"),
    ],
)
def test_a_time_that_repeats_is_written_as_iso_8601_says(cycle: str, first: str) -> None:
    assert [e.due_at.isoformat() for e in reminded(cycle).of_type(TimerStarted)] == [first]


@pytest.mark.parametrize("cycle", ["PT1H", "R0/PT1H", "R3", "R3/", "R-1/PT1H", "R3/PT0S", "0 0 9 * * ?", "R3/PT1H/2027-01-01"])
def test_a_time_that_does_not_repeat_refuses_the_step(cycle: str) -> None:
    with pytest.raises(DataRefused, match="Expected a time that repeats, as in R3/PT1H"):
        reminded(cycle)


def test_a_completed_task_withdraws_the_reminders_that_are_left() -> None:
    play = reminded("R/P1D").fire("remind").fire("remind")
    play.complete("approve")
    assert [effect.fired for effect in play.of_type(TimerClosed)] == [False]
    assert play.done("mail").done("mail").completed


# --- signals within an instance -------------------------------------------------------------------------------------

ALARM = executable_of(
    start(), parallel("split"), catch_signal("first"), catch_signal("other", "s_calm"), user("decide"), throw_signal("tell"),
    user("work"), on_signal("stopped", "work"), on_signal("noted", "work", interrupting=False), end(), end("gone"), end("n"),
    flows("start -> split -> first -> end", "split -> other -> end", "split -> decide -> tell -> end",
          "split -> work -> end", "stopped -> gone", "noted -> n"),
)  # fmt: skip


def test_a_signal_comes_to_everything_in_its_own_instance_that_waits_for_it() -> None:
    play = Play(ALARM).start()
    open_before = {node: play.token(node) for node in ("first", "stopped", "work")}
    play.complete("decide")
    assert play.signals == ["alarm"]
    assert SubscriptionClosed(open_before["first"], "first", received=True) in play.effects
    assert SubscriptionClosed(open_before["stopped"], "stopped", received=True) in play.effects
    assert UserTaskClosed(open_before["work"], "work", completed=False) in play.effects
    assert play.waiting == ["other"]


def test_a_signal_is_not_kept_for_what_begins_to_wait_later() -> None:
    drawn = executable_of(start(), throw_signal("tell"), catch_signal("later"), end(), flows("start -> tell -> later -> end"))
    assert Play(drawn).start().waiting == ["later"]


def test_a_signal_that_was_waited_for_and_thrown_in_one_step_is_received() -> None:
    drawn = executable_of(
        start(), parallel("split"), catch_signal("first"), throw_signal("tell"), end(),
        flows("start -> split -> first -> end", "split -> tell -> end"),
    )  # fmt: skip
    assert Play(drawn).start().completed


def test_a_signal_wins_at_an_event_based_gateway_of_its_own_instance() -> None:
    drawn = executable_of(
        start(), parallel("split"), event_gateway("first"), catch_signal("alarm"), wait("late"), user("decide"),
        throw_signal("tell"), end(),
        flows("start -> split -> first -> alarm -> end", "first -> late -> end", "split -> decide -> tell -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    late = play.token("late")
    play.complete("decide")
    assert TimerClosed(late, "late", fired=False) in play.effects
    assert play.completed
