"""What is accepted and what is proved about sub-processes, event sub-processes and repeated activities."""

from __future__ import annotations

import pytest

from engine.definition.finding import Severity
from tests.builders.drawing import (
    ITEMS,
    boundary,
    carry_over,
    diagram,
    end,
    exclusive,
    files,
    flows,
    form_field,
    found,
    parallel,
    script,
    service,
    start,
    throw,
    timer,
    user,
    verdicts,
)
from tests.builders.drawing_scopes import (
    after,
    error,
    error_end,
    escalate,
    escalation,
    event_start,
    handler,
    instances,
    link,
    on_edge,
    repeated,
    rounds,
    sub,
    terminate,
)

APPROVE = user("approve", form_field("approved", "boolean"))
ENTER = user("enter", form_field("amount", "long"))
CHARGE = service("charge", {"amount": "${amount}"}, {"receipt": "${payment_id}"})
MUST = "{path: charge, must_pass: approve}"
EVERY = "{every_end: hands_over, except: [stopped]}"


def checked(*parts: str, controls: tuple[str, ...] = (), items: dict[str, str] | None = None) -> set[str]:
    """The rules that are broken, but for what doesn't matter here."""
    drawn = diagram(start("again", "m_next"), *parts, flows("again -> enter"), ENTER, start())
    given = files(drawn, carry_over({**ITEMS, **(items or {})}, controls=controls))
    return verdicts(given) - {"item-unused", "read-before-set", "error-code-not-caught", "message-not-thrown"}


def proved(*parts: str, control: str = MUST) -> bool:
    found_ = checked(*parts, controls=(control,))
    assert found_ <= {"control-must-pass", "control-every-end"}, found_
    return not found_


# --- what must be passed ----------------------------------------------------------------------------------------------


def approval(*inside: str, attributes: str = "") -> str:
    return sub("check", start("begin"), APPROVE, end("done"), *inside, attributes=attributes)


PLAIN = flows("start -> enter -> check -> charge -> next -> end"), CHARGE, throw("next"), end()
STRAIGHT = flows("begin -> approve -> done")


def test_an_approval_inside_a_sub_process_is_passed_by_who_comes_out_of_it() -> None:
    assert proved(approval(STRAIGHT), *PLAIN)


def test_a_way_past_it_inside_is_found_and_shown() -> None:
    past = approval(exclusive("x", "x-approve"), flows("begin -> x -> approve -> done", "x -> done if ${amount > 1}"))
    assert not proved(past, *PLAIN)
    drawn = diagram(start("again", "m_next"), past, *PLAIN, flows("again -> enter"), ENTER, start())
    [finding] = [each for each in found(files(drawn, carry_over(controls=[MUST]))) if each.rule == "control-must-pass"]
    assert "Enter -> Check -> Begin -> X -> Done -> Charge" in finding.message


def test_a_parallel_approval_is_passed_because_a_sub_process_waits_for_all_of_its_tokens() -> None:
    both = approval(parallel("split"), parallel("join"), user("other"), flows("begin -> split -> approve -> join -> done",
                                                                              "split -> other -> join"))  # fmt: skip
    assert proved(both, *PLAIN)


def test_a_reminder_inside_that_ends_by_itself_does_not_lead_past_it() -> None:
    reminded = approval(on_edge("late", "approve", timer("P1D"), interrupting=False), end("reminded"), STRAIGHT,
                        flows("late -> reminded"))  # fmt: skip
    assert proved(reminded, *PLAIN)
    hurried = approval(on_edge("late", "approve", timer("P1D")), end("given_up"), STRAIGHT, flows("late -> given_up"))
    assert not proved(hurried, *PLAIN)


@pytest.mark.parametrize("interrupting", [True, False])
def test_an_event_on_the_edge_may_lead_past_it(interrupting: bool) -> None:
    edge = on_edge("late", "check", timer("P1D"), interrupting=interrupting)
    assert not proved(approval(STRAIGHT), edge, flows("late -> charge"), *PLAIN) if interrupting else True
    assert proved(approval(STRAIGHT), edge, end("stopped"), flows("late -> stopped"), *PLAIN)


