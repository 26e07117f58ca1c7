"""`check` on diagrams that other people drew, and on diagrams that are broken in every way a seed comes to: always a verdict."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from commands.session import connectors as shipped_connectors
from engine.definition.check import check
from engine.definition.check.rule_text import rule_texts
from engine.definition.finding import Severity
from tests.builders.corpus import CORPUS, WITHOUT
from tests.builders.drawing import connectors

ROOT = Path(__file__).parents[3]
FOREIGN = sorted(CORPUS.rglob("*.bpmn")) if CORPUS.is_dir() else []
OURS = [*sorted((ROOT / "processes").glob("*.bpmn")), *sorted((ROOT / "tests" / "definitions" / "check").glob("*/*/*.bpmn"))]
RULES = {text.id for text in rule_texts()}
needs_corpus = pytest.mark.skipif(not FOREIGN, reason=WITHOUT)


@needs_corpus
def test_all_diagrams_of_the_corpus_get_a_verdict_in_under_a_minute() -> None:
    files = {path.relative_to(CORPUS).as_posix(): path.read_bytes() for path in FOREIGN}
    began = time.process_time()
    findings = check(files, shipped_connectors())
    assert time.process_time() - began < 60
    assert {finding.rule for finding in findings} <= RULES
    assert all("Do: " in finding.message for finding in findings)
    verdicts = Counter(finding.position.file for finding in findings if finding.severity is Severity.ERROR)
    assert verdicts.keys() == files.keys()  # none of them has a carry-over map, so none is ready to run


@needs_corpus
def test_what_a_diagram_of_the_corpus_is_told_does_not_depend_on_what_it_is_checked_with() -> None:
    own = {"carry-over-map-missing", "unsupported-element", "missing-reference", "duplicate-id", "expression-invalid"}
    files = {path.relative_to(CORPUS).as_posix(): path.read_bytes() for path in FOREIGN}
    together = {finding for finding in check(files, connectors()) if finding.rule in own}
    apart = {each for name in files for each in check({name: files[name]}, connectors()) if each.rule in own}
    assert together == apart


Element = etree._Element


def _drop_attribute(element: Element, dice: random.Random) -> None:
    if element.attrib:
        del element.attrib[dice.choice(sorted(element.attrib))]


def _change_attribute(element: Element, dice: random.Random) -> None:
    if element.attrib:
        text = dice.choice(["", " ", "start", "end", "x" * 300, "${", "${a.b}", "-1", "true", "\N{SNOWMAN}", "a:b:c"])
        element.set(dice.choice(sorted(element.attrib)), text)


def _drop(element: Element, _dice: random.Random) -> None:
    if (parent := element.getparent()) is not None:
        parent.remove(element)


def _double(element: Element, _dice: random.Random) -> None:
    if (parent := element.getparent()) is not None:
        parent.append(etree.fromstring(etree.tostring(element)))


def _move(element: Element, dice: random.Random) -> None:
    elsewhere = dice.choice(list(element.getroottree().iter(etree.Element)))
    if element.getparent() is not None and element not in [elsewhere, *elsewhere.iterancestors()]:
        elsewhere.append(element)


def _rename(element: Element, dice: random.Random) -> None:
    kinds = ["subProcess", "task", "userTask", "startEvent", "boundaryEvent", "parallelGateway", "eventBasedGateway", "laneSet"]
    element.tag = f"{{{etree.QName(element).namespace or ''}}}{dice.choice(kinds)}".replace("{}", "")


def _scribble(element: Element, dice: random.Random) -> None:
    element.text = dice.choice(["${", "a = ", "${approved = True}", "PT", "R/", "((((", "${x" + "+x" * 400 + "}", "\u2028"])


STROKES: list[Callable[[Element, random.Random], None]] = [
    _drop_attribute,
    _change_attribute,
    _drop,
    _double,
    _move,
    _rename,
    _scribble,
]


def broken(content: bytes, dice: random.Random) -> bytes:
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False))
    for _ in range(dice.randint(1, 6)):
        dice.choice(STROKES)(dice.choice(list(root.iter(etree.Element))), dice)
    return etree.tostring(root)


def _readable(path: Path) -> bool:
    return b"DOCTYPE" not in path.read_bytes() and "not-well-formed" not in path.parts


def _small(path: Path) -> bool:
    return path.stat().st_size < 30_000


@pytest.mark.parametrize("seed", range(8))
def test_a_diagram_that_is_broken_anyhow_gets_a_verdict_and_never_a_crash(seed: int) -> None:
    dice = random.Random(seed)
    for path in dice.sample([each for each in [*OURS, *FOREIGN] if _readable(each) and _small(each)], 30):
        beside = path.with_name(f"{path.stem}.carry-over.yaml")
        files = {beside.name: beside.read_bytes()} if beside.exists() else {}
        content = broken(path.read_bytes(), dice)
        try:
            findings = check({**files, path.name: content}, connectors())
        except Exception as crash:
            raise AssertionError(f"seed {seed}, {path}: {content.decode(errors='replace')}") from crash
        assert {finding.rule for finding in findings} <= RULES
