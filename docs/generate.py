"""Writes docs/commands.md, the command reference, from what every command says with `--help`, and docs/rules.md, the reference
of what `check` looks for, from the rules' docstrings.

Run it after a change to a command or a rule: `python docs/generate.py`. Tests fail while a file is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.definition.check.rule_text import RuleText

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "commands.md"
RULES = ROOT / "docs" / "rules.md"
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 100

INTRODUCTION = """\
# Commands

What each command says with `--help`, written by `python docs/generate.py`; don't edit it here.

Every command ends with 0 (done), 1 (failed), 2 (wrong usage) or 3 (done, but a person is needed). Data goes to stdout and talk
to stderr. What `--json` prints stands in [json.md](json.md).
"""

RULES_INTRODUCTION = """\
# Rules

What `run-process check` looks for, written by `python docs/generate.py` from the rules' docstrings; don't edit it here. For each
rule, `tests/definitions/check/` has small diagrams that break it, and some that don't.

- **error**: keeps a definition from being deployed. It is mended, not silenced.
- **warning**: probably a mistake. More warnings than `--max-warnings` (0 unless given) make `check` end with 3.
- **note**: worth knowing.

A warning or note is silenced where it is found, with a reason that stays in the diagram: select the element in the modeler and
add an extension property with the name `check_ignore` and the value `rule-id: reason`, as in
`task-without-group: everyone may confirm this`. An element may have several. On the process itself, it holds for what is found
in the carry-over map, too. What is silenced is counted, and listed by `--format json` and `--format sarif`.
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


def rule_reference() -> str:
    """The whole text of docs/rules.md."""
    sys.path.insert(0, str(ROOT))
    from engine.definition.check.rule_text import rule_texts

    return "\n".join([RULES_INTRODUCTION, *map(_rule, rule_texts())])


def _rule(rule: RuleText) -> str:
    severity = " or ".join(rule.severities) + _silencing(rule)
    lines = [f"## {rule.id}", "", f"*{severity}* · {rule.what}", ""]
    lines += [f"- {name}: {text}" for name, text in (("Why", rule.why), ("Wrong", rule.wrong), ("Right", rule.right)) if text]
    return "\n".join([*lines, ""])


def pictures() -> dict[Path, bytes]:
    """The shipped processes, and the one that `init` makes, as `run-process render` draws them, by file."""
    sys.path.insert(0, str(ROOT))
    from engine.drawing import draw

    folders = (ROOT / "processes", ROOT / "commands" / "new_process" / "files")
    found = [path for folder in folders for path in sorted(folder.glob("*.bpmn"))]
    return {PICTURES / f"{path.stem}.svg": draw(path.read_bytes(), path.name) + b"\n" for path in found}


def _silencing(rule: RuleText) -> str:
    if not rule.can_be_silenced:
        return ""
    return ", can be silenced" if len(rule.severities) == 1 else "; a warning can be silenced"


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for path, content in pictures().items():
        path.write_bytes(content)
    TARGET.write_text(command_reference(), encoding="utf-8")
    RULES.write_text(rule_reference(), encoding="utf-8")
