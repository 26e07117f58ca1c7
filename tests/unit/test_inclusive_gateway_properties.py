"""However inclusive gateways are nested and looped, tokens are where BPMN says: held against the standard's own words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DefinitionInvalid
from engine.execution.executable import Executable
from tests.builders.drawing import boundary_timer, end, exclusive, flows, parallel, start, user
from tests.builders.events import inclusive
from tests.builders.inclusive_reference import InclusiveReference
from tests.builders.play import Play, executable_of

Block: TypeAlias = "str | tuple[str, list[Block]]"

BLOCKS: st.SearchStrategy[Block] = st.recursive(
    st.sampled_from(["user", "hurried"]),
    lambda inner: st.one_of(
        st.tuples(st.just("sequence"), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["inclusive", "forked", "chosen"]), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.sampled_from(["loop", "shortcut"]), st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=7,
)
"""`inclusive` splits and joins inclusively; what is `forked` in parallel or `chosen` exclusively is joined inclusively."""


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
        if not isinstance(block, str):
            return self.nested(*block, behind)
        key = self.name("user")
        self.nodes.append(user(key))
        self.ways.append(f"{behind} -> {key}")
        if block == "user":
            return key
        self.nodes += [boundary_timer(f"{key}_late", key), exclusive(f"{key}_merge"), user(f"{key}_help")]
        self.ways += [f"{key} -> {key}_merge", f"{key}_late -> {key}_help -> {key}_merge"]
        return f"{key}_merge"

    def nested(self, kind: str, inner: list[Block], behind: str) -> str:
        if kind == "sequence":
            for each in inner:
                behind = self.draw(each, behind)
            return behind
        first, last = self.name("first"), self.name("last")
        self.ways.append(f"{behind} -> {first}")
        if kind in ("loop", "shortcut"):
            return self.around(kind, inner[0], first, last)
        default = f"{first}-{first}_0"
        splits = {"inclusive": inclusive(first, default), "forked": parallel(first), "chosen": exclusive(first, default)}
        self.nodes += [splits[kind], inclusive(last)]
        for number, each in enumerate(inner):
            way = f"{first}_{number}"
            self.nodes.append(exclusive(way))
            condition = " if ${approved}" if kind != "forked" and number else ""
            self.ways += [f"{first} -> {way}{condition}", f"{self.draw(each, way)} -> {last}"]
        return last

    def around(self, kind: str, inner: Block, first: str, last: str) -> str:
        """A loop whose way back goes through an inclusive join, or a way past a block that meets it in one."""
        out = f"{last}_out"
        if kind == "loop":
            self.nodes += [inclusive(first), exclusive(last, f"{last}-{out}"), exclusive(out)]
            self.ways += [f"{self.draw(inner, first)} -> {last}", f"{last} -> {first} if ${{approved}}", f"{last} -> {out}"]
            return out
        self.nodes += [
            inclusive(first, f"{first}-{first}_in"),
            exclusive(f"{first}_in"),
            exclusive(f"{first}_by"),
            inclusive(last),
        ]
        self.ways += [f"{first} -> {first}_in", f"{first} -> {first}_by if ${{not approved}}", f"{first}_by -> {last}"]
        self.ways.append(f"{self.draw(inner, f'{first}_in')} -> {last}")
        return last


def drawn(block: Block) -> Executable:
    pen = Pen()
    last = pen.draw(block, "start")
    return executable_of(start(), *pen.nodes, end(), flows(*pen.ways, f"{last} -> end"))


@settings(max_examples=200)
@given(block=BLOCKS, moves=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=25))
def test_tokens_are_where_the_standard_says(block: Block, moves: list[tuple[int, bool]]) -> None:
    executable = drawn(block)
    play, reference = Play(executable).start(approved=False), InclusiveReference(executable.definition.process)
    reference.start("start", {"approved": False})
    for choice, yes in moves:
        assert Counter(play.waiting) == reference.waiting
        assert play.completed == reference.completed
        if play.completed:
            return
        node = sorted(set(play.waiting))[choice % len(set(play.waiting))]
        before = dict(play.data)
        if not _moves(play, node, yes):
            return
        if node.endswith("_late"):
            reference.fire(node, before)
        else:
            reference.complete(node, {"approved": yes})


def _moves(play: Play, node: str, yes: bool) -> bool:
    """Make a move; False when it is refused because joins would wait for each other for ever."""
    try:
        if node.endswith("_late"):
            play.fire(node)
        else:
            play.complete(node, approved=yes)
    except DefinitionInvalid as refused:
        if "nothing is left that could bring one" not in str(refused):
            raise
        return False
    return True
