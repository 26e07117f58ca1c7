"""Pictures of what is deployed, and of where an instance is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.definition.diagram import Process
from engine.definition.process_definition import DIAGRAM_SUFFIX, ProcessDefinition
from engine.drawing.marks import Mark, Marking
from engine.drawing.pictured import Pictured
from engine.execution.state import load_state
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.runtime import Runtime
from engine.store import history, incidents, instances

_ONE_WAY = frozenset({"exclusiveGateway", "eventBasedGateway"})
"""What sends a token on in one direction."""


def picture_of_definition(runtime: Runtime, process: str, version: int | None = None) -> Pictured:
    """A deployed diagram: the newest version, or the one named. Raises DefinitionNotDeployed."""
    with runtime.database.reading() as connection:
        deployment = runtime.deployment(connection, process, version)
        definition = runtime.definition(connection, process, deployment.version)
    file, content = _diagram(definition)
    return Pictured(content, file, f"{process}@{deployment.version}, deployed by {deployment.deployed_by}")


def picture_of_instance(runtime: Runtime, instance_id: str) -> Pictured:
    """An instance in the version it runs on: where its tokens are, what it passed, and its open incidents.

    The history has the flow nodes that were passed, in order; which arrows led from one to the next follows from them. Raises
    NotFound.
    """
    from engine.execution.places import places_of  # loads the execution library, which a definition's picture doesn't need

    number = parse_id(Kind.INSTANCE, instance_id)
    with runtime.database.reading() as connection:
        row = instances.get(connection, number)
        executable = runtime.executable(connection, row.process, row.version)
        entries = history.entries(connection, number)
        open_incidents = incidents.listing(connection, instance=number)
    path = [str(node) for entry in entries for node in entry.details.get("path") or ()]
    tokens = places_of(executable, load_state(row.token_state)) if row.state == instances.ACTIVE else {}
    marks: dict[str, list[Marking]] = {}
    for key in (*path, *arrows_taken(executable.definition.process, path, list(tokens))):
        marks.setdefault(key, [Marking(Mark.PATH)])
    for node, count in tokens.items():
        marks.setdefault(node, []).append(Marking(Mark.TOKEN, badge=str(count) if count > 1 else ""))
    for incident in open_incidents:
        if incident.flow_node:
            note = f"{format_id(Kind.INCIDENT, incident.id)} {incident.what}"
            marks.setdefault(incident.flow_node, []).append(Marking(Mark.INCIDENT, note=note))
    file, content = _diagram(executable.definition)
    whose = f" of {row.customer} for {row.period}" if row.customer else ""
    return Pictured(content, file, f"{instance_id}{whose}: {row.process}@{row.version}, {row.state}", marks)


def _diagram(definition: ProcessDefinition) -> tuple[str, bytes]:
    return next((name, content) for name, content in definition.files.items() if name.endswith(DIAGRAM_SUFFIX))


def arrows_taken(process: Process, path: Sequence[str], waiting: Sequence[str]) -> Iterator[str]:
    """The sequence flows between flow nodes that were passed in this order, those to where tokens wait now included.

    A gateway that chooses led to the first of its targets that came after it; everything else led to all of them.
    """
    places: dict[str, list[int]] = {}
    for place, node in enumerate((*path, *waiting)):
        places.setdefault(node, []).append(place)
    for node in dict.fromkeys(path):
        flows = process.flows_from(node)
        chooses = node in process.nodes and process.nodes[node].kind in _ONE_WAY
        for passed in (place for place in places[node] if place < len(path)):
            next_places = {flow.id: _next(places.get(flow.target, ()), passed) for flow in flows}
            reached = {key: place for key, place in next_places.items() if place is not None}
            first = min(reached.values(), default=None)
            yield from (key for key, place in reached.items() if place == first or not chooses)


def _next(places: Sequence[int], after: int) -> int | None:
    return next((place for place in places if place > after), None)
