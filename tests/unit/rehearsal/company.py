"""A small process with its scenarios, as analysts write them."""

from __future__ import annotations

from textwrap import dedent

from engine.definition.process_definition import read_definition
from engine.execution.executable import Executable
from engine.rehearsal.performance import Performance, perform
from engine.rehearsal.scenario import Scenario
from engine.rehearsal.scenario_reader import read_scenarios
from tests.builders.drawing import (
    boundary,
    boundary_timer,
    carry_over,
    connectors,
    diagram,
    end,
    exclusive,
    files,
    flows,
    form_field,
    service,
    start,
    throw,
    user,
)

FILE = "billing.scenarios.yaml"
ITEMS = {
    "customer": "{type: string, carry: copy}",
    "month": "{type: month, carry: next}",
    "currency": "{type: currency, carry: copy}",
    "amount": "{type: money, currency: currency, carry: drop}",
    "approved": "{type: boolean, carry: drop}",
    "receipt": "{type: string, carry: drop}",
    "paid_at": "{type: string, carry: drop}",
    "problem": "{type: text, carry: drop}",
}
DEFINITION = read_definition(
    files(
        diagram(
            start(),
            start("again", "m_next"),
            user("enter", form_field("amount")),
            user("approve", form_field("approved", "boolean"), 'camunda:candidateGroups="Managers"'),
            exclusive("decision", "no"),
            service("charge", {"amount": "${amount}"}, {"receipt": "${payment_id}"}),
            boundary("declined", "charge", attributes='camunda:errorMessageVariable="problem"'),
            user("call"),
            boundary_timer("later", "call", "P3D"),
            throw("next"),
            end(),
            flows("start -> enter -> approve -> decision", "again -> enter", "declined -> call -> charge", "later -> charge"),
            flows("decision -> charge if ${approved}", "charge -> next -> end"),
            '<sequenceFlow id="no" name="sent back" sourceRef="decision" targetRef="enter"/>',
        ),
        carry_over(ITEMS),
    )
)
EXECUTABLE = Executable(DEFINITION)
HEAD = "process: billing\nstart: {customer: acme, month: 2026-12, currency: USD}\n"


def read(text: str, head: str = HEAD) -> tuple[Scenario, ...]:
    """The scenarios in a text that begins with `scenarios:`."""
    return read_scenarios((head + dedent(text)).encode(), FILE, DEFINITION, connectors())


def played(steps: str, head: str = HEAD) -> Performance:
    """One scenario, played: its `steps` and `expect`."""
    inside = "".join(f"    {line}\n" for line in dedent(steps).strip().splitlines())
    [scenario] = read(f"scenarios:\n  - name: It\n{inside}", head)
    return perform(scenario, EXECUTABLE, connectors())


def failure(steps: str, head: str = HEAD) -> str:
    """Why a scenario fails, with its line."""
    found = played(steps, head).failure
    assert found is not None
    return f"{found.position.line}: {found.message}"
