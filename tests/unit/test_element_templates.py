"""Element templates: a connector's schema as a form in the modeler."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from commands.session import connectors
from engine.definition.diagram_reader import read_diagram
from engine.definition.element_template import FOLDER, Template, template_of, templates_of
from tests.builders.drawing import FakeConnector, diagram, service

PROCESSES = Path(__file__).parents[2] / "processes"
WRITTEN = {path.stem: json.loads(path.read_text()) for path in (PROCESSES / FOLDER).glob("*.json")}
REAL = connectors()


class Order(BaseModel):
    amount: int = Field(title="Amount", description="In minor units.")
    code: str = Field(pattern="^[A-Z]{3}$")
    why: Literal["first", "second_time"]
    copies: int | None = Field(default=None, title="Copies")
    note: str | None = Field(default=None, max_length=5000)
    how: Literal["fast", "slow"] | None = None
    urgent: bool = False
    locale: str = Field(default="en", max_length=10)


def properties(template: Template) -> dict[str, Any]:
    """By the parameter or result that they are bound to."""
    bound = ((each["binding"].get("name") or each["binding"]["source"], each) for each in template["properties"])
    return dict(bound)


@pytest.fixture
def order() -> dict[str, Any]:
    outputs = {"amount": "What was ordered.", "copies": "How many.", "number": "Its number."}
    return properties(template_of(FakeConnector("shop.order", Order, outputs)))


def fits(field: dict[str, Any], text: str) -> bool:
    constraints = field.get("constraints", {})
    return bool(text or not constraints.get("notEmpty")) and bool(
        re.search(constraints.get("pattern", {}).get("value", ""), text)
    )


def test_every_operation_has_a_template_and_those_that_we_ship_are_up_to_date() -> None:
    assert templates_of(REAL, WRITTEN) == WRITTEN, "Do: run-process templates"
    assert set(WRITTEN) == {"stripe.charge", "stripe.refund", "stripe.settle", "email.send"}


@pytest.mark.parametrize("topic", sorted(REAL))
def test_a_template_says_all_that_its_connector_says(topic: str) -> None:
    connector, template = REAL[topic], WRITTEN[topic][0]
    offered = properties(template)
    assert (template["id"], template["elementType"]) == (f"run-process.{topic}", {"value": "bpmn:ServiceTask"})
    assert template["name"] != topic
    assert (offered["camunda:type"]["value"], offered["camunda:topic"]["value"]) == ("external", topic)
    assert {offered[name]["type"] for name in ("camunda:type", "camunda:topic")} == {"Hidden"}
    for name, field in connector.parameters.model_fields.items():
        assert offered[name]["label"] == field.title
        assert offered[name]["description"] == field.description
        assert offered[name].get("constraints", {}).get("notEmpty", False) == field.is_required()
        assert offered[name]["group"] == ("required" if field.is_required() else "optional")
    for code, when in connector.errors.items():
        assert f"{code} ({when.rstrip('.')})" in template["description"]
    groups = {each["id"] for each in template["groups"]}
    assert {each["group"] for each in template["properties"] if each["type"] != "Hidden"} == groups


def test_free_parameters_can_be_added_where_the_connector_takes_them_and_nowhere_else() -> None:
    assert {topic for topic, (newest, *_) in WRITTEN.items() if newest["entriesVisible"]} == {"email.send"}


def test_a_choice_is_a_dropdown_that_begins_with_what_it_shows_and_ends_with_a_data_item(order: dict[str, Any]) -> None:
    assert order["why"]["type"] == "Dropdown"
    assert [each["value"] for each in order["why"]["choices"]] == ["first", "second_time", "${order_why}"]
    assert [each["name"] for each in order["why"]["choices"][:2]] == ["First", "Second time"]
    assert order["why"]["value"] == "first"
    assert order["how"]["choices"][0]["value"] == order["how"]["value"] == ""  # none, where none is needed
    assert ([each["value"] for each in order["urgent"]["choices"]][-3:-1], order["urgent"]["value"]) == (
        ["true", "false"],
        "false",
    )


def test_a_long_text_gets_several_lines_and_a_default_is_filled_in(order: dict[str, Any]) -> None:
    assert (order["note"]["type"], order["locale"]["type"]) == ("Text", "String")
    assert order["locale"]["value"] == "en"
    assert "value" not in order["amount"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("amount", ["120", " -5 ", "${billing_amount}", "${-amount}"], ["", "1.50", "abc"]),
        ("code", ["EUR", "${currency}", "X${c}"], ["", "eur", "EURO"]),
        ("copies", ["", "3", "${n}"], ["three"]),
        ("note", ["", "line\nline", "${text} and more"], ["x" * 5001]),
        ("locale", ["de", "${a_rather_long_name_of_an_item}"], ["x" * 11]),
    ],
)
def test_a_field_takes_what_the_connector_takes_or_an_expression(
    order: dict[str, Any], name: str, good: list[str], bad: list[str]
) -> None:
    assert all(fits(order[name], text) for text in good)
    assert not any(fits(order[name], text) for text in bad)


def test_a_result_goes_to_a_data_item_but_never_over_the_one_that_its_parameter_comes_from(order: dict[str, Any]) -> None:
    assert order["${number}"]["value"] == "number"
    assert order["${copies}"]["value"] == "actual_copies"
    assert "${amount}" not in order  # what was passed in anyway


def test_the_same_schema_keeps_its_version_and_another_gets_the_next_beside_the_earlier_ones() -> None:
    first = templates_of({"pay": FakeConnector()}, {})
    assert templates_of({"pay": FakeConnector()}, first) == first
    second = templates_of({"pay": FakeConnector(outputs={})}, first)
    assert [each["version"] for each in second["pay"]] == [2, 1]
    assert second["pay"][1] == first["pay"][0]
    assert {each["id"] for each in second["pay"]} == {"run-process.pay"}


def test_a_connector_that_doesn_t_describe_itself_goes_by_its_topic() -> None:
    made = template_of(FakeConnector(errors={}))
    assert (made["name"], made["description"]) == ("pay", "")


def test_what_a_template_leaves_open_is_not_given() -> None:
    drawn = diagram(service("charge", {"amount": "${amount}", "purpose": "", "template": " "}, {}))
    (task,) = read_diagram(drawn, "x").processes[0].nodes.values()
    assert [each.name for each in task.inputs] == ["amount"]


def test_the_template_that_a_task_was_drawn_with_changes_nothing() -> None:
    plain = service("charge", {"amount": "1"}, {})
    drawn = plain.replace(
        'camunda:type="', 'camunda:modelerTemplate="run-process.pay" camunda:modelerTemplateVersion="2" camunda:type="'
    )
    nodes = [read_diagram(diagram(each), "x").processes[0].nodes["charge"] for each in (plain, drawn)]
    assert [(each.unsupported, each.topic, len(each.inputs)) for each in nodes] == [((), "pay", 1)] * 2
