"""`remind`, and what `tasks` says of overdue ones."""

from __future__ import annotations

import email
import shutil
import time
from datetime import datetime
from email.message import EmailMessage
from email.policy import default

import pytest

from tests.acceptance.program import OPERATOR, PROCESS, PROCESSES, SALES, Program, bill_of

CONFIGURATION = """\
groups:
  Sales: [sara, tom]
addresses:
  Sales: sales@example.com
  mia: mia@example.com
reminders:
  escalate_after: PT1S
  escalate_to: mia
"""


@pytest.fixture
def late(run: Program) -> Program:
    """The shipped process, with a second for what has thirty days; t1 is overdue."""
    folder = run.folder / "processes"
    shutil.copytree(PROCESSES, folder)
    diagram = folder / f"{PROCESS}.bpmn"
    text = diagram.read_text(encoding="utf-8")
    assert 'camunda:dueDate="P30D"' in text
    diagram.write_text(text.replace('camunda:dueDate="P30D"', 'camunda:dueDate="PT1S"'), encoding="utf-8")
    run("deploy", diagram, "--as", OPERATOR)
    run("start", PROCESS, *bill_of("cus_1"), "--as", OPERATOR)
    time.sleep(2)
    return run


def mails(run: Program) -> dict[str, EmailMessage]:
    """By address, those in the folder that mail goes to unless a server is set."""
    found = [email.message_from_bytes(path.read_bytes(), policy=default) for path in (run.folder / "mail").glob("*.eml")]
    return {str(each["To"]): each for each in found if isinstance(each, EmailMessage)}


def test_reminders_are_shown_sent_and_not_sent_twice(late: Program) -> None:
    (late.folder / "run-process.yaml").write_text(CONFIGURATION)
    shown = late("remind", "--dry-run")
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["ADDRESS", "FOR", "OVERDUE", "DUE", "SOON", "ESCALATED", "STATE", "TASKS"],
        ["mia@example.com", "mia", "0", "0", "1", "planned", "t1"],
        ["sales@example.com", "Sales", "1", "0", "0", "planned", "t1"],
    ]
    assert not (late.folder / "mail").exists()
    before = datetime.now().astimezone().date()
    sent, again = late("remind", "--json").json, late("remind", "--json").json
    assert [(each["address"], each["state"]) for each in sent] == [("mia@example.com", "sent"), ("sales@example.com", "sent")]
    if before == datetime.now().astimezone().date():
        assert {each["state"] for each in again} == {"already"}
    mail = mails(late)["sales@example.com"]
    assert mail["Subject"] == "Tasks: 1 overdue"
    for part in ("t1  1. Charging amount entry", "customer cus_1, period 2026-10", "offered to Sales", "run-process tasks t1"):
        assert part in mail.get_content()


def test_a_group_without_an_address_is_a_reason_to_call_a_person(late: Program) -> None:
    done = late("remind", code=3)
    assert "Sales" in done.stdout
    assert done.stderr.splitlines() == [
        "Expected an address for Sales, but run-process.yaml has none. Do: add it under `addresses`."
    ]


def test_nothing_due_is_said_and_no_failure(deployed: Program) -> None:
    done = deployed("remind")
    assert (done.stdout, done.stderr) == ("", "No task is overdue or due soon.\n")


def test_a_wrong_configuration_is_told_with_its_place(late: Program) -> None:
    (late.folder / "run-process.yaml").write_text("addresses:\n  Sales: sales(at)example.com\n")
    message = late.refused("remind")
    assert "run-process.yaml:2:10: Expected one e-mail address" in message


def test_overdue_tasks_are_marked_and_listed(late: Program) -> None:
    listed = late("tasks").stdout.splitlines()[1]
    assert "Z, overdue " in listed
    assert "Z, overdue " in late("tasks", "t1").stdout
    [task] = late("tasks", "--overdue", "--group", "Sales", "--json").json
    assert (task["id"], task["overdue"]) == ("t1", True)
    late("complete", "t1", "--set", "billing_amount=0", "--set", "billing_details=None", "--as", SALES)
    assert "t1" not in [each["id"] for each in late("tasks", "--overdue", "--json").json]
    assert {each["id"]: each["overdue"] for each in late("tasks", "--all", "--json").json}["t1"] is False
    assert "Expected --overdue or --all" in late("tasks", "--overdue", "--all", code=2).stderr


def test_a_group_that_nobody_knows_is_told_instead_of_an_empty_list(late: Program) -> None:
    message = late.refused("tasks", "--group", "Sale")
    assert message == (
        'Error: Expected a group that a deployed process or run-process.yaml knows, but "Sale" is none. Do: write "Sales".'
    )
    assert late("tasks", "--group", "Department Manager").stdout.splitlines()[1:] == []
    (late.folder / "run-process.yaml").write_text("groups: {Support: [tom]}\n")
    assert late("tasks", "--group", "Support", "--json").json == []