@pytest.mark.parametrize("interrupting", [True, False])
def test_only_an_event_sub_process_that_interrupts_leads_past_it(interrupting: bool) -> None:
    helped = handler("help", event_start("late", after(), interrupting=interrupting), end("helped"), flows("late -> helped"))
    assert proved(approval(STRAIGHT, helped), *PLAIN) is not interrupting


def test_a_charge_in_an_event_sub_process_of_the_process_may_come_before_the_approval() -> None:
    helped = handler("help", event_start("late", after()), CHARGE, end("helped"), flows("late -> charge -> helped"))
    assert not proved(helped, APPROVE, throw("next"), end(), flows("start -> enter -> approve -> next -> end"))


@pytest.mark.parametrize(
    ("marker", "passed"),
    [
        (instances("2"), True),
        (instances("0"), False),
        (instances("${amount}"), False),
        (instances(collection="${[1]}"), False),
        (rounds("${not approved}"), True),
        (rounds("${not approved}", before=True), False),
        (rounds(most=3), True),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_what_may_be_done_no_time_at_all_is_not_passed(marker: str, passed: bool, inside: bool) -> None:
    if inside:
        assert proved(repeated(approval(STRAIGHT), marker), *PLAIN) is passed
    else:
        ways = flows("start -> enter -> approve -> charge -> next -> end")
        assert proved(repeated(APPROVE, marker), ways, CHARGE, throw("next"), end()) is passed


def test_a_join_that_a_second_token_opens_lets_the_sub_process_be_left() -> None:
    """A proof that forgot the second token would take the join for one that never opens, and prove anything."""
    opened = sub("check", start("begin"), user("ask", form_field("amount", "long")), parallel("join"), end("done"),
                 on_edge("late", "ask", timer("P1D"), interrupting=False),
                 flows("begin -> ask -> join -> done", "late -> join"))  # fmt: skip
    found_ = checked(opened, *PLAIN, APPROVE, exclusive("x", "x-y"), exclusive("y"), controls=(MUST,))
    assert "control-must-pass" in found_


def test_the_sub_process_itself_can_be_what_must_be_passed() -> None:
    control = "{path: charge, must_pass: check}"
    assert proved(approval(STRAIGHT), *PLAIN, control=control)
    edge = on_edge("late", "check", timer("P1D"))
    assert not proved(approval(STRAIGHT), edge, flows("late -> charge"), *PLAIN, control=control)


# --- every end hands over -----------------------------------------------------------------------------------------------


def ends(*parts: str) -> bool:
    return proved(*parts, control=EVERY)


STOPPED = (
    end("stopped"),
    exclusive("stop", "stop-check"),
    flows("start -> enter -> stop -> check", "stop -> stopped if ${amount == 0}"),
)


def test_the_ends_inside_a_sub_process_are_no_ends_of_the_chain() -> None:
    assert ends(approval(STRAIGHT), *STOPPED, throw("next"), end(), flows("check -> next -> end"))


def test_a_hand_over_inside_a_sub_process_counts_where_every_way_out_passes_it() -> None:
    over = approval(throw("next"), flows("begin -> approve -> next -> done"))
    assert ends(over, *STOPPED, end(), flows("check -> end"))
    edge = on_edge("late", "check", timer("P1D"))
    assert not ends(over, edge, *STOPPED, end(), flows("check -> end", "late -> end"))


@pytest.mark.parametrize("caught", [True, False])
def test_an_error_end_that_nothing_catches_ends_the_chain(caught: bool) -> None:
    refused = approval(exclusive("x", "x-done"), error_end("refused"),
                       flows("begin -> approve -> x -> done", "x -> refused if ${not approved}"))  # fmt: skip
    edge = on_edge("caught", "check", error()), flows("caught -> next")
    rest = *STOPPED, throw("next"), end(), flows("check -> next -> end")
    found_ = checked(refused, *(edge if caught else ()), *rest, controls=(EVERY,))
    assert found_ == (set() if caught else {"control-every-end", "error-not-caught"})


@pytest.mark.parametrize("interrupting", [True, False])
def test_an_event_sub_process_of_the_process_ends_the_chain_only_where_it_interrupts(interrupting: bool) -> None:
    helped = handler("help", event_start("late", after(), interrupting=interrupting), end("helped"), flows("late -> helped"))
    rest = *STOPPED, throw("next"), end(), flows("check -> next -> end")
    assert ends(approval(STRAIGHT), helped, *rest) is not interrupting


def test_a_terminate_end_inside_a_reminder_s_sub_process_ends_that_alone() -> None:
    late = on_edge("late", "check", timer("P1D"), interrupting=False)
    nudge = sub("nudge", start("n_start"), user("remind"), terminate("enough"), flows("n_start -> remind -> enough"))
    rest = *STOPPED, throw("next"), end(), end("reminded"), flows("check -> next -> end", "late -> nudge -> reminded")
    assert ends(approval(STRAIGHT), late, nudge, *rest)


# --- what is accepted, and what is refused --------------------------------------------------------------------------------

AFTER = throw("next"), end()


def test_everything_that_runs_in_scopes_is_accepted() -> None:
    inside = approval(
        STRAIGHT, on_edge("slow", "approve", timer("P1D"), interrupting=False), escalate("tell"), end("told"),
        handler("help", event_start("failed", error(None, 'camunda:errorCodeVariable="receipt"')), user("mend"), end("mended"),
                flows("failed -> mend -> mended")),
        flows("slow -> tell -> told"),
    )  # fmt: skip
    edges = (
        on_edge("late", "check", escalation("x_late", 'camunda:escalationCodeVariable="receipt"'), interrupting=False)
        + user("boss") + end("boss_done") + flows("late -> boss -> boss_done")
    )  # fmt: skip
    loops = repeated(user("count", form_field("amount", "long")), rounds("${amount > loopCounter}"))
    each = repeated(CHARGE, instances(collection="${[1, 2]}", each="amount", until="${nrOfCompletedInstances == nrOfInstances}"))
    links = link("to", "page 2", throws=True), link("from", "page 2", throws=False)
    ways = flows("start -> enter -> check -> count -> to", "from -> charge -> next -> end")
    assert checked(inside, edges, loops, each, *links, *AFTER, ways, items={"receipt": "{type: string, carry: drop}"}) == set()


def test_what_counts_instances_is_known_inside_of_them_alone() -> None:
    marked = repeated(script("count", "amount = loopCounter"), instances("2", until="${nrOfActiveInstances == 0}"))
    assert checked(marked, *AFTER, flows("start -> enter -> count -> next -> end")) == set()
    outside = script("count", "amount = loopCounter")
    assert checked(outside, *AFTER, flows("start -> enter -> count -> next -> end")) == {"unknown-data-item"}
    number = repeated(script("count", "amount = 1"), instances("${loopCounter}"))
    assert checked(number, *AFTER, flows("start -> enter -> count -> next -> end")) == {"unknown-data-item"}
    in_loop = repeated(script("count", "amount = nrOfInstances"), rounds(most=3))
    assert checked(in_loop, *AFTER, flows("start -> enter -> count -> next -> end")) == {"unknown-data-item"}


def test_an_element_variable_is_a_data_item_of_the_map() -> None:
    marked = repeated(user("ask"), instances(collection="${[1]}", each="region"))
    assert checked(marked, *AFTER, flows("start -> enter -> ask -> next -> end")) == {"unknown-data-item"}


def test_a_hand_over_that_is_repeated_is_thrown_twice() -> None:
    inside = repeated(approval(throw("next"), flows("begin -> approve -> next -> done")), instances("2"))
    assert checked(inside, end(), flows("start -> enter -> check -> end")) == {"message-thrown-twice"}


def test_what_is_inside_a_sub_process_that_nothing_leads_to_is_told_once() -> None:
    given = files(diagram(start(), ENTER, end(), approval(STRAIGHT), flows("start -> enter -> end")))
    assert [each.element for each in found(given) if each.rule == "unreachable-node"] == ["check"]


def test_a_loop_through_a_sub_process_needs_something_that_waits_inside() -> None:
    def looped(*inside: str) -> bool:
        scope = sub("work", start("begin"), end("done"), *inside)
        return "endless-loop-without-wait" in checked(
            scope, exclusive("merge"), exclusive("x", "x-next"), *AFTER,
            flows("start -> enter -> merge -> work -> x -> next -> end", "x -> merge if ${approved}"),
        )  # fmt: skip

    assert looped(script("count", "amount = 1"), flows("begin -> count -> done"))
    assert not looped(user("ask"), flows("begin -> ask -> done"))


@pytest.mark.parametrize("waits", [True, False])
def test_an_error_that_is_handled_by_trying_again_needs_something_that_waits(waits: bool) -> None:
    tried = sub("work", start("begin"), *([user("ask")] if waits else []), error_end("refused"), exclusive("x", "x-refused"),
                end("done"), flows(f"begin -> {'ask -> ' if waits else ''}x -> refused", "x -> done if ${approved}"))  # fmt: skip
    found_ = checked(
        tried, on_edge("caught", "work", error()), exclusive("merge"), *AFTER,
        flows("start -> enter -> merge -> work -> next -> end", "caught -> merge"),
    )  # fmt: skip
    assert ("endless-loop-without-wait" in found_) is not waits


def test_an_error_of_a_connector_may_be_caught_in_any_scope_around() -> None:
    def told(*edges: str, ways: tuple[str, ...] = (), inside: tuple[str, ...] = ()) -> set[str]:
        scope = sub("pay", start("begin"), CHARGE, end("done"), *inside, flows("begin -> charge -> done"))
        ways_ = flows("start -> enter -> pay -> next -> end", *ways)
        drawn = diagram(start("again", "m_next"), scope, *edges, *AFTER, ways_, flows("again -> enter"), ENTER, start())
        return {each.rule for each in found(files(drawn, carry_over())) if each.severity is not Severity.NOTE}

    assert "error-code-not-caught" in told()
    assert "error-code-not-caught" not in told(on_edge("caught", "pay", error()), user("help"), ways=("caught -> help -> next",))
    failed = handler("help", event_start("failed", error(None)), end("helped"), flows("failed -> helped"))
    assert "error-code-not-caught" not in told(inside=(failed,))
    assert "error-code-unknown" not in told(inside=(boundary("odd", "charge", "e_script"), flows("odd -> done")))


@pytest.mark.parametrize("definition", [error(), escalation()])
def test_of_two_events_on_one_edge_that_catch_the_same_one_is_too_many(definition: str) -> None:
    thrown = error_end("refused") if "error" in definition else escalate("refused") + end("told") + flows("refused -> told")
    scope = sub("work", start("begin"), user("ask"), exclusive("x", "x-done"), thrown, end("done"),
                flows("begin -> ask -> x -> done", "x -> refused if ${approved}"))  # fmt: skip
    edges = on_edge("one", "work", definition), on_edge("two", "work", definition)
    ways = flows("start -> enter -> work -> next -> end", "one -> next", "two -> next")
    assert checked(scope, *edges, *AFTER, ways) == {"error-caught-twice"}


def test_conditions_and_a_default_out_of_a_task_are_accepted_and_their_join_is_warned_of() -> None:
    asks = user("ask", attributes='camunda:candidateGroups="Sales" default="ask-b"')
    ways = flows("start -> enter -> ask", "ask -> a if ${approved}", "ask -> b", "a -> join", "b -> join", "join -> next -> end")
    tasks = asks, user("a"), user("b"), *AFTER
    assert checked(*tasks, exclusive("join"), ways) == set()
    assert checked(*tasks, parallel("join"), ways) == {"parallel-join-after-exclusive-split"}
