"""What `check` accepts of timers, and what it finds."""

from __future__ import annotations

import pytest

from tests.builders.drawing import (
    billing,
    boundary_timer,
    carry_over,
    element,
    end,
    exclusive,
    files,
    found,
    parallel,
    service,
    throw,
    user,
    verdicts,
    wait,
)

PAUSED = {"charge": "charge -> pause -> next -> end"}
REMIND = boundary_timer("remind", "approve", interrupting=False)
CONTROLS = ("{path: charge, must_pass: approve}", "{every_end: hands_over, except: [stopped]}")


def paused(text: str, kind: str = "timeDuration") -> dict[str, bytes]:
    return files(billing({"pause": wait("pause", text, kind)}, PAUSED))


def reminded(**drawn: dict[str, str]) -> dict[str, bytes]:
    nodes = {"remind": REMIND, "reminded": end("reminded"), **drawn.get("nodes", {})}
    return files(billing(nodes, {"remind": "remind -> reminded", **drawn.get("ways", {})}), carry_over(controls=CONTROLS))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("PT30S", "timeDuration"),
        ("\n   P1M  ", "timeDuration"),
        ("${'P' + str(amount) + 'D'}", "timeDuration"),
        ("2026-12-01T09:00:00Z", "timeDate"),
        ("2026-12-01T09:00:00+09:00", "timeDate"),
        ("2026-12-01", "timeDate"),
        ("${month + '-15'}", "timeDate"),
    ],
)
def test_a_time_is_written_as_modelers_write_it(text: str, kind: str) -> None:
    assert found(paused(text, kind)) == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("3 days", "timeDuration"),
        ("PT0S", "timeDuration"),
        ("-P1D", "timeDuration"),
        ("2026-12-01", "timeDuration"),
        ("P3D", "timeDate"),
        ("2026-06-31", "timeDate"),
        ("2026-12-01 09:00", "timeDate"),
        ("2026-W49-2", "timeDate"),
        ("tomorrow", "timeDate"),
    ],
)
def test_a_literal_that_is_no_time_is_refused_where_it_stands(text: str, kind: str) -> None:
    given = paused(text, kind)
    [finding] = found(given)
    drawn = given["billing.bpmn"]
    assert (finding.rule, finding.element) == ("timer-invalid", "pause")
    assert finding.position.line == drawn[: drawn.index(b"<timerEventDefinition>")].count(b"\n") + 1
    assert "Do: write one as in" in finding.message


@pytest.mark.parametrize("inside", ["", "<timeDate>2026-12-01</timeDate><timeDuration>P1D</timeDuration>", "<timeDate/>"])
def test_a_timer_has_one_time(inside: str) -> None:
    pause = element("intermediateCatchEvent", "pause", f"<timerEventDefinition>{inside}</timerEventDefinition>")
    [finding] = found(files(billing({"pause": pause}, PAUSED)))
    assert finding.rule == "timer-invalid"
    assert "it has none, or more than one" in finding.message


def test_what_a_timer_reads_is_a_data_item() -> None:
    [finding] = found(paused("${mont + '-15'}", "timeDate"))
    assert (finding.rule, finding.element) == ("unknown-data-item", "pause")
    assert "in the timer" in finding.message


def test_an_expression_that_is_none_is_found() -> None:
    assert verdicts(paused("${month +}", "timeDate")) == {"expression-invalid"}


def test_a_timer_may_read_what_nothing_else_mentions() -> None:
    given = files(
        billing({"pause": wait("pause", "${until}", "timeDate")}, PAUSED),
        carry_over({
            "customer": "{type: string, carry: copy}", "month": "{type: month, carry: next}",
            "amount": "{type: integer, carry: drop}", "approved": "{type: boolean, carry: drop}",
            "receipt": "{type: string, carry: drop}", "until": "{type: date, carry: copy}",
        }),
    )  # fmt: skip
    assert found(given) == ()


# --- boundary timers and the controls -------------------------------------------------------------------------------


def test_a_reminder_and_a_deadline_are_accepted() -> None:
    late = {"late": boundary_timer("late", "approve", "P5D"), "escalate": user("escalate")}
    assert found(reminded(nodes=late, ways={"late": "late -> escalate -> approve"})) == ()


def test_a_deadline_that_leads_past_the_approval_is_found() -> None:
    late = {"late": boundary_timer("late", "approve", "P5D")}
    [finding] = found(files(billing(late, {"late": "late -> charge"}), carry_over(controls=CONTROLS)))
    assert finding.rule == "control-must-pass"
    assert "Approve -> Late -> Charge" in finding.message


def test_a_reminder_that_leads_past_the_approval_is_found() -> None:
    assert "control-must-pass" in verdicts(reminded(nodes={"reminded": ""}, ways={"remind": "remind -> charge"}))


