"""What can happen to a request on its way, by the names of the sandbox's fault plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HANGING_SECONDS = 3.0  # longer than any proof's patience; the answer never comes

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "drop_before": {},
    "drop_after": {},
    "hang, not taken": {"kind": "hang", "taken": False, "seconds": _HANGING_SECONDS},
    "hang, taken": {"kind": "hang", "taken": True, "seconds": _HANGING_SECONDS},
    "truncated": {},
    "garbled": {},
    "409": {},
    "429": {},
    "500_before": {},
    "500_after": {},
}


def fault_named(name: str) -> dict[str, Any]:
    """The fault as the sandbox's control takes it."""
    return {"kind": name, **FAULTS[name]}
