"""The shipped process passes its own check with the connectors as they are, and what it promises is proved, not assumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.registry import ConnectorSettings, build_connectors
from engine.definition.check import check
from engine.definition.finding import Finding

PROCESSES = Path(__file__).parents[3] / "processes"
NAME = "monthly-card-charge"
CONNECTORS = build_connectors(ConnectorSettings(None, None, live=False, smtp_url="file:///nowhere", mail_from="a@example.com"))


def shipped() -> dict[str, bytes]:
    paths = (path for path in PROCESSES.rglob("*") if path.is_file() and str(path.relative_to(PROCESSES)).startswith(f"{NAME}."))
    return {path.relative_to(PROCESSES).as_posix(): path.read_bytes() for path in paths}


def found_after(before: str, after: str) -> tuple[Finding, ...]:
    files = shipped()
    drawn = files[f"{NAME}.bpmn"].decode()
    assert before in drawn
    files[f"{NAME}.bpmn"] = drawn.replace(before, after).encode()
    return check(files, CONNECTORS)


def test_there_is_nothing_to_find() -> None:
    assert check(shipped(), CONNECTORS) == ()


STROKES = {
    "control-must-pass": ('targetRef="before_entry"', 'targetRef="before_charge"', "1r -> before_charge -> 3. Charge the card"),
    "unreachable-node": ('sourceRef="hand_over" targetRef="done"', 'sourceRef="hand_over" targetRef="charge"', "a way from"),
    "control-every-end": (
        'sourceRef="contact_outcome" targetRef="charge_given_up"',
        'sourceRef="contact_outcome" targetRef="done"',
        "Contact customer -> before_outcome -> What now? -> ",
    ),
    "unknown-data-item": ("${billing_amount &gt; 0}", "${billing_amuont &gt; 0}", "billing_amount"),
    "unknown-topic": ('camunda:topic="stripe.charge"', 'camunda:topic="stripe.chrage"', "stripe.charge"),
}


@pytest.mark.parametrize("rule", STROKES)
def test_one_wrong_stroke_of_the_pen_is_found(rule: str) -> None:
    before, after, says = STROKES[rule]
    findings = found_after(before, after)
    assert any(each.rule == rule and says in each.message for each in findings), [str(each) for each in findings]
