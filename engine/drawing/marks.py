"""What callers can say about elements of a picture, and how each of it looks.

Every mark differs from every other in the shape of its badge or the dashes of its outline, not in its colour alone. The colours
are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any kind of colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Mark(StrEnum):
    """What is said of an element."""

    COVERED = "covered"  # some scenario has been here
    UNCOVERED = "uncovered"  # none has
    PATH = "path"  # an instance has been here
    TOKEN = "token"  # noqa: S105 - no password: it is here now
    INCIDENT = "incident"  # something is wrong here
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    NOTED = "noted"  # a number or word stands beside it


@dataclass(frozen=True, slots=True)
class Marking:
    """A mark with more to say. `badge`: a few characters in place of the mark's sign, such as a count. `note`: a sentence that is
    shown when the element is pointed at.
    """

    mark: Mark | str
    badge: str = ""
    note: str = ""


Marks: TypeAlias = Mapping[str, str | Marking | Iterable[str | Marking]]
"""By element id: a mark, its name, a marking, or several of them."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a mark is drawn: the outline's colour, width and dashes, the badge's outline and sign, and what the legend says.

    `badge` is `none`, `disc`, `square`, `diamond` or `triangle`; `sign` one of engine/drawing/badges.py.
    """

    colour: str
    width: float
    dashes: str
    badge: str
    sign: str
    says: str


LOOKS: Mapping[Mark, Look] = {
    Mark.COVERED: Look("#0072B2", 2, "", "none", "", "covered"),
    Mark.UNCOVERED: Look("#D55E00", 3, "7 4", "square", "cross", "not covered"),
    Mark.PATH: Look("#0072B2", 2, "", "none", "", "path taken"),
    Mark.TOKEN: Look("#0072B2", 3, "", "disc", "dot", "a token is here"),
    Mark.INCIDENT: Look("#D55E00", 3, "2 3", "triangle", "exclamation", "incident"),
    Mark.ADDED: Look("#00795A", 3, "", "square", "plus", "added"),
    Mark.REMOVED: Look("#D55E00", 3, "7 4", "square", "minus", "removed"),
    Mark.CHANGED: Look("#0072B2", 3, "2 3", "diamond", "unequal", "changed"),
    Mark.MOVED: Look("#A0517F", 3, "10 3 2 3", "disc", "arrow", "moved"),
    Mark.NOTED: Look("#555555", 0, "", "disc", "dot", "figure"),
}


def markings_of(marks: Marks | None) -> dict[str, tuple[Marking, ...]]:
    """The marks as markings by element id, in the order of `Mark`.

    Raises ValueError for a mark that isn't one.
    """
    order = list(Mark)
    found = {}
    for element, said in (marks or {}).items():
        each = [said] if isinstance(said, str | Marking) else said
        markings = [Marking(Mark(m.mark), m.badge, m.note) if isinstance(m, Marking) else Marking(Mark(m)) for m in each]
        found[element] = tuple(sorted(markings, key=lambda m: order.index(Mark(m.mark))))
    return found


def in_words(marking: Marking) -> str:
    """What a marking says, for those who read rather than see it."""
    look = LOOKS[Mark(marking.mark)]
    figure = f" {marking.badge}" if marking.badge else ""
    return f"{look.says}{figure}{': ' + marking.note if marking.note else ''}"
