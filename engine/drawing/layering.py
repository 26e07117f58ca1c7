"""Where nodes go that have no place: a column for each step from the left, a row for each branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

Arrow = tuple[str, str]


def columns_of(nodes: Sequence[str], arrows: Sequence[Arrow]) -> dict[str, int]:
    """The column of every node: one more than the farthest of those before it. Arrows that lead back count for nothing."""
    onward = _without_loops(nodes, arrows)
    before: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in onward:
        before[target].append(source)
    columns: dict[str, int] = {}
    for node in _in_order(nodes, onward):
        columns[node] = max((columns[each] + 1 for each in before[node]), default=0)
    return columns


def _without_loops(nodes: Sequence[str], arrows: Sequence[Arrow]) -> list[Arrow]:
    """The arrows without those that close a loop, found by walking from the first nodes on (without recursion)."""
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in arrows:
        if source in after and target in after:
            after[source].append(target)
    reached = {target for _, target in arrows}
    open_nodes: set[str] = set()
    done: set[str] = set()
    kept: list[Arrow] = []
    for root in sorted(nodes, key=lambda node: node in reached):  # stable: those without arrows to them begin
        if root in done:
            continue
        open_nodes.add(root)
        stack = [(root, iter(after[root]))]
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                open_nodes.discard(node)
                done.add(node)
                stack.pop()
            elif following not in open_nodes:
                kept.append((node, following))
                if following not in done:
                    open_nodes.add(following)
                    stack.append((following, iter(after[following])))
    return kept


def _in_order(nodes: Sequence[str], arrows: Sequence[Arrow]) -> list[str]:
    """Every node behind all those that lead to it."""
    waiting = dict.fromkeys(nodes, 0)
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in arrows:
        waiting[target] += 1
        after[source].append(target)
    ready = [node for node in nodes if not waiting[node]]
    for node in ready:  # grows while it is walked
        for target in after[node]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return ready


def rows_of(columns: Mapping[str, int], arrows: Sequence[Arrow], bands: Mapping[str, int]) -> dict[str, int]:
    """The row of every node: that of the node before it where it is free, else the nearest free one below.

    `bands` are the lanes: all rows of a band are above all rows of the next.
    """
    before: dict[str, list[str]] = {node: [] for node in columns}
    for source, target in arrows:
        if source in columns and target in columns and columns[source] < columns[target]:
            before[target].append(source)
    rows: dict[str, int] = {}  # within the band
    taken: set[tuple[int, int, int]] = set()
    for node in sorted(columns, key=columns.__getitem__):
        band, column = bands.get(node, 0), columns[node]
        same = [rows[each] for each in before[node] if bands.get(each, 0) == band]
        row = next(r for r in count(min(same, default=0)) if (band, column, r) not in taken)
        rows[node] = row
        taken.add((band, column, row))
    return _stacked(rows, bands)


def _stacked(rows: Mapping[str, int], bands: Mapping[str, int]) -> dict[str, int]:
    """Rows of bands as rows of the whole."""
    heights: dict[int, int] = dict.fromkeys(sorted(set(bands.values()) | {0}), 0)
    for node, row in rows.items():
        band = bands.get(node, 0)
        heights[band] = max(heights[band], row + 1)
    first, top = {}, 0
    for band, height in heights.items():
        first[band] = top
        top += height
    return {node: first[bands.get(node, 0)] + row for node, row in rows.items()}
