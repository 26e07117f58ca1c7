"""Each rule on the smallest change to a faultless process that breaks it."""

from __future__ import annotations

import pytest

from engine.definition.check import RULES, verdict
from tests.builders.drawing import (
    ITEMS,
    REPEATS,
    billing,
    boundary,
    boundary_timer,
    carry_over,
    diagram,
    element,
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
    user,
    verdicts,
    wait,
)

PAY = {"amount": "${amount}"}
NO_MAP = {"billing.bpmn": billing()}
SIMPLE = (start(), user("a", form_field("amount", "long")), end(), flows("start -> a -> end"))
ONLY_AMOUNT = carry_over({"amount": "{type: integer, carry: drop}"}, repeats="")


def controlled(*controls: str, **drawn: dict[str, str]) -> dict[str, bytes]:
    return files(billing(**drawn), carry_over(controls=controls))


# rule -> files that break it, and what its message must say
BROKEN = {
    "one-process-per-file": (files(billing(beside='<process id="second"><task id="t"/></process>')), "pool without content"),
    "process-not-executable": (files(billing(attributes='isExecutable="false"')), "Executable"),
    "process-id-mismatch": (files(billing(key="other")), '"billing" as the file is named'),
    "duplicate-id": (files(billing({"extra": '<textAnnotation id="charge"/>'})), '"charge" is used again'),
    "reserved-id": (files(diagram(start("Start"), end(), flows("Start -> end"))), '"Start"'),
    "id-too-long": (files(billing().replace(b"charge", b"x" * 256)), "at most 255 characters"),
    "missing-reference": (files(billing(ways={"extra": "call -> nowhere"})), 'no "nowhere"'),
    "start-event-required": (files(diagram(user("a"), end(), flows("a -> end"))), "a start event"),
    "several-none-starts": (files(billing({"s2": start("s2")}, {"s2": "s2 -> enter"})), "one start event without a message"),
    "several-message-starts": (files(billing({"s2": start("s2", "m_next")}, {"s2": "s2 -> enter"})), '"next"'),
    "start-has-incoming": (files(billing(ways={"x": "call -> start"})), "into a start event"),
    "boundary-has-incoming": (files(billing(ways={"x": "call -> declined"})), "into a boundary event"),
    "end-has-outgoing": (files(billing(ways={"x": "stopped -> call"})), "out of an end event"),
    "no-implicit-end": (files(billing(ways={"declined": "declined -> call"})), "leaves this element"),
    "boundary-event-detached": (files(billing({"declined": boundary("declined", "decision")})), "sit on an activity"),
    "flow-crosses-sub-process": (
        files(billing({"sub": element("subProcess", "sub", user("inner"))}, {"x": "call -> inner"})),
        "crosses its edge",
    ),
    "label-required": (
        files(diagram('<startEvent id="start"/>', '<userTask id="a"/>', end(), flows("start -> a -> end"))),
        "a name",
    ),
    "unknown-user-task": (
        files(billing({"charge": service("charge", {**PAY, "purpose": "${completed_by('aprove')}"}, {})})),
        '"approve"',
    ),
    "camunda-8-dialect": (
        files(billing({"call": user("call", attributes='zeebe:x="1"')})),
        "Camunda 8",
    ),
    "unsupported-element": (files(billing({"call": element("task", "call")})), "a task without a kind"),
    "drawing-only": (files(billing({"data": '<dataObject id="data"/>'})), "1 data object"),
    "gateway-condition-missing": (files(billing(ways={"yes": "decision -> charge"})), '"decision-charge"'),
    "condition-needs-split": (files(billing(ways={"charge": "charge -> next -> end if ${approved}"})), '"Next", which doesn'),
    "unreachable-node": (files(billing({"island": user("island")}, {"x": "island -> end"})), "a way from a start event"),
    "parallel-join-after-exclusive-split": (
        files(
            diagram(
                *(start(), exclusive("x", "x-b"), user("a"), user("b"), parallel("join"), end()),
                flows("start -> x -> a if ${approved}", "a -> join", "x -> b -> join", "join -> end"),
            )
        ),
        '"X" chooses one',
    ),
    "endless-loop-without-wait": (
        files(
            diagram(
                *(start(), script("s", "amount = amount + 1"), exclusive("x", "x-s"), end()),
                flows("start -> s -> x", "x -> s", "x -> end if ${amount > 3}"),
            )
        ),
        "S -> X -> S",
    ),
    "timer-invalid": (
        files(
            billing({"next_year": wait("next_year", "next year", "timeDate")}, {"charge": "charge -> next_year -> next -> end"})
        ),
        '"next year" is none',
    ),
    "unless-claimed-invalid": (
        files(billing({"late": boundary_timer("late", "charge", unless_claimed="true")}, {"late": "late -> call"})),
        "on an interrupting timer of a user task",
    ),
    "timer-meets-its-task": (
        files(billing({"remind": boundary_timer("remind", "approve", interrupting=False)}, {"remind": "remind -> decision"})),
        "Remind -> Decision -> Charge",
    ),
    "task-without-group": (files(billing({"call": user("call", attributes="")})), "offered to everyone"),
    "due-date-invalid": (files(billing({"call": user("call", attributes='camunda:dueDate="30 days"')})), '"30 days"'),
    "duplicate-form-field": (files(billing({"call": user("call", form_field("amount", "long") * 2)})), '"amount"'),
    "form-field-unknown-item": (files(billing({"call": user("call", form_field("custommer"))})), 'write "customer"'),
    "form-field-type": (files(billing({"call": user("call", form_field("amount", "string"))})), "type long"),
    "carry-over-map-missing": (NO_MAP, "billing.carry-over.yaml"),
    "expression-invalid": (files(billing(ways={"yes": "decision -> charge if ${approved = True}"})), '"=="'),
    "script-required": (files(billing({"call": element("scriptTask", "call")})), "a script"),
    "condition-not-boolean": (files(billing(ways={"yes": "decision -> charge if ${amount}"})), "amount == ..."),
    "unknown-data-item": (files(billing(ways={"yes": "decision -> charge if ${aproved}"})), 'write "approved"'),
    "item-unused": (files(map_=carry_over({**ITEMS, "old": "{type: string, carry: drop}"})), '"old"'),
    "topic-required": (files(billing({"charge": element("serviceTask", "charge", "", 'camunda:type="external"')})), "pay"),
    "unknown-topic": (files(billing({"charge": service("charge", PAY, {}, topic="payy")})), 'write "pay"'),
    "duplicate-parameter": (
        files(billing({"charge": service("charge", PAY, {"receipt": "a", "receipt ": "b"})})),
        '"receipt"',
    ),
    "unknown-parameter": (files(billing({"charge": service("charge", {**PAY, "sum": "1"}, {})})), '"sum"'),
    "missing-parameter": (files(billing({"charge": service("charge", {}, {})})), '"amount", which pay needs'),
    "parameter-type": (files(billing({"charge": service("charge", {"amount": "ten"}, {})})), '"ten"'),
    "parameter-refused": (files(billing({"charge": service("charge", {**PAY, "template": "thanks"}, {})})), "mail/thanks.txt"),
    "unknown-output": (files(billing({"charge": service("charge", PAY, {"receipt": "${payment}"})})), 'write "payment_id"'),
    "error-code-not-caught": (
        files(billing({"declined": ""}, {"declined": "", "x": "decision -> call -> charge"})),
        '"declined"',
    ),
    "error-code-unknown": (files(billing({"declined": boundary("declined", "charge", "e_odd")})), 'never throws "odd"'),
    "error-caught-twice": (
        files(billing({"again2": boundary("again2", "charge")}, {"again2": "again2 -> call"})),
        '"declined"',
    ),
    "message-not-caught": (files(billing({"again": start("again", "m_other")})), '"next"'),
    "message-not-thrown": (files(billing({"next": throw("next", None)})), "throws"),
    "message-not-in-map": (
        files(map_=carry_over(repeats=REPEATS.replace("next", "later"))),
        '("later"), but this event has "next"',
    ),
    "message-thrown-twice": (files(billing({"end": end("end", "m_next")})), "Next -> End"),
    "control-unknown-element": (controlled("{path: Charge, must_pass: approve}"), "its id, charge"),
    "control-must-pass": (
        controlled("{path: charge, must_pass: approve}", ways={"again": "again -> charge"}),
        "Again -> Charge",
    ),
    "control-every-end": (controlled("{every_end: hands_over}"), "Start -> Enter -> Approve -> Decision -> Stopped"),
    "control-end-expected": (controlled("{every_end: hands_over, except: [stopped, charge]}"), '"charge"'),
    "control-different-people": (controlled("{different_people: [enter, charge]}"), '"charge"'),
    "secret-in-diagram": (
        files(billing({"call": user("call", attributes='name="sk_live_0123456789"')}).replace(b'name="Call" ', b"")),
        "API key",
    ),
}


