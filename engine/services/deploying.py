"""Check and deploy process definitions. A deployed version never changes; the same content is the same version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.connector import Connectors
from engine.definition.check import check
from engine.definition.finding import Finding, Severity
from engine.definition.process_definition import read_definition
from engine.errors import ConfigurationInvalid, DefinitionInvalid
from engine.services.runtime import Runtime
from engine.store import deployments
from engine.store.deployments import Deployment

_LARGEST_FILE = 5_000_000


@dataclass(frozen=True, slots=True)
class Deployed:
    """What `deploy` did. `created` is False when this content was the newest version already."""

    deployment: Deployment
    created: bool
    findings: tuple[Finding, ...]


def read_files(diagram: Path) -> dict[str, bytes]:
    """A definition's files: NAME.bpmn, and beside it NAME.carry-over.yaml and everything in NAME.mail/.

    Raises ConfigurationInvalid when the diagram cannot be read or a file is larger than five million bytes.
    """
    stem = diagram.name.removesuffix(".bpmn")
    paths = {diagram.name: diagram}
    carry_over = diagram.with_name(f"{stem}.carry-over.yaml")
    if carry_over.is_file():
        paths[carry_over.name] = carry_over
    mail = diagram.with_name(f"{stem}.mail")
    if mail.is_dir():
        paths |= {f"{mail.name}/{p.name}": p for p in sorted(mail.iterdir()) if p.is_file() and not p.name.startswith(".")}
    return {name: _read(path) for name, path in paths.items()}


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ConfigurationInvalid(
                f"Expected {path} to have at most {_LARGEST_FILE:,} bytes, but it has {path.stat().st_size:,}. "
                "Do: check that it is the right file."
            )
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected to read {path}, but the system says: {error.strerror}. Do: check the path and its permissions."
        ) from error


def check_files(files: Mapping[str, bytes], connectors: Connectors) -> tuple[Finding, ...]:
    """Everything that is wrong with a definition, by place."""
    return check(files, connectors)


def deploy(runtime: Runtime, files: Mapping[str, bytes], by: str) -> Deployed:
    """Store a definition as the newest version of its process.

    Raises DefinitionInvalid with all findings when one of them is an error. Findings of less weight come back.
    """
    findings = check_files(files, runtime.connectors)
    errors = [finding for finding in findings if finding.severity == Severity.ERROR]
    if errors:
        raise DefinitionInvalid(
            f"Expected a definition without errors, but {_count(errors)}. Do: mend each and deploy again.", findings
        )
    definition = read_definition(files)
    with runtime.database.transaction() as connection:
        deployments.lock(connection)
        newest = deployments.newest(connection, definition.id)
        if newest is not None and newest.digest == definition.digest:
            return Deployed(newest, created=False, findings=findings)
        version = newest.version + 1 if newest else 1
        new = Deployment(definition.id, version, definition.digest, definition.name, runtime.now(), by)
        deployments.add(connection, new, definition.files)
    return Deployed(new, created=True, findings=findings)


def _count(errors: list[Finding]) -> str:
    return "there is one error" if len(errors) == 1 else f"there are {len(errors)} errors"


def definitions(runtime: Runtime) -> list[Deployment]:
    """Every deployed version, newest first within its process."""
    with runtime.database.reading() as connection:
        return deployments.every(connection)
