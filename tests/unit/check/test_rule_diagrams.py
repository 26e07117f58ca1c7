"""Every rule on the diagrams in tests/definitions/check/RULE/: those in `invalid` break it, those in `valid` don't.

An invalid diagram says in comments what is found in it: `finds RULE: what the message says`. A case is a diagram with its map
and templates, or a folder of several definitions that are checked together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.definition.check import check
from engine.definition.check.rule_text import rule_texts
from tests.builders.drawing import connectors

FOLDER = Path(__file__).parents[2] / "definitions" / "check"
FINDS = re.compile(r"^(?:<!-- |# )finds ([a-z0-9-]+)(?:: (.*?))?(?: -->)?$", re.MULTILINE)
TOO_LARGE_TO_KEEP = {"file-too-large", "yaml-too-large", "diagram-too-large", "carry-over-too-many-items"}
FOUND_ELSEWHERE = {"file-unreadable", "scenarios-invalid"}  # by the command, not by what looks at the files' content
TEXTS = {text.id: text for text in rule_texts()}

Case = dict[str, bytes]


def cases(kind: str) -> Iterator[tuple[str, Path]]:
    for folder in sorted(FOLDER.glob(f"*/{kind}")):
        for path in sorted(folder.iterdir()):
            if (
                (path.is_dir() and "." not in path.name)
                or path.name.endswith(".bpmn")
                or (path.name.endswith(".yaml") and not _diagram_beside(path).exists())
            ):
                yield folder.parent.name, path


def _diagram_beside(carry_over: Path) -> Path:
    return carry_over.with_name(carry_over.name.removesuffix(".carry-over.yaml") + ".bpmn")


def read(case: Path) -> Case:
    if case.is_dir():
        return {path.relative_to(case).as_posix(): path.read_bytes() for path in case.rglob("*") if path.is_file()}
    stem = case.name.split(".")[0]
    files = [path for path in case.parent.rglob("*") if path.is_file()]
    names = {path.relative_to(case.parent).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if name.startswith(f"{stem}.")}


def named(pair: tuple[str, Path]) -> str:
    return f"{pair[0]}/{pair[1].name}"


@pytest.mark.parametrize("pair", list(cases("invalid")), ids=named)
def test_what_an_invalid_diagram_says_is_found_in_it_and_nothing_else(pair: tuple[str, Path]) -> None:
    rule, case = pair
    files = read(case)
    announced = [match for content in files.values() for match in FINDS.findall(content.decode("utf-8", errors="replace"))]
    findings = check(files, connectors())
    told = "\n".join(map(str, findings))
    assert {finding.rule for finding in findings} == {name for name, _ in announced}, told
    assert rule in {name for name, _ in announced}
    for name, says in announced:
        assert any(finding.rule == name and says in finding.message for finding in findings), told
    for finding in findings:
        assert finding.severity in TEXTS[finding.rule].severities
        assert finding.position.file in files
        assert finding.message.startswith(("Expected ", "In the ", f"{finding.message.split(':')[0]}: ")), finding.message
        assert ", but " in finding.message
        assert "Do: " in finding.message


@pytest.mark.parametrize("pair", list(cases("valid")), ids=named)
def test_in_a_valid_diagram_nothing_is_found(pair: tuple[str, Path]) -> None:
    assert [str(finding) for finding in check(read(pair[1]), connectors())] == []


@pytest.mark.parametrize("kind", ["invalid", "valid"])
def test_every_rule_has_such_diagrams(kind: str) -> None:
    assert {rule for rule, _ in cases(kind)} == TEXTS.keys() - TOO_LARGE_TO_KEEP - FOUND_ELSEWHERE


@pytest.mark.parametrize("text", TEXTS.values(), ids=lambda text: text.id)
def test_every_rule_says_what_holds_why_and_what_is_wrong_and_right(text: object) -> None:
    assert all(getattr(text, part) for part in ("what", "why", "wrong", "right", "severities"))


MADE = re.compile(r"\b(?:error|warning|note|Finding|_\w+)\(\s*\"([a-z0-9]+(?:-[a-z0-9]+)+)\"")
MADE_BY_THE_MAPS_READER = re.compile(r"(?:report\.add|_against)\(\s*(?:item, )?\"([a-z-]+)\"")
OF_ONE_DEFINITION = {"one-diagram", "file-unexpected"}  # for `deploy`, which is handed the files of one


def test_every_finding_that_is_made_anywhere_is_of_a_documented_rule() -> None:
    made: set[str] = set()
    for path in (Path(__file__).parents[3] / "engine" / "definition").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        made |= set(MADE.findall(source))
        made |= {f"carry-over-{key}" for key in MADE_BY_THE_MAPS_READER.findall(source)}
    assert made - TEXTS.keys() == OF_ONE_DEFINITION
