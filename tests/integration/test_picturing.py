"""Where an instance is, on its diagram: its tokens, the path it took, and what is wrong."""

from __future__ import annotations

import pytest

from engine.connector import BusinessError, Fatal
from engine.definition.diagram import Process
from engine.definition.diagram_reader import read_diagram
from engine.drawing import draw
from engine.errors import DefinitionNotDeployed, NotFound
from engine.services import resolving
from engine.services.picturing import arrows_taken, picture_of_definition, picture_of_instance
from tests.builders.company import Company, definition
from tests.builders.drawing import NAME
from tests.builders.placed import HEAD
from tests.doubles.connectors import RecordingConnector

DIAGRAM = f"{NAME}.bpmn"


def marked(company: Company, instance: str, mark: str) -> set[str]:
    marks = picture_of_instance(company.runtime, instance).marks
    return {element for element, markings in marks.items() if any(m.mark == mark for m in markings)}


def ends(company: Company, instance: str) -> set[tuple[str, str]]:
    """Where the arrows on the path begin and end."""
    process = read_diagram(definition()[DIAGRAM], DIAGRAM).processes[0]
    path = marked(company, instance, "path")
    return {(flow.source, flow.target) for flow in process.flows if flow.id in path}


def test_a_new_instance_waits_at_its_first_task(company: Company) -> None:
    instance = company.start()
    assert marked(company, instance, "token") == {"enter"}
    assert "enter" not in marked(company, instance, "path")
    assert ends(company, instance) & {("enter", "approve")} == set()


def test_the_path_is_what_was_passed_and_the_arrows_to_where_it_is_now(company: Company) -> None:
    instance = company.start()
    company.enter(instance)
    assert marked(company, instance, "token") == {"approve"}
    assert "enter" in marked(company, instance, "path")
    assert ("enter", "approve") in ends(company, instance)
    assert not [source for source, _ in ends(company, instance) if source == "approve"]


def test_a_way_that_was_not_taken_is_not_on_the_path(company: Company, pay: RecordingConnector) -> None:
    billed = company.billed("acme")
    pay.answers(BusinessError("declined", "No."))
    declined = company.billed("beta")
    assert "declined" not in marked(company, billed, "path")
    assert {"declined"} <= marked(company, declined, "path")
    assert marked(company, declined, "token") == {"call"}
    assert not [source for source, _ in ends(company, declined) if source == "charge"]


def test_an_incident_stands_where_it_happened_with_its_reason(company: Company, pay: RecordingConnector) -> None:
    pay.answers(Fatal("The key is wrong."))
    instance = company.approved()
    company.work()
    assert marked(company, instance, "incident") == marked(company, instance, "token") == {"charge"}
    picture = picture_of_instance(company.runtime, instance)
    [incident] = resolving.open_incidents(company.runtime)
    assert f"incident: {incident['id']} The key is wrong." in draw(picture.content, picture.file, picture.marks).decode()


def test_an_instance_that_has_ended_has_no_token(company: Company) -> None:
    instance = company.start()
    resolving.cancel(company.runtime, instance, "wrong customer", "olivia")
    assert marked(company, instance, "token") == set()
    assert marked(company, instance, "path")


def test_an_instance_is_drawn_in_the_version_that_it_runs_on(company: Company) -> None:
    instance = company.start()
    company.deploy(definition(items={"more": "{type: text, carry: drop}"}))
    picture = picture_of_instance(company.runtime, instance)
    assert (picture.file, picture.content) == (DIAGRAM, definition()[DIAGRAM])
    assert picture.about == f"{instance} of acme for 2026-10: {NAME}@1, active"


def test_a_deployed_definition_is_the_newest_or_the_version_asked_for(company: Company) -> None:
    company.deploy(definition(items={"more": "{type: text, carry: drop}"}))
    assert picture_of_definition(company.runtime, NAME).about == f"{NAME}@2, deployed by ada"
    assert picture_of_definition(company.runtime, NAME, 1).about == f"{NAME}@1, deployed by ada"


def test_what_is_not_there_is_said(company: Company) -> None:
    with pytest.raises(DefinitionNotDeployed, match="nothing@3"):
        picture_of_definition(company.runtime, "nothing", 3)
    with pytest.raises(NotFound):
        picture_of_instance(company.runtime, "i99")


# --- which arrows were taken ----------------------------------------------------------------------------------------


def process(gateway: str) -> Process:
    flows = "".join(
        f'<sequenceFlow id="{source}{target}" sourceRef="{source}" targetRef="{target}"/>'
        for source, target in ("sg", "ga", "gb", "aj", "bj", "jg")
    )
    nodes = f'<task id="s"/><{gateway} id="g"/><task id="a"/><task id="b"/><exclusiveGateway id="j"/>'
    text = f'{HEAD}<process id="p">{nodes}{flows}</process></definitions>'
    return read_diagram(text.encode(), "x.bpmn").processes[0]


@pytest.mark.parametrize(
    ("gateway", "path", "waiting", "taken"),
    [
        ("exclusiveGateway", "sg", "a", {"sg", "ga"}),
        ("exclusiveGateway", "sgajg", "b", {"sg", "ga", "aj", "jg", "gb"}),
        ("exclusiveGateway", "sgajga", "", {"sg", "ga", "aj", "jg"}),
        ("exclusiveGateway", "sgaj", "", {"sg", "ga", "aj"}),
        ("parallelGateway", "sgb", "a", {"sg", "ga", "gb"}),
        ("parallelGateway", "sg", "ab", {"sg", "ga", "gb"}),
        ("exclusiveGateway", "s", "", set()),
        ("exclusiveGateway", "", "s", set()),
    ],
)
def test_arrows_follow_from_what_was_passed_in_which_order(gateway: str, path: str, waiting: str, taken: set[str]) -> None:
    assert set(arrows_taken(process(gateway), list(path), list(waiting))) == taken
