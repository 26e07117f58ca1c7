"""A plugin for pytest: every scenario in a `NAME.scenarios.yaml` that pytest comes by is a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from engine.errors import EngineError
from engine.rehearsal.scenario import SUFFIX

if TYPE_CHECKING:
    from engine.connector import Connectors
    from engine.rehearsal.rehearsing import Prepared
    from engine.rehearsal.scenario import Scenario


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scenarios beside a diagram."""
    if not file_path.name.endswith(SUFFIX):
        return None
    collector: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return collector


class ScenarioFile(pytest.File):
    """A file of scenarios. One that can't be read, or a diagram that is refused, is an error of its collection."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each scenario."""
        from commands.session import connectors
        from commands.testing.trying import diagrams_of, prepare_trial

        known = connectors()
        try:
            [diagram] = diagrams_of([self.path])
            prepared = prepare_trial(diagram, known)
        except (EngineError, click.UsageError) as error:
            raise self.CollectError(str(error)) from error
        for scenario in prepared.scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.name, scenario=scenario, prepared=prepared, connectors=known)


class _Failed(Exception):
    """A scenario fails. Its text is what pytest shows."""


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, scenario: Scenario, prepared: Prepared, connectors: Connectors, **others: Any) -> None:
        super().__init__(**others)
        self._scenario, self._prepared, self._connectors = scenario, prepared, connectors

    def runtest(self) -> None:
        """Play it."""
        from engine.rehearsal.performance import perform

        performance = perform(self._scenario, self._prepared.executable, self._connectors, self._prepared.called)
        if performance.failure is not None:
            place = f"{self.path}:{performance.failure.position.line}"
            raise _Failed("\n".join((f"{place}: {performance.failure.message}", *performance.trail)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was expected, what was found, and what happened up to there: no traceback."""
        return str(excinfo.value) if isinstance(excinfo.value, _Failed) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the scenario stands, its line from 0."""
        return self.path, self._scenario.position.line - 1, self._scenario.name
