"""The roster: who should be billed for a period, whatever instances there are.

An enrolment holds from its first period on. Each later event (paused, resumed, ended) says what holds from a period of its own
on, for ever, until another one says otherwise; events are never taken back, so what once held can be read from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Standing(StrEnum):
    """How a customer stands in a period."""

    NOT_YET = "not_yet"  # enrolled from a later period on
    BILLED = "billed"
    PAUSED = "paused"
    ENDED = "ended"


PAUSED, RESUMED, ENDED = "paused", "resumed", "ended"
_LEADS_TO = {PAUSED: Standing.PAUSED, RESUMED: Standing.BILLED, ENDED: Standing.ENDED}


@dataclass(frozen=True, slots=True)
class RosterEvent:
    """What was decided about a customer: from which period on, by whom, when, why. `instance` is the number of the instance
    through which the diagram said so, None for a person.
    """

    event: str
    from_period: str
    reason: str
    at: datetime
    by: str
    instance: int | None = None


def standing_in(period: str, first_period: str, events: Iterable[RosterEvent]) -> tuple[Standing, RosterEvent | None]:
    """How a customer stands in `period`, and the event that says so, None for the enrolment itself. `events` in the order in
    which they were recorded: of two that hold, the later one was decided knowing the other.
    """
    if period < first_period:
        return Standing.NOT_YET, None
    decisive = None
    for event in events:
        if event.from_period <= period:
            decisive = event
    return (_LEADS_TO[decisive.event], decisive) if decisive else (Standing.BILLED, None)
