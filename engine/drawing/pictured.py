"""What somebody wants to see: a diagram, and what to mark in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.drawing.marks import Marking


@dataclass(frozen=True, slots=True)
class Pictured:
    """A diagram's bytes and name, a sentence on what is shown, and what is marked by element id."""

    content: bytes
    file: str
    about: str
    marks: Mapping[str, Sequence[Marking]] = field(default_factory=dict)
