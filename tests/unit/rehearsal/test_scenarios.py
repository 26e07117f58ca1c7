"""What an analyst may let happen in a scenario, what may be expected of it, and what is told where it is not so."""

from __future__ import annotations

import pytest

from engine.definition.process_definition import read_definition
from engine.execution.executable import Executable
from engine.rehearsal.performance import Performance, perform
from engine.rehearsal.scenario_reader import read_scenarios
from tests.builders.drawing import carry_over, connectors, diagram, end, exclusive, files, flows, parallel, service, start, user
from tests.builders.events import catch, catch_signal, throw_message
from tests.unit.rehearsal.company import EXECUTABLE, FILE, HEAD, failure, played, read

TO_CHARGE = "- {task: enter, with: {amount: 12.50}}\n  - {task: approve, with: {approved: yes}}"


def passes(steps: str, head: str = HEAD) -> None:
    assert played(steps, head).failure is None


# --- what happens ---------------------------------------------------------------------------------------------------


def test_people_complete_tasks_and_jobs_succeed_by_themselves() -> None:
    passes(f"""
        steps:
          {TO_CHARGE.replace("  -", "          -")}
        expect: {{ended: end, ran: {{pay: {{amount: 1250}}}}, thrown: next, next: {{month: 2027-01, amount: }}}}
    """)


def test_tasks_and_jobs_go_by_their_names_as_well() -> None:
    passes("""
        steps:
          - {task: Enter, for: Sales, by: ann, with: {amount: 12.50}}
          - {task: Approve, for: Managers, by: mia, with: {approved: yes}}
          - {job: Charge, fails: declined, expect: {task: Call}}
          - {task: call}
          - {job: pay, succeeds: {payment_id: p7}, expect: {data: {receipt: p7}}}
    """)


def test_an_expectation_of_a_step_is_about_that_step_alone() -> None:
    passes("""
        steps:
          - {task: enter, with: {amount: 12.50}, expect: {ran: {charge: nothing}, thrown: nothing, passed: enter}}
          - {task: approve, with: {approved: yes}, expect: {ran: {charge: {}}, passed: [decision, charge, end]}}
          - {message: next, expect: {ran: {charge: nothing}, task: enter, ended: nothing}}
        expect: {ran: {charge: {}}, thrown: next}
    """)


def test_an_error_takes_the_words_of_the_connector_or_of_the_scenario() -> None:
    begins = "steps:\n  " + TO_CHARGE
    passes(f"{begins}\n  - {{job: charge, fails: declined, expect: {{data: {{problem: The card is declined.}}}}}}")
    passes(f"{begins}\n  - {{job: charge, fails: declined, says: Lost., expect: {{data: {{problem: Lost.}}}}}}")


def test_time_passes_and_what_comes_up_meanwhile_is_done_at_its_time() -> None:
    passes(f"""
        steps:
          {TO_CHARGE.replace("  -", "          -")}
          - {{job: charge, fails: declined}}
          - {{time: P2D, expect: {{task: call}}}}
          - {{time: P2D, expect: {{ended: end}}}}
    """)


def test_a_job_that_breaks_stays_open_until_it_is_done_after_all() -> None:
    passes(f"""
        steps:
          {TO_CHARGE.replace("  -", "          -")}
          - {{job: charge, breaks: No network.}}
          - {{time: P9D, expect: {{ended: nothing, ran: {{charge: nothing}}}}}}
          - {{job: charge, expect: {{ended: end}}}}
    """)


def test_a_scenario_can_begin_at_another_start_event_with_data_of_its_own() -> None:
    passes(
        "start_event: again\nstart: {customer: other, amount: 3}\nexpect: {passed: again, data: {customer: other, amount: 3.00}}"
    )


def test_what_the_product_refuses_can_be_expected() -> None:
    passes("steps:\n  - {task: enter, with: {amount: much}, refused: an amount in USD}\nexpect: {task: enter}")


# --- messages and signals -------------------------------------------------------------------------------------------

PAYING = Executable(
    read_definition(
        files(
            diagram(
                start(),
                parallel("fork"),
                catch("paid", outputs={"receipt": "${reference}"}),
                user("prepare"),
                throw_message("pay", inputs={"reference": "R1"}),
                parallel("join"),
                catch_signal("alarm"),
                end(),
                flows("start -> fork -> paid -> join -> alarm -> end", "fork -> prepare -> pay -> join"),
            ),
            carry_over(),
        )
    )
)


def paying(steps: str) -> Performance:
    text = f"process: billing\nstart: {{customer: acme, month: 2026-12}}\nscenarios:\n  - name: It\n    steps: {steps}\n"
    [scenario] = read_scenarios(text.encode(), FILE, PAYING.definition, connectors())
    return perform(scenario, PAYING, connectors())


def test_a_message_from_outside_goes_to_whoever_waits_for_it() -> None:
    paid = "{message: paid, with: {reference: R7}, expect: {data: {receipt: R7}}}"
    assert paying(f"[{paid}, {{task: prepare}}, {{signal: alarm, expect: {{ended: end}}}}]").failure is None


