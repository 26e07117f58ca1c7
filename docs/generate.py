"""Writes docs/commands.md, the command reference, from what every command says with `--help`.

Run it after a change to a command: `python docs/generate.py`. A test fails while the file is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "commands.md"
WIDTH = 100

INTRODUCTION = """\
# Commands

What each command says with `--help`, written by `python docs/generate.py`; don't edit it here.

Every command ends with 0 (done), 1 (failed), 2 (wrong usage) or 3 (done, but a person is needed). Data goes to stdout and talk
to stderr. What `--json` prints stands in [json.md](json.md).
"""


def command_reference() -> str:
    """The whole file's text."""
    sys.path.insert(0, str(ROOT))  # the script runs without an installed run-process as well
    from cli import root

    top = click.Context(root, info_name="run-process", terminal_width=WIDTH, **root.context_settings)
    sections = [_section("run-process", root.get_help(top))]
    for name in root.list_commands(top):
        command = root.get_command(top, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=top, terminal_width=WIDTH)
        sections.append(_section(f"run-process {name}", command.get_help(context)))
    return "\n".join([INTRODUCTION, *sections])


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(command_reference(), encoding="utf-8")
