"""Before something new is deployed: a simulated month, and last month replayed, through the command line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.acceptance.program import PROCESS, PROCESSES, Program

DIAGRAM = PROCESSES / f"{PROCESS}.bpmn"


def changed(run: Program, before: str, after: str, name: str = "new") -> Path:
    """The shipped definition with a piece of its diagram or map replaced."""
    folder = run.folder / name
    shutil.copytree(PROCESSES, folder)
    for path in (folder / f"{PROCESS}.bpmn", folder / f"{PROCESS}.carry-over.yaml"):
        path.write_text(path.read_text().replace(before, after))
    return folder / f"{PROCESS}.bpmn"


def test_a_month_is_simulated_without_a_database_and_leaves_nothing_but_its_chart(run: Program) -> None:
    done = run("simulate", DIAGRAM, "--customers", "25", "--months", "2", "--chart", "month.svg")
    assert {path.name for path in run.folder.iterdir()} == {"month.svg"}
    assert (run.folder / "month.svg").read_text().startswith("<svg")
    entry = re.search(r"^1\. Charging amount entry\s+Sales\s+(\d+)", done.stdout, flags=re.MULTILINE)
    assert entry is not None
    assert int(entry[1]) >= 50
    assert re.search(r"^2026-02\s+\d+", done.stdout, flags=re.MULTILINE)
    assert "From start to charge: median" in done.stdout
    assert done.stdout == run("simulate", DIAGRAM, "--customers", "25", "--months", "2").stdout
    assert done.stdout != run("simulate", DIAGRAM, "--customers", "25", "--months", "2", "--seed", "2").stdout


def test_a_deployed_process_is_simulated_by_its_name(deployed: Program) -> None:
    report = deployed("simulate", PROCESS, "--customers", "5", "--months", "1", "--json").json
    assert (report["process"], report["instances"]) == (PROCESS, 5)


def test_a_profile_that_is_wrong_is_refused_with_its_place(run: Program) -> None:
    (run.folder / "p.yaml").write_text("groups:\n  Saels: {people: 3}\n")
    done = run("simulate", DIAGRAM, "--profile", "p.yaml", code=1)
    assert 'p.yaml:2:3: error: profile-unknown-name: Expected a group of monthly-card-charge, but "Saels"' in done.stderr
    assert "Error: Expected a profile without errors" in done.stderr


def test_what_cannot_be_simulated_is_said(run: Program) -> None:
    assert "a folder" in run("simulate", PROCESSES, code=2).stderr
    assert ".svg or .html" in run("simulate", DIAGRAM, "--chart", "x.gif", code=2).stderr
    assert "there is none" in run.refused("simulate", "no-such-process")
    broken = changed(run, 'targetRef="decision"', 'targetRef="nowhere"')
    assert "check finds" in run("simulate", broken, code=1).stderr


def test_a_replay_says_whose_month_would_have_been_another_one(billed: Program) -> None:
    stored = billed.stored()
    same = billed("replay", PROCESS, "--definition", DIAGRAM, "--period", "2026-10")
    assert same.stdout == ""
    assert "2026-10: 1 instance of monthly-card-charge@1: 1 the same, 0 different." in same.stderr

    limit = changed(billed, "${billing_amount &gt; 0}", "${billing_amount &gt; 90000}")
    done = billed("replay", PROCESS, "--definition", limit, "--period", "2026-10", code=3)
    assert re.search(r"i1\s+charge\s+120\.50 EUR by cus_\w+\s+nothing", done.stdout)
    assert "Send nothing-due notice" in done.stdout
    found = billed("replay", PROCESS, "--definition", limit, "--period", "2026-10", "--json", code=3).json
    assert (found["same"], [each["instance"] for each in found["different"]]) == (0, ["i1"])
    assert billed.stored() == stored


def test_a_replay_of_something_else_is_wrong_usage(billed: Program) -> None:
    refund = PROCESSES / "refund.bpmn"
    assert "draws refund" in billed("replay", PROCESS, "--definition", refund, "--period", "2026-10", code=2).stderr
    assert "OLD=NEW" in billed("replay", PROCESS, "--definition", DIAGRAM, "--period", "2026-10", "--renamed", "a", code=2).stderr
    assert "2027-01, but there are none" in billed.refused("replay", PROCESS, "--definition", DIAGRAM, "--period", "2027-01")
