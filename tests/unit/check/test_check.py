"""What `check` does whatever is in the files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.definition.check import check
from engine.definition.finding import Severity
from tests.benchmarks.checking import large_definition
from tests.builders.corpus import CORPUS, WITHOUT
from tests.builders.drawing import (
    billing,
    carry_over,
    connectors,
    diagram,
    end,
    exclusive,
    files,
    flows,
    form_field,
    found,
    parallel,
    start,
    user,
    verdicts,
)

FOREIGN = sorted(CORPUS.rglob("*.bpmn")) if CORPUS.is_dir() else []


def test_findings_say_where_what_and_how_to_mend_it() -> None:
    given = files(billing(ways={"yes": "decision -> charge"}))
    [finding] = found(given)
    line = given["billing.bpmn"].decode().splitlines()[finding.position.line - 1]
    assert line[finding.position.column - 1 :].startswith('<sequenceFlow id="decision-charge"')
    assert (finding.element, finding.element_name, finding.severity) == ("decision", "Decision", Severity.ERROR)
    assert finding.message.startswith("Expected ")


def test_findings_come_in_the_order_of_the_files_lines() -> None:
    findings = found(
        files(billing({"call": user("call", form_field("x"), ""), "zero": user("zero")}, {"yes": "decision -> charge"}))
    )
    assert len(findings) > 3
    assert [each.position for each in findings] == sorted(each.position for each in findings)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (files(b"<a><b></a>"), "not-well-formed"),
        (files(b"<svg/>"), "not-a-diagram"),
        (files(b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>'), "process-required"),
        ({}, "diagram-missing"),
        ({"billing.carry-over.yaml": carry_over()}, "diagram-missing"),
    ],
)
def test_files_that_cannot_be_read_are_findings(broken: dict[str, bytes], rule: str) -> None:
    assert verdicts(broken) == {rule}


def test_what_is_wrong_with_the_map_and_with_the_diagram_is_found_at_once() -> None:
    findings = found(files(billing(ways={"yes": "decision -> charge"}), b"process: billing\ndata: [\n"))
    assert {each.position.file for each in findings} == {"billing.bpmn", "billing.carry-over.yaml"}


def test_several_definitions_in_several_folders_are_checked_together() -> None:
    broken = billing(ways={"yes": "decision -> charge"})
    together = {f"{folder}/{name}": content for folder in ("good", "bad") for name, content in files().items()}
    together["bad/billing.bpmn"] = broken
    wrong = {each.position.file for each in found(together) if each.severity is Severity.ERROR}
    assert wrong == {"bad/billing.bpmn"}


def test_a_thousand_elements_are_checked_in_under_a_second() -> None:
    blocks = 125
    parts = [start(), end(), user("t0", form_field("amount", "long"))]
    ways = ["start -> t0 -> x0"]
    for n in range(blocks):
        parts += [exclusive(f"x{n}", f"x{n}-p{n}"), parallel(f"p{n}"), user(f"a{n}"), user(f"b{n}"), parallel(f"j{n}")]
        parts += [user(f"t{n + 1}", form_field("amount", "long")), user(f"c{n}"), user(f"d{n}")]
        ways += [f"x{n} -> p{n}", f"p{n} -> a{n} -> c{n} -> j{n}", f"p{n} -> b{n} -> d{n} -> j{n}", f"j{n} -> t{n + 1}"]
        ways += [f"t{n + 1} -> x{n + 1}" if n + 1 < blocks else f"t{n + 1} -> end", f"x{n} -> t{n} if ${{amount > {n}}}"]
    controls = [f"{{path: t{blocks}, must_pass: t0}}"]
    given = files(
        diagram(*parts, flows(*ways)), carry_over({"amount": "{type: integer, carry: drop}"}, controls=controls, repeats="")
    )
    found(given)
    began = time.process_time()
    assert found(given) == ()
    assert time.process_time() - began < 1


def test_a_thousand_elements_with_data_charges_and_errors_are_checked_in_under_a_second() -> None:
    given = large_definition(1_000)
    found(given)
    began = time.process_time()
    assert found(given) == ()
    assert time.process_time() - began < 1


def test_a_diagram_that_is_too_large_is_refused_at_once() -> None:
    drawn = diagram("".join(f'<task id="t{n}"/><sequenceFlow sourceRef="t{n}" targetRef="t{n}"/>' for n in range(20_000)))
    began = time.process_time()
    assert verdicts(files(drawn)) == {"diagram-too-large"}
    assert time.process_time() - began < 5


@given(st.data())
def test_a_diagram_cut_or_scrambled_anywhere_never_breaks_check(data: st.DataObject) -> None:
    content = bytearray(billing())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at : at + data.draw(st.integers(1, 40))] = data.draw(st.binary(max_size=8))
    else:
        names = [b"start", b"charge", b"Task", b"Event", b'id="', b"Ref", b"${", b"}"]
        content = content.replace(data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names)), 3)
    for finding in found(files(bytes(content))):
        assert finding.message


@pytest.mark.skipif(not FOREIGN, reason=WITHOUT)
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(CORPUS)))
def test_a_diagram_that_somebody_else_drew_gets_a_verdict(path: Path) -> None:
    findings = check({path.name: path.read_bytes()}, connectors())
    assert "carry-over-map-missing" in {each.rule for each in findings}
    assert all(each.position.file == path.name and each.message.startswith(("Expected", "In the")) for each in findings)