def test_the_process_that_the_others_are_made_from_is_faultless() -> None:
    assert found(files()) == ()


def test_every_rule_is_tested_here() -> None:
    assert BROKEN.keys() <= {verdict(rule) for rule in RULES}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_definition_is_found_with_its_place_and_remedy(rule: str) -> None:
    given, says = BROKEN[rule]
    findings = [finding for finding in found(given) if finding.rule == rule]
    assert findings, f"{rule} isn't among {[str(each) for each in found(given)]}"
    assert any(says in finding.message for finding in findings), findings[0].message
    for finding in findings:
        assert finding.position.file in given
        assert finding.position.line > 0
        assert "Do: " in finding.message or rule == "expression-invalid"


@pytest.mark.parametrize("rule", RULES, ids=verdict)
def test_every_rule_says_in_words_what_it_is_about(rule: object) -> None:
    assert len((rule.__doc__ or "").split()) > 5


# --- what looks broken and isn't --------------------------------------------------------------------------------------


def test_paths_may_meet_again_without_a_gateway() -> None:
    assert found(files()) == ()  # `enter` is reached by three flows


def test_a_join_of_what_was_split_in_parallel_is_no_deadlock() -> None:
    drawn = diagram(
        *(start(), parallel("split"), user("a", form_field("amount", "long")), user("b"), parallel("join"), end()),
        flows("start -> split -> a -> join -> end", "split -> b -> join"),
    )
    assert found(files(drawn, ONLY_AMOUNT)) == ()


