"""Ids that people type: a letter for the kind and a number, `i17` an instance, `t42` a task.

The letter keeps a task's number from being taken for an instance's. Programs treat ids as opaque strings.
"""

from __future__ import annotations

from enum import StrEnum

from engine.errors import NotFound


class Kind(StrEnum):
    """What an id names, by its letter."""

    INSTANCE = "i"
    TASK = "t"
    JOB = "j"
    MESSAGE = "m"
    TIMER = "w"
    INCIDENT = "x"
    SENT_MESSAGE = "s"
    SUBSCRIPTION = "e"
    CALL = "c"


_WORDS = {
    Kind.INSTANCE: ("an instance", "run-process instances"),
    Kind.TASK: ("a task", "run-process tasks"),
    Kind.JOB: ("a job", "run-process show INSTANCE"),
    Kind.MESSAGE: ("a message", "run-process show INSTANCE"),
    Kind.TIMER: ("a timer", "run-process show INSTANCE"),
    Kind.INCIDENT: ("an incident", "run-process incidents"),
    Kind.SENT_MESSAGE: ("a message", "run-process messages"),
    Kind.SUBSCRIPTION: ("something that is waited for", "run-process messages"),
    Kind.CALL: ("a call", "run-process show INSTANCE"),
}
_LARGEST = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST))  # int() itself refuses texts of thousands of digits


def format_id(kind: Kind, number: int) -> str:
    """`i17` for instance number 17."""
    return f"{kind}{number}"


def parse_id(kind: Kind, text: str) -> int:
    """The number in an id of this kind. Raises NotFound for anything else, naming what it may be instead."""
    letter, digits = text[:1], text[1:]
    if letter == kind and digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS and 0 < int(digits) <= _LARGEST:
        return int(digits)
    word, command = _WORDS[kind]
    other = next((_WORDS[k][0] for k in Kind if k == letter and k != kind and digits.isdigit()), None)
    found = f"{text} is the id of {other}" if other else f"{text!r} is not one"
    raise NotFound(f"Expected the id of {word} (like {kind}17), but {found}. Do: {command}.")


def unknown(kind: Kind, number: int) -> NotFound:
    """The error for an id that is well formed but names nothing."""
    word, command = _WORDS[kind]
    return NotFound(f"Expected {word} {format_id(kind, number)}, but there is none in this database. Do: {command}.")
