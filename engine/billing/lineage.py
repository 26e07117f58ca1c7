"""A customer's months in a line: which follows which, where one is missing, and where a line goes on in two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.billing.roster import RosterEvent, Standing, standing_in
from engine.model.period import next_period


@dataclass(frozen=True, slots=True)
class Link:
    """One instance of a customer in a period. `live`: it isn't cancelled."""

    number: int
    period: str
    previous: int | None
    live: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """A period without a live instance: `missing`, or `paused` or `ended` by what the roster says."""

    period: str
    standing: str


def line_up(links: Sequence[Link], every: str, first_period: str | None, events: Sequence[RosterEvent]) -> Iterator[Link | Gap]:
    """The links by period, cancelled ones too, with a gap in each period between them that no live instance is for."""
    by_period: dict[str, list[Link]] = {}
    for link in sorted(links, key=lambda each: (each.period, each.number)):
        by_period.setdefault(link.period, []).append(link)
    period, last = min(by_period, default=""), max(by_period, default="")
    while by_period and period <= last:
        some = by_period.pop(period, [])
        yield from some
        if not any(link.live for link in some):
            standing, _ = standing_in(period, first_period or period, events)
            yield Gap(period, "missing" if standing is Standing.BILLED else standing.value)
        following = next_period(period, every)
        between = [each for each in by_period if period < each < following]  # another distance was deployed meanwhile
        period = min([*between, following])


def forks(links: Sequence[Link]) -> Mapping[int, str]:
    """Instance -> why it is one too many: another live one is for the same period, or follows the same instance."""
    live = [link for link in links if link.live]
    told: dict[int, str] = {}
    for number, link in enumerate(live):
        for other in live[:number]:
            if other.period == link.period:
                told[link.number] = f"i{other.number} is for the same period"
            elif link.previous is not None and other.previous == link.previous:
                told[link.number] = f"i{other.number} follows i{link.previous} as well"
    return told
