"""Tab completes commands, options, choices and ids, as bash asks for it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.acceptance.program import DATABASE, PROCESS, Program, on_path

ASKED = {
    "run-process ta": {"tasks"},
    "run-process tasks --cu": {"--customer"},
    "run-process instances --state c": {"completed", "cancelled"},
    "run-process charges --state un": {"unknown"},
    "run-process show i": {"i1", "i2"},
    "run-process start mon": {PROCESS},
    "run-process render mon": {PROCESS, "file,mon"},
    "run-process render --instance i": {"i1", "i2"},
    "run-process start monthly-card-charge --reuse i1": {"i1"},
}


def completed(run: Program, line: str, **environment: str) -> set[str]:
    asking = {"_RUN_PROCESS_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    done = run(**asking, **environment)
    assert done.stderr == ""
    return {answer.removeprefix("plain,") for answer in done.stdout.split()}


@pytest.mark.parametrize("line", ASKED)
def test_tab_offers_what_may_stand_there(line: str, billed: Program) -> None:
    assert completed(billed, line) == ASKED[line]


def test_ids_come_from_the_database_that_was_named(billed: Program) -> None:
    (billed.folder / DATABASE).rename(billed.folder / "other.db")
    assert completed(billed, "run-process claim --database other.db t") == {"t3"}
    assert completed(billed, "run-process claim t", RUN_PROCESS_DATABASE="other.db") == {"t3"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_script_for_bash_completes_in_bash(billed: Program) -> None:
    script = (
        'eval "$(run-process completion bash)"; COMP_WORDS=(run-process claim t); COMP_CWORD=2; '
        '_run_process_completion run-process; echo "${COMPREPLY[@]}"'
    )
    shell = ["bash", "-c", script]
    done = subprocess.run(shell, cwd=billed.folder, env=on_path(billed).surroundings(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("t3\n", "")
