"""`run-process init`: a process that an analyst can go on from."""

from __future__ import annotations

import pytest

from commands.demo.sandbox_customers import StripeSide
from engine.definition.element_template import FOLDER
from tests.acceptance.program import AMOUNT, APPROVAL, MANAGER, OPERATOR, PROCESSES, SALES, Program, bill_of, settings

OWN = ["monthly-fee.bpmn", "monthly-fee.carry-over.yaml", "monthly-fee.mail/charged.txt", "monthly-fee.scenarios.yaml"]


def test_what_is_made_passes_check_and_its_scenarios_cover_every_way(run: Program) -> None:
    made = run("init", "monthly-fee").stdout.splitlines()
    assert made[:4] == [f"processes/{name}" for name in OWN]
    assert {"run-process.yaml", ".gitignore", f"processes/{FOLDER}/stripe.charge.json"} < set(made)
    assert sorted(made) == sorted(str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file())
    checked = run("check", "processes")
    assert (checked.stdout, checked.stderr) == ("", "")
    tried = run("test", "processes")
    assert "100%" in tried.stdout + tried.stderr
    assert run("templates", "--check").stderr == ""
    assert "new-process" not in "".join((run.folder / "processes" / name).read_text().lower() for name in OWN)
    assert '<bpmn:process id="monthly-fee" name="Monthly fee"' in (run.folder / "processes" / OWN[0]).read_text()


def test_what_is_made_charges_a_customer_and_starts_the_next_month(
    run: Program, stripe: dict[str, str], customers: StripeSide
) -> None:
    run("init", "monthly-fee")
    assert run("deploy", "processes", "--as", OPERATOR).stdout == "monthly-fee@1\n"
    customer = customers.enrol("Ann Abe", "ann@example.com", "pm_card_visa")
    run("start", "monthly-fee", *bill_of(customer), "--as", OPERATOR)
    run("complete", "t1", *settings(**AMOUNT), "--as", SALES)
    run.refused("complete", "t2", *settings(**APPROVAL), "--as", SALES)
    run("complete", "t2", *settings(**APPROVAL), "--as", MANAGER)
    run("work", "--until-idle", **stripe)
    months = run("chain", customer, "--json").json
    assert [month["period"] for month in months] == ["2026-10", "2026-11"]
    assert (months[0]["charge"]["state"], months[0]["charge"]["amount"]) == ("succeeded", 12050)
    (mail,) = (run.folder / "mail").rglob("*.eml")
    assert "120.50" in mail.read_text()


def test_nothing_that_is_there_is_overwritten(run: Program) -> None:
    (run.folder / ".gitignore").write_text("mine\n")
    run("init", "monthly-fee")
    (run.folder / "run-process.yaml").write_text("groups: {Sales: [sara]}\n")
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert "monthly-fee.bpmn is there already" in run.refused("init", "monthly-fee")
    second = run("init", "yearly-fee").stdout.splitlines()
    assert second == [f"processes/{name.replace('monthly', 'yearly')}" for name in OWN]
    assert {path: path.read_bytes() for path in before} == before
    assert run("check", "processes").stdout == ""


@pytest.mark.parametrize("left", ["third.carry-over.yaml", "third.mail/other.txt"])
def test_a_part_of_a_process_that_is_there_is_not_mixed_with_a_new_one(run: Program, left: str) -> None:
    path = run.folder / "processes" / left
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    run.refused("init", "third")
    assert [each for each in run.folder.rglob("*") if each.is_file()] == [path]


def test_a_configuration_further_up_is_not_hidden_by_a_second_one(run: Program) -> None:
    (run.folder / "run-process.yaml").write_text("groups: {Sales: [sara]}\n")
    run("init", "monthly-fee", "--in", "desk")
    assert not (run.folder / "desk" / "run-process.yaml").exists()
    assert (run.folder / "desk" / "processes" / "monthly-fee.bpmn").is_file()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Gebühr Monat", "run-process init Gebuhr-Monat"),
        ("../up", "run-process init up"),
        ("a/b", "run-process init a-b"),
        (".hidden", "run-process init hidden"),
        ("2027", "choose another"),
        ("", "choose another"),
        ("x" * 61, "run-process init " + "x" * 60),
        ("two\nlines", "run-process init two-lines"),
        ("<b>&amp;", "run-process init b-amp"),
        ("charge", "choose another"),  # an element's id
    ],
)
def test_a_name_that_files_or_diagrams_cannot_have_is_refused_with_one_that_they_can(
    run: Program, name: str, remedy: str
) -> None:
    assert f"Do: {remedy}" in run.refused("init", name)
    assert list(run.folder.iterdir()) == []


def test_what_the_starting_point_says_of_carry_over_and_scenarios_editors_complete(run: Program) -> None:
    run("init", "monthly-fee")
    for schema in ("carry-over.schema.json", "scenarios.schema.json"):
        assert (run.folder / "processes" / schema).read_bytes() == (PROCESSES / schema).read_bytes()
