"""What every service is handed: the database, the clock, the connectors, the configuration, the definitions in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from engine.clock import Clock
from engine.connector import Connectors
from engine.errors import DefinitionNotDeployed
from engine.services.configuration import Configuration
from engine.services.pacing import Pacer
from engine.store import deployments
from engine.store.database import Database
from engine.store.deployments import Deployment

if TYPE_CHECKING:
    from engine.definition.process_definition import ProcessDefinition
    from engine.execution.executable import Executable

_KEPT = 64
_K = TypeVar("_K")
_T = TypeVar("_T")


class DefinitionCache:
    """Definitions by digest, the most recently used ones; a digest's content never changes, so nothing goes stale."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._digests: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._definitions: OrderedDict[str, ProcessDefinition] = OrderedDict()
        self._executables: OrderedDict[str, Executable] = OrderedDict()

    def digest(self, process: str, version: int, find: Callable[[], str]) -> str:
        """The digest that a process's version stands for, found once: a deployed version never changes."""
        return self._kept(self._digests, (process, version), find)

    def definition(self, connection: Connection, digest: str) -> ProcessDefinition:
        """The definition with this digest, read from the database once."""
        from engine.definition.process_definition import read_definition  # loads the readers, which listings don't need

        return self._kept(self._definitions, digest, lambda: read_definition(deployments.files_of(connection, digest)))

    def executable(self, connection: Connection, digest: str) -> Executable:
        """The same, ready to run."""
        from engine.execution.executable import Executable  # loads the execution library, which listings don't need

        return self._kept(self._executables, digest, lambda: Executable(self.definition(connection, digest)))

    def known(self, process: str, version: int) -> ProcessDefinition | None:
        """The definition that a process's version stands for, if it was read before."""
        with self._lock:
            return self._definitions.get(self._digests.get((process, version), ""))

    def _kept(self, kept: OrderedDict[_K, _T], key: _K, make: Callable[[], _T]) -> _T:
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        value = make()
        with self._lock:
            kept[key] = value
            while len(kept) > _KEPT:
                kept.popitem(last=False)
        return value


@dataclass(frozen=True)
class Runtime:
    """One open engine. Made once by whoever asks (command line, worker, test) and handed to the services."""

    database: Database
    clock: Clock
    connectors: Connectors
    configure: Callable[[], Configuration] = Configuration
    definitions: DefinitionCache = field(default_factory=DefinitionCache)

    @cached_property
    def configuration(self) -> Configuration:
        """What the operator has set, read when it is first asked for: most questions need none of it."""
        return self.configure()

    @cached_property
    def permits(self) -> Pacer:
        """Leave to send requests to services that limit them: this process's part of what its database allows."""
        return Pacer(self.database)

    def now(self) -> datetime:
        """The present moment, aware UTC, from the injected clock."""
        return self.clock.now()

    def deployment(self, connection: Connection, process: str, version: int | None = None) -> Deployment:
        """The newest version of a process, or the one named. Raises DefinitionNotDeployed."""
        found = deployments.newest(connection, process) if version is None else deployments.find(connection, process, version)
        if found is None:
            named = process if version is None else f"{process}@{version}"
            raise DefinitionNotDeployed(
                f"Expected a deployed process {named!r}, but there is none in this database. "
                "Do: run-process deploy FILE.bpmn, or look at run-process definitions."
            )
        return found

    def definition(self, connection: Connection, process: str, version: int) -> ProcessDefinition:
        """The definition that a process's version stands for."""
        return self.definitions.definition(connection, self._digest(connection, process, version))

    def executable(self, connection: Connection, process: str, version: int) -> Executable:
        """The same, ready to run."""
        return self.definitions.executable(connection, self._digest(connection, process, version))

    def _digest(self, connection: Connection, process: str, version: int) -> str:
        return self.definitions.digest(process, version, lambda: self.deployment(connection, process, version).digest)
