"""What a call activity says: which process it calls, in which version, and which data goes there and comes back."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition.finding import Position

LATEST, DEPLOYMENT, VERSION = "latest", "deployment", "version"
"""The newest version when the call activity is reached; the one deployed together with the caller; the one that is named."""


@dataclass(frozen=True, slots=True)
class Passing:
    """One `camunda:in` or `camunda:out`: what `text`, a parameter's text, gives becomes the value of the item `target`.

    `source` is the item that is passed as it is; None where an expression computes the value.
    """

    target: str
    text: str
    source: str | None
    position: Position


@dataclass(frozen=True, slots=True)
class Call:
    """A call activity's settings. `process` is None where the file names none, `binding` as written.

    `version` is what `camunda:calledElementVersion` says. In `ins`, texts are read in the caller and targets are items of the
    called process; in `outs` the other way round.
    """

    process: str | None
    binding: str = LATEST
    version: str | None = None
    ins: tuple[Passing, ...] = ()
    outs: tuple[Passing, ...] = ()

    @property
    def number(self) -> int | None:
        """The version that the call activity names; None where it names none, or no whole number from 1."""
        fits = self.version is not None and self.version.isascii() and self.version.isdigit() and len(self.version) <= 9
        return (int(self.version or "") or None) if fits else None
