"""What is written about the command line is what it does: docs/commands.md and docs/json.md."""

from __future__ import annotations

import re
import runpy
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from engine.connector import ChargeState, RefundState
from engine.services.reminding import ReminderState
from engine.store import calls, instances, jobs, messages, sent_messages, subscriptions, timers, user_tasks
from tests.acceptance.program import CHECKOUT, PROCESS, PROCESSES, Done, Program, settings
from tests.builders.drawing import carry_over, diagram, element, end, flows, start, timer
from tests.builders.events import catch, catch_signal, event_gateway

DOCS = CHECKOUT / "docs"
SILENCED = CHECKOUT / "tests" / "definitions" / "check" / "silence-unused" / "valid"

Forms = dict[str, dict[str, str]]


def test_the_command_reference_is_up_to_date() -> None:
    written = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(DOCS / "generate.py"))["command_reference"](), "Do: python docs/generate.py"


def test_the_rule_reference_is_up_to_date() -> None:
    written = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(DOCS / "generate.py"))["rule_reference"](), "Do: python docs/generate.py"


@pytest.fixture(scope="session")
def forms() -> Forms:
    """docs/json.md: by heading the keys with their types."""
    found: Forms = {}
    for section in re.split(r"^## ", (DOCS / "json.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        found[title] = dict(re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", text, flags=re.MULTILINE))
        extended = re.search(r"What an? \[(\w+)\]\(#\w+\) has, and:", text)
        if extended:
            found[title] = found[extended[1]] | found[title]
    return found


KINDS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "any": lambda _: True,
    "time": lambda value: value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None,
}


def departures(value: Any, kind: str, forms: Forms, place: str) -> Iterator[str]:
    """Where a value is not what the documentation says."""
    if kind.endswith(" or null"):
        if value is not None:
            yield from departures(value, kind.removesuffix(" or null"), forms, place)
    elif kind.startswith("list of "):
        for number, item in enumerate(value):
            yield from departures(item, kind.removeprefix("list of "), forms, f"{place}[{number}]")
    elif kind in forms:
        if list(value) != list(forms[kind]):
            yield f"{place}: {kind} has {list(value)}, documented are {list(forms[kind])}"
        for key in value.keys() & forms[kind].keys():
            yield from departures(value[key], forms[kind][key], forms, f"{place}.{key}")
    elif not KINDS[kind](value):
        yield f"{place}: {value!r} is no {kind}"


def asked_for_a_refund(run: Program, stripe: dict[str, str]) -> Program:
    """A refund of i1's charge, which another account's Stripe refuses."""
    customer = run("charges", "--json", "--period", "2026-10").json[-1]["customer"]
    bill = settings(stripe_customer_id=customer, billing_month="2026-10", currency="EUR", customer_name="Ann")
    run("start", "refund", *bill)
    why = settings(email="ann@example.com", refund_reason="duplicate", refund_comment="Twice.")
    for values, who in ((why, "sara"), (settings(approval="approve"), "mia")):
        task = run("tasks", "--json").json[-1]["id"]
        run("complete", task, *values, "--as", who)
    run("work", "--until-idle", code=3, **stripe)
    return run


def months_end(run: Program) -> list[tuple[Done, str]]:
    """What the commands about the roster and about periods print. Nobody but cus_new is billed for July."""
    new = settings(stripe_customer_id="cus_new", currency="EUR", customer_name="New", email="new@example.com")
    coverage = ("coverage", PROCESS, "--period", "2026-07", "--json")
    decided, july = ("--reason", "Why.", "--json"), ("--from", "2026-08")
    printed = [
        (run("customers", "enrol", PROCESS, *new, "--period", "2026-07", "--json"), "list of row"),
        (run(*coverage, "--by", "task", code=3), "list of coverage group"),
        (run("close", PROCESS, "--period", "2026-07", "--json", code=3), "closing"),
    ]
    [row] = run(*coverage, code=3).json
    run("cancel", row["instance"], "--reason", "By mistake.")
    printed += [
        (run(*coverage, code=3), "list of coverage row"),
        (run(*coverage, "--repair"), "list of repair"),
        (run("customers", "pause", PROCESS, "cus_new", *july, *decided), "roster event"),
        (run("customers", "list", PROCESS, "--json"), "list of customer"),
        (run("customers", "show", PROCESS, "cus_new", "--json"), "customer in full"),
        (run("close", PROCESS, "--period", "2026-08", "--unreconciled", "They pause.", "--json"), "closing"),
        (run("periods", PROCESS, "--json"), "list of period"),
    ]
    return [*printed, (run("reopen", PROCESS, "--period", "2026-08", *decided), "closing record")]


