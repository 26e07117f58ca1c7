"""Rules about several definitions that are checked at once: what they call themselves, and which signals pass between them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.check.subject import Subject, warning
from engine.definition.correlation import THROWING, thrown_by
from engine.definition.finding import Finding
from engine.model.text import shown


def process_id_twice(subject: Subject) -> Iterator[Finding]:
    """Each process has an id of its own.

    Severity: warning
    Why: deployed one after the other, the second would become the next version of the first.
    Wrong: `billing.bpmn` and `old/billing.bpmn`, both with the process `billing`
    Right: one of them, or two ids
    """
    others = [other.file for other in subject.beside if other.process.id == subject.process.id]
    if others:
        more = f" (and {len(others) - 1} more files)" if len(others) > 1 else ""
        yield warning(
            "process-id-twice",
            subject.process,
            f"Expected one process with the id {shown(subject.process.id)}, but {others[0]}{more} has one too. "
            "Do: rename one of them, or check them apart.",
        )


def signal_not_caught(subject: Subject) -> Iterator[Finding]:
    """A signal that is thrown is caught somewhere in the files that are checked.

    Severity: warning
    Why: a signal isn't kept: where nobody waits for it, it is lost without a trace.
    Wrong: a signal end event `price-changed`, and no event that catches `price-changed`
    Right: a signal catch event of that name, here or in another file
    """
    processes = (subject.process, *(other.process for other in subject.beside))
    nodes = [node for process in processes for node in process.nodes.values() if node.kind not in THROWING]
    caught = {event.name for node in nodes for event in node.events if event.kind == "signal"}
    for node in subject.process.nodes.values():
        event = thrown_by(node)
        if event is not None and event.kind == "signal" and event.name and event.name not in caught:
            yield warning(
                "signal-not-caught",
                node,
                f"Expected an event that catches the signal {shown(event.name)}, but there is none in these files. "
                "Do: draw one, check it together with the process that catches it, or remove this event.",
                event.position,
            )


def signal_not_thrown(subject: Subject) -> Iterator[Finding]:
    """A signal that is waited for is thrown somewhere in the files that are checked.

    Severity: warning
    Why: who waits for it waits for ever.
    Wrong: a signal catch event `price-changed`, and no event that throws `price-changed`
    Right: a signal throw event of that name
    """
    processes = (subject.process, *(other.process for other in subject.beside))
    thrown = {event.name for process in processes for node in process.nodes.values() if (event := thrown_by(node))}
    for node in subject.process.nodes.values():
        for event in node.events if node.kind not in THROWING else ():
            if event.kind == "signal" and event.name and event.name not in thrown:
                yield warning(
                    "signal-not-thrown",
                    node,
                    f"Expected an event that throws the signal {shown(event.name)}, but there is none in these files. "
                    "Do: draw one, check it together with the process that throws it, or remove this event.",
                    event.position,
                )
