"""`run-process templates`: the modeler's forms, written and kept fresh."""

from __future__ import annotations

import json

from engine.definition.element_template import FOLDER
from tests.acceptance.program import PROCESSES, Program


def test_templates_are_written_once_and_told(run: Program) -> None:
    done = run("templates")
    names = [f"processes/{FOLDER}/{topic}.json" for topic in ("email.send", "stripe.charge", "stripe.refund", "stripe.settle")]
    assert done.stdout.splitlines() == names
    for name in names:
        assert (run.folder / name).read_bytes() == (PROCESSES.parent / name).read_bytes()
    assert run("templates").stdout == ""
    assert run("templates", "--check").stderr == ""


def test_check_names_what_is_out_of_date_and_writes_nothing(run: Program) -> None:
    run("templates", "--out", "forms")
    path = run.folder / "forms" / "email.send.json"
    (newest,) = json.loads(path.read_text())
    path.write_text(json.dumps([{**newest, "name": "Post"}]))
    (run.folder / "forms" / "stripe.charge.json").unlink()
    before = path.read_bytes()
    done = run("templates", "--out", "forms", "--check", code=3)
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["forms/email.send.json", "forms/stripe.charge.json"]
    assert path.read_bytes() == before
    run("templates", "--out", "forms")
    assert [each["version"] for each in json.loads(path.read_text())] == [2, 1]
    assert run("templates", "--out", "forms", "--check").stderr == ""


def test_a_file_that_holds_something_else_is_not_overwritten(run: Program) -> None:
    path = run.folder / "forms" / "email.send.json"
    path.parent.mkdir()
    for content in ("{", '{"a": 1}', '[{"name": "mine"}]', "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")):
        path.write_bytes(content.encode("latin-1"))
        assert "forms/email.send.json" in run.refused("templates", "--out", "forms")
        assert path.read_bytes() == content.encode("latin-1")
