"""Whatever comes in, people get one clear message, an exit code that says what kind it is, and everything stored as it was."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.program import DATABASE, PROCESS, PROCESSES, SHIPPED, Program, bill_of, settings

DIAGRAM, CARRY_OVER = f"{PROCESS}.bpmn", f"{PROCESS}.carry-over.yaml"
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'

Stroke = tuple[str, Callable[[str], str], str]


def replaced(before: str, after: str) -> Callable[[str], str]:
    def change(content: str) -> str:
        assert before in content
        return content.replace(before, after, 1)

    return change


STROKES: dict[str, Stroke] = {
    "malformed": (DIAGRAM, replaced("</bpmn:process>", ""), "not-well-formed"),
    "cut-off": (DIAGRAM, lambda content: content[:5_000], "not-well-formed"),
    "no-diagram": (DIAGRAM, lambda _: "hello", "not-well-formed"),
    "empty": (DIAGRAM, lambda _: "", "not-well-formed"),
    "doctype": (DIAGRAM, replaced("?>", f"?>{BOMB}"), "doctype-refused"),
    "deep": (DIAGRAM, lambda _: "<a>" * 5_000 + "</a>" * 5_000, "too-deep"),
    "topic": (DIAGRAM, replaced('"stripe.charge"', '"stripe.chrage"'), 'write "stripe.charge"'),
    "item": (DIAGRAM, replaced("${billing_amount &gt; 0}", "${billing_amuont &gt; 0}"), "billing_amuont"),
    "key-twice": (CARRY_OVER, replaced("  email: ", "  email: {type: email, carry: drop}\n  email: "), "yaml-duplicate-key"),
    "anchor": (CARRY_OVER, replaced("{type: email", "&x {type: email"), "yaml-anchor"),
    "type": (CARRY_OVER, replaced("{type: email", "{type: emial"), 'write "email"'),
    "list": (CARRY_OVER, lambda _: "- a\n- b\n", CARRY_OVER),
    "deep-map": (CARRY_OVER, lambda _: "data: " + "[" * 5_000 + "]" * 5_000, "yaml-too-deep"),
    "binary-map": (CARRY_OVER, lambda _: "\0\1\2", CARRY_OVER),
}


def test_every_wrong_definition_in_a_folder_is_told_with_its_place_and_remedy(run: Program) -> None:
    for name, (file, change, _) in STROKES.items():
        shutil.copytree(PROCESSES, run.folder / "processes" / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        path = run.folder / "processes" / name / file
        path.write_text(change(path.read_text()))
    found = run("check", "processes", code=3)
    told = re.split(r"^(?=processes/)", found.stdout, flags=re.MULTILINE)
    for name, (file, _, says) in STROKES.items():
        [error] = [text for text in told if text.startswith(f"processes/{name}/") and ": error: " in text]
        assert error.startswith(f"processes/{name}/{file}:"), error
        assert says in error
        assert "Expected " in error
        assert ", but " in error
        assert "Do: " in error
    assert found.stderr.startswith(f"{len(STROKES)} errors, ")


def test_a_wrong_definition_is_not_deployed_and_what_is_deployed_stays(deployed: Program) -> None:
    shutil.copytree(PROCESSES, deployed.folder / "processes")
    path = deployed.folder / "processes" / DIAGRAM
    path.write_text(replaced('"stripe.charge"', '"stripe.chrage"')(path.read_text()))
    before = deployed.stored()
    message = deployed("deploy", "processes", code=1).stderr
    assert f"processes/{DIAGRAM}:" in message.splitlines()[0]
    assert "Error: " in message.splitlines()[-1]
    assert deployed.stored() == before


def test_of_several_definitions_those_before_a_wrong_one_are_told_as_deployed(run: Program) -> None:
    shutil.copytree(PROCESSES, run.folder / "1-good")
    shutil.copytree(PROCESSES, run.folder / "2-bad")
    (run.folder / "2-bad" / DIAGRAM).write_text("hello")
    done = run("deploy", "1-good", "2-bad", code=1)
    assert done.stdout == SHIPPED
    assert "2-bad/" in done.stderr
    again = [{"process": process, "version": 1, "created": False} for process in (PROCESS, "refund")]
    assert run("deploy", "1-good", "2-bad", "--json", code=1).json == again


def test_files_that_cannot_be_read_are_named(run: Program) -> None:
    (run.folder / "huge").mkdir()
    (run.folder / "huge" / DIAGRAM).write_bytes(b"x" * 5_000_001)
    (run.folder / "loop").mkdir()
    (run.folder / "loop" / DIAGRAM).symlink_to(DIAGRAM)
    (run.folder / "none").mkdir()
    assert f"huge/{DIAGRAM}" in run.refused("deploy", "huge")
    assert f"loop/{DIAGRAM}" in run.refused("deploy", "loop")
    assert "none" in run.refused("deploy", "none", code=2)
    assert "nowhere" in run.refused("deploy", "nowhere", code=2)


@pytest.fixture
def databases(deployed: Program) -> Path:
    """Files and folders that are no database of ours, or no longer."""
    ours = deployed.folder / DATABASE
    (deployed.folder / "text.db").write_text("hello\n" * 1_000)
    (deployed.folder / "folder.db").mkdir()
    for name in ("newer.db", "cut.db"):
        shutil.copy(ours, deployed.folder / name)
    (deployed.folder / "cut.db").write_bytes(ours.read_bytes()[:20_000])
    _execute(deployed.folder / "newer.db", "UPDATE alembic_version SET version_num = '9999'")
    _execute(deployed.folder / "foreign.db", "CREATE TABLE orders (id INTEGER)")
    return deployed.folder


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


DATABASES = {
    "none.db": "none.db",
    "text.db": "not a database",
    "folder.db": "folder.db",
    "newer.db": "9999",
    "cut.db": "malformed",
    "foreign.db": "orders",
    "mysql://localhost/billing": "sqlite:///",
}


@pytest.mark.parametrize("database", DATABASES)
def test_a_database_that_cannot_be_used_is_told_and_left_alone(database: str, deployed: Program, databases: Path) -> None:
    before = {path.name: path.stat().st_size for path in databases.glob("*.db")}
    assert DATABASES[database] in deployed.refused("tasks", RUN_PROCESS_DATABASE=database)
    assert {path.name: path.stat().st_size for path in databases.glob("*.db")} == before


def test_a_password_in_a_database_url_is_never_shown(run: Program) -> None:
    message = run("tasks", "--database", "postgresql+psycopg://billing:geheim@127.0.0.1:9/x", code=1).stderr
    assert "geheim" not in message


IDS = {
    ("show", "t1"): "t1 is the id of a task",
    ("claim", "i1"): "i1 is the id of an instance",
    ("release", "'; DROP TABLE instances"): "DROP",
    ("cancel", "i99999999999999999999", "--reason", "x"): "i99999999999999999999",
    ("chain", "cus_unknown"): "cus_unknown",
    ("start", "monthly"): "monthly",
    ("start", PROCESS, "--reuse", "t1"): "t1 is the id of a task",
}


@pytest.mark.parametrize("arguments", IDS, ids=" ".join)
def test_an_id_that_names_nothing_of_that_kind_is_told(arguments: tuple[str, ...], deployed: Program) -> None:
    assert IDS[arguments] in deployed.refused(*arguments)


def test_a_form_takes_nothing_that_does_not_fit_and_stays_open(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    for value, why in (("12.345", "decimals"), ("1e3", "1e3")):
        assert why in deployed.refused("complete", "t1", *settings(billing_amount=value, billing_details="Usage"))
    assert "billing_details" in deployed.refused("complete", "t1", *settings(billing_amount="1"))
    assert "billing_month" in deployed.refused("complete", "t1", *settings(billing_month="2027-01"))


USAGE = {
    (): "Usage: ",
    ("taks",): "Do: run-process tasks.",
    ("tasks", "--jsn"): "Do: write --json",
    ("tasks", "--limit", "none"): "'--limit'",
    ("tasks", "t1", "t2"): "t2",
    ("claim",): "'TASK'",
    ("cancel", "i1"): "'--reason'",
    ("complete", "t1", "--set"): "--set",
    ("complete", "t1", "--set", "amount"): "ITEM=VALUE",
    ("complete", "t1", "--set", "a=1", "--set", "a=2"): "twice",
    ("instances", "--state", "open"): "cancelled",
    ("charges", "--period", "2026-13"): "Do: write it as in 2026-10.",
    ("tasks", "--period", "2026-02-30"): "Do: write it as in 2026-10-31.",
    ("start", PROCESS, "--csv", "none.csv"): "none.csv",
}


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_ends_with_2_and_says_what_is_right(arguments: tuple[str, ...], run: Program) -> None:
    if arguments:
        assert USAGE[arguments] in run.refused(*arguments, code=2)
    else:
        assert USAGE[arguments] in run(code=2).stderr


SETTINGS = {
    "RUN_PROCESS_STRIPE_KEY": ("sk_live_1234567890", "--live"),
    "RUN_PROCESS_STRIPE_KEY_FILE": ("none.key", "RUN_PROCESS_STRIPE_KEY_FILE"),
    "RUN_PROCESS_STRIPE_RATE": ("fast", "RUN_PROCESS_STRIPE_RATE"),
    "RUN_PROCESS_SMTP_URL": ("http://localhost", "RUN_PROCESS_SMTP_URL"),
    "RUN_PROCESS_USER": ("two\nlines", "--as"),
}


def test_a_worker_has_a_name_that_can_stand_in_the_history(deployed: Program) -> None:
    assert "Expected a worker's name of 1 to 100 printable characters" in deployed.refused("work", "--name", "red\x1b[31m")
    assert "Do: --name W." in deployed.refused("work", "--until-idle", "--name", "w" * 101)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_cannot_be_meant_is_told_before_anything_is_done(name: str, approved: Program) -> None:
    value, says = SETTINGS[name]
    command = ("claim", "t1") if name == "RUN_PROCESS_USER" else ("work", "--until-idle")
    message = approved.refused(*command, **{name: value})
    assert says in message
    assert "1234567890" not in message


def test_a_configuration_file_is_refused_with_its_place(deployed: Program) -> None:
    (deployed.folder / "run-process.yaml").write_text("groups:\n  Sales: sara\n")
    assert "run-process.yaml:2:10: Expected a list of user names" in deployed.refused("work")


def test_debug_shows_what_went_wrong_inside(deployed: Program) -> None:
    shown = deployed("show", "i9", "--debug", code=1).stderr
    assert "Traceback" in shown
    assert "Error: Expected an instance i9" in shown


def test_even_a_defect_is_told_without_a_traceback(deployed: Program) -> None:
    _execute(deployed.folder / DATABASE, "DROP TABLE user_tasks")
    message = deployed.refused("tasks")
    assert "user_tasks" in message
