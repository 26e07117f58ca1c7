"""`run-process demo` shows and leaves what it promises, and what it suggests works: from the wheel, as users have it."""

from __future__ import annotations

import re
import subprocess

from tests.acceptance.program import DATABASE, Program, on_path

CURRENCIES = {"EUR", "JPY", "KWD", "USD"}
TOLD = (
    "sends the amount back",
    "a new one is saved, and charged",
    "nobody does anything, and a day later it is charged",
    "the bank asked",
    "nothing due",
    "ends the contract",
    "credited by hand",
)
OUTCOMES = ("not charged (generic_decline)", "nothing due", "contract ended", "credited")


def test_three_months_are_played_and_can_be_looked_at_afterwards(installed: Program) -> None:
    run = on_path(installed)
    played = run("demo")
    assert [what for what in TOLD if what not in played.stderr] == []
    assert [what for what in OUTCOMES if what not in played.stdout] == []
    assert "Traceback" not in played.stderr

    totals = dict(re.findall(r"^([A-Z]{3})\s+(\S+\s+\S+)\s*$", played.stdout, flags=re.MULTILINE))
    assert totals.keys() == CURRENCIES
    assert all(len(set(both.split())) == 1 for both in totals.values()), totals
    assert "They agree." in played.stdout

    suggested = [line.strip() for line in played.stdout.partition("Try next:\n")[2].splitlines()]
    place = run.folder / "run-process-demo"
    assert suggested[0] == "cd run-process-demo"
    assert {path.name for path in place.iterdir()} == {DATABASE, "run-process.yaml", "mail"}
    mails = len(list((place / "mail").glob("*.eml")))
    assert f"The {mails} e-mails are in run-process-demo/mail" in played.stdout
    assert mails > 100

    assert len(suggested) > 5
    assert all(line.startswith("run-process ") for line in suggested[1:])
    pasted = subprocess.run(
        ["sh", "-ex"], input="\n".join(suggested), cwd=run.folder, env=run.surroundings(), capture_output=True, text=True
    )
    assert pasted.returncode == 0, pasted.stderr
    assert "goes on" in pasted.stdout  # a task was completed
    assert Program(place, run.environment, run.command)("incidents").stdout == ""
