"""All scenarios of one definition, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from engine.clock import Stopwatch
from engine.connector import Connectors
from engine.definition.check import check
from engine.definition.finding import Finding, Severity
from engine.definition.process_definition import ProcessDefinition, read_definition
from engine.errors import DefinitionInvalid
from engine.execution.executable import Executable
from engine.rehearsal.path_coverage import PathCoverage, path_coverage
from engine.rehearsal.performance import Performance, perform
from engine.rehearsal.scenario import Scenario
from engine.rehearsal.scenario_reader import read_scenarios


@dataclass(frozen=True, slots=True)
class Prepared:
    """A definition that can be tried, with its scenarios. `called` are those that it calls, directly or not."""

    executable: Executable
    scenarios: tuple[Scenario, ...]
    called: tuple[Executable, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of a definition's scenarios, and what they covered."""

    performances: tuple[Performance, ...]
    coverage: PathCoverage


def prepare(
    files: Mapping[str, bytes],
    content: bytes | None,
    file: str,
    connectors: Connectors,
    beside: Iterable[Mapping[str, bytes]] = (),
) -> Prepared:
    """The definition in `files`, and the scenarios in `content`, which findings call `file` (None: there are none). What it calls
    is looked for among the definitions `beside`.

    Raises DefinitionInvalid, with findings, for scenarios that can't be read, and for a definition that couldn't be deployed:
    what is refused isn't tried; nor is what calls a process that isn't there, or is refused.
    """
    definition = _deployable(files, (), connectors)
    called = called_by(definition, beside)
    for each in called:
        _deployable(each.files, [definition.files, *(other.files for other in called if other is not each)], connectors)
    if called:
        _deployable(files, [each.files for each in called], connectors)
    scenarios = read_scenarios(content, file, definition, connectors, called) if content is not None else ()
    return Prepared(Executable(definition), scenarios, tuple(map(Executable, called)))


def _deployable(files: Mapping[str, bytes], others: Iterable[Mapping[str, bytes]], connectors: Connectors) -> ProcessDefinition:
    beside = {f"{number}/{name}": each[name] for number, each in enumerate(others) for name in each}
    found = (finding for finding in check({**beside, **files}, connectors) if finding.position.file in files)
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    if errors:
        raise DefinitionInvalid(_refusal(errors), errors)
    return read_definition(files)


def called_by(definition: ProcessDefinition, beside: Iterable[Mapping[str, bytes]]) -> tuple[ProcessDefinition, ...]:
    """The definitions that a definition calls, directly or not, as far as they are among those `beside`; none twice, nor itself.
    What can't be read isn't there.
    """
    if not _targets(definition):
        return ()
    known = {each.id: each for each in map(_readable, beside) if each is not None}
    found = {definition.id: definition}
    waiting = [definition]
    for each in waiting:  # grows while it is walked
        for target in _targets(each):
            if target in known and target not in found:
                found[target] = known[target]
                waiting.append(known[target])
    return tuple(waiting[1:])


def _targets(definition: ProcessDefinition) -> list[str]:
    calls = (node.call for node in definition.process.nodes.values())
    return [call.process for call in calls if call is not None and call.process is not None]


def _readable(files: Mapping[str, bytes]) -> ProcessDefinition | None:
    try:
        return read_definition(files)
    except DefinitionInvalid:
        return None  # the stage tells that it isn't there; `check` tells what is wrong with it


def rehearse(prepared: Prepared, connectors: Connectors, wanted: Callable[[str], bool], stopwatch: Stopwatch) -> Rehearsal:
    """Play those scenarios whose names are `wanted`. What fails is part of the answer."""
    played = tuple(_timed(each, prepared, connectors, stopwatch) for each in prepared.scenarios if wanted(each.name))
    return Rehearsal(played, path_coverage(prepared.executable.definition.process, played))


def _timed(scenario: Scenario, prepared: Prepared, connectors: Connectors, stopwatch: Stopwatch) -> Performance:
    began = stopwatch.seconds()
    performance = perform(scenario, prepared.executable, connectors, prepared.called)
    return replace(performance, seconds=stopwatch.seconds() - began)


def _refusal(errors: list[Finding]) -> str:
    found = "one error" if len(errors) == 1 else f"{len(errors)} errors"
    return (
        f"Expected a definition that could be deployed, but check finds {found}. Do: mend it first; run-process check tells how."
    )
