"""What `test` prints: text for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from commands.output import counted, print_json, readable, say

if TYPE_CHECKING:
    from commands.testing.trying import Trial
    from engine.rehearsal.path_coverage import PathCoverage
    from engine.rehearsal.performance import Performance
    from engine.rehearsal.rehearsing import Rehearsal


# --- text -----------------------------------------------------------------------------------------------------------


def print_trials(trials: Sequence[Trial], min_coverage: int, *, all_of_them: bool) -> None:
    """For each definition the scenarios that fail, with what happened up to there, and how many passed; where all of them were
    played, what none covers as well.
    """
    for trial in trials:
        if trial.rehearsal is None:
            for finding in trial.findings:
                click.echo(readable(f"{trial.located(finding.position)}: {finding.message}"))
            click.echo(f"{trial.diagram}: not tried")
        elif trial.scenarios is None:
            _print_without_scenarios(trial, min_coverage)
        else:
            _print_trial(trial, trial.rehearsal, min_coverage)
            _print_uncovered(trial, trial.rehearsal.coverage if all_of_them else None)


def _print_without_scenarios(trial: Trial, min_coverage: int) -> None:
    line = f"{trial.diagram}: no scenarios"
    if min_coverage:
        click.echo(f"{line}; expected are at least {min_coverage}% covered")
    else:
        say(line)


def _print_trial(trial: Trial, rehearsal: Rehearsal, min_coverage: int) -> None:
    for each in rehearsal.performances:
        if each.failure is not None:
            _print_failure(trial, each)
    click.echo(f"{trial.diagram}: {_counts(rehearsal.performances)}; {_covered(rehearsal.coverage, min_coverage)}")


def _print_uncovered(trial: Trial, coverage: PathCoverage | None) -> None:
    for line in uncovered_lines(trial, coverage) if coverage is not None else ():
        click.echo(f"    not covered: {readable(line)}")


def _print_failure(trial: Trial, performance: Performance) -> None:
    assert performance.failure is not None
    place = trial.located(performance.failure.position)
    click.echo(f"{place}: {readable(performance.scenario.name)}")
    click.echo(f"    {readable(performance.failure.message)}")
    for line in performance.trail:
        click.echo(f"      {readable(line)}")


def _counts(performances: Sequence[Performance]) -> str:
    failed = sum(each.failure is not None for each in performances)
    passed = counted(len(performances) - failed, "scenario")
    return f"{passed} passed, {failed} failed" if failed else f"{passed} passed"


def _covered(coverage: PathCoverage, min_coverage: int) -> str:
    (nodes, all_nodes), (flows, all_flows) = coverage.nodes, coverage.flows
    asked = f", expected are at least {min_coverage}%" if coverage.percent < min_coverage else ""
    return f"covered are {nodes} of {all_nodes} flow nodes, {flows} of {all_flows} sequence flows: {coverage.percent}%{asked}"


def uncovered_lines(trial: Trial, coverage: PathCoverage) -> Iterator[str]:
    """What no scenario passes, by place, id and name."""
    for node in coverage.uncovered_nodes:
        yield f"{trial.located(node.position)}: {node.id}" + (f" ({node.name})" if node.name else "")
    for flow in coverage.uncovered_flows:
        yield f"{trial.located(flow.position)}: {flow.id}: {coverage.name_of(flow)}"


# --- JSON -----------------------------------------------------------------------------------------------------------


def print_trials_json(trials: Sequence[Trial]) -> None:
    """The form `rehearsal` of docs/json.md for each definition."""
    print_json([_trial(trial) for trial in trials])


def _trial(trial: Trial) -> dict[str, Any]:
    rehearsal = trial.rehearsal
    return {
        "process": rehearsal.coverage.process.id if rehearsal is not None else None,
        "file": trial.diagram.as_posix(),
        "scenarios": [_performance(trial, each) for each in rehearsal.performances] if rehearsal is not None else [],
        "coverage": _coverage(trial, rehearsal.coverage) if rehearsal is not None else None,
        "refused": [f"{trial.located(finding.position)}: {finding.message}" for finding in trial.findings],
    }


def _performance(trial: Trial, performance: Performance) -> dict[str, Any]:
    failure = performance.failure
    position = failure.position if failure is not None else performance.scenario.position
    return {
        "name": performance.scenario.name,
        "passed": failure is None,
        "file": trial.located(position).partition(".yaml:")[0] + ".yaml",
        "line": position.line,
        "message": failure.message if failure is not None else None,
        "trail": list(performance.trail),
    }


def _coverage(trial: Trial, coverage: PathCoverage) -> dict[str, Any]:
    folder = trial.diagram.parent
    uncovered: list[dict[str, Any]] = [
        {
            "element": each.id,
            "kind": each.kind,
            "name": each.name,
            "file": (folder / each.position.file).as_posix(),
            "line": each.position.line,
        }
        for each in coverage.uncovered_nodes
    ]
    uncovered += [
        {
            "element": each.id,
            "kind": "sequenceFlow",
            "name": coverage.name_of(each),
            "file": (folder / each.position.file).as_posix(),
            "line": each.position.line,
        }
        for each in coverage.uncovered_flows
    ]
    (nodes, all_nodes), (flows, all_flows) = coverage.nodes, coverage.flows
    return {
        "nodes_covered": nodes,
        "nodes": all_nodes,
        "flows_covered": flows,
        "flows": all_flows,
        "percent": coverage.percent,
        "uncovered": uncovered,
    }
