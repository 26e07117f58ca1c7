from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DataRefused
from engine.model.period import Duration, add_duration, check_every, next_period, parse_duration, parse_period

months = st.dates(date(1, 1, 1), date(9000, 12, 31)).map(lambda day: day.isoformat()[:7])
early_dates = st.dates(date(1, 1, 1), date(9000, 12, 31)).filter(lambda day: day.day <= 28).map(date.isoformat)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P1M", Duration(1, timedelta(0))),
        ("P1Y2M", Duration(14, timedelta(0))),
        ("P30D", Duration(0, timedelta(days=30))),
        ("P2W", Duration(0, timedelta(weeks=2))),
        ("PT30S", Duration(0, timedelta(seconds=30))),
        ("P1DT12H", Duration(0, timedelta(hours=36))),
        (" P1M\n", Duration(1, timedelta(0))),
    ],
)
def test_a_duration_is_read_as_iso_8601_says(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1YT",
        "1M",
        "p1m",
        "P1",
        "-P1D",
        "+P1D",
        "P0D",
        "P0.5M",
        "P1M1Y",
        "P0003-06-04T12:30:05",
        "P20030604T123005",
        "P.M",
        "P99999999999D",
        "P" + "1" * 5000 + "D",
        "P\uff11M",
        "a month",
    ],
)
def test_what_is_no_positive_duration_is_refused(text):
    with pytest.raises(DataRefused, match="ISO 8601 duration"):
        parse_duration(text)


def test_a_month_after_the_31st_is_the_last_day_of_a_shorter_month():
    assert add_duration(datetime(2026, 1, 31, 9, 30, tzinfo=UTC), "P1M") == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)


def test_a_duration_is_added_in_utc():
    tokyo = timezone(timedelta(hours=9))
    later = add_duration(datetime(2026, 3, 1, 8, 0, tzinfo=tokyo), "P1M")  # still February in UTC
    assert (later, later.tzinfo) == (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), UTC)


def test_a_duration_beyond_the_calendar_is_refused():
    for text in ("P9000Y", "P9999999D"):
        with pytest.raises(DataRefused, match="9999"):
            add_duration(datetime(2026, 1, 31, tzinfo=UTC), text)


def test_a_moment_without_a_time_zone_is_a_programming_error():
    with pytest.raises(ValueError, match="time zone"):
        add_duration(datetime(2026, 1, 31), "P1D")  # noqa: DTZ001 - the mistake itself


@pytest.mark.parametrize(("text", "kind"), [("2026-10", "month"), (" 2026-10 ", "month"), ("2024-02-29", "date")])
def test_a_period_of_the_calendar_is_read(text, kind):
    assert parse_period(text, kind) == text.strip()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-13", "month"),
        ("2026-1", "month"),
        ("0000-01", "month"),
        ("2026-10-01", "month"),
        ("\uff12\uff10\uff12\uff16-10", "month"),
        ("10/2026", "month"),
        ("2026-02-29", "date"),
        ("20261031", "date"),
        ("2026-W01-1", "date"),
        ("2026-10", "date"),
        ("", "date"),
    ],
)
def test_what_is_no_period_of_the_calendar_is_refused(text, kind):
    with pytest.raises(DataRefused, match=f"Expected a {kind}"):
        parse_period(text, kind)


@pytest.mark.parametrize(
    ("period", "every", "following"),
    [
        ("2026-10", "P1M", "2026-11"),
        ("2026-12", "P1M", "2027-01"),
        ("2026-11", "P3M", "2027-02"),
        ("2026-12", "P1Y", "2027-12"),
        ("2026-10-31", "P1D", "2026-11-01"),
        ("2026-12-30", "P2W", "2027-01-13"),
        ("2026-01-28", "P1M", "2026-02-28"),
        ("2024-02-28", "P1Y", "2025-02-28"),
    ],
)
def test_the_next_period_follows_from_the_period_alone(period, every, following):
    assert next_period(period, every) == following


@pytest.mark.parametrize(
    ("period", "every"), [("2026-10", "P30D"), ("2026-10", "P1M1D"), ("2026-10-01", "PT36H"), ("2026-10-01", "P1M1D")]
)
def test_a_distance_that_does_not_fit_the_period_is_refused(period, every):
    with pytest.raises(DataRefused, match="distance between periods"):
        next_period(period, every)


@pytest.mark.parametrize("day", ["2026-01-29", "2026-01-31", "2024-02-29"])
def test_a_date_that_shorter_months_do_not_have_cannot_repeat_monthly(day):
    with pytest.raises(DataRefused, match="up to the 28th"):
        next_period(day, "P1M")


@pytest.mark.parametrize(("period", "every"), [("9999-12", "P1M"), ("9999-12-31", "P1D")])
def test_no_period_follows_the_end_of_the_calendar(period, every):
    with pytest.raises(DataRefused, match="9999"):
        next_period(period, every)


def test_a_fitting_distance_is_accepted_before_any_period_is_known():
    for every, kind in (("P1M", "month"), ("P1Y", "month"), ("P1M", "date"), ("P2W", "date")):
        check_every(every, kind)


@settings(deadline=None)
@given(months, st.integers(1, 120))
def test_later_months_always_follow_earlier_ones(month, distance):
    following = next_period(month, f"P{distance}M")
    years, rest = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + distance, 12)
    assert following > month
    assert following == f"{years:04}-{rest + 1:02}"


@settings(deadline=None)
@given(early_dates, st.integers(1, 120), st.sampled_from("DWMY"))
def test_later_dates_always_follow_earlier_ones_and_months_keep_the_day(day, distance, unit):
    following = next_period(day, f"P{distance}{unit}")
    assert following > day
    assert unit in "DW" or following[8:] == day[8:]


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_is_a_period_with_a_next_one_or_refused(period, every):
    with suppress(DataRefused):
        assert next_period(period, every) > period.strip()
