"""Whatever sub-processes are drawn, tokens are where BPMN says, and what was passed is what BPMN says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definition.graph import reachable, reachable_without, start_nodes
from engine.errors import ExpressionFailed
from engine.execution.executable import Executable
from tests.builders.drawing import end, exclusive, flows, parallel, service, start, user, wait
from tests.builders.drawing_scopes import (
    after,
    error,
    error_end,
    escalate,
    escalation,
    event_start,
    handler,
    instances,
    on_edge,
    repeated,
    rounds,
    sub,
    terminate,
)
from tests.builders.play import Play, executable_of
from tests.builders.scope_reference import ScopeReference

Block: TypeAlias = "str | tuple[str, list[Block]]"

_LEAVES = ["user", "service", "guarded", "pause", "several"]
_AROUND = [
    "plain", "caught", "all", "deadline", "reminded", "handled", "watched", "hurried", "terminating", "told", "escalated",
    "refusing", "twice", "looped", "heard",
]  # fmt: skip
BLOCKS: st.SearchStrategy[Block] = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.one_of(
        st.tuples(st.just("sequence"), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("parallel"), st.lists(inner, min_size=2, max_size=2)),
        st.tuples(st.just("choice"), st.lists(inner, min_size=2, max_size=2)),
        st.tuples(st.just("loop"), st.lists(inner, min_size=1, max_size=1)),
        *(st.tuples(st.just(kind), st.lists(inner, min_size=1, max_size=1)) for kind in _AROUND),
    ),
    max_leaves=6,
)
"""Nested blocks and sub-processes. Each has something in it that waits, so that no loop runs on for ever."""


@dataclass
class Pen:
    """Draws blocks one after the other into one scope. Names are unique in the whole diagram: `numbers` is shared."""

    numbers: list[int]
    nodes: list[str] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)

    def name(self, kind: str) -> str:
        self.numbers.append(1)
        return f"{kind}{len(self.numbers)}"

    def draw(self, block: Block, behind: str) -> str:
        """Draw a block behind a node; the node that it ends with."""
        kind, inner = (block, []) if isinstance(block, str) else block
        if not inner:
            return self.leaf(kind, behind)
        if kind in _AROUND:
            return self.around(kind, inner[0], behind)
        return self.nested(kind, inner, behind)

    def leaf(self, kind: str, behind: str) -> str:
        key = self.name("service" if kind == "guarded" else kind)
        self.ways.append(f"{behind} -> {key}")
        if kind == "guarded":
            merge = f"{key}_merge"
            self.nodes += [service(key, {}, {}), on_edge(f"{key}_failed", key, error()), exclusive(merge)]
            self.ways += [f"{key} -> {merge}", f"{key}_failed -> {merge}"]
            return merge
        drawn = {"user": user(key), "service": service(key, {}, {}), "pause": wait(key), "several": user(key)}[kind]
        self.nodes.append(repeated(drawn, instances("2")) if kind == "several" else drawn)
        return key

    def nested(self, kind: str, inner: list[Block], behind: str) -> str:
        if kind == "sequence":
            for each in inner:
                behind = self.draw(each, behind)
            return behind
        first, last = self.name("first"), self.name("last")
        self.ways.append(f"{behind} -> {first}")
        if kind == "loop":
            self.nodes += [exclusive(first), exclusive(last, f"{last}-{last}_out"), exclusive(f"{last}_out")]
            self.ways.append(f"{self.draw(inner[0], first)} -> {last}")
            self.ways += [f"{last} -> {first} if ${{approved}}", f"{last} -> {last}_out"]
            return f"{last}_out"
        gateway = parallel if kind == "parallel" else exclusive
        self.nodes += [exclusive(first, f"{first}-{first}_0") if kind == "choice" else parallel(first), gateway(last)]
        for number, each in enumerate(inner):
            way = f"{first}_{number}"
            self.nodes.append(exclusive(way))
            condition = " if ${approved}" if kind == "choice" and number else ""
            self.ways += [f"{first} -> {way}{condition}", f"{self.draw(each, way)} -> {last}"]
        return last

    def around(self, kind: str, inner: Block, behind: str) -> str:
        """A sub-process with something on its edge or in it; every way on from it meets again, or ends."""
        key = self.name("sub")
        inside = Pen(self.numbers)
        begin = f"{key}_begin"
        inside.nodes.append(start(begin))
        if kind in ("told", "escalated", "heard"):
            inside.nodes += [escalate(f"{key}_call"), escalate(f"{key}_again")]
            inside.ways.append(f"{begin} -> {key}_call -> {key}_again")
            begin = f"{key}_again"
        if kind == "terminating":
            split = f"{key}_split"
            inside.nodes += [parallel(split), user(f"{key}_stop"), terminate(f"{key}_enough")]
            inside.ways += [f"{begin} -> {split} -> {key}_stop -> {key}_enough"]
            begin = split
        last, merge = inside.draw(inner, begin), f"{key}_merge"
        inside.nodes.append(end(f"{key}_end"))
        if kind == "refusing":
            inside.nodes += [exclusive(f"{key}_x", f"{key}_x-{key}_end"), error_end(f"{key}_refused")]
            inside.ways += [f"{last} -> {key}_x -> {key}_end", f"{key}_x -> {key}_refused if ${{approved}}"]
        else:
            inside.ways.append(f"{last} -> {key}_end")
        inside.nodes += self.handlers(kind, key)
        drawn = sub(key, *inside.nodes, flows(*inside.ways))
        marker = {"twice": instances("2", sequential=True), "looped": rounds(most=2)}.get(kind)
        self.nodes += [repeated(drawn, marker) if marker else drawn, exclusive(merge)]
        self.ways.append(f"{behind} -> {key} -> {merge}")
        self.edges(kind, key, merge)
        return merge

    def edges(self, kind: str, key: str, merge: str) -> None:
        edge = f"{key}_edge"
        definition, interrupting = {
            "caught": (error(), True),
            "all": (error(None), True),
            "refusing": (error(), True),
            "deadline": (after(), True),
            "reminded": (after(), False),
            "told": (escalation(), False),
            "escalated": (escalation(None), True),
        }.get(kind, (None, True))
        if definition is None:
            return
        self.nodes += [on_edge(edge, key, definition, interrupting=interrupting), user(f"{edge}_user")]
        self.ways.append(f"{edge} -> {edge}_user")
        if interrupting:
            self.ways.append(f"{edge}_user -> {merge}")
        else:
            self.nodes.append(end(f"{edge}_end"))
            self.ways.append(f"{edge}_user -> {edge}_end")

    @staticmethod
    def handlers(kind: str, key: str) -> list[str]:
        definition, interrupting = {
            "handled": (error(), True),
            "watched": (after(), False),
            "hurried": (after(), True),
            "heard": (escalation(), False),
        }.get(kind, (None, True))
        if definition is None:
            return []
        begin, task, done = f"{key}_event", f"{key}_react", f"{key}_reacted"
        inside = event_start(begin, definition, interrupting=interrupting), user(task), end(done)
        return [handler(f"{key}_handler", *inside, flows(f"{begin} -> {task} -> {done}"))]


def drawn(block: Block) -> Executable:
    pen = Pen([])
    last = pen.draw(block, "start")
    return executable_of(start(), *pen.nodes, end(), flows(*pen.ways, f"{last} -> end"))


@settings(max_examples=250)
@given(block=BLOCKS, moves=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=25))
def test_tokens_in_sub_processes_are_where_the_standard_says(block: Block, moves: list[tuple[int, bool]]) -> None:
    executable = drawn(block)
    play, reference = Play(executable).start(approved=False), ScopeReference(executable.definition.process)
    reference.start({"approved": False})
    for choice, yes in moves:
        assert Counter(play.waiting) == reference.waiting
        assert play.completed == reference.completed
        assert Counter(play.path) == reference.walked
        if play.completed:
            return
        node = sorted(set(play.waiting))[choice % len(set(play.waiting))]
        _move(play, reference, node, yes)


def _move(play: Play, reference: ScopeReference, node: str, yes: bool) -> None:
    """Complete a user task with a value; a job fails where `yes`; a timer fires."""
    kind = play.executable.nodes[node].kind
    if kind == "userTask":
        play.complete(node, approved=yes)
        reference.move(node, {"approved": yes})
    elif kind != "serviceTask":
        play.fire(node)
        reference.move(node, play.data)
    elif not yes:
        play.done(node)
        reference.move(node, play.data)
    else:
        _fail(play, reference, node)


def _fail(play: Play, reference: ScopeReference, node: str) -> None:
    """Fail with an error that may be caught anywhere around; where it is caught nowhere, nothing has changed."""
    if reference.move(node, play.data, "declined"):
        play.fail(node, "declined")
        return
    with pytest.raises(ExpressionFailed, match="for the error 'declined', but there is none"):
        play.fail(node, "declined")
    reference.walked = Counter(play.path)


@settings(max_examples=150)
@given(block=BLOCKS, moves=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=25))
def test_what_is_proved_about_ways_is_true_of_every_run(block: Block, moves: list[tuple[int, bool]]) -> None:
    """Whatever a token came to before a node was completed, the proof says that it can come to without completing it."""
    executable = drawn(block)
    process = executable.definition.process
    play = Play(executable).start(approved=False)
    came_to: list[tuple[str, bool]] = [(node, True) for node in play.path] + [(node, False) for node in play.waiting]
    for choice, yes in moves:
        if play.completed:
            break
        node = sorted(set(play.waiting))[choice % len(set(play.waiting))]
        try:
            _played(play, node, yes)
        except ExpressionFailed:
            continue
        came_to += [(each, True) for each in play.path] + [(each, False) for each in play.waiting]
    for node in process.nodes:
        reach = reachable_without(process, start_nodes(process), [node])
        for each, completed in came_to:
            if completed and each == node:
                break
            assert each in reach, f"{each} was come to before {node} was completed"


@settings(max_examples=100)
@given(block=BLOCKS)
def test_everything_drawn_can_be_reached_and_the_proof_shows_ways_that_are_drawn(block: Block) -> None:
    process = drawn(block).definition.process
    reach = reachable(process, start_nodes(process))
    edges = {(flow.source, flow.target) for flow in process.flows}
    for node in process.nodes:
        assert node in reach
        path = reach.path_to(node)
        assert path[0] == "start"
        for before, after_it in pairwise(path):
            left, right = process.nodes[before], process.nodes[after_it]
            inside = right.scope == left.id or right.attached_to == left.id
            out = left.scope is not None and left.scope != right.scope
            assert inside or out or (before, after_it) in edges


def _played(play: Play, node: str, yes: bool) -> None:
    match play.executable.nodes[node].kind:
        case "userTask":
            play.complete(node, approved=yes)
        case "serviceTask" if yes:
            play.fail(node, "declined")
        case "serviceTask":
            play.done(node)
        case _:
            play.fire(node)
