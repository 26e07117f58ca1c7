"""Results as JUnit's XML, which build servers read: one test suite for each definition, one test case for each scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lxml import etree

from commands.output import readable

if TYPE_CHECKING:
    from lxml.etree import _Element

    from commands.testing.trying import Trial
    from engine.rehearsal.performance import Performance


def document(trials: Sequence[Trial]) -> str:
    """The whole document. A definition that can't be tried is a test case with an error."""
    suites = etree.Element("testsuites")
    for trial in trials:
        suites.append(_suite(trial))
    text: str = etree.tostring(suites, encoding="unicode", pretty_print=True)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.rstrip("\n")


def _suite(trial: Trial) -> _Element:
    played = trial.rehearsal.performances if trial.rehearsal is not None else ()
    suite = etree.Element(
        "testsuite",
        name=readable(trial.process),
        tests=str(len(played) or len(trial.findings[:1])),
        failures=str(sum(each.failure is not None for each in played)),
        errors=str(len(trial.findings[:1])),
        time=f"{sum(each.seconds for each in played):.3f}",
    )
    for each in played:
        suite.append(_case(trial, each))
    if trial.findings:
        case = etree.SubElement(suite, "testcase", classname=readable(trial.process), name=readable(trial.diagram))
        error = etree.SubElement(case, "error", message=readable(trial.findings[0].message))
        error.text = "\n".join(readable(f"{trial.located(each.position)}: {each.message}") for each in trial.findings)
    return suite


def _case(trial: Trial, performance: Performance) -> _Element:
    scenario = performance.scenario
    place = trial.located(scenario.position).rsplit(".yaml:", 1)
    case = etree.Element(
        "testcase",
        classname=readable(trial.process),
        name=readable(scenario.name),
        file=f"{place[0]}.yaml",
        line=str(scenario.position.line),
        time=f"{performance.seconds:.3f}",
    )
    if performance.failure is not None:
        failure = etree.SubElement(case, "failure", message=readable(performance.failure.message))
        where = trial.located(performance.failure.position)
        failure.text = "\n".join(map(readable, (f"{where}: {performance.failure.message}", *performance.trail)))
    return case
