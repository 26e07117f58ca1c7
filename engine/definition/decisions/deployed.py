"""The decisions that belong to a definition: those in the folder `NAME.decisions/` beside its diagram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.definition.decisions.decision import Decision
from engine.definition.decisions.decision_reader import read_decisions
from engine.definition.finding import Finding, Severity

FOLDER = "decisions"
SUFFIX = ".dmn"


@dataclass(frozen=True, slots=True)
class Decisions:
    """All decisions of a definition by id, and everything that is wrong with their files."""

    by_id: Mapping[str, Decision]
    problems: tuple[Finding, ...]


def decisions_of(stem: str, files: Mapping[str, bytes]) -> Decisions:
    """The decisions of the definition `stem`, out of files that may hold those of others as well."""
    by_id: dict[str, Decision] = {}
    problems: list[Finding] = []
    for name in sorted(files):
        if not (name.startswith(f"{stem}.{FOLDER}/") and name.endswith(SUFFIX)):
            continue
        read = read_decisions(files[name], name)
        problems += read.problems
        for decision in read.decisions:
            if decision.id in by_id:
                message = (
                    f"Expected every decision to have an id of its own, but {decision.id} stands also in "
                    f"{by_id[decision.id].position}. Do: rename one."
                )
                problems.append(
                    Finding("decision-invalid", Severity.ERROR, decision.position, message, decision.id, decision.name)
                )
            by_id.setdefault(decision.id, decision)
    return Decisions(by_id, tuple(problems))
