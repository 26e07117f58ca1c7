"""pytest collects scenarios, and shows for one that fails what was expected and what happened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.builders.company import PROCESSES

CHECKOUT = PROCESSES.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for each in PROCESSES.glob("refund.*"):
        (shutil.copytree if each.is_dir() else shutil.copy)(each, tmp_path / each.name)
    return tmp_path


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "commands.pytest_plugin", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "refund.scenarios.yaml"
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")


def test_every_scenario_is_a_test_that_can_be_chosen_by_its_name(folder: Path) -> None:
    done = pytest_in(folder)
    assert "7 passed" in done.stdout, done.stdout
    assert "1 passed, 6 deselected" in pytest_in(folder, "-k", "rejected").stdout


def test_a_scenario_that_fails_is_shown_without_a_traceback(folder: Path) -> None:
    change(folder, "ended: rejected", "ended: refunded")
    done = pytest_in(folder)
    assert "1 failed, 6 passed" in done.stdout, done.stdout
    assert "Expected the instance to end at refunded (Refunded), but it ended at rejected (Refund rejected)." in done.stdout
    assert "approve -> decision -> rejected" in done.stdout
    assert f"{folder / 'refund.scenarios.yaml'}:" in done.stdout
    assert "Traceback" not in done.stdout
    assert "performance.py" not in done.stdout


def test_scenarios_that_cannot_be_read_are_an_error_of_the_collection(folder: Path) -> None:
    change(folder, "task: ask", "task: aks")
    done = pytest_in(folder)
    assert "1 error" in done.stdout, done.stdout
    assert 'Expected a user task, but "aks" is none. Do: write "ask".' in done.stdout


def test_scenarios_without_their_diagram_are_an_error_of_the_collection(folder: Path) -> None:
    (folder / "refund.bpmn").unlink()
    done = pytest_in(folder)
    assert "1 error" in done.stdout, done.stdout
    assert "refund.bpmn beside" in done.stdout


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("hello", encoding="utf-8")
    assert "no tests ran" in pytest_in(tmp_path).stdout


def test_the_plugin_comes_with_the_package() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"run-process": "commands.pytest_plugin"}
