from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, bindparam, event, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from engine.store.database import Database
from engine.store.prepared import Prepared
from engine.store.sending import savepoint
from engine.store.tables import chores, history, instances, workers

NOON = datetime(2026, 10, 1, 12, 0, 0, 123456, tzinfo=UTC)
PLACE = {"name": "w1", "host": "h", "process_id": 1, "program": "1", "topics": ["é", "\0"], "concurrency": 1, "in_flight": 0}
WORKER = {**PLACE, "state": "working", "started_at": NOON, "seen_at": NOON.astimezone(timezone(timedelta(hours=2)))}

ADD = Prepared(insert(workers))
ONE = select(workers).where(workers.c.id == bindparam("worker"))
GET = Prepared(ONE)
SEE = Prepared(update(workers).where(workers.c.id == bindparam("worker"), workers.c.state.in_(("working", "stopping"))))
ADD_CHORE = Prepared(insert(chores))
CHORES = Prepared(select(chores.c.name, chores.c.due_at).order_by(chores.c.name))


@pytest.fixture(params=["handed to the driver", "watched"])
def how(request: pytest.FixtureRequest, database: Database) -> str:
    if request.param == "watched":
        event.listen(database.engine, "before_cursor_execute", lambda *_: None)
    return str(request.param)


def test_what_is_stored_and_read_is_what_sqlalchemy_stores_and_reads(database: Database, how: str) -> None:
    with database.transaction() as connection:
        number = ADD.insert(connection, WORKER)
        row = GET.first(connection, {"worker": number})
        assert row == list(connection.execute(ONE, {"worker": number}).one())
        assert row is not None
        assert row[workers.c.keys().index("seen_at")] == NOON
        assert row[workers.c.keys().index("topics")] == ["é", "\0"]
        assert ADD.insert(connection, WORKER) == number + 1
        assert GET.scalar(connection, {"worker": number}) == number
        assert GET.first(connection, {"worker": 99}) is None


def test_a_change_says_how_many_rows_it_changed(database: Database, how: str) -> None:
    with database.transaction() as connection:
        number = ADD.insert(connection, WORKER)
        assert SEE.change(connection, {"worker": number, "in_flight": 3, "state": "stopped"}) == 1
        assert SEE.change(connection, {"worker": number, "in_flight": 4}) == 0
        assert SEE.change(connection, {"worker": 99, "state": "stopped"}) == 0


def test_a_statement_that_is_derived_from_one_that_has_run_gives_rows_all_the_same(database: Database) -> None:
    base = update(workers).where(workers.c.id == bindparam("worker"))
    with database.transaction() as connection:
        number = ADD.insert(connection, WORKER)
        assert Prepared(base).change(connection, {"worker": number, "in_flight": 2}) == 1
        changed = Prepared(base.returning(workers.c.id, workers.c.seen_at)).first(connection, {"worker": number, "in_flight": 3})
        assert changed == [number, NOON]


@pytest.mark.parametrize("count", [1, 2, 8, 9, 20])
def test_rows_are_stored_in_their_order_however_many(database: Database, how: str, count: int) -> None:
    whose = {"process": "p", "version": 1, "state": "active", "started_by": "manual", "started_user": "u", "started_at": NOON}
    rows = [{"number": n, "at": NOON, "event": f"e{n}", "by": "u", "details": {"n": n}, "hash": "0"} for n in range(count)]
    with database.transaction() as connection:
        stored = {**whose, "token_state": "", "previous_values": {}, "revision": 1}
        instance = Prepared(insert(instances)).insert(connection, stored)
        Prepared(insert(history)).insert_each(connection, [{"instance_id": instance, **row} for row in rows])
        read = connection.execute(select(history.c.number, history.c.event, history.c.details).order_by(history.c.number)).all()
    assert [tuple(each) for each in read] == [(n, f"e{n}", {"n": n}) for n in range(count)]


