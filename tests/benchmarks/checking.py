"""How long `check` takes: one definition of so many elements, with forms, conditions, parameters, joins and controls."""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

from engine.definition.check import check
from tests.benchmarks.bench import Bench, Size, Table
from tests.benchmarks.meters import middle
from tests.builders.drawing import (
    boundary,
    carry_over,
    connectors,
    diagram,
    end,
    exclusive,
    files,
    flows,
    form_field,
    parallel,
    service,
    start,
    user,
)

ABOUT = "check: a definition of up to 5,000 elements"

_SIZES = {Size.FULL: (100, 1_000, 5_000), Size.QUICK: (100, 1_000), Size.TINY: (100,)}
_RUNS = {Size.FULL: 5, Size.QUICK: 3, Size.TINY: 1}
_PER_BLOCK = 23  # flow nodes and sequence flows, each an element


def run(bench: Bench) -> Iterator[Table]:
    """One row for each size."""
    rows = []
    for elements in _SIZES[bench.size]:
        bench.say(f"check: {elements} elements")
        given = large_definition(elements)
        took = [_seconds(given) for _ in range(_RUNS[bench.size])]
        rows.append((f"{elements:,} elements", middle(took, 3), f"{len(given['billing.bpmn']) / 1024:.0f}"))
    yield Table(
        "check", ("", "CPU seconds", "kB"), rows, ("The middle of several runs. Target: 1,000 elements in under a second.",)
    )


def _seconds(given: dict[str, bytes]) -> float:
    began = process_time()
    findings = check(given, connectors())
    took = process_time() - began
    if findings:
        raise RuntimeError(f"Expected a definition without findings, but {findings[0]}.")
    return took


def large_definition(elements: int) -> dict[str, bytes]:
    """A definition of about so many flow nodes and sequence flows with which nothing is wrong: blocks in a row, each with a form,
    a choice that leads back, a parallel split and join, and a charge that can be declined.
    """
    blocks = elements // _PER_BLOCK
    items = {"amount": "{type: integer, carry: drop}", "receipt": "{type: string, carry: drop}"}
    items |= {f"item_{n % 40}": "{type: integer, carry: drop}" for n in range(blocks)}
    parts, ways = [start(), end()], ["start -> enter_0", f"charge_{blocks - 1} -> end"]
    for n in range(blocks):
        parts += _block(n)
        ways += _ways(n, blocks)
    controls = [f"{{path: charge_{blocks - 1}, must_pass: enter_0}}"]
    return files(diagram(*parts, flows(*ways)), carry_over(items, controls=controls, repeats=""))


def _block(n: int) -> list[str]:
    fields = form_field("amount", "long") + form_field(f"item_{n % 40}", "long")
    return [
        user(f"enter_{n}", fields),
        exclusive(f"decide_{n}", f"decide_{n}-split_{n}"),
        parallel(f"split_{n}"),
        *(user(f"{side}_{n}") for side in ("left", "right", "far")),
        parallel(f"join_{n}"),
        service(f"charge_{n}", {"amount": "${amount}", "purpose": f"Part {n}"}, {"receipt": "${payment_id}"}),
        boundary(f"declined_{n}", f"charge_{n}"),
        user(f"call_{n}"),
    ]


def _ways(n: int, blocks: int) -> list[str]:
    return [
        f"enter_{n} -> decide_{n}",
        f"decide_{n} -> enter_{n} if ${{amount > {n} and item_{n % 40} != amount + {n}}}",
        f"decide_{n} -> split_{n}",
        f"split_{n} -> left_{n} -> far_{n} -> join_{n}",
        f"split_{n} -> right_{n} -> join_{n}",
        f"join_{n} -> charge_{n}",
        f"declined_{n} -> call_{n} -> charge_{n}",
        *([f"charge_{n} -> enter_{n + 1}"] if n + 1 < blocks else []),
    ]
