"""What another definition would have made of what was recorded: for each instance, first whether it reproduces, then what
differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from engine.connector import Connectors, Value
from engine.errors import EngineError
from engine.execution.executable import Executable
from engine.rehearsal.company import refuse_calls
from engine.rehearsal.recording import Payment, Recording
from engine.rehearsal.rerun import Ask, Outcome, Unanswered, reproduce
from engine.rehearsal.retelling import Retold


@dataclass(frozen=True, slots=True)
class PathChange:
    """The flow nodes that were passed, and those that would be."""

    was: tuple[str, ...]
    becomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChargeChange:
    """What was charged, and what would be."""

    was: tuple[Payment, ...]
    becomes: tuple[Payment, ...]


@dataclass(frozen=True, slots=True)
class CarryOverChange:
    """An item of the hand-over: what the next instance got, and what it would get; None for nothing. `what` is `data`,
    `previous` (what forms show beside empty fields) or `hand_over` (that there is one at all, true or false).
    """

    what: str
    item: str
    was: Value
    becomes: Value


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs for one instance. `asks_for` is what the new definition asks for that was not recorded. Where that is more
    than the outcome of jobs, the run isn't `complete`: then path and charge are as far as it came, and the hand-over isn't
    known. `not_asked_for` are flow nodes for which something was recorded that nothing waits for now.
    """

    customer: str | None
    instance: str
    complete: bool = True
    path: PathChange | None = None
    charge: ChargeChange | None = None
    carry_over: tuple[CarryOverChange, ...] = ()
    asks_for: tuple[Ask, ...] = ()
    not_asked_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotReproduced:
    """An instance that doesn't come out as recorded even through its own definition, and why: nothing is said of the new one."""

    customer: str | None
    instance: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of all instances: how many there are, how many come out the same, and the others."""

    instances: int
    same: int
    different: tuple[Difference, ...]
    not_reproduced: tuple[NotReproduced, ...]


def replay(
    recordings: Iterable[tuple[Recording, Executable]], new: Executable, connectors: Connectors, renamed: Mapping[str, str]
) -> Replay:
    """Run each instance, with the definition that it ran on, through that and through the new one. `renamed` maps flow nodes'
    ids in the old definitions to those in the new one. Raises DefinitionInvalid where the new one calls another process.
    """
    refuse_calls(new)
    number, same = 0, 0
    different: list[Difference] = []
    not_reproduced: list[NotReproduced] = []
    for recording, old in recordings:
        number += 1
        found = replay_one(recording, old, new, connectors, renamed)
        match found:
            case None:
                same += 1
            case Difference():
                different.append(found)
            case NotReproduced():
                not_reproduced.append(found)
    return Replay(number, same, tuple(different), tuple(not_reproduced))


def replay_one(
    recording: Recording, old: Executable, new: Executable, connectors: Connectors, renamed: Mapping[str, str]
) -> Difference | NotReproduced | None:
    """One of them; None where nothing differs."""
    before = reproduce(old, recording, connectors)
    if isinstance(before, str):
        return NotReproduced(recording.customer, recording.instance, recording.version, before)
    run = Retold(new, old, recording, connectors, renamed, before.open)
    complete = True
    try:
        run.tell()
    except (Unanswered, EngineError) as stopped:
        run.asks.append(stopped.ask if isinstance(stopped, Unanswered) else Ask("move", "", str(stopped)))
        complete = False
    found = _difference(recording, run, before, renamed, complete=complete and all(ask.kind == "job" for ask in run.asks))
    return found if found != Difference(recording.customer, recording.instance) else None


def _difference(recording: Recording, run: Retold, before: Outcome, renamed: Mapping[str, str], *, complete: bool) -> Difference:
    after = run.outcome() if run.number else Outcome((), (), None, None, None, ())
    return Difference(
        recording.customer,
        recording.instance,
        complete,
        _path(before, after, renamed),
        ChargeChange(before.paid, after.paid) if before.paid != after.paid else None,
        tuple(_carry_over(before, after)) if complete else (),
        tuple(run.asks),
        tuple(given.flow_node for given in run.left),
    )


def _path(before: Outcome, after: Outcome, renamed: Mapping[str, str]) -> PathChange | None:
    was = tuple(renamed.get(node, node) for node in before.path)
    return PathChange(was, after.path) if was != after.path else None


def _carry_over(before: Outcome, after: Outcome) -> Iterator[CarryOverChange]:
    if (before.handed is None) != (after.handed is None):
        yield CarryOverChange("hand_over", "", before.handed is not None, after.handed is not None)
        return
    yield from _changes("data", before.handed or {}, after.handed or {})
    yield from _changes("previous", before.shown or {}, after.shown or {})


def _changes(what: str, before: Mapping[str, Value], after: Mapping[str, Value]) -> Iterator[CarryOverChange]:
    for item in sorted({*before, *after}):
        if before.get(item) != after.get(item):
            yield CarryOverChange(what, item, before.get(item), after.get(item))
