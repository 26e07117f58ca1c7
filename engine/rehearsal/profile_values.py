"""The values that a profile is written in: shares, weights, lengths of time, amounts, and how they vary."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from engine.definition.safe_yaml import YamlNode, YamlScalar
from engine.definition.yaml_fields import Fields, Report, as_map, as_text, as_texts, described
from engine.errors import DataRefused
from engine.model.money import format_money, parse_money
from engine.model.period import parse_duration
from engine.rehearsal.distribution import Between, Distribution, Fixed, Skewed
from engine.rehearsal.working_hours import ALWAYS, DAYS, WorkingHours

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_MOST = 1_000_000_000

ReadNumber: TypeAlias = Callable[[YamlNode, str], int | None]
"""Reads one number of a distribution: None, with a finding, for anything else."""


class Values:
    """Reads values; each method gives None, or what is usual, with a finding where a node is something else."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def refuse(self, node: YamlNode, expected: str, remedy: str) -> None:
        """Note that a node isn't what was expected."""
        self._report.add("wrong-value", node.position, f"Expected {expected}, but it is {described(node)}. Do: {remedy}.")

    def share(self, node: YamlNode, what: str) -> float | None:
        """`5%` or `0.5 %`: the share from 0 to 1."""
        match = _PERCENT.fullmatch(node.text) if isinstance(node, YamlScalar) else None
        if match is None or float(match[1]) > 100:
            self.refuse(node, f"a share of all cases for {what}, from 0% to 100%", "write one as in 5%")
            return None
        return float(match[1]) / 100

    def count(self, node: YamlNode, what: str, least: int = 1) -> int | None:
        """A whole number."""
        value = node.value if isinstance(node, YamlScalar) and node.meaning == "integer" else None
        if isinstance(value, int) and least <= value <= _MOST:
            return value
        self.refuse(node, f"a whole number of at least {least} for {what}", "write one as in 3")
        return None

    def weights(self, node: YamlNode, what: str) -> dict[str, float]:
        """Values with how often each comes: whole numbers, or shares. A value alone comes always."""
        if isinstance(node, YamlScalar):
            text = as_text(node, what, self._report)
            return {text: 1.0} if text is not None else {}
        of = as_map(node, what, self._report)
        entries = of.entries if of is not None else ()
        found = {key.text: self._weight(value, f"{what}, {key.text}") for key, value in entries}
        if of is not None and not any(found.values()):
            self.refuse(node, f"values with their weights for {what}, one above zero at least", "write {one: 90, another: 10}")
            return {}
        return found

    def _weight(self, node: YamlNode, what: str) -> float:
        if isinstance(node, YamlScalar) and node.text.endswith("%"):
            return self.share(node, what) or 0.0
        return float(self.count(node, what, 0) or 0)

    def shares(self, node: YamlNode, what: str) -> dict[str, float]:
        """Names with their shares, together at most 100%."""
        of = as_map(node, what, self._report)
        found = {key.text: self.share(value, f"{what}, {key.text}") or 0.0 for key, value in (of.entries if of else ())}
        if sum(found.values()) > 1 + 1e-9:
            self.refuse(node, f"shares of at most 100% in all for {what}", "make them smaller")
        return found

    # lengths of time ................................................................................................

    def length(self, node: YamlNode, what: str) -> timedelta | None:
        """A duration of weeks, days, hours, minutes or seconds."""
        try:
            duration = parse_duration(node.text) if isinstance(node, YamlScalar) else None
        except DataRefused:
            duration = None
        if duration is None or duration.months:
            self.refuse(node, f"an ISO 8601 duration without months or years for {what}", "write one as in PT10M or P2D")
            return None
        return duration.rest

    def seconds(self, node: YamlNode, what: str) -> int | None:
        """The same in whole seconds."""
        length = self.length(node, what)
        return round(length.total_seconds()) if length is not None else None

    def time_taken(self, node: YamlNode, what: str) -> Distribution | None:
        """How a length of time varies, in seconds."""
        return self.distribution(node, what, self.seconds)

    def distribution(self, node: YamlNode, what: str, read: ReadNumber) -> Distribution | None:
        """`{median: X, p95: Y}`, `{min: X, mode: Y, max: Z}`, or one value that is always the same."""
        if isinstance(node, YamlScalar):
            value = read(node, what)
            return Fixed(value) if value is not None else None
        of = as_map(node, what, self._report)
        names = {key.text: read(value, f"{key.text} of {what}") for key, value in of.entries} if of else {}
        if of is None or None in names.values():
            return None
        return self._made(node, what, {name: value for name, value in names.items() if value is not None})

    def _made(self, node: YamlNode, what: str, given: dict[str, int]) -> Distribution | None:
        match given:
            case {"median": median, "p95": p95} if len(given) == 2 and 0 < median <= p95:
                return Skewed(median, p95)
            case {"min": least, "mode": mode, "max": most} if len(given) == 3 and least <= mode <= most:
                return Between(least, mode, most)
        expected = f"a median above zero and a p95 above that, or min, mode and max in this order, for {what}"
        remedy = "write {median: ..., p95: ...} or {min: ..., mode: ..., max: ...}"
        self._report.add("wrong-value", node.position, f"Expected {expected}, but they are something else. Do: {remedy}.")
        return None

    def working_hours(self, node: YamlNode, what: str) -> WorkingHours | None:
        """`always`, or days and hours in UTC."""
        if isinstance(node, YamlScalar) and node.text == "always":
            return ALWAYS
        of = as_map(node, what, self._report)
        if of is None:
            return None
        fields, usual = Fields(of, ("days", "from", "to"), what, self._report), WorkingHours()
        days = fields.node("days")
        numbers = self._days(days, what) if days is not None else usual.days
        opens, closes = self._time(fields, "from", usual.opens), self._time(fields, "to", usual.closes)
        if opens >= closes:
            self._report.add(
                "wrong-value", of.position, f"Expected {what} to end after they begin, but they don't. Do: correct from and to."
            )
            return None
        return WorkingHours(numbers, opens, closes) if numbers else None

    def _days(self, node: YamlNode, what: str) -> tuple[int, ...]:
        names = as_texts(node, f'"days" in {what}', self._report)
        if any(name not in DAYS for name in names):
            self.refuse(node, f"days of the week for {what}", f"write some of {', '.join(DAYS)}")
            return ()
        return tuple(sorted(DAYS.index(name) for name in names))

    def _time(self, fields: Fields, key: str, usual: timedelta) -> timedelta:
        node, text = fields.node(key), fields.text(key)
        match = _TIME.fullmatch(text) if text is not None else None
        if match is not None and node is not None:
            at = timedelta(hours=int(match[1]), minutes=int(match[2]))
            if at <= timedelta(days=1):
                return at
        if text is not None and node is not None:
            self.refuse(node, f'a time of the day for "{key}" in {fields.what}', 'write one as in "09:00", in UTC')
        return usual

    # amounts ........................................................................................................

    def amount(self, currency: str) -> ReadNumber:
        """What reads amounts in a currency: text in major units, as people write money."""

        def read(node: YamlNode, what: str) -> int | None:
            if isinstance(node, YamlScalar):
                try:
                    return parse_money(node.text, currency)
                except DataRefused:
                    pass  # noted below like whatever is no text
            self.refuse(node, f"an amount in {currency} for {what}", f"write one as in {format_money(12_050, currency)}")
            return None

        return read
