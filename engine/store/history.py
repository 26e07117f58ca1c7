"""The history of instances: append-only, each entry sealed with the hash of the one before it.

An instance's row is locked by whoever appends, so its chain needs no lock of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, bindparam, insert, select

from engine.errors import StateUnknown
from engine.model.identifiers import Kind, format_id
from engine.store.prepared import Prepared
from engine.store.tables import history

Head: TypeAlias = tuple[int, str]
"""Where an instance's history stands: its last entry's number and hash."""

BEGINNING: Head = (0, "0" * 64)
"""Where the history of a new instance stands."""

# What every step asks, built once; see the package.
_APPEND = Prepared(insert(history))
_LAST = (
    select(history.c.number).where(history.c.instance_id == bindparam("of_history")).order_by(history.c.number.desc()).limit(1)
)
_HEAD = Prepared(_LAST.add_columns(history.c.hash))

HEAD = (_LAST.scalar_subquery(), _LAST.with_only_columns(history.c.hash).scalar_subquery())
"""What a statement that changes a row of an instance can give back beside, see `head_in`; `of_history` is the instance's number.

Never part of the one that locks the instance: what was written while it waited for the lock is not in its view.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `by` is a user, or `worker NAME` for what ran by itself."""

    number: int
    at: datetime
    event: str
    by: str
    details: Mapping[str, Any]
    hash: str


def append(
    connection: Connection,
    instance: int,
    at: datetime,
    by: str,
    events: list[tuple[str, Mapping[str, Any]]],
    head: Head | None = None,
) -> None:
    """Add events (noun + participle, with their details) to an instance's history, in order.

    `head` is where it stands, if that was read since the instance was locked.
    """
    if not events:
        return
    number, sealed = head or head_in(_HEAD.first(connection, {"of_history": instance}))
    rows = []
    for event, details in events:
        number += 1
        sealed = seal(sealed, instance, number, at, event, by, details)
        rows.append(
            {"instance_id": instance, "number": number, "at": at, "event": event, "by": by, "details": details, "hash": sealed}
        )
    _APPEND.insert_each(connection, rows)


def head_in(row: Sequence[Any] | None) -> Head:
    """The head in a row that ends with it."""
    return (row[-2], row[-1]) if row and row[-2] is not None else BEGINNING


def seal(previous: str, instance: int, number: int, at: datetime, event: str, by: str, details: Mapping[str, Any]) -> str:
    """The hash of an entry: SHA-256 over its predecessor's hash and its own content as canonical JSON."""
    content = [previous, instance, number, at.isoformat(timespec="microseconds"), event, by, details]
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def entries(connection: Connection, instance: int) -> list[Entry]:
    """An instance's history from its beginning. Raises StateUnknown where an entry can't be read any more."""
    query = select(history).where(history.c.instance_id == instance).order_by(history.c.number)
    try:
        return [Entry(r.number, r.at, r.event, r.by, r.details, r.hash) for r in connection.execute(query)]
    except (ValueError, TypeError) as error:
        raise StateUnknown(
            f"Expected a readable history of {format_id(Kind.INSTANCE, instance)}, but an entry was changed to something that "
            "can't be read. Do: tell an auditor, and compare with a backup."
        ) from error


def first_broken(connection: Connection, instance: int) -> int | None:
    """The number of the first entry that was changed or moved, or before which one was removed; None where the chain is whole.

    That the last entries were cut off cannot be seen from the chain itself.
    """
    _, sealed = BEGINNING
    for position, entry in enumerate(entries(connection, instance), start=1):
        sealed = seal(sealed, instance, position, entry.at, entry.event, entry.by, entry.details)
        if entry.number != position or entry.hash != sealed:
            return position
    return None
