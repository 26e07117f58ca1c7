"""The rule that keeps secrets out of diagrams, maps and templates: they are deployed, stored and shown to many."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.definition.check.subject import Subject, error
from engine.definition.finding import Finding, Position

_SECRETS = (
    (re.compile(r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{8,}"), "a Stripe API key"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=]{8,}"), "a Stripe webhook secret"),
    (re.compile(r"(?<=://)[^\s/:@\"'<>$]*:[^\s/@\"'<>$]+@"), "a password in an address"),
)


def secret_in_diagram(subject: Subject) -> Iterator[Finding]:
    """No key or password stands in a diagram, a carry-over map or a template. The finding doesn't repeat it."""
    for name in sorted(subject.files):
        text = subject.files[name].decode("utf-8", errors="replace")
        for pattern, what in _SECRETS:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
                yield error(
                    "secret-in-diagram",
                    Position(name, line, column),
                    f"Expected no secret in a file that is deployed, but here is {what}. "
                    "Do: remove it, replace it where it is in use, and set it in the worker's environment.",
                )
