"""Rules about call activities: what they call, and what passes between the two processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from engine.definition.call import DEPLOYMENT, LATEST, VERSION, Call, Passing
from engine.definition.carry_over import CarryOverMap
from engine.definition.check.subject import Subject, error, kinds_of_type, warning
from engine.definition.check.types import misfit
from engine.definition.data_item import DataItem, DataType
from engine.definition.diagram import FlowNode, Process
from engine.definition.finding import Finding
from engine.errors import ExpressionInvalid
from engine.expressions import Parameter, parse_parameter
from engine.model.money import EXPONENTS
from engine.model.text import did_you_mean, shown

_FREE_TEXT = (DataType.STRING, DataType.TEXT)


def call_invalid(subject: Subject) -> Iterator[Finding]:
    """A call activity says which process it calls, and in which version: the latest one (`latest`, which is meant where nothing
    is said), the one that was deployed together with the caller (`deployment`), or the one with a number (`version`).

    Why: it would be left open what is done.
    Wrong: the binding `versionTag`, or the called element `${process}`
    Right: the called element `credit-check` and the binding `latest`
    """
    for node, call in _calls(subject):
        for what, but, instead in _why_invalid(call):
            yield error("call-invalid", node, f"Expected {what}, but {but}. Do: {instead}.")


def _why_invalid(call: Call) -> Iterator[tuple[str, str, str]]:
    if call.process is None or "${" in call.process or "#{" in call.process:
        named = shown(call.process) if call.process else "nothing"
        yield "the id of a process as called element", f"it is {named}", "write the id that the called process has"
    if call.binding not in (LATEST, DEPLOYMENT, VERSION):
        yield "the binding latest, deployment or version", f"it is {shown(call.binding)}", "choose one of the three"
    if call.binding == VERSION and call.number is None:
        yield "a version's number for the binding version", f"it is {shown(call.version)}", "write it, as in 3"
    if call.binding != VERSION and call.version is not None:
        yield "a version only with the binding version", f"the binding is {call.binding}", "change the binding, or remove it"
    for target, count in Counter(each.target for each in call.ins).items():
        if count > 1:
            yield f"{shown(target)} to be passed once", f"it is passed {count} times", "remove all but one"
    for target, count in Counter(each.target for each in call.outs).items():
        if count > 1:
            yield f"{shown(target)} to be taken once", f"it is taken {count} times", "remove all but one"


def called_process_unknown(subject: Subject) -> Iterator[Finding]:
    """A process that is called is among the files that are checked, so that what passes between the two can be looked at.

    Severity: warning
    Why: it has to be deployed before or together with its caller; `deploy` refuses a caller of what isn't there.
    Wrong: `run-process check order.bpmn`, which calls `credit-check`
    Right: `run-process check order.bpmn credit-check.bpmn`
    """
    known = {subject.process.id, *(each.process.id for each in subject.beside)}
    for node, call in _calls(subject):
        if _is_named(call) and call.process not in known:
            yield warning(
                "called-process-unknown",
                node,
                f"Expected the called process {shown(call.process)} in these files, but it isn't there. "
                "Do: check both together; if it is deployed already, nothing.",
            )


def called_process_unfit(subject: Subject) -> Iterator[Finding]:
    """A process that is called has no bill, and a start event without a message or timer.

    Why: a customer's bill exists once for each period, and hands over to the next one: it begins by hand or by its hand-over, and
    is nobody's part.
    Wrong: a call activity for `monthly-card-charge`
    Right: a call activity for a process whose map has no `bill`
    """
    for node, process, carry_over in _called(subject):
        name = shown(process.id)
        if carry_over.bill is not None:
            what, instead = f"a process without a bill, but {name} bills customers by the period", "call one without a bill"
            yield error("called-process-unfit", node, f"Expected {what}. Do: {instead}.")
        if not any(start.kind == "startEvent" and not start.events for start in process.nodes_in(None)):
            what = f"a start event without a message or timer in {name}, but there is none to begin at"
            yield error("called-process-unfit", node, f"Expected {what}. Do: draw one there.")


def call_unknown_item(subject: Subject) -> Iterator[Finding]:
    """What is passed to a called process is a data item there, and so is what is taken from it.

    Why: fail-closed: only what both maps list is passed.
    Wrong: `camunda:in` with the target `custmer`
    Right: the target `customer`, which the called process's map lists
    """
    for node, process, carry_over in _called(subject):
        assert node.call is not None
        named = [(each.target, each) for each in node.call.ins]
        named += [(name, each) for each in node.call.outs for name in sorted(_names(each))]
        for name, passing in named:
            if name not in carry_over.items:
                yield error(
                    "call-unknown-item",
                    node,
                    f"Expected a data item of {process.id}, but {shown(name or None)} is none. "
                    f"{did_you_mean(name, carry_over.items)}",
                    passing.position,
                )


def call_type(subject: Subject) -> Iterator[Finding]:
    """What passes between a call activity and the process that it calls has a type that fits, on both sides. An amount of money
    is passed as it is, to an amount, with the item that holds its currency.

    Why: a value that doesn't fit is refused when it is passed, and the instance stops there.
    Wrong: the item `approved`, which is boolean, to the target `amount`, which is an integer
    Right: an integer to the target `amount`
    """
    if subject.carry_over is None:
        return
    for node, _, carry_over in _called(subject):
        assert node.call is not None
        ways = ((node.call.ins, subject.carry_over, carry_over), (node.call.outs, carry_over, subject.carry_over))
        for passings, giver, taker in ways:
            for each in passings:
                if each.target in taker.items and (why := _why_unfit(each, giver, taker.items[each.target])):
                    yield error("call-type", node, f"In the value for {shown(each.target)}: {why}", each.position)
        yield from _without_currency(node, node.call, carry_over)


def _why_unfit(passing: Passing, giver: CarryOverMap, target: DataItem) -> str | None:
    source = giver.items.get(passing.source or "")
    if source is not None:
        return None if _fits(source, target) else _said(f"{shown(source.name)} is of the type {_told(source)}", target)
    parsed = _parsed(passing)
    if parsed is None or passing.source is not None:  # said by other rules
        return None
    if target.type is DataType.MONEY:
        return _said("an expression gives a number without a currency", target)
    study = parsed.study({name: kinds_of_type(item.type) for name, item in giver.items.items()})
    return misfit(target, study.kinds, parsed.text if parsed.is_literal else None)


def _said(found: str, target: DataItem) -> str:
    return f"Expected a value of the type {_told(target)}, but {found}. Do: pass another item, or change its type in a map."


def _told(item: DataItem) -> str:
    return f"{item.type} in {item.currency}" if item.type is DataType.MONEY else str(item.type)


def _fits(source: DataItem, target: DataItem) -> bool:
    """Whether some value of one item can be a value of the other."""
    if DataType.MONEY in (source.type, target.type):
        codes = {item.currency for item in (source, target) if item.currency in EXPONENTS}
        return source.type is target.type and len(codes) < 2
    if source.type is target.type:
        return source.type is not DataType.CHOICE or bool(set(source.choices) & set(target.choices))
    if kinds_of_type(source.type) != kinds_of_type(target.type):
        return False
    return source.type in _FREE_TEXT or target.type in _FREE_TEXT or DataType.CHOICE in (source.type, target.type)


def _without_currency(node: FlowNode, call: Call, carry_over: CarryOverMap) -> Iterator[Finding]:
    """Amounts that are passed where the currency isn't known."""
    targets = {each.target for each in call.ins}
    for each in call.ins:
        item = carry_over.items.get(each.target)
        currency = item.currency if item is not None and item.type is DataType.MONEY else None
        if currency is not None and currency in carry_over.items and currency not in targets:
            yield error(
                "call-type",
                node,
                f"Expected the currency of {shown(each.target)} to be passed as well, but {shown(currency)} isn't. "
                f"Do: pass it to the target {currency}.",
                each.position,
            )


