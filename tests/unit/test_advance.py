"""What one move does with data, people and time. Each move is made twice, from stored states (see tests/builders/play.py)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import TurnedClock
from engine.errors import DataRefused, DefinitionInvalid, ExpressionFailed, StateUnknown, TaskNotOpen
from engine.execution.advance import advance
from engine.execution.state import InstanceState, dump_state, load_state
from engine.execution.transition import CompleteUserTask, JobCreated, MessageThrown, UserTaskOpened
from tests.builders.drawing import ITEMS, boundary, end, exclusive, flows, form_field, script, service, start, throw, user
from tests.builders.play import Play, executable_of
from tests.doubles.context import START

# --- messages -------------------------------------------------------------------------------------------------------


def test_a_message_takes_the_data_along_as_it_stands_when_it_is_thrown() -> None:
    drawn = executable_of(
        start(), user("enter"), throw("next"), script("after", "amount = 0"), user("later"), end(),
        flows("start -> enter -> next -> after -> later -> end"),
    )  # fmt: skip
    play = Play(drawn).start(customer="acme").complete("enter", amount=7)
    assert play.thrown == [MessageThrown("next", "next", {"customer": "acme", "amount": 7})]
    assert play.data["amount"] == 0
    play.complete("later", amount=9)
    assert [message.data["amount"] for message in play.thrown] == [7]


def test_a_message_end_event_throws_and_ends() -> None:
    play = Play(executable_of(start(), end("next", "m_next"), flows("start -> next"))).start(customer="acme")
    assert play.thrown == [MessageThrown("next", "next", {"customer": "acme"})]
    assert play.end_events == ("next",)


def test_what_is_thrown_comes_before_what_is_opened() -> None:
    play = Play(executable_of(start(), throw("next"), user("after"), end(), flows("start -> next -> after -> end"))).start()
    assert [type(effect) for effect in play.effects] == [MessageThrown, UserTaskOpened]


# --- scripts and outputs --------------------------------------------------------------------------------------------


def test_a_script_reads_and_writes_data_items() -> None:
    drawn = executable_of(
        start(), script("double", "amount = amount * 2\nif amount > 10:\n    approved = False"), user("look"), end(),
        flows("start -> double -> look -> end"),
    )  # fmt: skip
    assert Play(drawn).start(amount=7).data == {"amount": 14, "approved": False}


@pytest.mark.parametrize("text", ["amount = 'much'", "approved = 1", "month = '2026-13'", "amount = 9223372036854775807 + 0"])
def test_a_script_that_gives_an_item_another_type_is_refused_and_nothing_has_changed(text: str) -> None:
    drawn = executable_of(start(), user("enter"), script("wrong", text), end(), flows("start -> enter -> wrong -> end"))
    play = Play(drawn).start()
    if text.endswith("+ 0"):
        play.complete("enter")  # the largest whole number is one
        return
    with pytest.raises(DataRefused):
        play.complete("enter")
    assert (play.waiting, play.data) == (["enter"], {})


PAYMENT = executable_of(
    start(),
    service("charge", {"amount": "${amount}", "purpose": "Bill of ${month}", "who": "${completed_by('enter')}"}, {
        "receipt": "${payment_id}", "approved": "${amount > 0}",
    }),
    boundary("declined", "charge", attributes='camunda:errorMessageVariable="receipt"'),
    user("enter"),
    end(),
    flows("start -> enter -> charge -> end", "declined -> enter"),
)  # fmt: skip


def test_parameters_are_evaluated_when_the_job_is_created_and_keep_their_types() -> None:
    play = Play(PAYMENT).start(month="2026-10").complete("enter", by="sara", amount=5)
    [job] = play.of_type(JobCreated)
    assert job.parameters == {"amount": 5, "purpose": "Bill of 2026-10", "who": "sara"}


def test_outputs_are_mapped_back_into_data_items() -> None:
    play = Play(PAYMENT).start(month="2026-10").complete("enter", amount=5).done("charge", payment_id="pay_1")
    assert (play.data["receipt"], play.data["approved"]) == ("pay_1", True)


@pytest.mark.parametrize("receipt", [7, True, ["pay_1"], {"typename": "x"}, "two\nlines", "\ud800"])
def test_an_output_of_the_wrong_type_is_refused_and_nothing_has_changed(receipt: Any) -> None:
    play = Play(PAYMENT).start(month="2026-10").complete("enter", amount=5)
    before = play.stored
    with pytest.raises(DataRefused, match="receipt"):
        play.done("charge", payment_id=receipt)
    assert play.stored == before
    assert play.done("charge", payment_id="pay_1").completed


def test_an_output_that_reads_what_the_connector_did_not_give_is_refused() -> None:
    play = Play(PAYMENT).start(month="2026-10").complete("enter", amount=5)
    with pytest.raises(ExpressionFailed):
        play.done("charge")
    assert play.waiting == ["charge"]


def test_an_error_message_that_does_not_fit_its_item_is_refused() -> None:
    play = Play(PAYMENT).start(month="2026-10").complete("enter", amount=5)
    with pytest.raises(DataRefused, match="receipt"):
        play.fail("charge", "declined", "two\nlines")
    assert play.fail("charge", "declined", "Card declined.").data["receipt"] == "Card declined."


def test_a_cleared_item_has_no_value_any_more() -> None:
    play = Play(PAYMENT).start(month="2026-10", receipt="old").complete("enter", amount=5, receipt=None)
    assert "receipt" not in play.data


# --- people and time ------------------------------------------------------------------------------------------------


def test_the_state_knows_everybody_who_completed_a_task_and_who_was_last() -> None:
    again = exclusive("again", "again-enter")
    drawn = executable_of(
        start(), user("enter"), again, end(), flows("start -> enter -> again -> end if ${approved}", "again -> enter")
    )
    play = Play(drawn).start().complete("enter", by="ann", approved=False).complete("enter", by="bob", approved=True)
    assert play.state.people == {"enter": ("ann", "bob")}
    assert play.state.completed_by("enter") == "bob"
    assert play.state.completed_by("approve") is None


@pytest.mark.parametrize(
    ("due", "days"), [("P30D", 30), (" P1W ", 7), ("${'P' + '2D'}", 2), ("P1M", 31)]
)  # fmt: skip
def test_a_task_is_due_a_duration_after_its_creation(due: str, days: int) -> None:
    attributes = f'camunda:candidateGroups="Sales" camunda:dueDate="{due}"'
    drawn = executable_of(
        start(), user("first"), user("enter", form_field("amount"), attributes), end(), flows("start -> first -> enter -> end")
    )
    clock = TurnedClock(START)
    play = Play(drawn, clock).start()
    clock.advance(timedelta(hours=5))
    [opened] = play.complete("first").of_type(UserTaskOpened)
    assert opened.due_at == START + timedelta(days=days, hours=5)


def test_a_due_date_that_is_no_duration_is_refused_when_the_task_would_be_created() -> None:
    attributes = 'camunda:candidateGroups="Sales" camunda:dueDate="${receipt}"'
    drawn = executable_of(start(), user("first"), user("enter", "", attributes), end(), flows("start -> first -> enter -> end"))
    play = Play(drawn).start(receipt="soon")
    with pytest.raises(DataRefused, match="ISO 8601 duration"):
        play.complete("first")
    assert play.complete("first", receipt=None).of_type(UserTaskOpened)[0].due_at is None


def test_the_time_of_day_changes_nothing_but_due_dates() -> None:
    early, late = TurnedClock(START), TurnedClock(START + timedelta(days=400))
    first = Play(PAYMENT, early).start(month="2026-10").complete("enter", amount=5)
    second = Play(PAYMENT, late).start(month="2026-10").complete("enter", amount=5)
    assert (first.stored, first.effects) == (second.stored, second.effects)


# --- states ---------------------------------------------------------------------------------------------------------


def test_nothing_can_be_completed_before_the_start() -> None:
    with pytest.raises(TaskNotOpen, match="it hasn't started"):
        advance(PAYMENT, None, CompleteUserTask(1, {}, "ann"), TurnedClock(START))


def test_the_trigger_of_a_token_that_is_not_open_changes_nothing() -> None:
    play = Play(PAYMENT).start(month="2026-10")
    before = play.stored
    with pytest.raises(TaskNotOpen):
        play.step(CompleteUserTask(999, {"amount": 1}, "ann"))
    assert play.stored == before


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_a_state_of_another_version_is_refused(version: Any) -> None:
    stored = json.loads(dump_state(InstanceState("start", [])))
    with pytest.raises(StateUnknown, match=r"Expected an instance state of version 1, .* Do: run the newest run-process"):
        load_state(json.dumps({**stored, "version": version}))


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '"state"', "{", '{"version":1}', '{"version":1,"start":"s","tokens":[]}']
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(StateUnknown):
        load_state(text)


def test_a_state_of_another_definition_is_refused() -> None:
    stored = Play(PAYMENT).start(month="2026-10").stored
    assert stored is not None
    other = executable_of(start(), user("other"), end(), flows("start -> other -> end"))
    with pytest.raises(StateUnknown, match=r"the flow node 'enter' in the definition, but it isn't there"):
        advance(other, load_state(stored), CompleteUserTask(4, {}, "ann"), TurnedClock(START))


TEXTS = st.text(max_size=200) | st.sampled_from(
    ["💶 zwölf", "\ud800", "x" * 9_000, "\x00", "</script>", "${amount}", "__class__"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["typename", "__class__", "value", "💶"]) | TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["typename", "__class__", "💶", "id"]) | TEXTS, VALUES, max_size=4), TEXTS)
def test_whatever_data_a_state_holds_comes_back_as_it_was(data: dict[str, Any], person: str) -> None:
    state = InstanceState("start", [1, False, []], data, {"enter": (person,)})
    stored = dump_state(state)
    stored.encode("ascii")
    assert load_state(stored) == state


@pytest.mark.parametrize("name", ["classname", "data", "tokens", "version", "module"])
def test_items_named_like_the_library_s_own_keys_are_items_like_others(name: str) -> None:
    drawn = executable_of(
        start(), user("enter", form_field(name)), throw("next"), user("later"), end(),
        flows("start -> enter -> next -> later -> end"), items={**ITEMS, name: "{type: text, carry: drop}"},
    )  # fmt: skip
    play = Play(drawn).start().complete("enter", **{name: "SpiffWorkflow.task.Task 💶"})
    assert play.data[name] == play.thrown[0].data[name] == "SpiffWorkflow.task.Task 💶"
    assert play.complete("later").completed


def test_the_one_name_that_the_library_would_stumble_over_is_refused_with_the_map() -> None:
    with pytest.raises(DefinitionInvalid, match=r"typename has a meaning of its own. Do: use another name"):
        executable_of(start(), end(), flows("start -> end"), items={**ITEMS, "typename": "{type: text, carry: drop}"})


def test_a_state_is_not_shared_with_the_next_one() -> None:
    play = Play(PAYMENT).start(month="2026-10")
    before = play.state
    after = advance(PAYMENT, before, CompleteUserTask(play.token("enter"), {"amount": 1}, "ann"), play.clock).state
    assert (dict(before.data), dict(before.people)) == ({"month": "2026-10"}, {})
    assert replace(after, data={}) != replace(before, data={})
