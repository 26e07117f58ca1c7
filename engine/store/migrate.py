"""Bring a database's schema up to date, with Alembic. Imported only when that is needed."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 7_275_630_110  # any number that nobody else locks in this database
_ONE_AT_A_TIME = Lock()


def configuration() -> Config:
    """Alembic's configuration: where the migrations are, and nothing else."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def upgrade(engine: Engine) -> None:
    """Run the migrations that this database doesn't have yet, in one transaction.

    Of several processes that start at once on PostgreSQL, one does it and the others wait; SQLite's write lock does the same.
    Alembic keeps what it is doing in a global place, so of several threads one does it at a time, too.
    """
    config = configuration()
    with _ONE_AT_A_TIME, engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
