"""What the token game asks of the instance while tokens move."""

from __future__ import annotations

from typing import Protocol

from engine.connector import Value
from engine.execution.token_game.local_values import Locals


class Host(Protocol):
    """The instance, as the token game sees it. `here` is what is visible at a token's place beside the instance's data."""

    def holds(self, flow: str, here: Locals) -> bool:
        """Whether a sequence flow's condition is true."""
        ...

    def run_script(self, node: str, here: Locals) -> None:
        """Run a script task, or a business rule task."""
        ...

    def throw(self, node: str, here: Locals) -> None:
        """An event or task is passed that throws a message or signal."""
        ...

    def caught(self, node: str, code: str, message: str, here: Locals) -> None:
        """An event caught an error or escalation."""
        ...

    def not_caught(self, node: str, code: str) -> None:
        """Nothing caught the error of an error end event, so the instance ends."""
        ...

    def repetitions(self, activity: str, here: Locals) -> list[Value]:
        """One value for each instance of a multi-instance activity."""
        ...

    def is_complete(self, activity: str, here: Locals) -> bool:
        """Whether the instances of a multi-instance activity that aren't done are given up."""
        ...

    def loops_on(self, activity: str, here: Locals) -> bool:
        """Whether a loop activity has another round."""
        ...