def messages_from_outside(run: Program) -> list[tuple[Done, str]]:
    """What the commands about messages and signals print: one instance waits for a message, another for a signal."""
    parts = (start(), event_gateway("first"), catch("paid", by="${order}"), catch_signal("alarm"), end())
    timed = (element("startEvent", "daily", timer("R/P1D", "timeCycle")), end("done"))
    ways = flows("start -> first -> paid -> end", "first -> alarm -> end", "daily -> done")
    (run.folder / "orders.bpmn").write_bytes(diagram(*parts, *timed, ways, key="orders"))
    (run.folder / "orders.carry-over.yaml").write_bytes(
        carry_over({"order": "{type: string, carry: drop}"}, repeats="", key="orders")
    )
    run("deploy", "orders.bpmn")
    run("start", "orders", *settings(order="A"))
    kept = run("send", "paid", "--key", "B", "--set", "amount=5", "--id", "evt_1", "--json")
    return [
        (kept, "sent message"),
        (run("messages", "--json"), "messages"),
        (run("signal", "alarm", "--json"), "sent signal"),
    ]


def simulated(run: Program) -> Done:
    """An afternoon with an error that nothing catches, so that there is trouble to tell."""
    (run.folder / "p.yaml").write_text("services: {email.send: {errors: {address_refused: 100%}}}\n")
    diagram = PROCESSES / f"{PROCESS}.bpmn"
    return run("simulate", diagram, "--customers", "3", "--months", "1", "--profile", "p.yaml", "--json")


def replayed(run: Program) -> Done:
    """October, with nothing charged below a limit and the details copied, and an instance that was tampered with."""
    changed = run.folder / "changed"
    shutil.copytree(PROCESSES, changed)
    diagram, carry_over = changed / f"{PROCESS}.bpmn", changed / f"{PROCESS}.carry-over.yaml"
    diagram.write_text(diagram.read_text().replace("${billing_amount &gt; 0}", "${billing_amount &gt; 90000}"))
    carry_over.write_text(carry_over.read_text().replace("drop, show_previous: true}", "copy}"))
    return run("replay", PROCESS, "--definition", diagram, "--period", "2026-10", "--json", code=3)


