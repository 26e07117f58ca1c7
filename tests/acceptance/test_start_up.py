"""Start-up costs what a command needs, and no more: `--help` loads no library but click, `tasks` none that runs or charges.

Seconds depend on the machine and on what else it does; what is loaded does not.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.acceptance.program import Program

EXECUTION = {"SpiffWorkflow", "stripe", "pydantic", "alembic", "jinja2"}
FORBIDDEN = {
    ("--help",): EXECUTION | {"sqlalchemy", "lxml", "rich", "ruamel", "babel", "structlog"},
    ("tasks",): EXECUTION | {"babel", "structlog"},
    ("tasks", "--json"): EXECUTION | {"babel", "structlog", "rich"},
    ("charges",): EXECUTION | {"babel", "structlog"},
    ("claim", "t3"): EXECUTION | {"babel", "structlog", "rich"},
}
LOADED = """
import atexit, sys
atexit.register(lambda: sys.stderr.write(" ".join({name.partition(".")[0] for name in sys.modules})))
from cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("arguments", FORBIDDEN, ids=" ".join)
def test_a_command_loads_no_library_that_it_does_not_need(arguments: tuple[str, ...], billed: Program) -> None:
    command = [sys.executable, "-P", "-c", LOADED, *arguments]
    done = subprocess.run(command, cwd=billed.folder, env=billed.surroundings(), capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "click" in loaded
    assert loaded & FORBIDDEN[arguments] == set()
