"""The history of instances: append-only, each entry sealed with the hash of the one before it.

An instance's row is locked by whoever appends, so its chain needs no lock of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from engine.errors import StateUnknown
from engine.model.identifiers import Kind, format_id
from engine.store.tables import history

_ROOT = "0" * 64

# What every step asks, built once; see the package.
_APPEND = insert(history)
_HEAD = (
    select(history.c.number, history.c.hash)
    .where(history.c.instance_id == bindparam("instance"))
    .order_by(history.c.number.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `by` is a user, or `worker NAME` for what ran by itself."""

    number: int
    at: datetime
    event: str
    by: str
    details: Mapping[str, Any]
    hash: str


def append(connection: Connection, instance: int, at: datetime, by: str, events: list[tuple[str, Mapping[str, Any]]]) -> None:
    """Add events (noun + participle, with their details) to an instance's history, in order."""
    if not events:
        return
    number, sealed = _head(connection, instance)
    rows = []
    for event, details in events:
        number += 1
        sealed = seal(sealed, instance, number, at, event, by, details)
        rows.append(
            {"instance_id": instance, "number": number, "at": at, "event": event, "by": by, "details": details, "hash": sealed}
        )
    connection.execute(_APPEND, rows)


def _head(connection: Connection, instance: int) -> tuple[int, str]:
    row = connection.execute(_HEAD, {"instance": instance}).first()
    return (row.number, row.hash) if row else (0, _ROOT)


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
    sealed = _ROOT
    for position, entry in enumerate(entries(connection, instance), start=1):
        sealed = seal(sealed, instance, position, entry.at, entry.event, entry.by, entry.details)
        if entry.number != position or entry.hash != sealed:
            return position
    return None