def test_a_deadline_that_ends_the_chain_is_found() -> None:
    late = {"late": boundary_timer("late", "approve", "P5D"), "given_up": end("given_up")}
    [finding] = found(files(billing(late, {"late": "late -> given_up"}), carry_over(controls=CONTROLS)))
    assert (finding.rule, finding.element) == ("control-every-end", "given_up")


def test_the_end_of_a_reminder_s_way_ends_no_chain() -> None:
    assert found(reminded()) == ()


def test_a_reminder_s_way_that_ends_everything_is_found() -> None:
    given = reminded(nodes={"reminded": end("reminded", inside="<terminateEventDefinition/>")})
    assert [(each.rule, each.element) for each in found(given)] == [("control-every-end", "reminded")]


def test_an_end_that_the_task_s_own_way_comes_to_as_well_is_no_reminder_s_end() -> None:
    given = reminded(
        nodes={"decision": exclusive("decision", "decision-enter")}, ways={"x": "decision -> reminded if ${amount < 0}"}
    )
    assert [(each.rule, each.element) for each in found(given)] == [("control-every-end", "reminded")]


@pytest.mark.parametrize("target", ["decision", "approve", "charge", "enter", "next"])
def test_a_reminder_that_comes_to_what_follows_its_task_is_found(target: str) -> None:
    assert "timer-meets-its-task" in verdicts(reminded(nodes={"reminded": ""}, ways={"remind": f"remind -> {target}"}))


def test_a_reminder_that_throws_a_hand_over_of_its_own_is_found() -> None:
    given = reminded(nodes={"second": throw("second")}, ways={"remind": "remind -> second -> reminded"})
    assert "timer-meets-its-task" in verdicts(given)


def test_a_reminder_s_way_may_do_work_of_its_own() -> None:
    given = reminded(
        nodes={"mail": service("mail", {"amount": "${amount}"}, {}), "gate": exclusive("gate", "gate-reminded")},
        ways={"remind": "remind -> gate -> reminded", "mail": "gate -> mail if ${amount > 0}", "done": "mail -> reminded"},
    )
    assert verdicts(given) == {"error-code-not-caught"}


def test_a_deadline_may_lead_to_what_follows_its_task() -> None:
    assert found(files(billing({"late": boundary_timer("late", "call")}, {"late": "late -> charge"}))) == ()


def test_the_second_token_of_a_reminder_does_not_make_a_join_wait_for_a_choice() -> None:
    drawn = {"split": parallel("split"), "check": user("check"), "join": parallel("join")}
    ways = {"charge": "charge -> split -> check -> join -> next -> end", "other": "split -> wait -> join"}
    given = reminded(nodes={**drawn, "wait": wait("wait")}, ways=ways)
    assert found(given) == ()


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_deadline_may_leave_a_claimed_task_alone(value: str) -> None:
    given = billing({"late": boundary_timer("late", "call", unless_claimed=value)}, {"late": "late -> charge"})
    assert found(files(given)) == ()


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (boundary_timer("late", "call", unless_claimed="yes"), 'Expected true or false for unless_claimed, but it is "yes"'),
        (boundary_timer("late", "call", unless_claimed="true", interrupting=False), "Expected unless_claimed on an interrupting"),
    ],
)
def test_what_is_no_deadline_takes_no_task_away(drawn: str, says: str) -> None:
    findings = found(files(billing({"late": drawn}, {"late": "late -> charge"})))
    [finding] = [each for each in findings if each.rule == "unless-claimed-invalid"]
    assert says in finding.message


# --- loops ----------------------------------------------------------------------------------------------------------

LOOP = {"next_try": "decision -> pause if ${amount < 0}", "back": "pause -> decision"}


def test_a_loop_may_wait_for_a_duration_alone() -> None:
    assert found(files(billing({"pause": wait("pause", "P1D")}, LOOP))) == ()


def test_a_loop_that_waits_for_a_date_alone_would_run_for_ever_once_it_has_passed() -> None:
    [finding] = found(files(billing({"pause": wait("pause", "2026-12-01", "timeDate")}, LOOP)))
    assert finding.rule == "endless-loop-without-wait"
    assert "Decision -> Pause -> Decision" in finding.message


@pytest.mark.parametrize(
    ("text", "kind", "rules"), [("P1D", "timeDuration", set()), ("2026-12-01", "timeDate", {"endless-loop-without-wait"})]
)
def test_a_date_that_leads_back_to_its_own_task_would_too(text: str, kind: str, rules: set[str]) -> None:
    assert verdicts(files(billing({"late": boundary_timer("late", "approve", text, kind)}, {"late": "late -> approve"}))) == rules
