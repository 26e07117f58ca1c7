"""Whatever is drawn, tokens are where BPMN says: the engine is held against the standard's rules in their plainest form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DefinitionInvalid
from engine.execution.executable import Executable
from tests.builders.drawing import boundary, end, exclusive, flows, parallel, service, start, user
from tests.builders.play import Play, executable_of
from tests.builders.reference import Reference

Block: TypeAlias = "str | tuple[str, list[Block]]"

BLOCKS: st.SearchStrategy[Block] = st.recursive(
    st.sampled_from(["user", "service"]),
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
"""Nested blocks, as people draw them. Each has work in it, so that no loop runs on for ever."""


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
        return {"user": self.user, "service": self.service}[kind](behind) if not inner else self.nested(kind, inner, behind)

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


@settings(max_examples=100)
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
        if _move_reference(reference, node, yes, play.data):
            _move(play, node, yes)
        else:
            with pytest.raises(DefinitionInvalid, match="nothing is left that could bring one"):
                _move(play, node, yes)
            return


def _is_job(node: str) -> bool:
    return node.startswith("service") and not node.endswith("_help")


def _move(play: Play, node: str, yes: bool) -> None:
    """Complete a user task with a value, or a job; a job fails where `yes`."""
    if not _is_job(node):
        play.complete(node, approved=yes)
    elif yes:
        play.fail(node, "declined")
    else:
        play.done(node)


def _move_reference(reference: Reference, node: str, yes: bool, data: Mapping[str, object]) -> bool:
    """The same; False when tokens are left that nothing can move any more."""
    if not _is_job(node):
        reference.complete(node, {"approved": yes})
    elif yes:
        reference.fail(node, f"{node}_failed", data)
    else:
        reference.complete(node, data)
    return bool(reference.waiting) or reference.completed
