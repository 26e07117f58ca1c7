"""What is shipped is what runs: the wheel, in an environment of its own, far from the checkout."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from tests.acceptance.program import CHECKOUT, PROCESS, SHIPPED, Program

PACKAGES = ("cli", "commands", "connectors", "engine", "processes")
WHERE = f"import {', '.join(PACKAGES)}, sys\nprint(*(m.__file__ for m in ({', '.join(PACKAGES)})), *sys.path, sep='\\n')"


def test_the_wheel_holds_all_files_of_the_product_and_none_of_the_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {
        path.relative_to(CHECKOUT).as_posix()
        for package in PACKAGES[1:]
        for path in (CHECKOUT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert names == ours | {"cli.py"}
    assert {
        "processes/carry-over.schema.json",
        f"processes/{PROCESS}.mail/charged.html",
        "processes/.camunda/element-templates/stripe.charge.json",
        "commands/new_process/files/new-process.bpmn",
        "engine/store/migrations/env.py",
    } < names


def test_the_installed_program_is_whole_without_the_checkout(installed: Program) -> None:
    environment = Path(installed.command[0]).parents[1]
    python = [environment / "bin" / "python", "-c", WHERE]
    where = subprocess.run(
        python, cwd=installed.folder, env=installed.surroundings(), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    modules, searched = where[: len(PACKAGES)], where[len(PACKAGES) :]
    assert all(Path(module).is_relative_to(environment) for module in modules), modules
    assert str(CHECKOUT) not in searched
    assert installed("--version").stdout.startswith("run-process, version ")
    assert installed("deploy", Path(modules[-1]).parent).stdout == SHIPPED  # with its templates, and the migrations
    installed("init", "monthly-fee")
    assert installed("check", "processes").stdout == ""
