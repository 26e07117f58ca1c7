"""What keeps a period from being closed, and what is recorded when it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.billing.coverage import CoverageRow, count_states, sum_amounts


def unsettled(rows: Iterable[CoverageRow]) -> list[CoverageRow]:
    """The customers of whom something is still to come."""
    return [row for row in rows if not row.settled]


def totals_of(rows: Sequence[CoverageRow]) -> dict[str, Any]:
    """What is recorded of a period: customers by state, and sums in minor units by currency and state.

    What is given back later is booked when it is, so refunds are no part of it.
    """
    states = {state: count for state, count in count_states(rows).items() if count}
    sums = {of: {state: sum_ for state, sum_ in sums.items() if state != "refunded"} for of, sums in sum_amounts(rows).items()}
    return {"customers": len(rows), "states": states, "amounts": sums}


def digest_of(rows: Iterable[CoverageRow]) -> str:
    """SHA-256 over customer, state, instance, amount and currency of each row, by customer: what a closed period consists of."""
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda row: row.customer):
        line = [row.customer, row.state.value, row.instance, row.amount, row.currency]
        digest.update(json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def differs(recorded: str | None, totals: Mapping[str, Any] | None, rows: Sequence[CoverageRow]) -> bool:
    """Whether a closed period is no longer what was recorded."""
    return digest_of(rows) != recorded or totals_of(rows) != totals
