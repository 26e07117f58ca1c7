"""Findings that an analyst has silenced in the diagram, with a reason; and what is wrong with a silence itself.

Warnings and notes can be silenced. An error keeps a diagram from running otherwise than it is drawn, or money from being
charged otherwise than approved: it is mended, unless its rule stands in SILENCEABLE_ERRORS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from engine.definition.finding import Finding, Position, Severity
from engine.definition.silence_reader import PROPERTY, Silence
from engine.model.text import did_you_mean, shown

SILENCEABLE_ERRORS = frozenset({"unreachable-node"})
"""Errors about what is never executed: an element that no token comes to does nothing, whatever it says."""


@dataclass(frozen=True, slots=True)
class Silenced:
    """A finding that isn't reported, because `reason`; the silence stands at `position`."""

    finding: Finding
    reason: str
    position: Position


@dataclass(frozen=True)
class Silencing:
    """A diagram's silences beside everything that was found in its definition.

    `process` is the id of the process: a silence on it holds for findings without an element as well. `names` are those of the
    elements by id, `known` the ids of all rules.
    """

    silences: tuple[Silence, ...]
    findings: tuple[Finding, ...]
    process: str
    names: Mapping[str, str | None]
    known: frozenset[str]

    def met(self, silence: Silence) -> tuple[Finding, ...]:
        """The findings that a silence speaks of, whether it may silence them or not."""
        elements = {silence.element, None} if silence.element == self.process else {silence.element}
        return tuple(each for each in self.findings if each.rule == silence.rule and each.element in elements)

    def silenced(self) -> Iterator[Silenced]:
        """Every finding that is silenced, by the first silence that does so."""
        done: set[Finding] = set()
        for silence in self.silences:
            for finding in self.met(silence) if silence.reason else ():
                if can_be_silenced(finding) and finding not in done:
                    done.add(finding)
                    yield Silenced(finding, silence.reason, silence.position)

    def problems(self) -> Iterator[Finding]:
        """What is wrong with the silences themselves."""
        for rule in SILENCING_RULES:
            yield from rule(self)


SilencingRule: TypeAlias = Callable[[Silencing], Iterator[Finding]]


def can_be_silenced(finding: Finding) -> bool:
    """Whether a reason is enough to go on with what was found."""
    return finding.severity is not Severity.ERROR or finding.rule in SILENCEABLE_ERRORS


def silence_without_reason(silencing: Silencing) -> Iterator[Finding]:
    """A silence names a rule and says why its finding doesn't matter here.

    Severity: error
    Why: who reads the diagram in a year, or audits it, must see what was decided, and on what grounds.
    Wrong: `check_ignore` = `task-without-group`
    Right: `check_ignore` = `task-without-group: everyone may confirm that the office was locked`
    """
    for silence in silencing.silences:
        if not silence.rule or not silence.reason:
            found = f"there is none for {shown(silence.rule)}" if silence.rule else "it is empty"
            yield _problem(
                "silence-without-reason",
                silencing,
                silence,
                f"Expected a rule and a reason in {PROPERTY}, but {found}. Do: write rule-id: reason.",
            )


def silence_unknown_rule(silencing: Silencing) -> Iterator[Finding]:
    """A silence names a rule that there is.

    Severity: error
    Why: a misspelt rule silences nothing, and one that is no more may hide what another now finds.
    Wrong: `task-without-groups: ...`
    Right: `task-without-group: ...`
    """
    for silence in silencing.silences:
        if silence.rule and silence.rule not in silencing.known:
            yield _problem(
                "silence-unknown-rule",
                silencing,
                silence,
                f"Expected the id of a rule in {PROPERTY}, but {shown(silence.rule)} is none. "
                f"{did_you_mean(silence.rule, silencing.known)}",
            )


def silence_refused(silencing: Silencing) -> Iterator[Finding]:
    """An error isn't silenced: it is mended.

    Severity: error
    Why: errors keep a diagram from running otherwise than it is drawn, and money from moving otherwise than approved.
    Wrong: `control-must-pass: the manager is on holiday`
    Right: a diagram in which every way to the charge passes the approval.
    """
    for silence in silencing.silences:
        met = [each for each in silencing.met(silence) if not can_be_silenced(each)]
        if met:
            yield _problem(
                "silence-refused",
                silencing,
                silence,
                f"Expected only warnings and notes to be silenced, but {shown(silence.rule)} is an error here, which keeps the "
                f"definition from being deployed. Do: mend it, and remove this {PROPERTY}.",
            )


def silence_unused(silencing: Silencing) -> Iterator[Finding]:
    """A silence silences something.

    Severity: warning
    Why: one that is left over would silence the next mistake of its kind without anybody deciding it.
    Wrong: `task-without-group: ...` on a task that has a lane by now
    Right: the extension property is removed together with what it was about.
    """
    for silence in silencing.silences:
        if silence.rule in silencing.known and not silencing.met(silence):
            yield _problem(
                "silence-unused",
                silencing,
                silence,
                f"Expected {shown(silence.rule)} to be found at this element, but it isn't. Do: remove this {PROPERTY}.",
                Severity.WARNING,
            )


SILENCING_RULES: tuple[SilencingRule, ...] = (silence_without_reason, silence_unknown_rule, silence_refused, silence_unused)


def _problem(rule: str, silencing: Silencing, silence: Silence, message: str, severity: Severity = Severity.ERROR) -> Finding:
    name = silencing.names.get(silence.element)
    return Finding(rule, severity, silence.position, message, silence.element, name)
