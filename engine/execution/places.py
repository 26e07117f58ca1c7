"""Where the tokens of an instance are, without moving any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from engine.execution.executable import Executable
from engine.execution.state import InstanceState
from engine.execution.token_game import TokenGame

if TYPE_CHECKING:
    from engine.execution.token_game.host import Host


def places_of(executable: Executable, state: InstanceState) -> Mapping[str, int]:
    """Flow node id -> how many tokens wait there, at tasks, events and joins.

    A boundary event that may still come has no token of its own: that is at its activity. Raises StateUnknown for a state that
    doesn't belong to the definition.
    """
    nobody = cast("Host", object())  # nothing moves here, so nothing is asked of the host
    game = TokenGame(executable.tree(state.start), nobody, state.tokens)
    waiting = Counter(node for node in game.open_nodes().values() if executable.nodes[node].attached_to is None)
    return waiting + Counter(game.unjoined())
