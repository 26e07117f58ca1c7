"""Deployed process definitions: versions that never change, with the exact bytes of their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select

from engine.store.prepared import Prepared
from engine.store.tables import call_bindings, deployment_files, deployments

# What every start asks, built once; see the package.
_NEWEST = Prepared(
    select(deployments).where(deployments.c.process == bindparam("process")).order_by(deployments.c.version.desc()).limit(1)
)

_DEPLOYING = 0x6465706C6F79  # any number that nothing else locks


@dataclass(frozen=True, slots=True)
class Deployment:
    """One version of a process definition."""

    process: str
    version: int
    digest: str
    name: str | None
    deployed_at: datetime
    deployed_by: str


def lock(connection: Connection) -> None:
    """Let one transaction deploy at a time. SQLite lets one write at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_DEPLOYING)))


def newest(connection: Connection, process: str) -> Deployment | None:
    """The newest version of a process."""
    row = _NEWEST.first(connection, {"process": process})
    return Deployment(*row) if row else None


def find(connection: Connection, process: str, version: int) -> Deployment | None:
    """One version of a process."""
    query = select(deployments).where(deployments.c.process == process, deployments.c.version == version)
    row = connection.execute(query).first()
    return Deployment(*row) if row else None


def every(connection: Connection) -> list[Deployment]:
    """All versions of all processes, newest first within each."""
    query = select(deployments).order_by(deployments.c.process, deployments.c.version.desc())
    return [Deployment(*row) for row in connection.execute(query)]


def add(connection: Connection, deployment: Deployment, files: Mapping[str, bytes]) -> None:
    """Store a new version. Files of equal content are stored once."""
    known = select(func.count()).select_from(deployment_files).where(deployment_files.c.digest == deployment.digest)
    if not connection.execute(known).scalar_one():
        rows = [{"digest": deployment.digest, "file": name, "content": content} for name, content in files.items()]
        connection.execute(insert(deployment_files), rows)
    connection.execute(
        insert(deployments).values(
            process=deployment.process,
            version=deployment.version,
            digest=deployment.digest,
            name=deployment.name,
            deployed_at=deployment.deployed_at,
            deployed_by=deployment.deployed_by,
        )
    )


def bind(connection: Connection, process: str, version: int, bindings: Mapping[str, int]) -> None:
    """Note in which versions the processes that a new version calls were deployed together with it."""
    for called, called_version in bindings.items():
        values = {"process": process, "version": version, "called": called, "called_version": called_version}
        connection.execute(insert(call_bindings).values(**values))


def bindings(connection: Connection, process: str, version: int) -> dict[str, int]:
    """Called process -> the version of it that was deployed together with this version of the caller."""
    where = (call_bindings.c.process == process, call_bindings.c.version == version)
    return {row.called: row.called_version for row in connection.execute(select(call_bindings).where(*where))}


def files_of(connection: Connection, digest: str) -> dict[str, bytes]:
    """The exact bytes that were deployed, by file name."""
    query = select(deployment_files.c.file, deployment_files.c.content).where(deployment_files.c.digest == digest)
    return {row.file: bytes(row.content) for row in connection.execute(query)}
