"""A finding: what is wrong with a definition, where, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is. Only errors keep a definition from being deployed."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file, as editors count: lines and columns from 1; column 0 where it isn't known."""

    file: str
    line: int = 1
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `rule` is a kebab-case verdict; `message` says "Expected ..., but .... Do ..."."""

    rule: str
    severity: Severity
    position: Position
    message: str
    element: str | None = None
    element_name: str | None = None

    def __str__(self) -> str:
        named = f" [{self.element}]" if self.element else ""
        return f"{self.position}: {self.severity}: {self.rule}{named}: {self.message}"
