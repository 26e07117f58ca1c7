"""Games that remember lead where games lead that are played, whatever happens: in every state, effect and error."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from engine.clock import TurnedClock
from engine.definition.process_definition import read_definition
from engine.errors import EngineError
from engine.execution.advance import advance
from engine.execution.executable import Executable
from engine.execution.state import InstanceState, dump_state
from engine.execution.token_game import Remembering, TokenGame
from engine.execution.transition import (
    CompleteJob,
    CompleteUserTask,
    FailJob,
    FireTimer,
    Receive,
    Start,
    Transition,
    Trigger,
)
from engine.services.deploying import read_files
from tests.builders.company import PROCESSES
from tests.builders.drawing import (
    boundary,
    boundary_timer,
    end,
    exclusive,
    flows,
    parallel,
    script,
    service,
    start,
    throw,
    user,
    wait,
)
from tests.builders.play import executable_of
from tests.doubles.context import START

ITEMS = {
    "customer": "{type: string, carry: copy}",
    "month": "{type: month, carry: next}",
    "amount": "{type: integer, carry: drop}",
    "approved": "{type: boolean, carry: drop}",
    "receipt": "{type: string, carry: drop}",
    "problem": "{type: text, carry: drop}",
}
NOTED = 'camunda:errorMessageVariable="problem"'

LOOPS_AND_ERRORS = (
    start(),
    user("enter"),
    script("halve", "amount = amount // (amount - 3)"),  # has no value for 3
    exclusive("decision", "decision-enter"),
    service("charge", {"amount": "${amount}"}, {"receipt": "${payment_id}"}),
    boundary("declined", "charge", attributes=NOTED),
    user("call"),
    throw("next"),
    end(),
    flows("start -> enter -> halve -> decision -> enter", "decision -> charge if ${approved}"),
    flows("charge -> next -> end", "declined -> call -> charge"),
)
BESIDE_EACH_OTHER = (
    start(),
    parallel("split"),
    user("left"),
    boundary_timer("late", "left"),
    boundary_timer("remind", "left", "PT1H", interrupting=False),
    user("reminded"),
    wait("pause"),
    exclusive("which", "which-none"),
    user("some"),
    user("none"),
    parallel("join"),
    end("told"),
    end(),
    flows("start -> split -> left -> which", "split -> pause -> join", "late -> which", "remind -> reminded -> told"),
    flows("which -> some -> join if ${amount != None and amount > 2}", "which -> none -> join", "join -> end"),
)


def a_cycle() -> tuple[str, ...]:
    again = boundary_timer("again", "work", "R3/PT1H", "timeCycle", interrupting=False)
    return (
        start(),
        user("work"),
        again,
        user("nudge"),
        end("told"),
        end(),
        flows("start -> work -> end", "again -> nudge -> told"),
    )


def shipped() -> Executable:
    return Executable(read_definition(read_files(PROCESSES / "monthly-card-charge.bpmn")))


def made(kind: str) -> Executable:
    drawings = {"loops and errors": LOOPS_AND_ERRORS, "beside each other": BESIDE_EACH_OTHER, "a cycle": a_cycle()}
    return shipped() if kind == "shipped" else executable_of(*drawings[kind], items=ITEMS)


def moved(
    executable: Executable, state: InstanceState | None, trigger: Trigger, clock: TurnedClock, begin: object
) -> Transition | str:
    try:
        return advance(executable, state, trigger, clock, begin)  # type: ignore[arg-type] # either of two that begin games
    except EngineError as error:
        return f"{type(error).__name__}: {error}"


def next_trigger(executable: Executable, open_work: dict[int, str], chance: Random) -> Trigger:
    token = chance.choice(sorted(open_work))
    node = executable.nodes[open_work[token]]
    if node.kind == "userTask":
        values = {"approved": chance.random() < 0.5, "amount": chance.randrange(6), "billing_amount": chance.randrange(-1, 3)}
        choice = {field.name: chance.choice([key for key, _ in field.choices]) for field in node.fields if field.choices}
        known = executable.definition.carry_over.items
        return CompleteUserTask(token, {name: value for name, value in {**values, **choice}.items() if name in known}, "ann")
    if node.id in executable.timers:
        return FireTimer(token)
    if node.id in executable.awaited:
        return Receive(token)
    if chance.random() < 0.4:
        code = chance.choice(["declined", "card_declined", "card_declined_for_now", "address_refused", "odd"])
        return FailJob(token, code, f"It failed {chance.randrange(1000)} times.", chance.choice([None, "declined"]))
    return CompleteJob(
        token, {"payment_id": "p", "payment_intent": "pi", "charged_at": "now", "refund_id": "r", "settled_at": "s"}
    )


@pytest.mark.parametrize("kind", ["shipped", "loops and errors", "beside each other", "a cycle"])
def test_every_transition_is_the_same_as_when_it_is_played(kind: str) -> None:
    executable, memory, chance = made(kind), Remembering(), Random(7)
    first = next(node.id for node in executable.nodes.values() if node.kind == "startEvent")
    data = {"customer": "acme", "month": "2026-10", "billing_month": "2026-10", "stripe_customer_id": "cus_1"}
    data = {name: value for name, value in data.items() if name in executable.definition.carry_over.items}
    steps = 0
    for _ in range(60):
        clock, open_work = TurnedClock(START), dict[int, str]()
        remembered: InstanceState | None = None
        played: InstanceState | None = None
        trigger: Trigger = Start(first, data)
        for _ in range(25):
            ours, theirs = (moved(executable, s, trigger, clock, b) for s, b in ((remembered, memory.begin), (played, TokenGame)))
            assert ours == theirs
            steps += 1
            if isinstance(ours, Transition) and isinstance(theirs, Transition):
                remembered, played = ours.state, theirs.state
                assert dump_state(remembered) == dump_state(played)
                closed = {effect.token for effect in theirs.effects if type(effect).__name__.endswith("Closed")}
                opened = {
                    e.token: e.flow_node for e in theirs.effects if type(e).__name__.endswith(("Opened", "Created", "Started"))
                }
                open_work = {token: node for token, node in {**open_work, **opened}.items() if token not in closed}
            if not open_work:
                break
            clock.advance(timedelta(hours=1))
            trigger = next_trigger(executable, open_work, chance)
    assert steps > 150


def test_what_was_done_before_is_not_played_again() -> None:
    executable, memory = made("loops and errors"), Remembering()
    asked: list[str] = []

    def begin(tree, host, saved=None):  # type: ignore[no-untyped-def]
        asked.append("begun")
        return memory.begin(tree, host, saved)

    states = [
        advance(executable, None, Start("start", {"customer": "c", "month": "2026-10"}), TurnedClock(START), begin).state
        for _ in "ab"
    ]
    assert len(asked) == 2
    assert states[0].tokens is states[1].tokens  # the very same: nothing was saved anew
    assert states[0] == states[1]
