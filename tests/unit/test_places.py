"""Where the tokens of an instance are: at tasks, joins and events that wait, not at events that may still come."""

from __future__ import annotations

from engine.execution.places import places_of
from engine.execution.state import load_state
from tests.builders.drawing import boundary_timer, end, flows, parallel, start, user
from tests.builders.play import Play, executable_of


def places(play: Play) -> dict[str, int]:
    assert play.stored is not None
    return dict(places_of(play.executable, load_state(play.stored)))


FORKED = (
    start(),
    parallel("fork"),
    user("one"),
    boundary_timer("late", "one"),
    user("two"),
    parallel("join"),
    user("after"),
    end(),
    flows("start -> fork -> one -> join -> after -> end", "fork -> two -> join", "late -> end"),
)


def test_every_branch_has_its_token_and_a_boundary_event_none() -> None:
    assert places(Play(executable_of(*FORKED)).start()) == {"one": 1, "two": 1}


def test_a_token_waits_at_its_join_until_all_have_come() -> None:
    play = Play(executable_of(*FORKED)).start().complete("two")
    assert places(play) == {"one": 1, "join": 1}
    assert places(play.complete("one")) == {"after": 1}


def test_what_has_ended_has_no_token() -> None:
    assert places(Play(executable_of(*FORKED)).start().complete("two").complete("one").complete("after")) == {}
