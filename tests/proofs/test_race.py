"""Many workers at once, killed and paused all the time, and Stripe answering badly: every bill is charged once and recorded, and
every customer has one next instance.

The long races: `pytest -m slow tests/proofs/test_race.py -s`. Short ones are run each time.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.builders.postgresql import PostgreSql
from tests.proofs.helpers import begin, figures


def race(folder: Path, url: str, bills: int, patience: float, **options: object) -> dict[str, Any]:
    running = begin("race", folder / "race", database=url, bills=bills, patience=patience, **options)
    return figures(running, patience + 120 + bills / 2)


def check(found: dict[str, Any], bills: int, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        shown = {name: value for name, value in found.items() if name not in ("wrong", "incidents")}
        print(f"\nrace: {shown}, {len(found['incidents'])} incidents, {len(found['wrong'])} wrong")  # noqa: T201 - figures
    assert found["wrong"] == []
    assert (found["bills"], found["charged"]) == (bills, bills)
    assert found["kills"] > 0
    assert found["faults"] > found["requests"] / 4
    # A person is only called for a job with which more workers died than are let die with one.
    assert [why for why in found["incidents"] if "workers were lost" not in why] == []
    assert len(found["incidents"]) <= bills // 100


def test_killed_workers_and_faults_leave_every_bill_charged_once(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(race(tmp_path, database_url, bills=40, workers=3, kill_every=0.2, patience=180), 40, capsys)


@pytest.mark.slow
def test_two_thousand_bills_raced_for_by_eight_workers_are_charged_once(
    tmp_path: Path, postgresql: PostgreSql | str, capsys: pytest.CaptureFixture[str]
) -> None:
    if isinstance(postgresql, str):
        pytest.skip(postgresql)
    check(race(tmp_path, postgresql.emptied(), bills=2000, workers=8, kill_every=0.1, patience=1800), 2000, capsys)


@pytest.mark.slow
def test_bills_raced_for_by_two_workers_on_one_file_are_charged_once(
    tmp_path: Path, migrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'run-process.db')}"
    check(race(tmp_path, url, bills=300, workers=2, kill_every=0.1, patience=900), 300, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("sabotage", ["store_after_the_call", "trust_the_key_alone", "ignore_the_fence"])
def test_a_race_with_a_broken_promise_is_found(tmp_path: Path, migrated: Path, sabotage: str) -> None:
    url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'run-process.db')}"
    found = race(tmp_path, url, bills=40, workers=3, kill_every=0.2, patience=90, sabotage=sabotage)
    assert found["wrong"] or found["incidents"]
