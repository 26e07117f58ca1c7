"""What is covered, as one HTML page that needs nothing else: each diagram drawn with what no scenario passed, its scenarios, and
the same in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lxml import etree

from commands.output import readable
from commands.testing.formats import uncovered_lines
from engine.drawing import Mark, Marking, draw

if TYPE_CHECKING:
    from lxml.etree import _Element

    from commands.testing.trying import Trial
    from engine.rehearsal.path_coverage import PathCoverage
    from engine.rehearsal.performance import Performance
    from engine.rehearsal.rehearsing import Rehearsal

_TITLE = "What the scenarios cover"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.45 Arial, "Liberation Sans", Helvetica, sans-serif; color: #222; background: #fff; margin: 1.5rem; }
.drawing { overflow: auto; border: 1px solid #bbb; }
.drawing svg { display: block; margin: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; }
.failed { font-weight: bold; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; }
@media print { body { margin: 0; print-color-adjust: exact; } .drawing svg { max-width: 100%; height: auto; } }
"""


def page(trials: Sequence[Trial]) -> bytes:
    """The page in UTF-8."""
    root = etree.Element("html", lang="en")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "meta", charset="utf-8")
    etree.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    etree.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    head.extend((_said("title", _TITLE), _said("style", _STYLE)))
    body = etree.SubElement(root, "body")
    body.append(_said("h1", _TITLE))
    for trial in trials:
        body.extend(_section(trial))
    written: bytes = etree.tostring(root, encoding="utf-8", method="html", doctype="<!DOCTYPE html>")
    return written


def _section(trial: Trial) -> Iterator[_Element]:
    yield _said("h2", trial.process)
    yield _said("p", str(trial.diagram))
    if trial.rehearsal is None:
        yield _listed([f"{trial.located(each.position)}: {each.message}" for each in trial.findings])
        return
    yield _said("p", _summary(trial.rehearsal))
    drawing = etree.Element("div", {"class": "drawing"})
    drawing.append(etree.fromstring(draw(trial.files[trial.diagram.name], trial.diagram.name, _marks(trial.rehearsal.coverage))))
    yield drawing
    uncovered = list(uncovered_lines(trial, trial.rehearsal.coverage))
    if uncovered:
        yield _said("h3", "Not covered")
        yield _listed(uncovered)
    yield _said("h3", "Scenarios")
    yield _table(trial, trial.rehearsal.performances)


def _summary(rehearsal: Rehearsal) -> str:
    (nodes, all_nodes), (flows, all_flows) = rehearsal.coverage.nodes, rehearsal.coverage.flows
    failed = sum(each.failure is not None for each in rehearsal.performances)
    return (
        f"{len(rehearsal.performances)} scenarios, {failed} failed. Covered: {nodes} of {all_nodes} flow nodes, "
        f"{flows} of {all_flows} sequence flows ({rehearsal.coverage.percent}%)."
    )


def _marks(coverage: PathCoverage) -> dict[str, Marking]:
    ids = [*coverage.process.nodes, *(flow.id for flow in coverage.process.flows)]
    return {key: _marking(coverage.passed[key]) for key in ids}


def _marking(times: int) -> Marking:
    if not times:
        return Marking(Mark.UNCOVERED, note="No scenario passes here.")
    return Marking(Mark.COVERED, note=f"{times} {'scenario passes' if times == 1 else 'scenarios pass'} here.")


def _table(trial: Trial, performances: Sequence[Performance]) -> _Element:
    table = etree.Element("table")
    table.append(_row([_said("th", "Result", scope="col"), _said("th", "Scenario", scope="col")]))
    for each in performances:
        table.append(_performance(trial, each))
    return table


def _performance(trial: Trial, performance: Performance) -> _Element:
    name = _said("td", performance.scenario.name)
    if performance.failure is None:
        return _row([_said("td", "passed"), name])
    place = trial.located(performance.failure.position)
    lines = (f"{place}: {performance.failure.message}", *performance.trail)
    name.append(_said("pre", "\n".join(map(readable, lines))))
    return _row([_said("td", "FAILED", **{"class": "failed"}), name])


def _row(cells: Sequence[_Element]) -> _Element:
    row = etree.Element("tr")
    row.extend(cells)
    return row


def _listed(lines: Sequence[str]) -> _Element:
    listed = etree.Element("ul")
    listed.extend(_said("li", line) for line in lines)
    return listed


def _said(tag: str, text: str, **attributes: str) -> _Element:
    element = etree.Element(tag, attributes)
    element.text = text if tag in ("style", "pre") else readable(text)
    return element
