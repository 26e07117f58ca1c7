"""Text: which characters data may hold, and how values and names appear inside error messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

from engine.errors import DataRefused

LARGEST_INTEGER = 2**63 - 1
"""The largest integer that data can hold, in either direction."""

_LONGEST_SHOWN = 60
_MOST_NAMES = 20

# Characters without a shape of their own make two customers out of what looks like one; a name may need the two joiners
# (Persian, Indic scripts, emoji). Overrides of the writing direction make an amount read backwards.
_JOINERS = "\u200c\u200d"
_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def shown(value: object) -> str:
    """`value` as an error message shows it: text in quotes, shortened to 60 characters, unprintable characters escaped."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) > LARGEST_INTEGER:
            return "a number of more than 63 bits"  # str() itself refuses integers of thousands of digits
        case int() | float():
            return str(value)
        case str():
            return _quoted(value)
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a value of the kind {type(value).__name__}"


def with_remedy(message: str, remedy: str) -> str:
    """An error message ("Expected ..., but .... Do ...") that asks for `remedy` instead of what it asked for."""
    return f"{message.rsplit(' Do: ', 1)[0]} Do: {remedy}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that `name` was probably meant to be, as a request to use it; else a request to use one of `known`."""
    names = sorted(known)
    near = [other for other in names if other.lower() == name.lower()] or get_close_matches(name[:200], names, n=1)
    if near:
        return f'Do: write "{near[0]}".'
    listed = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return f"Do: write one of {listed}." if names else "Do: remove it."


def refuse_hidden(text: str, *, several_lines: bool) -> None:
    """Raise DataRefused if `text` holds control characters, lone surrogates or overrides of the writing direction.

    One line may hold no invisible character at all (but for joiners); several lines may hold line feeds and tabs.
    """
    hidden = _hidden_in_lines if several_lines else _hidden_in_line
    for index, char in enumerate(text, start=1):
        if hidden(char):
            raise DataRefused(
                f"Expected characters that can be seen, but character {index} is a control or invisible one "
                f"(U+{ord(char):04X}) in {shown(text)}. Do: remove it."
            )


def _hidden_in_line(char: str) -> bool:
    category = unicodedata.category(char)
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and char not in _JOINERS)


def _hidden_in_lines(char: str) -> bool:
    return char not in "\n\t" and (unicodedata.category(char) in ("Cc", "Cs") or char in _DIRECTIONS)


def _quoted(text: str) -> str:
    start = text[:_LONGEST_SHOWN]
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in start)
    return f'"{escaped}{"..." if len(text) > _LONGEST_SHOWN else ""}"'