def calls_in_circle(subject: Subject) -> Iterator[Finding]:
    """Processes don't call each other in a circle.

    Severity: warning
    Why: each call starts another instance, and the tenth inside each other is the last: the next one is refused.
    Wrong: `order` calls `credit-check`, which calls `order`
    Right: a loop around the call activity
    """
    calls: dict[str, set[str]] = {each.process.id: _targets(each.process) for each in subject.beside}
    calls[subject.process.id] = _targets(subject.process)
    for node, call in _calls(subject):
        way = _way(calls, call.process or "", subject.process.id)
        if way is not None:
            circle = " -> ".join((subject.process.id, *way))
            yield warning(
                "calls-in-circle",
                node,
                f"Expected calls that come to an end, but these go round: {circle}. "
                "Do: draw a loop instead, or make sure that a condition ends it.",
            )


def _way(calls: Mapping[str, set[str]], start: str, to: str) -> tuple[str, ...] | None:
    """A shortest way of calls from one process to another; None where there is none."""
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    waiting = [start]
    for process in waiting:  # grows while it is walked
        if process == to:
            return ways[process]
        for each in sorted(calls.get(process, ())):
            if each not in ways:
                ways[each] = (*ways[process], each)
                waiting.append(each)
    return None


# --- what the rules look at -----------------------------------------------------------------------------------------


def _calls(subject: Subject) -> Iterator[tuple[FlowNode, Call]]:
    return ((node, node.call) for node in subject.process.nodes.values() if node.call is not None)


def _targets(process: Process) -> set[str]:
    return {node.call.process for node in process.nodes.values() if node.call is not None and node.call.process}


def _is_named(call: Call) -> bool:
    return call.process is not None and "{" not in call.process


def _called(subject: Subject) -> Iterator[tuple[FlowNode, Process, CarryOverMap]]:
    """The call activities whose processes are known, with these and their maps. One that names a version may mean another."""
    known = {each.process.id: (each.process, each.carry_over) for each in subject.beside}
    known[subject.process.id] = (subject.process, subject.carry_over)
    for node, call in _calls(subject):
        process, carry_over = known.get(call.process or "", (None, None))
        if process is not None and carry_over is not None and call.binding != VERSION:
            yield node, process, carry_over


def _parsed(passing: Passing) -> Parameter | None:
    try:
        return parse_parameter(passing.text)
    except ExpressionInvalid:
        return None  # expression-invalid says it


def _names(passing: Passing) -> frozenset[str]:
    parsed = _parsed(passing)
    return frozenset(parsed.names) if parsed is not None else frozenset()


def called_by_another(subject: Subject) -> bool:
    """Whether another definition calls this one: an error that nothing catches here goes there."""
    return any(subject.process.id in _targets(each.process) for each in subject.beside)
