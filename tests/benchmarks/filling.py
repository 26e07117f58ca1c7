"""Fills a database with many customers' months, as years of work would leave it.

One instance of each kind is played for real; the database itself copies its rows. Only numbers, customers and months differ
(hashes in the copies' history are the original's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeAlias

from sqlalchemy import Connection, text

from engine.connector import Fatal
from engine.model.identifiers import Kind as Id
from engine.model.identifiers import parse_id
from engine.services.inspecting import list_instances
from engine.store.tables import metadata
from tests.benchmarks.month import Billing
from tests.doubles.connectors import RecordingConnector

Cursor: TypeAlias = Any
"""A cursor of either driver."""

MONTHS = 30
"""Each customer's instances: one in thirty is open."""
LAST_MONTH = "2022-06"

_NUMBERED = ("instances", "user_tasks", "jobs", "messages", "incidents")
_TABLES = (*_NUMBERED, "bills", "charges", "history")
_SERIES = "WITH RECURSIVE series(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM series WHERE k + 1 < :count)"


_ENROL = """INSERT INTO customers (process, customer, first_period, data, enrolled_at, enrolled_by)
    SELECT b.process, b.customer, min(b.period), '{}', min(i.started_at), 'olivia'
    FROM bills b JOIN instances i ON i.id = b.instance_id GROUP BY b.process, b.customer"""


class Kind(Enum):
    """Where an instance stands."""

    ENDED = "ended, the next one started"
    HANDING_OVER = "ended, its hand-over not delivered yet"
    ENTERING = "waits for its amount"
    FAILED = "needs a person for its job"


class Filler:
    """Makes copies in one database, in which nothing has been started yet."""

    def __init__(self, billing: Billing, pay: RecordingConnector) -> None:
        self._billing = billing
        self._engine = billing.runtime.database.engine
        self._originals = {kind: self._play(kind, pay) for kind in (Kind.ENDED, Kind.ENTERING, Kind.FAILED)}
        self._originals[Kind.HANDING_OVER] = self._originals[Kind.ENDED]
        with self._engine.connect() as connection:
            self._last = {name: _number(connection, f"SELECT coalesce(max(id), 0) FROM {name}") for name in _NUMBERED}

    def months(self, instances: int) -> None:
        """About so many instances: thirty months of each customer, the last of them open."""
        customers = max(2, instances // MONTHS)
        failed = min(5, customers - 1)
        with self._filling() as cursor:
            for month in range(MONTHS - 1):
                self._copy(cursor, Kind.ENDED, customers, f"{2020 + month // 12}-{month % 12 + 1:02d}")
            self._copy(cursor, Kind.FAILED, failed, LAST_MONTH)
            self._copy(cursor, Kind.ENTERING, customers - failed, LAST_MONTH, failed)

    def two_months(self, customers: int) -> None:
        """So many customers on the roster with two months each: one is over, one waits for its amount."""
        before = f"{LAST_MONTH[:5]}{int(LAST_MONTH[5:]) - 1:02d}"
        with self._filling() as cursor:
            self._copy(cursor, Kind.ENDED, customers, before)
            self._copy(cursor, Kind.ENTERING, customers, LAST_MONTH)
            cursor.execute("DELETE FROM customers")
            cursor.execute(_ENROL)

    def hand_overs(self, count: int) -> None:
        """So many customers whose next month waits to be started."""
        with self._filling() as cursor:
            self._copy(cursor, Kind.HANDING_OVER, count, "2026-10")

    # --- originals --------------------------------------------------------------------------------------------------

    def _play(self, kind: Kind, pay: RecordingConnector) -> int:
        customer = f"original-{kind.name}"
        self._billing.begin([customer])
        if kind is not Kind.ENTERING:
            pay.answers(*([Fatal("Expected an answer, but there was none.")] if kind is Kind.FAILED else []))
            self._billing.do("Sales", "sara", {"amount": "120.50"}, customer)
            self._billing.do("Manager", "mia", {"approved": True}, customer)
            self._billing.work()
        return parse_id(Id.INSTANCE, list_instances(self._billing.runtime, {"customer": customer})[0].id)

    # --- copies -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _filling(self) -> Iterator[Cursor]:
        """A transaction that checks no foreign keys; afterwards the database is as settled as one that grew slowly."""
        server = self._engine.dialect.name == "postgresql"
        connection = self._engine.raw_connection()
        if server:
            connection.driver_connection.autocommit = True  # type: ignore[union-attr] # both drivers have one
        cursor = connection.cursor()
        cursor.execute("SET session_replication_role = replica" if server else "PRAGMA foreign_keys = OFF")
        cursor.execute("BEGIN")
        yield cursor
        for name in _NUMBERED if server else ():
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {self._last[name]})")
        cursor.execute("COMMIT")
        for settle in ("VACUUM ANALYZE", "CHECKPOINT") if server else ("PRAGMA wal_checkpoint(TRUNCATE)",):
            cursor.execute(settle)
        connection.invalidate()  # nobody else is to have a connection with these settings

    def _copy(self, cursor: Cursor, kind: Kind, count: int, period: str, first_customer: int = 0) -> None:
        original = self._originals[kind]
        changes = self._changes(kind, first_customer, period)
        offsets = {"instances": self._last["instances"] + 1}
        for name in _TABLES:
            key = "id" if name == "instances" else "instance_id"
            if name not in _NUMBERED:
                self._insert(cursor, name, f"{key} = {original}", offsets, changes, count)
                continue
            cursor.execute(f"SELECT id FROM {name} WHERE {key} = {original} ORDER BY id")
            for (number,) in cursor.fetchall():
                offsets[name] = self._last[name] + 1
                self._insert(cursor, name, f"id = {number}", offsets, changes, count)
                self._last[name] += count

    def _changes(self, kind: Kind, first_customer: int, period: str) -> dict[str, str]:
        """Column -> what stands in a copy; what isn't named is the original's."""
        customer = f"'f' || (k + {first_customer})"
        original = f"original-{(Kind.ENDED if kind is Kind.HANDING_OVER else kind).name}"
        changes = {
            "customer": customer,
            "period": f"'{period}'",
            "charge_key": f"process || '|f' || (k + {first_customer}) || '|{period}'",
            "intent": f"'pi_f' || (k + {first_customer}) || '_{period}'",
            "token_state": f"replace(token_state, '{original}', {customer})",
            "data": f"replace(data, '{original}', {customer})",
        }
        waiting = {"messages.state": "'waiting'", "delivered_at": "NULL", "delivered_to": "NULL"}
        return changes | (waiting if kind is Kind.HANDING_OVER else {})

    @staticmethod
    def _insert(
        cursor: Cursor, name: str, where: str, offsets: Mapping[str, int], changes: Mapping[str, str], count: int
    ) -> None:
        ids = {"id": offsets.get(name), "instance_id": offsets["instances"], "job_id": offsets.get("jobs")}
        columns = [column.name for column in metadata.tables[name].columns]
        values = []
        for column in columns:
            changed = changes.get(f"{name}.{column}", changes.get(column))
            base = ids.get(column)
            values.append(f"{base} + k" if base is not None else changed or f"{name}.{_quoted(column)}")
        listed = ", ".join(map(_quoted, columns))
        statement = f"INSERT INTO {name} ({listed}) {_SERIES} SELECT {', '.join(values)} FROM {name}, series WHERE {where}"
        if count:
            cursor.execute(statement.replace(":count", str(count)))


def _quoted(column: str) -> str:
    return f'"{column}"'


def _number(connection: Connection, question: str) -> int:
    return int(connection.execute(text(question)).scalar_one())
