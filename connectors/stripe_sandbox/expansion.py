"""`expand[]`: shows a referenced object whole in place of its id. Follows https://docs.stripe.com/expand (at most four levels).

What may be expanded is known beforehand, so a wrong path is refused before anything is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.stripe_sandbox.refusals import ParameterRefused
from connectors.stripe_sandbox.state import Context, Record, public

MOST_LEVELS: Final = 4
_EXPANDABLE: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "balance_transaction": {"source": "charge"},
        "charge": {"balance_transaction": "balance_transaction", "customer": "customer", "payment_intent": "payment_intent"},
        "customer": {"invoice_settings": {"default_payment_method": "payment_method"}},
        "event": {},
        "payment_intent": {"customer": "customer", "latest_charge": "charge", "payment_method": "payment_method"},
        "payment_method": {"customer": "customer"},
        "refund": {"balance_transaction": "balance_transaction", "charge": "charge", "payment_intent": "payment_intent"},
    }
)
"""Kind -> field -> the kind its id names, or the fields of a group."""


def check(kind: str, many: bool, paths: list[str]) -> None:
    """Raises ParameterRefused unless every path leads from a `kind` (from a list of them: through `data`) to an id."""
    for path in paths:
        parts = path.split(".")
        fields: Any = {"data": _EXPANDABLE[kind]} if many else _EXPANDABLE[kind]
        reached = False
        for part in parts[:MOST_LEVELS]:
            target = fields.get(part)
            reached = isinstance(target, str)
            fields = _EXPANDABLE[target] if isinstance(target, str) else target or {}
        if not reached or len(parts) > MOST_LEVELS:
            raise ParameterRefused(f"This property cannot be expanded ({path}). Do: name one that holds an id.", "expand")


def expand(context: Context, kind: str, shown: Record, paths: list[str]) -> Record:
    """`shown`, a public copy, with every (checked) path expanded in place."""
    for path in paths:
        first, *rest = path.split(".")
        for each in shown["data"] if first == "data" else [shown]:
            _expand(context, _EXPANDABLE[kind], each, rest if first == "data" else [first, *rest])
    return shown


def _expand(context: Context, fields: Mapping[str, Any], here: Record, parts: list[str]) -> None:
    name, *rest = parts
    target, value = fields[name], here.get(name)
    if value is None:
        return
    if isinstance(target, str):
        if isinstance(value, str):
            kind = "refund" if value.startswith("re_") else target  # a balance transaction comes from either
            here[name] = value = public(context.find(kind, value, "expand", 400))
        target = _EXPANDABLE[target]
    if rest:
        _expand(context, target, value, rest)
