"""What people type and upload is stored and shown as it is, or refused clearly; terminals get no control characters."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.program import PROCESS, PROCESSES, Program, bill, settings

BYTES = os.fsdecode(b"\xff\x9b31m")
ESCAPE = "\x1b]0;title\x07\x9b31m\u202e"
HEADER = "customer_name,email,stripe_customer_id,currency,billing_month\n"

JSON = {
    "many digits": '{"customer_name": ' + "9" * 5_000 + "}",
    "deep": '{"customer_name": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested": '{"customer_name": ' + "[" * 900 + "]" * 900 + "}",
    "surrogate": '{"customer_name": "\\ud800"}',
    "class": '{"__class__": "x", "typename": "x"}',
    "not a number": '{"customer_name": NaN}',
    "escape twice": '{"\\u001b[31m": "1", "\\u001b[31m": "2"}',
    "many names": "{" + ",".join(f'"k{number}": 1' for number in range(100_000)) + "}",
}


@pytest.mark.parametrize("document", JSON.values(), ids=JSON)
def test_a_file_of_data_that_is_none_starts_nothing(deployed: Program, document: str) -> None:
    (deployed.folder / "data.json").write_text(document)
    others = {name: value for name, value in bill("cus_1").items() if name != "customer_name"}
    message = deployed.refused("start", PROCESS, "--data", "data.json", *settings(**others))
    assert message.isprintable()


def test_arguments_that_are_no_text_are_wrong_usage(deployed: Program) -> None:
    for command in (
        ("start",),
        ("chain",),
        ("tasks", "--customer"),
        ("work", "--until-idle", "--name"),
        ("cancel", "i1", "--reason"),
    ):
        assert "Expected arguments in UTF-8" in deployed.refused(*command, BYTES, code=2)


def test_each_row_of_a_file_is_started_as_it_is_or_refused(deployed: Program) -> None:
    rows = (
        ("=cmd|' /C calc'!A0", "+cus_1"),
        ('"@SUM(A1)\t"', "-cus_2"),
        ("💶🧑\u200d💻", "@cus_3"),
        ("a\x00b", "cus_4"),
        ("\u202eevil", "cus_5"),
        ("\x1b[31m", "cus_6"),
        ("x" * 200_000, "cus_7"),
        ('"a"b', "cus_8"),
    )
    lines = [f"{name},a@example.com,{customer},USD,2026-10\n" for name, customer in rows]
    (deployed.folder / "rows.csv").write_text(HEADER + "".join(lines))
    done = deployed("start", PROCESS, "--csv", "rows.csv", code=3)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["started"] * 3 + ["refused"] * 5
    assert all(line.isprintable() for line in done.stdout.splitlines())
    names = [deployed("show", instance, "--json").json["data"]["customer_name"] for instance in ("i1", "i2", "i3")]
    assert names == ["=cmd|' /C calc'!A0", "@SUM(A1)", "💶🧑\u200d💻"]
    assert "💶🧑\u200d💻" in deployed("show", "i3").stdout


def test_a_header_that_cannot_be_read_is_told(deployed: Program) -> None:
    (deployed.folder / "rows.csv").write_text('"a"b,c\n1,2\n')
    assert "rows.csv:1: Expected a CSV header" in deployed.refused("start", PROCESS, "--csv", "rows.csv")


def on_terminal(run: Program, *arguments: str) -> str:
    """What a command writes to a terminal: colours and widths of its own, but nothing from data."""
    ours, theirs = pty.openpty()
    environment = run.surroundings(TERM="dumb", NO_COLOR="1", COLUMNS="200")
    process = subprocess.Popen(
        [*run.command, *arguments], cwd=run.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65_536):
            written += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    process.wait(60)
    os.close(ours)
    return written.decode()


def draw_evil(folder: Path) -> None:
    shutil.copytree(PROCESSES, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    diagram = folder / f"{PROCESS}.bpmn"
    diagram.write_text(diagram.read_text().replace("1. Charging amount entry", "\x9b31m\u202eEvil"))


def test_terminals_get_no_control_characters_from_data(deployed: Program) -> None:
    draw_evil(deployed.folder / "evil")
    deployed("deploy", "evil", "--as", "ada")
    deployed("start", PROCESS, *settings(**bill("cus_1")))
    deployed("claim", "t1", "--as", "ann")
    deployed("release", "t1", "--as", "bob", "--reason", ESCAPE)
    deployed("cancel", "i1", "--as", "bob", "--reason", ESCAPE)
    assert deployed("history", "i1", "--json").json[-1]["details"]["reason"] == ESCAPE
    deployed("start", PROCESS, *settings(**bill("cus_2")))
    (deployed.folder / f"rows{ESCAPE}.csv").write_text(HEADER + "Ann,none,cus_3,USD,2026-10\n")
    for arguments in (
        ("tasks",),
        ("tasks", "t2"),
        ("show", "i1"),
        ("history", "i1"),
        ("instances",),
        ("incidents",),
        ("charges",),
        ("start", PROCESS, "--csv", f"rows{ESCAPE}.csv"),
        ("tasks", "--database", f"{ESCAPE}.db"),
        ("show", ESCAPE),
        (ESCAPE,),
        ("tasks", f"--{ESCAPE}"),
        ("check", f"{ESCAPE}.bpmn"),
    ):
        written = on_terminal(deployed, *arguments).replace("\r\n", "\n")
        assert not {c for c in written if not c.isprintable() and c != "\n"}, (arguments, written)
