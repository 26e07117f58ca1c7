"""What waits for which: what instances wait for, what nobody has received yet, and timers that start instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.services.row_forms import sent_message_json, start_timer_json, subscription_json
from engine.services.runtime import Runtime
from engine.store import instances, sent_messages, start_timers, subscriptions

PAGE = 1_000


def awaited(runtime: Runtime, filters: Mapping[str, Any], limit: int = PAGE) -> list[dict[str, Any]]:
    """What instances wait for, the longest first. `filters`: kind, name, key."""
    with runtime.database.reading() as connection:
        rows = subscriptions.listing(connection, filters, 0, limit)
        of = instances.get_many(connection, (row.instance for row in rows))
        return [{**subscription_json(row), "process": of[row.instance].process} for row in rows]


def not_received(runtime: Runtime, filters: Mapping[str, Any], limit: int = PAGE) -> list[dict[str, Any]]:
    """Messages and signals that nobody has received yet, the oldest first: on their way, kept, or failed."""
    with runtime.database.reading() as connection:
        return [sent_message_json(row) for row in sent_messages.listing(connection, filters, 0, limit)]


def starting_by_themselves(runtime: Runtime) -> list[dict[str, Any]]:
    """The timers that start instances, by process."""
    with runtime.database.reading() as connection:
        return [start_timer_json(row) for row in start_timers.every(connection) if row.state != start_timers.DONE]
