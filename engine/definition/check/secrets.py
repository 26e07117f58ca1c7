"""The rule that keeps secrets out of diagrams, maps and templates: they are deployed, stored and shown to many."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.definition.check.subject import Subject, error, is_literal
from engine.definition.finding import Finding, Position
from engine.model.text import shown

_SECRETS = (
    (re.compile(r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{8,}"), "a Stripe API key"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=]{8,}"), "a Stripe webhook secret"),
    (re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\bAKIA[0-9A-Z]{16}\b"), "a cloud provider's access key"),
    (re.compile(r"\bgh[opsu]_[A-Za-z0-9]{30,}"), "an access token"),
    (re.compile(r"\b[Bb]earer\s+(?=[^\s\"'<]*[0-9])[A-Za-z0-9._~+/=-]{16,}"), "a bearer token"),
    (re.compile(r"(?<=://)[^\s/:@\"'<>$]*:[^\s/@\"'<>$]+@"), "a password in an address"),
)
_SECRET_NAME = re.compile(r"(?i)(?:^|[_.-])(?:password|passwd|secret|token|api_?key)$")
"""Input parameters of such names are given by an expression or not at all."""


def secret_in_diagram(subject: Subject) -> Iterator[Finding]:
    """No key or password stands in a diagram, a carry-over map or a template. The finding doesn't repeat it.

    Why: diagrams are mailed, stored and shown; a key in one is known to many.
    Wrong: `sk_live_...` in a parameter
    Right: the key in the worker's environment
    """
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
    for task in subject.process.nodes.values():
        for parameter in task.inputs:
            if _SECRET_NAME.search(parameter.name) and parameter.text and is_literal(parameter.text):
                yield error(
                    "secret-in-diagram",
                    task,
                    f"Expected no secret in a file that is deployed, but the parameter {shown(parameter.name)} is written out. "
                    "Do: remove it, replace it where it is in use, and set it in the worker's environment.",
                    parameter.position,
                )
