"""Whatever write of a month fails, and however: the database stays consistent, who asked is told, and the work completes.

`pytest -m slow tests/proofs/test_every_write_fails_once.py -s` lets every write of every variant fail in every way, on both
databases; the ordinary run takes every write of the plain month on SQLite in one way each, and every fifth on PostgreSQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.services import working
from tests.builders.postgresql import PostgreSql
from tests.doubles.failing_database import COMMIT, Failure
from tests.proofs.failing_month import PLAYS, Campaign, Play, World, charged

MOST_CAREFUL_COMMITS = (
    14  # deploy, start, claim, enter, approve; lease, prepare, create, confirm, step; lease, step; deliver; none left
)
UNSAVED = (Failure.DISK_FULL, Failure.IO_ERROR, Failure.CONNECTION_LOST)


@pytest.fixture(params=["sqlite", "postgresql"])
def campaign(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Campaign]:
    monkeypatch.setattr(working, "_POLL_SECONDS", 0.05)  # how long a worker rests after a failure is not what is asked here
    made = Campaign(World(lambda: capsys.readouterr().err), tmp_path, database(request, tmp_path / "run-process.db"))
    yield made
    made.close()
    with capsys.disabled():
        print(f"\n{request.node.name}: {made.figures()}")  # noqa: T201 - figures for whoever reads the proof


def database(request: pytest.FixtureRequest, path: Path) -> Callable[[], str]:
    """Empties the one database, and names it."""
    if request.param == "postgresql":
        server: PostgreSql | str = request.getfixturevalue("postgresql")
        if isinstance(server, str):
            pytest.skip(server)
        return server.emptied
    migrated: Path = request.getfixturevalue("migrated")

    def emptied() -> str:
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
        return f"sqlite:///{shutil.copy(migrated, path)}"

    return emptied


def each(failure: Failure) -> Callable[[int], Failure]:
    return lambda _: failure


def in_turn(nth: int) -> Failure:
    return UNSAVED[nth % len(UNSAVED)]


@pytest.mark.parametrize("campaign", ["sqlite"], indirect=True)
def test_a_month_completes_though_any_one_write_of_it_failed(campaign: Campaign) -> None:
    campaign.run(charged, in_turn)
    for rare in ("SAVEPOINT", "RELEASE"):  # a worker's chores write beside its work, so that the nth write isn't always the same
        campaign.run(charged, in_turn, only=rare)
    assert {case.partition(":")[0] for case in campaign.cases} >= {"BEGIN", "INSERT", "UPDATE", "SAVEPOINT", "RELEASE", "COMMIT"}


@pytest.mark.parametrize("campaign", ["sqlite"], indirect=True)
def test_a_month_completes_though_the_answer_to_any_one_commit_was_lost(campaign: Campaign) -> None:
    campaign.run(charged, each(Failure.UNHEARD), only=COMMIT)
    assert campaign.cases.total() >= MOST_CAREFUL_COMMITS


@pytest.mark.parametrize("campaign", ["postgresql"], indirect=True)
def test_a_month_completes_though_the_connection_was_lost_at_one_write_of_it(campaign: Campaign) -> None:
    campaign.run(charged, lambda nth: Failure.CONNECTION_LOST if nth % 2 else Failure.DISK_FULL, every=5)
    campaign.run(charged, each(Failure.UNHEARD), every=3, only=COMMIT)
    assert campaign.cases.total() >= MOST_CAREFUL_COMMITS


@pytest.mark.slow
@pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)
def test_each_variant_completes_though_any_one_write_of_it_failed_in_any_way(campaign: Campaign, play: Play) -> None:
    for failure in UNSAVED:
        campaign.run(play, each(failure))
    campaign.run(play, each(Failure.UNHEARD), only=COMMIT)
    assert campaign.cases.total() > 3 * MOST_CAREFUL_COMMITS
