"""Whatever is drawn, tokens are where BPMN says: the engine is held against the standard's rules in their plainest form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DefinitionInvalid
from engine.execution.executable import Executable
from engine.execution.transition import TimerClosed
from tests.builders.drawing import boundary, boundary_timer, end, exclusive, flows, parallel, service, start, user, wait
from tests.builders.play import Play, executable_of
from tests.builders.reference import Reference

Block: TypeAlias = "str | tuple[str, list[Block]]"

BLOCKS: st.SearchStrategy[Block] = st.recursive(
    st.sampled_from(["user", "service", "pause", "reminded", "echoed", "hurried"]),
    lambda inner: st.one_of(
        st.tuples(st.just("sequence"), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("parallel"), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.just("choice"), st.lists(inner, min_size=2, max_size=2)),
        st.tuples(st.just("loop"), st.lists(inner, min_size=1, max_size=1)),
        # No join at its end: what follows is passed once for each branch.
        st.tuples(st.just("unjoined"), st.lists(inner, min_size=2, max_size=2)),
    ),
    max_leaves=7,
)
"""Nested blocks, as people draw them. Each has something in it that waits, so that no loop runs on for ever."""


@dataclass
class Pen:
    """Draws blocks one after the other."""

    nodes: list[str] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    drawn: int = 0

    def name(self, kind: str) -> str:
        self.drawn += 1
        return f"{kind}{self.drawn}"

    def draw(self, block: Block, behind: str) -> str:
        """Draw a block behind a node; the node that it ends with."""
        kind, inner = (block, []) if isinstance(block, str) else block
        return getattr(self, kind)(behind) if not inner else self.nested(kind, inner, behind)

    def user(self, behind: str) -> str:
        key = self.name("user")
        self.nodes.append(user(key))
        self.ways.append(f"{behind} -> {key}")
        return key

    def service(self, behind: str) -> str:
        """A service task; its boundary event leads to a user task, and both ways meet again."""
        key = self.name("service")
        merge = f"{key}_merge"
        self.nodes += [service(key, {}, {}), boundary(f"{key}_failed", key), user(f"{key}_help"), exclusive(merge)]
        self.ways += [f"{behind} -> {key} -> {merge}", f"{key}_failed -> {key}_help -> {merge}"]
        return merge

    def pause(self, behind: str) -> str:
        key = self.name("pause")
        self.nodes.append(wait(key))
        self.ways.append(f"{behind} -> {key}")
        return key

    def reminded(self, behind: str) -> str:
        """A user task with a reminder, whose way ends by itself, and a deadline, whose way meets the task's again."""
        key = self.name("user")
        merge = f"{key}_merge"
        self.nodes += [user(key), boundary_timer(f"{key}_remind", key, interrupting=False), boundary_timer(f"{key}_late", key)]
        self.nodes += [user(f"{key}_nudge"), end(f"{key}_nudged"), exclusive(merge)]
        self.ways += [f"{behind} -> {key} -> {merge}", f"{key}_remind -> {key}_nudge -> {key}_nudged", f"{key}_late -> {merge}"]
        return merge

    def echoed(self, behind: str) -> str:
        """A user task with a timer that doesn't interrupt and whose way comes to what follows the task: all of it twice."""
        key = self.name("user")
        merge = f"{key}_merge"
        self.nodes += [user(key), boundary_timer(f"{key}_remind", key, interrupting=False), exclusive(merge)]
        self.ways += [f"{behind} -> {key} -> {merge}", f"{key}_remind -> {merge}"]
        return merge

    def hurried(self, behind: str) -> str:
        """A service task with an error boundary event and timers of both kinds; all ways meet again, or end."""
        key = self.name("service")
        merge = f"{key}_merge"
        self.nodes += [service(key, {}, {}), boundary(f"{key}_failed", key), user(f"{key}_help"), exclusive(merge)]
        self.nodes += [boundary_timer(f"{key}_remind", key, interrupting=False), boundary_timer(f"{key}_late", key)]
        self.nodes += [end(f"{key}_told")]
        self.ways += [f"{behind} -> {key} -> {merge}", f"{key}_failed -> {key}_help -> {merge}"]
        self.ways += [f"{key}_late -> {key}_help", f"{key}_remind -> {key}_told"]
        return merge

    def nested(self, kind: str, inner: list[Block], behind: str) -> str:
        if kind == "sequence":
            for each in inner:
                behind = self.draw(each, behind)
            return behind
        first, last = self.name("first"), self.name("last")
        self.ways.append(f"{behind} -> {first}")
        if kind == "loop":
            self.nodes += [exclusive(first), exclusive(last, f"{last}-{last}_out"), exclusive(f"{last}_out")]
            self.ways += [
                f"{self.draw(inner[0], first)} -> {last}",
                f"{last} -> {first} if ${{approved}}",
                f"{last} -> {last}_out",
            ]
            return f"{last}_out"
        self.nodes += [exclusive(first, f"{first}-{first}_0") if kind == "choice" else parallel(first)]
        self.nodes += [parallel(last) if kind == "parallel" else exclusive(last)]
        for number, each in enumerate(inner):
            way = f"{first}_{number}"
            self.nodes.append(exclusive(way))
            condition = " if ${approved}" if kind == "choice" and number else ""
            self.ways += [f"{first} -> {way}{condition}", f"{self.draw(each, way)} -> {last}"]
        return last


