"""What an instance remembers between two steps: where its tokens are, its data, and who completed which user task.

The definition is not part of it: the instance's row names it. The stored form carries a version of our own, and a version
that this program does not know is refused: the library that moves the tokens would accept it silently.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.connector import Value
from engine.errors import StateUnknown

STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One instance between two steps.

    `start` is the id of the start event it began at. `tokens` is what the token game saved, plain JSON. `data` holds the
    data items that have a value. `people` maps a user task's id to those who completed it, in order. `own` maps the tokens of
    user tasks to the values that are theirs alone, one of several instances of an activity.
    """

    start: str
    tokens: list[Value]
    data: Mapping[str, Value] = field(default_factory=dict)
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: Mapping[int, Mapping[str, Value]] = field(default_factory=dict)

    def data_at(self, token: int) -> Mapping[str, Value]:
        """The data as the form of a user task shows it."""
        return {**self.data, **self.own[token]} if token in self.own else self.data

    def completed_by(self, flow_node: str) -> str | None:
        """Who completed this user task last."""
        return next(reversed(self.people.get(flow_node, ())), None)


def dump_state(state: InstanceState) -> str:
    """The state as text for the store, with its version."""
    stored = {
        "version": STATE_VERSION,
        "start": state.start,
        "tokens": state.tokens,
        "data": dict(state.data),
        "people": {node: list(users) for node, users in state.people.items()},
    }
    if state.own:
        stored["own"] = {str(token): dict(values) for token, values in state.own.items()}
    return json.dumps(stored, ensure_ascii=True, separators=(",", ":"))


def load_state(text: str) -> InstanceState:
    """The state that `dump_state` stored. Raises StateUnknown for a version that isn't known, and for a damaged state."""
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise _damaged() from error
    version = stored.get("version") if isinstance(stored, dict) else None
    if type(version) is not int or version != STATE_VERSION:
        raise StateUnknown(
            f"Expected an instance state of version {STATE_VERSION}, but it is of version {version}. "
            "Do: run the newest run-process on this database."
        )
    try:
        people = {node: tuple(users) for node, users in stored["people"].items()}
        own = {int(token): values for token, values in stored.get("own", {}).items()}
        return InstanceState(stored["start"], stored["tokens"], stored["data"], people, own)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise _damaged() from error


def _damaged() -> StateUnknown:
    return StateUnknown(
        "Expected an instance state as this program stores it, but it is damaged. Do: restore the database from a backup."
    )
