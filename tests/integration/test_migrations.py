"""The database's schema: what migrations build, and which databases are opened."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from engine.errors import ConfigurationInvalid, StateUnknown
from engine.store import incidents, jobs, user_tasks
from engine.store.database import SCHEMA, Database
from engine.store.migrate import configuration
from engine.store.tables import metadata
from tests.builders.company import Company
from tests.builders.postgresql import PostgreSql


def test_migrations_build_exactly_the_tables_that_the_program_uses(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_keys_that_hold_the_invariants_are_in_the_database(database: Database) -> None:
    found = inspect(database.engine)
    assert found.get_pk_constraint("bills")["constrained_columns"] == ["process", "customer", "period"]
    assert found.get_pk_constraint("charges")["constrained_columns"] == ["charge_key"]
    unique = {table: [key["column_names"] for key in found.get_unique_constraints(table)] for table in metadata.tables}
    assert (
        unique["charges"] == [["intent"], ["process", "customer", "period"]]
        or ["process", "customer", "period"] in unique["charges"]
    )
    assert ["instance_id", "token"] in unique["user_tasks"]
    assert ["instance_id", "token"] in unique["jobs"]
    assert ["instance_id", "number"] in unique["messages"]


def test_the_program_and_its_newest_migration_name_the_same_schema() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == SCHEMA


def test_an_empty_database_is_brought_up_to_date(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path / 'new.db'}")
    with opened.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [SCHEMA]
    opened.close()


def test_what_was_stored_before_workers_were_registered_is_kept(tmp_path: Path) -> None:
    """From schema 0001, which had no timers, incidents without a kind, and tasks that didn't name their customer."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    raw = create_engine(url)
    with raw.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text(_INSTANCE_OF_0001))
        connection.execute(text(_TASK_OF_0001))
        connection.execute(text(_JOB_OF_0001))
        connection.execute(text(_MESSAGE_OF_0001))
        connection.execute(text(_INCIDENTS_OF_0001))
    raw.dispose()
    opened = Database(url)
    with opened.transaction() as connection:
        kinds = [(row.id, row.kind, row.job) for row in incidents.listing(connection, resolved=True)]
        assert kinds == [(7, "refused", 1), (8, "undelivered", None)]
        tasks = user_tasks.listing(connection, user_tasks.OPEN, {"customer": "cus_A", "period": "2026-10"}, 0, 10)
        assert [(task.id, task.customer, task.period) for task in tasks] == [(4, "cus_A", "2026-10")]
        job = jobs.get(connection, 1)
        assert (job.attempts, job.failures, job.look_ups, job.losses) == (3, 0, 0, 0)
        assert incidents.add(connection, {**_NEW_INCIDENT, "created_at": job.created_at}) == 9
    opened.close()


_INSTANCE_OF_0001 = """INSERT INTO instances (id, process, version, state, started_by, started_user, started_at, token_state,
    previous_values, revision, customer, period)
    VALUES (1, 'p', 1, 'active', 'manual', 'olivia', '2026-10-01 09:30:00.000000', '', '{}', 1, 'cus_A', '2026-10')"""
_TASK_OF_0001 = """INSERT INTO user_tasks (id, instance_id, token, process, flow_node, state, created_at)
    VALUES (4, 1, 1, 'p', 'enter', 'offered', '2026-10-01 09:30:00.000000')"""
_JOB_OF_0001 = """INSERT INTO jobs (id, instance_id, token, flow_node, topic, parameters, state, attempts, run_at, fence,
    created_at) VALUES (1, 1, 4, 'charge', 'pay', '{}', 'failed', 3, '2026-10-01 09:30:00.000000', 3,
    '2026-10-01 09:30:00.000000')"""
_MESSAGE_OF_0001 = """INSERT INTO messages (id, instance_id, number, name, flow_node, data, previous_values, state, attempts,
    run_at, thrown_at) VALUES (5, 1, 1, 'next', 'next', '{}', '{}', 'failed', 1, '2026-10-01 09:30:00.000000',
    '2026-10-01 09:30:00.000000')"""
_INCIDENTS_OF_0001 = """INSERT INTO incidents (id, instance_id, job_id, message_id, flow_node, message, tried, created_at) VALUES
    (7, 1, 1, NULL, 'charge', '"Down."', 3, '2026-10-01 09:30:00.000000'),
    (8, 1, NULL, 5, 'next', '"Nobody."', 1, '2026-10-01 09:30:00.000000')"""
_NEW_INCIDENT = {"instance_id": 1, "job_id": 1, "kind": "refused", "flow_node": "charge", "message": "Down.", "tried": 4}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # asks about the file
def test_a_database_that_is_up_to_date_is_left_as_it_is(database_url: str) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    Database(database_url).close()
    assert path.read_bytes() == before


def test_a_database_of_a_newer_schema_is_refused_and_not_touched(database_url: str) -> None:
    raw = create_engine(database_url)
    with raw.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(
        StateUnknown, match=f"Expected a database schema up to {SCHEMA}, but .* has 9999. Do: use the run-process"
    ):
        Database(database_url)
    with raw.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["9999"]
        connection.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": SCHEMA})
    raw.dispose()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    letter = tmp_path / "letter.db"
    letter.write_text("Dear customer, " * 100)
    with pytest.raises(ConfigurationInvalid, match=r"file is not a database.*Do: check --database"):
        Database(f"sqlite:///{letter}")
    assert letter.read_text().startswith("Dear customer")


def test_a_database_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="Do: check --database or RUN_PROCESS_DATABASE"):
        Database(f"sqlite:///{tmp_path / 'missing' / 'run-process.db'}")


def test_another_program_s_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE instances (a TEXT)")
    raw.close()
    with pytest.raises(ConfigurationInvalid, match="Do: check --database"):
        Database(f"sqlite:///{path}")
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("instances",)]
    raw.close()


@pytest.mark.parametrize(
    "url",
    ["mysql://host/name", "run-process.db", "postgresql+psycopg://host:port/name", "sqlite+nothing:///x.db", "", "postgresql"],
)
def test_what_is_no_url_of_a_known_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"Expected a database URL like sqlite:///run-process\.db"):
        Database(url)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann:sesame@host/name",
        "postgresql+psycopg://ann:sesame@127.0.0.1:9/name",
        "postgresql+psycopg://ann:open@sesame/w#rd@127.0.0.1:9/name",
        "postgresql+psycopg://ann:open@sesame@127.0.0.1:port/name",
    ],
)
def test_no_part_of_a_password_in_the_url_is_ever_shown(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        Database(url)
    assert "sesame" not in str(refused.value)


def _open(url: str) -> str:
    opened = Database(url)
    try:
        with opened.reading() as connection:
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    finally:
        opened.close()


def test_processes_that_open_a_fresh_database_at_once_all_find_it_ready(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_open, [url] * 6, chunksize=1) == [SCHEMA] * 6


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # asks SQLite itself
def test_every_commit_is_synced_and_readers_do_not_wait_for_writers(company: Company) -> None:
    database = company.runtime.database
    with database.transaction() as writing:
        assert writing.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert writing.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert writing.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        with database.reading() as reading:
            assert reading.execute(text("SELECT count(*) FROM deployments")).scalar() == 1


def test_processes_that_start_at_once_on_an_empty_postgresql_all_find_it_ready(postgresql: PostgreSql | str) -> None:
    if isinstance(postgresql, str):
        pytest.skip(postgresql)
    with postgresql.empty() as url, multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_open, [url] * 3, chunksize=1) == [SCHEMA] * 3
