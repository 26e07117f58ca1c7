"""What `check` knows of business rule tasks beside the rules that are about them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition.finding import Finding
from tests.builders.decisions import ask, dmn, table
from tests.builders.drawing import boundary, carry_over, diagram, end, exclusive, files, flows, form_field, found, start, user

ITEMS = {
    "amount": "{type: integer, carry: drop}",
    "tier": "{type: choice, choices: [gold, silver], carry: drop}",
    "discount": "{type: integer, carry: drop}",
}
ENTER = user("enter", form_field("amount", "long") + form_field("tier"))
LOOK = user("look", form_field("discount", "long"))
WAY = flows("start -> enter -> rate -> look -> end")
GOOD = table(['"gold" -> 1', '"silver" -> 2'], ("tier",))


def checked(*parts: str, tables: bytes | None = None, items: Mapping[str, str] = ITEMS) -> list[Finding]:
    given = files(diagram(*parts), carry_over(items, repeats=""))
    return list(found({**given, "billing.decisions/tables.dmn": tables or dmn(GOOD)}))


def verdicts(*parts: str, **how: Any) -> set[str]:
    return {finding.rule for finding in checked(*parts, **how)}


def test_what_a_table_reads_and_its_task_sets_is_used() -> None:
    parts = (start(), ENTER, ask("rate"), user("look"), end(), WAY)
    assert {(each.rule, each.severity) for each in checked(*parts)} == set()
    items = {**ITEMS, "rest": "{type: integer, carry: drop}"}
    assert verdicts(*parts, items=items) == {"item-unused"}


def test_what_a_table_reads_must_have_been_set_on_the_way() -> None:
    late = flows("start -> rate -> enter -> look -> end")
    [finding] = checked(start(), ask("rate"), ENTER, LOOK, end(), late)
    assert finding.rule == "read-before-set"
    assert (finding.position.file, finding.position.line) == ("billing.decisions/tables.dmn", 3)


def test_a_table_that_asks_for_no_value_reckons_with_it() -> None:
    late = flows("start -> rate -> enter -> look -> end")
    tables = dmn(table(['"gold" -> 1', "- -> 2", "null -> 3"], ("tier",), policy="FIRST"))
    assert verdicts(start(), ask("rate"), ENTER, LOOK, end(), late, tables=tables) == set()


def test_what_is_decided_counts_as_set_behind_the_task() -> None:
    ways = flows("start -> enter -> rate -> which -> end", "which -> look if ${discount > 1}", "look -> end")
    assert verdicts(start(), ENTER, ask("rate"), exclusive("which", "which-end"), LOOK, end(), ways) == set()


def test_a_condition_that_never_fits_what_is_decided_is_found() -> None:
    ways = flows("start -> enter -> rate -> which -> end", "which -> look if ${discount == 'x'}", "look -> end")
    parts = (start(), ENTER, ask("rate"), exclusive("which", "which-end"), LOOK, end(), ways)
    assert verdicts(*parts) == {"types-never-match"}


def test_expressions_in_tables_are_studied_as_all_others() -> None:
    tables = dmn(table(["true -> amount + tier"], ('tier == "gld"',), policy="FIRST"))
    rules = verdicts(start(), ENTER, ask("rate"), LOOK, end(), WAY, tables=tables)
    assert rules == {"value-impossible", "types-never-match"}


def test_a_loop_that_only_decides_has_no_end() -> None:
    ways = flows("start -> enter -> rate -> which -> end", "which -> rate if ${discount == 1}")
    assert verdicts(start(), ENTER, ask("rate"), exclusive("which", "which-end"), end(), ways) == {"endless-loop-without-wait"}


def test_a_boundary_event_on_it_catches_what_has_no_result_and_nothing_else() -> None:
    ways = flows("start -> enter -> rate -> end", "failed -> look -> end")
    parts = (start(), ENTER, ask("rate"), LOOK, end(), ways)
    assert verdicts(*parts, boundary("failed", "rate", "e_script")) == set()
    assert verdicts(*parts, boundary("failed", "rate", "e_declined")) == {"error-never-thrown"}


def test_two_tasks_that_ask_one_table_are_told_apart() -> None:
    twice = flows("start -> enter -> rate -> again -> look -> end")
    tables = dmn(table(['"gold" -> 1'], ("tier",)))
    findings = checked(start(), ENTER, ask("rate"), ask("again"), LOOK, end(), twice, tables=tables)
    assert [(each.rule, each.element) for each in findings] == [("decision-gap", "again"), ("decision-gap", "rate")] or [
        (each.rule, each.element) for each in findings
    ] == [("decision-gap", "rate"), ("decision-gap", "again")]


def test_a_gap_that_can_not_be_is_silenced_at_its_task() -> None:
    ignored = '<camunda:property name="check_ignore" value="decision-gap: silver customers come elsewhere"/>'
    task = ask("rate").replace("></businessRuleTask>", "><extensionElements><camunda:properties>" + ignored)
    task += "</camunda:properties></extensionElements></businessRuleTask>"
    tables = dmn(table(['"gold" -> 1'], ("tier",)))
    assert verdicts(start(), ENTER, task, LOOK, end(), WAY, tables=tables) == set()


def test_a_table_is_judged_by_what_is_handed_to_it() -> None:
    handed = ask("rate", inputs={"level": "${tier}"})
    tables = dmn(table(['"gold" -> 1', '"bronze" -> 2'], ("level",)))
    rules = verdicts(start(), ENTER, handed, LOOK, end(), WAY, tables=tables)
    assert rules == {"decision-type", "decision-gap"}
    computed = ask("rate", inputs={"level": "${lower(tier)}"})
    assert verdicts(start(), ENTER, computed, LOOK, end(), WAY, tables=tables) == set()


def test_a_file_that_cannot_be_read_is_all_that_is_told_of_its_decisions() -> None:
    parts = (start(), ENTER, ask("rate"), LOOK, end(), WAY)
    for damaged in (b"<definitions", b"", dmn(GOOD).replace(b"20191111", b"20991111"), dmn(GOOD.replace("<rule>", "<rule><x/>"))):
        assert verdicts(*parts, tables=damaged or b" ") == {"decision-invalid"}


def test_one_id_stands_for_one_decision() -> None:
    parts = (start(), ENTER, ask("rate"), LOOK, end(), WAY)
    [finding] = checked(*parts, tables=dmn(GOOD, GOOD))
    assert finding.rule == "decision-invalid"
    assert "discount stands also in billing.decisions/tables.dmn:2" in finding.message


def test_a_count_goes_into_a_number() -> None:
    tables = dmn(table(["- -> 1"], ("amount",), policy="COLLECT COUNT"))
    parts = (start(), ENTER, ask("rate", result="tier"), LOOK, end(), WAY)
    assert verdicts(*parts, tables=tables) == {"decision-type"}
    assert verdicts(start(), ENTER, ask("rate"), LOOK, end(), WAY, tables=tables) == set()
