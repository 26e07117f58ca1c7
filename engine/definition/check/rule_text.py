"""What a rule is about, for people: taken from its docstring, which is all the documentation there is of it.

The first paragraph says what holds. Lines that begin with `Severity:`, `Why:`, `Wrong:` and `Right:` follow; a line that begins
with none of these goes on with the one before.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.definition.check.reading import READING
from engine.definition.check.rules import RULES
from engine.definition.check.silencing import SILENCEABLE_ERRORS, SILENCING_RULES
from engine.definition.check.subject import verdict
from engine.definition.finding import Severity

_PARTS = ("Severity", "Why", "Wrong", "Right")


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule, as the reference lists it. `severities` are those that its findings can have, the worst first."""

    id: str
    what: str
    why: str
    wrong: str
    right: str
    severities: tuple[Severity, ...]
    can_be_silenced: bool


def rule_texts() -> tuple[RuleText, ...]:
    """All rules: those about definitions in their order, those about silences, then what the readers find."""
    return tuple(_rule_texts())


def _rule_texts() -> Iterator[RuleText]:
    for rule in RULES:
        yield _read(verdict(rule), rule.__doc__ or "")
    for silencing in SILENCING_RULES:
        yield _read(silencing.__name__.replace("_", "-"), silencing.__doc__ or "", about_silences=True)
    for key, text in READING.items():
        yield _read(key, text, about_silences=key == "scenarios-invalid")


def _read(key: str, docstring: str, *, about_silences: bool = False) -> RuleText:
    parts: dict[str, list[str]] = {"What": []}
    current = "What"
    for line in inspect.cleandoc(docstring).splitlines():
        begin, colon, rest = line.partition(": ")
        if colon and begin in _PARTS:
            current = begin
            parts[current] = [rest]
        else:
            parts[current].append(line.strip())
    text = {name: " ".join(filter(None, lines)) for name, lines in parts.items()}
    severities = tuple(each for each in Severity if str(each) in re.findall(r"\w+", text.get("Severity", "error")))
    silenceable = not about_silences and (severities != (Severity.ERROR,) or key in SILENCEABLE_ERRORS)
    return RuleText(key, text["What"], text.get("Why", ""), text.get("Wrong", ""), text.get("Right", ""), severities, silenceable)