def test_what_the_database_refuses_is_raised_as_sqlalchemy_raises_it(database: Database, how: str) -> None:
    chore = {"name": "sweep", "due_at": NOON}
    with database.transaction() as connection:
        ADD_CHORE.change(connection, chore)
    with pytest.raises(IntegrityError) as refused, database.transaction() as connection:
        ADD_CHORE.change(connection, chore)
    assert refused.value.statement is not None
    assert not refused.value.connection_invalidated
    with database.transaction() as connection:
        assert ADD_CHORE.change(connection, chore | {"name": "clean"}) == 1


def test_what_waits_is_stored_with_the_commit(database: Database, how: str) -> None:
    with database.transaction() as connection:
        ADD_CHORE.post(connection, {"name": "sweep", "due_at": NOON})
        ask = CHORES.ask(connection)
        ADD_CHORE.post(connection, {"name": "clean", "due_at": NOON})
    assert ask() == [["sweep", NOON]]  # as it was when the question had its turn
    with database.reading() as connection:
        assert CHORES.all(connection) == [["clean", NOON], ["sweep", NOON]]


def test_what_waits_comes_before_any_other_statement(database: Database, how: str) -> None:
    with database.transaction() as connection:
        ADD_CHORE.post(connection, {"name": "sweep", "due_at": NOON})
        assert connection.execute(select(chores.c.name)).scalars().all() == ["sweep"]
        with connection.begin_nested() as savepoint:
            ADD_CHORE.post(connection, {"name": "clean", "due_at": NOON})
            savepoint.rollback()
        ADD_CHORE.post(connection, {"name": "dust", "due_at": NOON})
    with database.reading() as connection:
        assert [name for name, _ in CHORES.all(connection)] == ["dust", "sweep"]


def test_what_is_refused_behind_a_savepoint_takes_back_no_more_than_that(database: Database, how: str) -> None:
    def dirty(connection: Connection) -> None:
        with savepoint(connection):
            ADD_CHORE.post(connection, {"name": "clean", "due_at": NOON})
            ADD_CHORE.post(connection, {"name": "sweep", "due_at": NOON})

    with database.transaction() as connection:
        ADD_CHORE.post(connection, {"name": "sweep", "due_at": NOON})
        with pytest.raises(IntegrityError):
            dirty(connection)
        ADD_CHORE.post(connection, {"name": "dust", "due_at": NOON})
    with database.reading() as connection:
        assert [name for name, _ in CHORES.all(connection)] == ["dust", "sweep"]


def test_what_waits_is_taken_back_with_its_transaction(database: Database, how: str) -> None:
    def break_off() -> None:
        with database.transaction() as connection:
            ADD_CHORE.post(connection, {"name": "sweep", "due_at": NOON})
            raise LookupError

    with pytest.raises(LookupError):
        break_off()
    with database.transaction():
        pass  # the same connection, with which nothing is sent
    with database.reading() as connection:
        assert CHORES.all(connection) == []


def test_what_waits_and_is_refused_takes_back_all_that_was_sent_with_it(database: Database, how: str) -> None:
    def store(*names: str) -> None:
        with database.transaction() as connection:
            for name in names:
                ADD_CHORE.post(connection, {"name": name, "due_at": NOON})

    with pytest.raises(IntegrityError):
        store("sweep", "sweep", "clean")
    with database.transaction() as connection:
        assert CHORES.all(connection) == []
        ADD_CHORE.post(connection, {"name": "dust", "due_at": NOON})
    with database.reading() as connection:
        assert [name for name, _ in CHORES.all(connection)] == ["dust"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_one_lost_connection_is_told_once_and_the_idle_ones_are_made_anew(database: Database) -> None:
    with database.reading(), database.reading():
        pass  # two connections are idle now
    with database.reading() as connection:
        mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %(mine)s"
        connection.exec_driver_sql(others, {"mine": mine})
    with database.reading(), pytest.raises(OperationalError) as lost, database.reading() as second:
        GET.first(second, {"worker": 1})  # the first one has the connection that lives
    assert lost.value.connection_invalidated
    for _ in range(3):
        with database.reading() as connection, database.reading() as another:
            assert GET.first(connection, {"worker": 1}) is None
            assert GET.first(another, {"worker": 1}) is None
