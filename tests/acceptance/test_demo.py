"""`run-process demo` shows what it promises, leaves what it says, and what it suggests works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.acceptance.program import DATABASE, Program

CURRENCIES = {"EUR", "JPY", "KWD", "USD"}
TOLD = (
    "sends the amount back",
    "the card was declined",
    "the bank asked",
    "nothing due",
    "ends the contract",
    "credited by hand",
)
OUTCOMES = ("not charged (declined)", "nothing due", "contract ended", "credited")


def test_three_months_are_played_and_can_be_looked_at_afterwards(run: Program) -> None:
    played = run("demo")
    assert [what for what in TOLD if what not in played.stderr] == []
    assert [what for what in OUTCOMES if what not in played.stdout] == []
    assert "Traceback" not in played.stderr

    totals = dict(re.findall(r"^([A-Z]{3})\s+(\S+\s+\S+)\s*$", played.stdout, flags=re.MULTILINE))
    assert totals.keys() == CURRENCIES
    assert all(len(set(both.split())) == 1 for both in totals.values()), totals
    assert "They agree." in played.stdout

    folder, suggested = _suggestions(played.stdout)
    place = Program(run.folder / folder, {})
    assert {path.name for path in place.folder.iterdir()} == {DATABASE, "run-process.yaml", "mail"}
    mails = len(list((place.folder / "mail").glob("*.eml")))
    assert f"The {mails} e-mails are in {Path(folder, 'mail')}" in played.stdout
    assert mails > 100

    [task, *_] = place("tasks", "--group", "Sales", "--json").json
    names = {"TASK": task["id"], "INSTANCE": task["instance"], "CUSTOMER": task["customer"]}
    assert len(suggested) >= 5
    for command in suggested:
        words = [names.get(word, word) for word in shlex.split(command)]
        assert words[0] == "run-process"
        assert place(*words[1:]).stdout, command
    assert place("incidents", "--json").json == []
    assert all(_amount(charge) for charge in _charges(place, task["instance"]))


def _suggestions(output: str) -> tuple[str, list[str]]:
    """The folder that it says to go to, and the commands that it says to try there."""
    lines = output.partition("Try next:\n")[2].splitlines()
    go, *commands = [line.strip() for line in lines if line.strip()]
    return shlex.split(go.removeprefix("cd "))[0], commands


def _charges(place: Program, instance: str) -> list[dict[str, object]]:
    return [month["charge"] for month in place("chain", instance, "--json").json if month["charge"]]


def _amount(charge: dict[str, object]) -> object:
    return charge["amount"]
