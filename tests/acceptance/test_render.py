"""`run-process render`: pictures of files, of what is deployed, and of instances."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from tests.acceptance.program import CHECKOUT, PROCESS, PROCESSES, Program

SHIPPED = PROCESSES / f"{PROCESS}.bpmn"
UNPLACED = (
    '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p"><startEvent id="a"/><task id="b"/>'
    '<sequenceFlow id="f" sourceRef="a" targetRef="b"/></process></definitions>'
)


def elements(svg: bytes | str) -> dict[str, str]:
    """Element id -> the classes of its group."""
    root = etree.fromstring(svg)
    return {g.get("data-element-id", ""): g.get("class", "") for g in root.iter("{*}g") if g.get("data-element-id")}


def test_a_file_is_drawn_to_stdout_without_a_database(run: Program) -> None:
    done = run("render", SHIPPED)
    assert {"enter_amount", "approve", "charge", "Lane_sales"} <= elements(done.stdout).keys()
    assert done.stderr == ""
    assert run.stored() is None


@pytest.mark.parametrize("name", ["out.svg", "out.html", "out.PNG"])
def test_the_files_ending_says_what_is_written(name: str, run: Program) -> None:
    if name.endswith("PNG"):
        pytest.importorskip("resvg_py", reason="PNG needs the extra `pictures`")
    done = run("render", SHIPPED, "-o", name)
    assert (done.stdout, done.stderr) == ("", "")
    beginnings = {"svg": b"<svg ", "html": b"<!DOCTYPE html>", "PNG": b"\x89PNG"}
    assert (run.folder / name).read_bytes().startswith(beginnings[name.partition(".")[2]])


def test_a_page_has_the_picture_and_a_table_of_the_elements(run: Program) -> None:
    run("render", SHIPPED, "-o", "out.html")
    page = etree.HTML((run.folder / "out.html").read_bytes())
    cells = [[cell.text or "" for cell in row] for row in page.iterfind(".//tbody/tr")]
    assert ["2. Approval", "user task", "approve", "", ""] in cells
    assert page.find(".//svg") is not None


def test_the_newest_version_is_drawn_or_the_one_named(deployed: Program) -> None:
    newest, first = deployed("render", PROCESS), deployed("render", f"{PROCESS}@1")
    assert newest.stdout == first.stdout == deployed("render", SHIPPED).stdout
    assert "no version" not in deployed.refused("render", f"{PROCESS}@7")


def test_an_instance_is_drawn_with_its_token_and_its_path(approved: Program) -> None:
    found = elements(approved("render", "--instance", "i1").stdout)
    assert {key for key, classes in found.items() if "marked-token" in classes} == {"charge"}
    assert {"enter_amount", "approve"} <= {key for key, classes in found.items() if "marked-path" in classes}
    assert "marked" not in found["hand_over"]


def test_a_file_without_places_is_laid_out_and_that_is_said(run: Program) -> None:
    (run.folder / "plain.bpmn").write_text(UNPLACED)
    done = run("render", "plain.bpmn")
    assert elements(done.stdout).keys() == {"a", "b", "f"}
    assert done.stderr == "plain.bpmn: note: The file has no places for its elements, so they are laid out from left to right.\n"


@pytest.mark.parametrize("arguments", [(), (SHIPPED, "--instance", "i1"), (SHIPPED, "-o", "out.jpg")])
def test_wrong_usage_is_said(arguments: tuple[object, ...], deployed: Program) -> None:
    assert "Expected" in deployed.refused("render", *arguments, code=2)


@pytest.mark.parametrize(
    "arguments", [("gone.bpmn",), ("no-such-process",), ("--instance", "i99"), (SHIPPED, "-o", "gone/out.svg"), ("bad.bpmn",)]
)
def test_what_cannot_be_drawn_is_said(arguments: tuple[object, ...], deployed: Program) -> None:
    (deployed.folder / "bad.bpmn").write_text("<definitions>")
    assert "Do: " in deployed.refused("render", *arguments)


def test_drawing_a_file_loads_neither_the_execution_library_nor_the_database(run: Program) -> None:
    telling = "import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))"
    code = f"{telling}; from cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-P", "-c", code, "render", str(SHIPPED), "-o", "out.svg"]
    done = subprocess.run(command, cwd=run.folder, env=run.surroundings(), capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "lxml" in loaded
    assert loaded & {"SpiffWorkflow", "sqlalchemy", "stripe", "pydantic"} == set()


def test_the_pictures_in_the_documentation_are_up_to_date() -> None:
    for path, content in runpy.run_path(str(CHECKOUT / "docs" / "generate.py"))["pictures"]().items():
        assert Path(path).read_bytes() == content, "Do: python docs/generate.py"


def test_equal_files_give_equal_pictures(run: Program) -> None:
    shutil.copy(SHIPPED, run.folder / "other-name.bpmn")
    assert run("render", "other-name.bpmn").stdout == run("render", SHIPPED).stdout
