"""Lists: filters, newest first, a page at a time. Lists show every object at once; search does not, and is not played.

Follows https://docs.stripe.com/api/pagination (limit 1 to 100, starting_after, ending_before, has_more) and
https://docs.stripe.com/events (events are kept for 30 days).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from connectors.stripe_sandbox.refusals import ParameterRefused
from connectors.stripe_sandbox.state import Context, Record, public

EVENTS_KEPT: Final = timedelta(days=30)
_PAGING: Final = frozenset({"limit", "starting_after", "ending_before", "expand", "created", "types"})
_BOUNDS: Final[Mapping[str, Callable[[int, int], bool]]] = MappingProxyType(
    {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
)


def listing(kind: str, path: str) -> Callable[..., Record]:
    """The handler that lists `kind` and says that it is at `path` (with `{}` for the customer in it)."""

    def answer(context: Context, params: dict[str, Any], *customer: str) -> Record:
        filters = params | ({"customer": context.find("customer", customer[0])["id"]} if customer else {})
        if "customer" in filters:
            context.find("customer", filters["customer"], "customer", 400)
        chosen = [record for record in context.all(kind) if _matches(context, record, filters)]
        page, more = _page(chosen, params)
        return {"object": "list", "data": [public(record) for record in page], "has_more": more, "url": path.format(*customer)}

    return answer


def _matches(context: Context, record: Record, filters: dict[str, Any]) -> bool:
    if record.get("deleted") or _too_old(context, record) or not _created(record, filters.get("created")):
        return False
    if record["object"] == "payment_method" and "customer" not in filters and record["customer"] is None:
        return False
    if "types" in filters and record["type"] not in filters["types"]:
        return False
    named = ((name, value) for name, value in filters.items() if name not in _PAGING)
    return all(_equal(record, name, value) for name, value in named)


def _equal(record: Record, name: str, value: Any) -> bool:
    if record["object"] == "event" and name == "type" and value.endswith(".*"):
        return str(record["type"]).startswith(value[:-1])
    return bool(record.get(name) == value)


def _too_old(context: Context, record: Record) -> bool:
    age = timedelta(seconds=context.timestamp - record.get("created", context.timestamp))
    return bool(record["object"] == "event" and age >= EVENTS_KEPT)


def _created(record: Record, wanted: dict[str, int] | int | None) -> bool:
    if isinstance(wanted, dict):
        return all(_BOUNDS[name](int(record["created"]), bound) for name, bound in wanted.items())
    return bool(wanted is None or record["created"] == wanted)


def _page(records: list[Record], params: dict[str, Any]) -> tuple[list[Record], bool]:
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise ParameterRefused(f"Expected a limit of 1 to 100, but found {limit}. Do: read page by page.", "limit")
    if "starting_after" in params and "ending_before" in params:
        raise ParameterRefused("Expected one of starting_after and ending_before, but found both. Do: send one.", "ending_before")
    if "ending_before" in params:
        before = records[: _place(records, params, "ending_before")]
        return before[-limit:], len(before) > limit
    if "starting_after" in params:
        records = records[_place(records, params, "starting_after") + 1 :]
    return records[:limit], len(records) > limit


def _place(records: list[Record], params: dict[str, Any], name: str) -> int:
    for index, record in enumerate(records):
        if record["id"] == params[name]:
            return index
    raise ParameterRefused(f"Expected the id of an object in this list, but found {params[name]}.", name, "resource_missing")
