"""The floors: the same month with nothing but the library that moves the tokens.

Driven as its documentation says and as fairly as we know: the diagram is parsed once, each month is a new workflow, and the
state is saved without the definition, which every instance shares.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lxml import etree
from SpiffWorkflow.bpmn import BpmnEvent, BpmnWorkflow
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser, full_tag
from SpiffWorkflow.bpmn.parser.task_parsers import TaskParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.serializer.config import DEFAULT_CONFIG
from SpiffWorkflow.bpmn.serializer.default.task_spec import BpmnTaskSpecConverter
from SpiffWorkflow.bpmn.serializer.helpers import BpmnConverter
from SpiffWorkflow.bpmn.specs import BpmnProcessSpec
from SpiffWorkflow.bpmn.specs.defaults import ServiceTask
from SpiffWorkflow.util.task import TaskState
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool


class _Waiting(ServiceTask):  # type: ignore[misc] # the library is untyped
    """A service task that waits for a result from outside."""

    def _execute(self, task: Any) -> None:
        return None


class _Parser(BpmnParser):  # type: ignore[misc]
    OVERRIDE_PARSER_CLASSES = {full_tag("serviceTask"): (TaskParser, _Waiting)}  # noqa: RUF012 - the library's way


def _shared(spec: Any) -> type[BpmnConverter]:
    """Says nothing of the definition, and gives back the one that is in memory."""

    class Converter(BpmnConverter):  # type: ignore[misc]
        def to_dict(self, _spec: Any) -> dict[str, Any]:
            return {}

        def from_dict(self, _dct: dict[str, Any]) -> Any:
            return spec

    return Converter


class BareLibrary:
    """One process, parsed."""

    def __init__(self, diagram: bytes, process: str) -> None:
        parser = _Parser()
        parser.add_bpmn_xml(etree.fromstring(diagram))
        self.spec = parser.get_spec(process)
        config = {**DEFAULT_CONFIG, _Waiting: BpmnTaskSpecConverter}
        self.stock = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(config))
        config[BpmnProcessSpec] = _shared(self.spec)
        self.lean = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(config))

    def begin(self, data: Mapping[str, Any]) -> BpmnWorkflow:
        """A new workflow, started by the message."""
        workflow = BpmnWorkflow(self.spec)
        workflow.do_engine_steps()
        [start] = workflow.get_tasks(state=TaskState.WAITING)
        workflow.send_event(BpmnEvent(start.task_spec.event_definition, dict(data)))
        start.data.update(data)
        workflow.do_engine_steps()
        return workflow

    def go_on(self, workflow: BpmnWorkflow, **values: Any) -> None:
        """Complete the one task that waits, with its values."""
        [task] = workflow.get_tasks(state=TaskState.READY | TaskState.STARTED)
        task.data.update(values)
        task.complete()
        workflow.do_engine_steps()


STEPS: tuple[dict[str, Any], ...] = ({"amount": 12_050}, {"approved": True}, {"receipt": "pay_1"})
"""What is entered, approved and paid in one month."""


def months_in_memory(library: BareLibrary, data: Mapping[str, Any], count: int) -> None:
    """`count` months, each started by the message that the one before threw."""
    for _ in range(count):
        workflow = library.begin(data)
        for values in STEPS:
            library.go_on(workflow, **values)
        _check_over(workflow)


class SqliteStates:
    """One table of states in a file, each statement a transaction that is synced."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
            self._database.execute(statement)
        self._database.execute("CREATE TABLE states (id INTEGER PRIMARY KEY, state TEXT NOT NULL)")

    def add(self, state: str) -> int:
        return int(self._database.execute("INSERT INTO states (state) VALUES (?) RETURNING id", (state,)).fetchone()[0])

    def get(self, number: int) -> str:
        return str(self._database.execute("SELECT state FROM states WHERE id = ?", (number,)).fetchone()[0])

    def put(self, number: int, state: str) -> None:
        self._database.execute("UPDATE states SET state = ? WHERE id = ?", (state, number))

    def close(self) -> None:
        self._database.close()


class PostgreSqlStates:
    """The same on a PostgreSQL server."""

    def __init__(self, url: str) -> None:
        self._connection = create_engine(url, poolclass=NullPool).raw_connection()
        driver: Any = self._connection.driver_connection
        driver.autocommit = True
        self._cursor = driver.cursor()
        self._cursor.execute("CREATE TABLE states (id BIGSERIAL PRIMARY KEY, state TEXT NOT NULL)")

    def add(self, state: str) -> int:
        self._cursor.execute("INSERT INTO states (state) VALUES (%s) RETURNING id", (state,))
        return int(self._cursor.fetchone()[0])

    def get(self, number: int) -> str:
        self._cursor.execute("SELECT state FROM states WHERE id = %s", (number,))
        return str(self._cursor.fetchone()[0])

    def put(self, number: int, state: str) -> None:
        self._cursor.execute("UPDATE states SET state = %s WHERE id = %s", (state, number))

    def close(self) -> None:
        self._connection.close()


class States(Protocol):
    """Where states are saved."""

    def add(self, state: str) -> int: ...
    def get(self, number: int) -> str: ...
    def put(self, number: int, state: str) -> None: ...


class SavedMonths:
    """The same with the state saved at every wait state, and read again for the next step."""

    def __init__(self, library: BareLibrary, states: States, serializer: BpmnWorkflowSerializer) -> None:
        self._library = library
        self._serializer = serializer
        self._states = states

    def run(self, data: Mapping[str, Any], count: int) -> None:
        for _ in range(count):
            number = self._states.add(self._serializer.serialize_json(self._library.begin(data)))
            for values in STEPS:
                self._step(number, values)

    def _step(self, number: int, values: Mapping[str, Any]) -> None:
        workflow = self._serializer.deserialize_json(self._states.get(number))
        self._library.go_on(workflow, **values)
        if values is STEPS[-1]:
            _check_over(workflow)
        self._states.put(number, self._serializer.serialize_json(workflow))


def _check_over(workflow: BpmnWorkflow) -> None:
    thrown = workflow.get_events()
    if not workflow.is_completed() or len(thrown) != 1:
        raise RuntimeError(f"Expected a month that is over and has thrown its message, but it threw {len(thrown)}.")
