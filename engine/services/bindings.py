"""Which versions of which processes call each other: what is deployed together, and that what is called is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from engine.definition.call import DEPLOYMENT, VERSION, Call
from engine.definition.process_definition import ProcessDefinition, read_definition
from engine.errors import DefinitionInvalid
from engine.model.text import shown
from engine.services.runtime import Runtime
from engine.store import deployments
from engine.store.deployments import Deployment


@dataclass(frozen=True, slots=True)
class Plan:
    """As which version a definition is deployed; `existing` is that version, where it is the newest already. `bound`: the
    processes that it calls in the version deployed together with it, with these.
    """

    version: int
    existing: Deployment | None
    bound: Mapping[str, int]


def groups(definitions: Sequence[Mapping[str, bytes]]) -> list[list[int]]:
    """The places of definitions that call each other, directly or not, together; in the order in which they are given. One that
    can't be read is by itself.
    """
    read = [_readable(files) for files in definitions]
    places = {each.id: place for place, each in reversed(list(enumerate(read))) if each is not None}
    group = list(range(len(read)))
    for place, each in enumerate(read):
        for call in _calls(each) if each is not None else ():
            other = places.get(call.process or "")
            if other is not None:
                mine, theirs = group[place], group[other]
                group = [min(mine, theirs) if at in (mine, theirs) else at for at in group]
    return [[place for place, at in enumerate(group) if at == first] for first in sorted(set(group))]


def called_files(
    connection: Connection, runtime: Runtime, definitions: Sequence[Mapping[str, bytes]]
) -> list[Mapping[str, bytes]]:
    """The files of deployed processes that these definitions call and that aren't among them, to check both together."""
    read = [each for each in map(_readable, definitions) if each is not None]
    own = {each.id for each in read}
    named = {call.process: call for each in read for call in _calls(each) if call.process and call.process not in own}
    found = (_deployed(connection, process, call) for process, call in named.items())
    return [dict(runtime.definitions.definition(connection, each.digest).files) for each in found if each is not None]


def plan(connection: Connection, runtime: Runtime, definitions: Sequence[ProcessDefinition]) -> list[Plan]:
    """As which version each of these is deployed. One of the same content gets a new version only where something is bound to it
    in a new version. Raises DefinitionInvalid where one calls what is neither deployed nor among them.
    """
    newest = {each.id: deployments.newest(connection, each.id) for each in definitions}
    versions = {each.id: _version(each, newest[each.id]) for each in definitions}
    while True:
        planned = [_planned(connection, each, newest[each.id], versions) for each in definitions]
        again = {each.id: one.version for each, one in zip(definitions, planned, strict=True)}
        if again == versions:
            break
        versions = again
    for each in definitions:
        for call in _calls(each):
            _refuse_absent(connection, runtime, each, call, versions)
    return planned


def _version(definition: ProcessDefinition, newest: Deployment | None) -> int:
    if newest is None:
        return 1
    return newest.version if newest.digest == definition.digest else newest.version + 1


def _planned(
    connection: Connection, definition: ProcessDefinition, newest: Deployment | None, versions: Mapping[str, int]
) -> Plan:
    before = deployments.bindings(connection, definition.id, newest.version) if newest is not None else {}
    same = newest is not None and newest.digest == definition.digest
    bound = {}
    for call in _calls(definition):
        if call.binding == DEPLOYMENT and call.process:
            if call.process not in versions and not (same and call.process in before):
                raise _absent(definition, call, "it isn't deployed together with it", "deploy both in one command")
            bound[call.process] = versions.get(call.process, before.get(call.process, 0))
    if newest is not None and same and all(version == before.get(called) for called, version in bound.items()):
        return Plan(newest.version, newest, bound)
    return Plan(newest.version + 1 if newest is not None else 1, None, bound)


def _refuse_absent(
    connection: Connection, runtime: Runtime, definition: ProcessDefinition, call: Call, versions: Mapping[str, int]
) -> None:
    together = versions.get(call.process or "")
    if together is not None and (call.binding != VERSION or call.number == together):
        return
    if call.binding == DEPLOYMENT:
        return  # bound to what is deployed
    found = _deployed(connection, call.process or "", call)
    if found is None:
        named = f"its version {call.number} isn't deployed" if call.binding == VERSION else "it isn't deployed"
        raise _absent(definition, call, named, "deploy it before, or both in one command")
    called = runtime.definitions.definition(connection, found.digest)
    if called.carry_over.bill is not None:
        raise _absent(definition, call, "it bills customers by the period", "call a process without a bill")
    if called.none_start_event() is None:
        raise _absent(definition, call, "it begins only by a message or timer", "draw a start event without one there")


def _absent(definition: ProcessDefinition, call: Call, but: str, instead: str) -> DefinitionInvalid:
    return DefinitionInvalid(
        f"Expected the process {shown(call.process)}, which {definition.id} calls, to be there to be called, but {but}. "
        f"Do: {instead}."
    )


def _deployed(connection: Connection, process: str, call: Call) -> Deployment | None:
    if call.binding == VERSION and call.number is not None:
        return deployments.find(connection, process, call.number)
    return deployments.newest(connection, process)


def _calls(definition: ProcessDefinition) -> Iterator[Call]:
    return (node.call for node in definition.process.nodes.values() if node.call is not None)


def _readable(files: Mapping[str, bytes]) -> ProcessDefinition | None:
    try:
        return read_definition(files)
    except DefinitionInvalid:
        return None  # `check` tells what is wrong with it
