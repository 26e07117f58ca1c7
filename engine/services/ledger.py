"""Questions about the ledger as a whole: which charges and refunds there are, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.connector import Charge, ChargeState, Refund, RefundState
from engine.errors import NotFound
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.row_forms import charge_json, refund_json
from engine.services.runtime import Runtime
from engine.store import charges, refunds
from engine.store.charges import LookUp

PAGE = 1_000


def list_charges(
    runtime: Runtime,
    filters: Mapping[str, str],
    states: Iterable[ChargeState] = (),
    after: str | None = None,
    limit: int = PAGE,
) -> list[dict[str, Any]]:
    """A page of the ledger by period, customer and process: those behind the charge of the instance `after`.

    `filters`: process, period, customer. No states: all of them. Raises NotFound where `after` has no charge.
    """
    with runtime.database.reading() as connection:
        behind = None
        if after is not None:
            behind = next(iter(charges.touched_by(connection, parse_id(Kind.INSTANCE, after))), None)
            if behind is None:
                raise NotFound(f"Expected an instance with a charge, but {after} has none. Do: run-process charges.")
        found = charges.listing(connection, filters, states, behind, limit)
        looked_up = charges.look_ups(connection, (_instance(each) for each in found if each.state.in_doubt))
        refunded = refunds.of_charge_keys(connection, (each.request.charge_key for each in found))
    return [
        _row(each, looked_up.get(_instance(each)) if each.state.in_doubt else None, refunded.get(each.request.charge_key, 0))
        for each in found
    ]


def list_refunds(
    runtime: Runtime,
    filters: Mapping[str, str],
    states: Iterable[RefundState] = (),
    after: str | None = None,
    limit: int = PAGE,
) -> list[dict[str, Any]]:
    """A page of refunds by period and customer of their bills: those behind the refund `after`.

    `filters`: process, period, customer of the bill. No states: all of them. Raises NotFound where there is no refund `after`.
    """
    with runtime.database.reading() as connection:
        if after is not None and refunds.find(connection, after) is None:
            raise NotFound(f"Expected the id of a refund, as in j17, but {after!r} is none. Do: run-process refunds.")
        found = refunds.listing(connection, filters, states, after, limit)
        doubtful = {parse_id(Kind.INSTANCE, each.instance) for each in found if each.state.in_doubt}
        looked_up = charges.look_ups(connection, doubtful)
    return [_refund_row(each, looked_up) for each in found]


def _refund_row(refund: Refund, looked_up: Mapping[int, LookUp]) -> dict[str, Any]:
    look_up = looked_up.get(parse_id(Kind.INSTANCE, refund.instance)) if refund.state.in_doubt else None
    return {**refund_json(refund), "process": refund.request.process, **_next(look_up)}


def totals(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    """What rows of `list_charges` or `list_refunds` come to: (state, currency) -> how many, and their sum in minor units."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        key = (row["state"], row["currency"])
        count, total = found.get(key, (0, 0))
        found[key] = (count + 1, total + row["amount"])
    return dict(sorted(found.items()))


def _instance(charge: Charge) -> int:
    return parse_id(Kind.INSTANCE, charge.request.instance)


def _row(charge: Charge, look_up: LookUp | None, refunded: int) -> dict[str, Any]:
    return {
        **charge_json(charge),
        "process": charge.request.process,
        "charged_at": charge.charged_at,
        "refunded": refunded,
        **_next(look_up),
    }


def _next(look_up: LookUp | None) -> dict[str, Any]:
    """What becomes of what is in doubt."""
    incident = look_up.incident if look_up is not None else None
    return {
        "next_at": look_up.next_at if look_up is not None else None,
        "incident": format_id(Kind.INCIDENT, incident) if incident is not None else None,
    }