def test_a_choice_within_one_branch_of_a_parallel_split_is_no_deadlock() -> None:
    drawn = diagram(
        *(start(), parallel("split"), exclusive("x", "x-b"), user("a", form_field("amount", "long")), user("b")),
        *(exclusive("merge"), user("c"), parallel("join"), end()),
        flows("start -> split -> x -> a if ${amount == None}", "a -> merge -> join -> end", "x -> b -> merge"),
        flows("split -> c -> join"),
    )
    assert found(files(drawn, ONLY_AMOUNT)) == ()


def test_a_boundary_event_is_a_choice_too() -> None:
    drawn = diagram(
        *(start(), service("pay", PAY, {}), boundary("declined", "pay"), user("a", form_field("amount", "long"))),
        *(parallel("join"), end()),
        flows("start -> a -> pay -> join -> end", "declined -> join"),
    )
    assert verdicts(files(drawn, ONLY_AMOUNT)) == {"parallel-join-after-exclusive-split"}


def test_a_loop_with_a_user_task_may_go_round_for_ever() -> None:
    assert "endless-loop-without-wait" not in verdicts(files())


def test_a_boundary_event_without_an_error_catches_every_error() -> None:
    assert found(files(billing({"declined": boundary("declined", "charge", None)}))) == ()


def test_an_error_variable_is_a_data_item_that_is_written() -> None:
    catches = 'camunda:errorMessageVariable="why"'
    given = files(billing({"declined": boundary("declined", "charge", attributes=catches)}))
    assert [(each.rule, each.element) for each in found(given)] == [("unknown-data-item", "declined")]


def test_a_due_date_may_be_computed() -> None:
    task = user(
        "call", form_field("customer"), "camunda:candidateGroups=\"Sales\" camunda:dueDate=\"${'P' + str(amount) + 'D'}\""
    )
    assert found(files(billing({"call": task}))) == ()


def test_a_literal_that_the_schema_accepts_is_accepted() -> None:
    charge = service("charge", {"amount": "120", "template": "thanks"}, {"receipt": "${payment_id}"})
    assert found(files(billing({"charge": charge}), mail__thanks_txt=b"Thank you")) == ()


def test_a_pool_without_content_is_no_second_process() -> None:
    assert found(files(billing(beside='<process id="customer" isExecutable="false"/>'))) == ()


def test_a_field_of_choices_offers_those_of_its_data_item() -> None:
    items = {**ITEMS, "way": "{type: choice, choices: [card, bank], carry: drop}"}
    offered = '<camunda:value id="card" name="Card"/><camunda:value id="cash" name="Cash"/>'
    call = user("call", form_field("way", "enum", offered))
    assert verdicts(files(billing({"call": call}), carry_over(items))) == {"form-field-type"}
    call = user("call", form_field("way", "enum", offered.replace("cash", "bank")))
    assert found(files(billing({"call": call}), carry_over(items))) == ()


def test_where_the_map_is_missing_its_items_are_not_complained_about() -> None:
    assert verdicts(NO_MAP) == {"carry-over-map-missing"}


def test_a_process_that_only_a_message_starts_could_never_be_started() -> None:
    assert "start-event-required" in verdicts(files(billing({"start": ""}, {"start": "enter -> approve -> decision"})))


@pytest.mark.parametrize(
    ("written", "repeated"),
    [
        ("whsec_abcdefghijkl", "a Stripe webhook secret"),
        ("rk_test_abcdefgh12", "a Stripe API key"),
        ("smtp://clerk:hunter2@mail.example.com", "a password in an address"),
    ],
)
def test_a_secret_is_found_wherever_it_stands_and_is_not_repeated(written: str, repeated: str) -> None:
    given = files(mail__thanks_txt=f"Dear customer\n  {written}".encode())
    [finding] = found(given)
    assert (str(finding.position), finding.rule) == (
        f"billing.mail/thanks.txt:2:{6 + 4 if '@' in written else 3}",
        "secret-in-diagram",
    )
    assert repeated in finding.message
    assert written.partition("://")[2] not in finding.message or "://" not in written
    assert "abcdefgh" not in finding.message


def test_an_address_whose_password_is_an_expression_is_no_secret() -> None:
    assert found(files(mail__thanks_txt=b"smtp://clerk:${password}@example.com and 12:30 me@example.com")) == ()
