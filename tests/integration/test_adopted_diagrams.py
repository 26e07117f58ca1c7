"""Diagrams that other people drew: with a first carry-over map, those that `check` accepts run to their ends on every way.

What stands in the way of the others is listed in tests/definitions/adopted/FOLDER.txt, as they are drawn and with what `check`
asks for done, so that a change is noticed: `-` is the file itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.definition.process_definition import read_definition
from tests.builders.adopting import Adopted, adopt, mend, ways_through
from tests.builders.corpus import CORPUS, WITHOUT

ROOT = Path(__file__).parents[2]
VERDICTS = ROOT / "tests" / "definitions" / "adopted"
FOLDERS = ("camunda-examples", "miwg")
DRAWN = {f"{folder}/{path.name}": path for folder in FOLDERS for path in sorted((CORPUS / folder).glob("*.bpmn"))}
INSTANCES = 30

pytestmark = pytest.mark.skipif(not DRAWN, reason=WITHOUT)


def kept(folder: str) -> str:
    lines = (VERDICTS / f"{folder}.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def running() -> Iterator[tuple[str, str]]:
    """(file, as drawn or mended) of what the tables say that it runs."""
    for folder in FOLDERS:
        for block in kept(folder).split("\n\n"):
            name, *lines = block.splitlines()
            yield from ((f"{folder}/{name}", line.split(":")[0].strip()) for line in lines if line.endswith(": runs"))


def verdict(adopted: Adopted) -> str:
    if adopted.refusals:
        return "\n    ".join(("refused", *adopted.refusals))
    calls = any(read_definition(adopted.files).process.of_kind("callActivity"))
    return "accepted; it calls another process, which a stage of one process can't" if calls else "runs"


@pytest.mark.parametrize("folder", FOLDERS)
def test_which_diagrams_run_and_why_the_others_do_not_is_known(folder: str) -> None:
    told = []
    for path in (path for name, path in DRAWN.items() if name.startswith(f"{folder}/")):
        as_drawn, mended = adopt(path.read_bytes()), adopt(mend(path.read_bytes()))
        told.append(f"{path.name}\n  as drawn: {verdict(as_drawn)}\n  mended: {verdict(mended)}\n")
    assert "\n".join(told) == kept(folder)


@pytest.mark.parametrize(("name", "done"), list(running()))
def test_what_check_accepts_runs_to_its_end_on_every_way(name: str, done: str) -> None:
    content = DRAWN[name].read_bytes()
    files = adopt(content if done == "as drawn" else mend(content)).files
    process, ways = read_definition(files).process, ways_through(files, INSTANCES)
    assert (process.nodes.keys() - ways.flow_nodes, {flow.id for flow in process.flows} - ways.flows) == (set(), set())
    assert ways.ends <= {node.id for node in process.nodes.values() if not process.flows_from(node.id)}


@pytest.mark.parametrize("name", DRAWN)
def test_a_first_map_can_be_read_and_leaves_no_item_out(name: str) -> None:
    adopted = adopt(DRAWN[name].read_bytes())
    about_items = {"unknown-data-item", "form-field-unknown-item", "form-field-type", "item-unused", "carry-over-map-missing"}
    wrong = {each.rule for each in adopted.findings if each.rule in about_items or each.rule.startswith(("carry-over-", "yaml-"))}
    assert wrong == set()
