"""Moments as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataRefused
from engine.model.moment import parse_moment

NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01T09:00:00Z", NINE),
        ("2026-12-01T09:00:00+00:00", NINE),
        ("2026-12-01T10:00:00+01:00", NINE),
        ("2026-12-01T09:00", NINE),
        ("2026-12-01T09:00Z", NINE),
        ("\n\t2026-12-01T09:00:00 ", NINE),
        ("2026-12-01T09:00:00.250Z", NINE + timedelta(milliseconds=250)),
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2028-02-29", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_iso_8601_says_and_utc_is_meant_where_no_zone_is_written(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment
    assert parse_moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "P3D", "now", "2026-12", "2026-13-01", "2026-02-29", "2026-12-01T24:30", "2026-12-01T09", "2026-12-01 09:00"),
        *("20261201", "2026-W49-2", "1.12.2026", "2026-12-01T09:00:00 Europe/Berlin", "2026-12-01T09:00+25:00"),
        *(
            "0001-01-01T00:00+14:00",
            "9999-12-31T23:59-14:00",
            "\uff12\uff10\uff12\uff16-12-01",
            "2026-12-01\n2026-12-02",
            "2026-12-01T09:00:00z",
        ),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DataRefused, match=r"Expected a date, or a date and time.*Do: write one as in 2026-12-01"):
        parse_moment(text)


@given(st.integers(2, 9998), st.timedeltas(timedelta(0), timedelta(days=365)), ZONES)
def test_a_moment_that_was_written_out_is_read_back(year: int, later: timedelta, zone: timezone) -> None:
    moment = datetime(year, 1, 1, tzinfo=zone) + later
    assert parse_moment(moment.isoformat()) == moment


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    with suppress(DataRefused):
        assert parse_moment(text).tzinfo is UTC
