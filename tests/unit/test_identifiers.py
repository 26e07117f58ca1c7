"""Ids as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NotFound
from engine.model.identifiers import Kind, format_id, parse_id


@given(st.sampled_from(Kind), st.integers(1, 2**63 - 1))
def test_an_id_is_read_as_it_was_written(kind: Kind, number: int) -> None:
    assert parse_id(kind, format_id(kind, number)) == number


@pytest.mark.parametrize(
    "text", ["", "i", "i0", "i-1", "i 1", "I1", "1", "i1.0", "i٣", "i²", f"i{2**63}", "i" + "9" * 5_000, "ii1", "i1\n"]
)
def test_anything_else_is_refused_with_the_form_and_the_command(text: str) -> None:
    with pytest.raises(NotFound, match=r"Expected the id of an instance \(like i17\), but .* Do: run-process instances\."):
        parse_id(Kind.INSTANCE, text)


def test_the_id_of_something_else_is_named() -> None:
    with pytest.raises(NotFound, match="but t4 is the id of a task"):
        parse_id(Kind.INSTANCE, "t4")