def test_a_thrown_message_arrives_by_itself_unless_a_step_is_about_it() -> None:
    assert paying("[{task: prepare, expect: {thrown: paid, data: {receipt: R1}}}]").failure is None
    waits = "[{task: prepare, expect: {data: {receipt: }}}, {message: paid, expect: {data: {receipt: R1}}}]"
    assert paying(waits).failure is None


def test_a_message_that_nobody_waits_for_fails_the_scenario() -> None:
    failed = paying("[{message: paid, key: other, with: {reference: R7}}]").failure
    assert failed is not None
    assert "waits for the message 'paid' with the correlation key 'other', but there is none." in failed.message


# --- what is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("steps:\n  - {task: approve}", "6: Expected the task approve (Approve) to be open, but the process waits at enter"),
        ("steps:\n  - {task: enter, for: Managers}", "6: Expected 'Enter' to be offered to 'Managers', but it is offered"),
        ("steps:\n  - {task: enter, with: {amount: 1}, refused: never}", "to be refused with 'never', but it was completed."),
        ("steps:\n  - {task: enter, with: {amount: x}, refused: never}", '6: amount: Expected an amount in USD, but "x" is'),
        ("steps:\n  - {job: charge}", "6: Expected the job charge to be open, but the process waits at enter (Enter)."),
        ("expect: {ended: end}", "5: Expected the instance to end at end (End), but it waits for enter (Enter)."),
        ("expect: {task: approve}", "Expected open tasks: approve (Approve), but there are: enter (Enter)."),
        ("expect: {task: nothing}", "Expected open tasks: none, but there are: enter (Enter)."),
        ("expect: {for: Managers}", "Expected tasks offered to 'Managers', but there are: enter for Sales."),
        ("expect:\n  data: {customer: other}", '6: Expected customer to be "other", but it is acme.'),
        ("expect: {data: {customer: }}", "Expected customer to be nothing, but it is acme."),
        ("expect: {data: {amount: 1.00}}", 'Expected amount to be "1.00", but it is nothing.'),
        ("expect: {data: {approved: perhaps}}", "approved: Expected yes or no"),
        ("expect: {thrown: next}", "Expected thrown messages: next, but there are: none."),
        ("expect: {next: {month: 2027-01}}", "Expected a next instance, but nothing was handed over."),
        ("expect: {passed: [start, approve]}", "Expected to pass approve (Approve), but passed was: start."),
        ("expect: {ran: {charge: {amount: 1}}}", "Expected pay once, but it did not run."),
    ],
)  # fmt: skip
def test_what_is_expected_and_what_is_found_are_told_with_their_line(steps: str, says: str) -> None:
    assert says in failure(steps)


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ("{ran: {charge: nothing}}", "Expected pay not to run, but it ran once"),
        ("{ran: {charge: {amount: 1251}}}", 'Expected pay with amount "1251", but it is 1250.'),
        ("{ran: {charge: [{amount: 1250}, {amount: 1}]}}", "Expected pay 2 times, but it ran once: amount 1250."),
        ("{next: {month: 2027-02}}", 'Expected month of the next instance to be "2027-02", but it is 2027-01.'),
        ("{ended: nothing}", "Expected the instance not to have ended, but it ended at end (End)."),
        ("{task: enter}", "Expected open tasks: enter (Enter), but there are: none."),
    ],
)
def test_what_was_done_is_told_where_another_thing_was_expected(expect: str, says: str) -> None:
    assert says in failure(f"steps:\n  {TO_CHARGE}\nexpect: {expect}")


def test_a_failure_tells_what_happened_up_to_there() -> None:
    performance = played(f"steps:\n  {TO_CHARGE}\n  - {{task: enter}}")
    assert list(performance.trail) == [
        "2026-10-01 09:00  started at start: start",
        "2026-10-01 09:00  sales completed Enter with amount 12.50 USD: enter",
        "2026-10-01 09:00  managers completed Approve with approved true: approve -> decision",
        "2026-10-01 09:00  charge (pay) succeeded: charge -> next -> end",
    ]
    assert performance.failure is not None
    assert performance.failure.message.endswith("but the instance has ended at end (End).")


def test_parameters_that_the_connector_would_refuse_fail_the_scenario() -> None:
    assert "Expected parameters that pay takes, but amount: " in failure(
        "steps:\n  - {task: enter}\n  - {task: approve, with: {approved: yes}}"
    )


def test_a_scenario_that_goes_on_forever_ends() -> None:
    drawn = diagram(
        start(), exclusive("merge"), service("charge", {"amount": "1"}, {}), flows("start -> merge -> charge -> merge")
    )
    endless = Executable(read_definition(files(drawn, carry_over())))
    [scenario] = read("scenarios: [{name: It}]", "process: billing\nstart: {customer: acme, month: 2026-12}\n")
    found = perform(scenario, endless, connectors()).failure
    assert found is not None
    assert "to come to rest, but 1000 jobs ran" in found.message


def test_nodes_and_flows_that_were_passed_are_known() -> None:
    performance = played("steps:\n  - {task: enter, with: {amount: 1}}\n  - {task: approve, with: {approved: no}}")
    assert performance.nodes == {"start", "enter", "approve", "decision"}
    assert performance.flows == {"start-enter", "enter-approve", "approve-decision", "no"}
    assert performance.nodes < set(EXECUTABLE.nodes)