def test_what_commands_print_for_programs_is_what_is_documented(
    billed: Program, forms: Forms, another_account: dict[str, str]
) -> None:
    run = billed
    bad, rows = run.folder / "bad.bpmn", run.folder / "rows.csv"
    bad.write_text("hello")
    rows.write_text("stripe_customer_id,billing_month,currency\ncus_1,2026-10,EUR\ncus_1,2026-10,EUR\ncus_1,never,EUR\n")
    amount = settings(billing_amount="7", billing_details="Usage")
    (run.folder / "run-process.yaml").write_text("addresses: {Sales: s@example.com}\nreminders: {due_within: P60D}\n")
    printed = [
        (run("check", "bad.bpmn", "--json", code=3), "list of finding"),
        (run("check", "bad.bpmn", SILENCED, "--format", "json", code=3), "check report"),
        (run("test", PROCESSES / "refund.bpmn", "-k", "rejected", "--json"), "list of rehearsal"),
        (run("deploy", PROCESSES, "--json"), "list of deployed"),
        (simulated(run), "simulation"),
        (replayed(run), "replay"),
        (run("definitions", "--json"), "list of definition"),
        (run("start", PROCESS, "--csv", "rows.csv", "--json", code=3), "list of row"),
        (run("start", PROCESS, *settings(stripe_customer_id="cus_2", billing_month="2026-10"), "--json"), "instance"),
        (run("remind", "--json"), "list of reminder"),
        (run("complete", "t3", *amount, "--as", "sara", "--json"), "task"),
        (run("complete", "t6", *settings(approval="approve"), "--as", "mia", "--json"), "task"),
        (run("work", "--until-idle", "--json", code=3, **another_account), "backlog"),
        (run("incidents", "--json", code=3), "list of incident"),
        (run("retry", "x1", "--json", code=3, **another_account), "list of retried incident"),
        (run("workers", "--all", "--json", code=3), "list of worker"),
        (run("charges", "--json"), "list of ledger row"),
        (run("reconcile", PROCESS, "--period", "2026-10", "--json", code=3, **another_account), "reconciliation"),
        (asked_for_a_refund(run, another_account)("refunds", "--json"), "list of refund row"),
        (run("instances", "--json"), "list of instance"),
        (run("tasks", "--all", "--json"), "list of task"),
        (charged := run("show", "i1", "--json"), "instance in full"),
        (failed := run("show", "i2", "--json"), "instance in full"),
        (run("history", "i1", "--json"), "list of entry"),
        (run("chain", "i1", "--json"), "list of month"),
        (run("cancel", "i3", "--reason", "Enough.", "--json"), "cancelled instance"),
        *months_end(run),
        *messages_from_outside(run),
    ]
    assert [each for done, kind in printed for each in departures(done.json, kind, forms, kind)] == []
    assert all(done.json for done, _ in printed)
    seen = {kind.removeprefix("list of ") for _, kind in printed}
    nested = {part.removeprefix("list of ") for form in forms.values() for kind in form.values() for part in kind.split(" or ")}
    assert forms.keys() - seen - nested == set()

    assert charged.json["data"]["billing_amount"] == charged.json["charges"][0]["amount"] == 12_050
    before = failed.json["previous_values"]
    assert before["billing_amount"] == {"value": 12_050, "currency": "EUR"}
    assert before["billing_details"].keys() == {"value"}


STATES = {
    "instance": {instances.ACTIVE, instances.COMPLETED, instances.CANCELLED},
    "task": {user_tasks.OFFERED, user_tasks.CLAIMED, user_tasks.COMPLETED, user_tasks.WITHDRAWN},
    "job": {jobs.READY, jobs.LEASED, jobs.FAILED, jobs.DONE, jobs.WITHDRAWN},
    "timer": {timers.WAITING, timers.FIRED, timers.WITHDRAWN, timers.FAILED},
    "call": {calls.ACTIVE, calls.ENDED, calls.RETURNED, calls.WITHDRAWN, calls.FAILED},
    "message": {messages.WAITING, messages.DELIVERED, messages.FAILED, messages.SETTLED},
    "subscription": {subscriptions.WAITING, subscriptions.RECEIVED, subscriptions.WITHDRAWN},
    "sent message": {
        sent_messages.WAITING,
        sent_messages.KEPT,
        sent_messages.DELIVERED,
        sent_messages.FAILED,
        sent_messages.SETTLED,
    },
    "charge": {str(state) for state in ChargeState},
    "refund": {str(state) for state in RefundState},
    "reminder": {str(state) for state in ReminderState},
}


@pytest.mark.parametrize("form", STATES)
def test_every_state_is_documented(form: str) -> None:
    text = (DOCS / "json.md").read_text(encoding="utf-8").split(f"\n## {form}\n")[1]
    line = next(line for line in text.splitlines() if line.startswith("| `state` "))
    assert set(re.findall(r"`(\w+)`", line)) - {"state"} == STATES[form]
