"""Decision tables between the work of people and workers, in a store."""

from __future__ import annotations

import pytest

from engine.errors import DefinitionInvalid, ExpressionFailed
from engine.services import deploying, resolving, starting
from engine.services.runtime import Runtime
from tests.builders.company import Company
from tests.builders.decisions import ask, dmn, table
from tests.builders.drawing import boundary, carry_over, diagram, end, files, flows, form_field, service, start, user
from tests.doubles.connectors import RecordingConnector

ITEMS = {
    "amount": "{type: integer, carry: drop}",
    "receipt": "{type: string, carry: drop}",
    "grade": "{type: string, carry: drop}",
    "problem": "{type: text, carry: drop}",
}
CHARGE = service("charge", {"amount": "${amount}"}, {"receipt": "${payment_id}"})
FAILED = boundary("failed", "rate", "e_script", 'camunda:errorMessageVariable="problem"')
GRADES = table(['"pay_1" -> "first"', '"pay_2" -> "second"'], ("receipt",), ("grade",), key="grades")


def given(*more: str, ways: str = "", tables: str = GRADES) -> dict[str, bytes]:
    """A worker charges, and a table decides on what it has brought."""
    parts = (start(), user("enter", form_field("amount", "long")), CHARGE, ask("rate", "grades", "grade"), end(), *more)
    drawn = diagram(*parts, flows("start -> enter -> charge -> rate -> end"), ways)
    return {**files(drawn, carry_over(ITEMS, repeats="")), "billing.decisions/grades.dmn": dmn(tables)}


def graded(runtime: Runtime, *more: str, ways: str = "", tables: str = GRADES) -> Company:
    company = Company(runtime)
    company.deploy(given(*more, ways=ways, tables=tables))
    return company


def begun(company: Company) -> str:
    instance = starting.start_by_hand(company.runtime, company.process, {}, "olivia")
    company.do(instance, "sara", amount="5")
    return instance


def test_a_table_decides_on_what_a_worker_has_brought(runtime: Runtime, pay: RecordingConnector) -> None:
    company = graded(runtime)
    instance = begun(company)
    company.work()
    assert company.instance(instance).state == "completed"
    assert company.details(instance)["data"]["grade"] == "first"
    assert len(pay.requests) == 1


def test_work_whose_table_has_no_result_becomes_an_incident_and_is_not_done_again(
    runtime: Runtime, pay: RecordingConnector
) -> None:
    company = graded(runtime, tables=GRADES.replace("pay_1", "pay_9"))
    begun(company)
    assert company.work().incidents == 1
    [incident] = resolving.open_incidents(runtime)
    assert "billing.decisions/grades.dmn:2" in str(incident)
    assert "the lines 5 and 6 to hold, but none does" in str(incident)
    company.work()
    assert len(pay.requests) == 1


def test_what_has_no_result_goes_on_at_its_boundary_event(runtime: Runtime, pay: RecordingConnector) -> None:
    mend = user("mend", form_field("problem"))
    company = graded(runtime, FAILED, mend, ways=flows("failed -> mend -> end"), tables=GRADES.replace("pay_1", "pay_9"))
    instance = begun(company)
    company.work()
    assert company.task(instance).flow_node == "mend"
    assert "but none does" in company.details(instance)["data"]["problem"]
    company.do(instance, "sara", problem="Looked at")
    assert company.instance(instance).state == "completed"
    assert len(pay.requests) == 1


def test_a_task_whose_table_has_no_result_stays_open(runtime: Runtime) -> None:
    parts = (start(), user("enter", form_field("amount", "long") + form_field("grade")), ask("rate", "grades", "grade"), end())
    drawn = diagram(*parts, flows("start -> enter -> rate -> end"))
    items = {name: ITEMS[name] for name in ("amount", "grade")}
    tables = dmn(table(['> 5 -> "many"'], outputs=("grade",), key="grades"))
    company = Company(runtime)
    company.deploy({**files(drawn, carry_over(items, repeats="")), "billing.decisions/grades.dmn": tables})
    instance = starting.start_by_hand(runtime, company.process, {}, "olivia")
    with pytest.raises(ExpressionFailed, match="but none does"):
        company.do(instance, "sara", amount="5")
    company.do(instance, "sara", amount="6")
    assert company.details(instance)["data"]["grade"] == "many"


def test_a_changed_table_is_a_new_version_and_a_damaged_one_none(runtime: Runtime) -> None:
    assert graded(runtime).deploy(given()) == 1
    assert deploying.deploy(runtime, given(tables=GRADES.replace("second", "third")), "ada").deployment.version == 2
    damaged = {**given(), "billing.decisions/grades.dmn": dmn(GRADES)[:-20]}
    with pytest.raises(DefinitionInvalid) as refused:
        deploying.deploy(runtime, damaged, "ada")
    assert "decision-invalid" in {finding.rule for finding in refused.value.findings}
