"""Check and deploy process definitions. A deployed version never changes; the same content is the same version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.connector import Connectors
from engine.definition.check import check
from engine.definition.decisions.deployed import FOLDER
from engine.definition.finding import Finding, Severity
from engine.definition.process_definition import read_definition
from engine.errors import ConfigurationInvalid, DefinitionInvalid
from engine.services.runtime import Runtime
from engine.store import deployments
from engine.store.deployments import Deployment

_LARGEST_FILE = 5_000_000
_FOLDERS = ("mail", FOLDER)
"""What may stand beside a diagram, each as NAME.FOLDER/."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What `deploy` did. `created` is False when this content was the newest version already."""

    deployment: Deployment
    created: bool
    findings: tuple[Finding, ...]


def read_files(diagram: Path) -> dict[str, bytes]:
    """A definition's files: NAME.bpmn, and beside it NAME.carry-over.yaml and everything in NAME.mail/ and NAME.decisions/.

    Raises ConfigurationInvalid when the diagram cannot be read or a file is larger than five million bytes.
    """
    stem = diagram.name.removesuffix(".bpmn")
    paths = {diagram.name: diagram}
    carry_over = diagram.with_name(f"{stem}.carry-over.yaml")
    if carry_over.is_file():
        paths[carry_over.name] = carry_over
    for folder in (diagram.with_name(f"{stem}.{name}") for name in _FOLDERS):
        if folder.is_dir():
            paths |= {
                f"{folder.name}/{p.name}": p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")
            }
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

    Raises DefinitionInvalid with all findings when one of them is an error, or when it calls a process that isn't there. Findings
    of less weight come back.
    """
    return deploy_together(runtime, [files], by)[0]


def deploy_together(runtime: Runtime, definitions: Sequence[Mapping[str, bytes]], by: str) -> list[Deployed]:
    """Store definitions that call each other, each as the newest version of its process, or none of them. Raises as `deploy`.

    Which call each other `bindings.groups` tells; each is checked together with those that it calls.
    """
    from engine.services import bindings, message_starts, start_timing  # checking needs none of what starts instances

    with runtime.database.reading() as connection:
        beside = bindings.called_files(connection, runtime, definitions)
    findings = [_checked(files, [*definitions, *beside], runtime.connectors) for files in definitions]
    read = [read_definition(files) for files in definitions]
    with runtime.database.transaction() as connection:
        deployments.lock(connection)
        for definition in read:
            message_starts.refuse_second(connection, runtime, definition)
        planned = bindings.plan(connection, runtime, read)
        done = []
        for definition, plan, found in zip(read, planned, findings, strict=True):
            if plan.existing is not None:
                done.append(Deployed(plan.existing, created=False, findings=found))
                continue
            new = Deployment(definition.id, plan.version, definition.digest, definition.name, runtime.now(), by)
            deployments.add(connection, new, definition.files)
            deployments.bind(connection, definition.id, plan.version, plan.bound)
            message_starts.wake(connection, runtime, definition)
            start_timing.schedule(connection, runtime, definition, plan.version)
            done.append(Deployed(new, created=True, findings=found))
    return done


def _checked(files: Mapping[str, bytes], others: Iterable[Mapping[str, bytes]], connectors: Connectors) -> tuple[Finding, ...]:
    """What `check` finds in one definition, with `others` beside it. Raises DefinitionInvalid where one is an error."""
    beside = {f"{number}/{name}": each[name] for number, each in enumerate(others) if each is not files for name in each}
    findings = tuple(each for each in check({**beside, **files}, connectors) if each.position.file in files)
    errors = [finding for finding in findings if finding.severity == Severity.ERROR]
    if errors:
        raise DefinitionInvalid(
            f"Expected a definition without errors, but {_count(errors)}. Do: mend each and deploy again.", findings
        )
    return findings


def _count(errors: list[Finding]) -> str:
    return "there is one error" if len(errors) == 1 else f"there are {len(errors)} errors"


def definitions(runtime: Runtime) -> list[Deployment]:
    """Every deployed version, newest first within its process."""
    with runtime.database.reading() as connection:
        return deployments.every(connection)