def drawn(block: Block) -> Executable:
    pen = Pen()
    last = pen.draw(block, "start")
    return executable_of(start(), *pen.nodes, end(), flows(*pen.ways, f"{last} -> end"))


@settings(max_examples=150)
@given(block=BLOCKS, moves=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=20))
def test_tokens_are_where_the_standard_says(block: Block, moves: list[tuple[int, bool]]) -> None:
    executable = drawn(block)
    play, reference = Play(executable).start(approved=False), Reference(executable.definition.process)
    reference.start("start", {"approved": False})
    for choice, yes in moves:
        assert Counter(play.waiting) == reference.waiting
        assert play.completed == reference.completed
        if play.completed:
            return
        node = sorted(set(play.waiting))[choice % len(set(play.waiting))]
        before = dict(play.data)
        moved = _moves(play, node, yes)
        assert _move_reference(reference, node, yes, before, _withdrawn(play) if moved else None) == moved
        if not moved:
            return


def _is_job(node: str) -> bool:
    return node.startswith("service") and not node.endswith("_help")


def _is_timer(node: str) -> bool:
    return node.startswith("pause") or node.endswith(("_remind", "_late"))


def _moves(play: Play, node: str, yes: bool) -> bool:
    """Make a move; False when it is refused because the instance could never go on after it."""
    try:
        _move(play, node, yes)
    except DefinitionInvalid as refused:
        if "nothing is left that could bring one" not in str(refused):
            raise
        return False
    return True


def _move(play: Play, node: str, yes: bool) -> None:
    """Complete a user task with a value, or a job; a job fails where `yes`. A timer fires."""
    if _is_timer(node):
        play.fire(node)
    elif not _is_job(node):
        play.complete(node, approved=yes)
    elif yes:
        play.fail(node, "declined")
    else:
        play.done(node)


def _withdrawn(play: Play) -> frozenset[str]:
    return frozenset(effect.flow_node for effect in play.of_type(TimerClosed) if not effect.fired)


def _move_reference(
    reference: Reference, node: str, yes: bool, data: Mapping[str, object], withdrawn: frozenset[str] | None
) -> bool:
    """The same; False when tokens are left that nothing can move any more."""
    if _is_timer(node):
        reference.fire(node, data, withdrawn)
    elif not _is_job(node):
        reference.complete(node, {"approved": yes}, withdrawn)
    elif yes:
        reference.fail(node, f"{node}_failed", data, withdrawn)
    else:
        reference.complete(node, data, withdrawn)
    return bool(reference.open) or reference.completed
