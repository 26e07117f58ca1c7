"""How often an activity is done: multi-instance markers, and standard loop markers."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition.finding import Position

COUNTER = "loopCounter"
INSTANCES, INSTANCES_COMPLETED, INSTANCES_ACTIVE = "nrOfInstances", "nrOfCompletedInstances", "nrOfActiveInstances"
LOCAL_NAMES = frozenset({COUNTER, INSTANCES, INSTANCES_COMPLETED, INSTANCES_ACTIVE})
"""What conditions and parameters inside of a repeated activity can read beside data items. No data item has these names."""
MOST_ROUNDS = 1_000
"""Of one activity, as many as a list has elements."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """A marker as it is drawn. Texts are expressions.

    Multi-instance: `cardinality` or `collection` says how many instances there are, `element` names what takes the collection's
    value of each, `completion` when the rest is given up. A loop: `condition` says whether there is another round, asked before
    the first one too if `test_before`, and `maximum` how many there are at most. `odd` names what isn't executed.
    """

    position: Position
    is_loop: bool = False
    sequential: bool = False
    cardinality: str | None = None
    collection: str | None = None
    element: str | None = None
    completion: str | None = None
    test_before: bool = False
    maximum: int | None = None
    condition: str | None = None
    odd: tuple[str, ...] = ()

    @property
    def may_be_none(self) -> bool:
        """Whether the activity may be passed without being done at all."""
        if self.is_loop:
            return self.test_before or self.maximum == 0
        return not ((self.cardinality or "").isdecimal() and int(self.cardinality or "0") > 0)


def names_counted(marker: Repetition) -> frozenset[str]:
    """What a repeated activity counts for those inside of it."""
    return frozenset({COUNTER}) if marker.is_loop else LOCAL_NAMES
