"""The first carry-over map of a diagram that somebody brings: everything is listed with its type, nothing is carried over."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest

from commands.session import connectors as shipped_connectors
from engine.connector import Connectors
from engine.definition.carry_over import CarryOverMap
from engine.definition.carry_over_reader import read_carry_over
from engine.definition.check import check
from engine.definition.data_item import DataType, Drop
from engine.definition.first_map import first_map
from engine.errors import DefinitionInvalid
from tests.builders.drawing import (
    NAME,
    connectors,
    element,
    form_field,
    service,
    user,
)

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "processes").glob("*.bpmn"))
OURS = sorted((ROOT / "tests" / "definitions" / "check").glob("*/valid/*.bpmn"))
ABOUT_ITEMS = {
    "unknown-data-item",
    "form-field-unknown-item",
    "form-field-type",
    "assignment-type",
    "types-never-match",
    "condition-not-boolean",
    "parameter-never-fits",
    "decision-unknown-item",
    "decision-type",
}


def process(elements: str, flows: str = "") -> bytes:
    return (
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">'
        f'<process id="{NAME}" isExecutable="true">{elements}{flows}</process></definitions>'
    ).encode()


def flow(condition: str) -> str:
    inside = f"<conditionExpression>{condition}</conditionExpression>"
    return f'<sequenceFlow id="way" sourceRef="a" targetRef="b">{inside}</sequenceFlow>'


def made(content: bytes, known: Connectors | None = None) -> CarryOverMap:
    text = first_map({f"{NAME}.bpmn": content}, connectors() if known is None else known)
    return read_carry_over(text.encode(), f"{NAME}.carry-over.yaml")


def type_of(content: bytes, name: str, known: Connectors | None = None) -> DataType:
    return made(content, known).items[name].type


@pytest.mark.parametrize(
    ("field", "expected"),
    [("string", DataType.STRING), ("long", DataType.INTEGER), ("boolean", DataType.BOOLEAN), ("date", DataType.DATE)],
)
def test_a_form_field_tells_the_type(field: str, expected: DataType) -> None:
    assert type_of(process(user("enter", form_field("amount", field))), "amount") is expected


def test_the_values_of_all_its_fields_are_the_choices_of_an_item() -> None:
    first, second = (
        f'<camunda:value id="{one}"/><camunda:value id="{other}"/>' for one, other in (("yes", "no"), ("no", "later"))
    )
    tasks = user("ask", form_field("answer", "enum", first)) + user("ask_again", form_field("answer", "enum", second))
    answer = made(process(tasks)).items["answer"]
    assert (answer.type, answer.choices) == (DataType.CHOICE, ("yes", "no", "later"))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("${it}", DataType.BOOLEAN),
        ("${not it and it == True}", DataType.BOOLEAN),
        ("${it &gt; 100}", DataType.INTEGER),
        ("${it - 2 == 4}", DataType.INTEGER),
        ("${it == 'yes'}", DataType.STRING),
        ("${it in ['a', 'b']}", DataType.STRING),
        ("${starts_with(it, 'a')}", DataType.STRING),
        ("${it is None}", DataType.STRING),
    ],
)
def test_a_condition_tells_the_type_where_no_form_does(condition: str, expected: DataType) -> None:
    assert type_of(process("", flow(condition)), "it") is expected


def test_what_is_known_of_one_item_tells_the_type_of_another() -> None:
    script = "<script>total = count\nshare = total</script>"
    items = made(process(user("enter", form_field("count", "long")) + element("scriptTask", "add", script))).items
    assert {items[name].type for name in ("count", "total", "share")} == {DataType.INTEGER}


def test_what_a_connector_takes_tells_more_than_the_form_can() -> None:
    fields = "".join(form_field(name) for name in ("amount", "currency", "customer", "address"))
    charge = {"amount": "${amount}", "currency": "${currency}", "stripe_customer": "${customer}", "description": "A"}
    outputs = {"taken": "${amount}", "paid": "${payment_intent}"}
    tasks = (
        user("enter", fields)
        + service("charge", charge, outputs, "stripe.charge")
        + service("tell", {"to": "${ address }", "template": "charged"}, {}, "email.send")
    )
    items = made(process(tasks), shipped_connectors()).items
    assert {name: item.type for name, item in items.items()} == {
        "amount": DataType.MONEY,
        "currency": DataType.CURRENCY,
        "customer": DataType.STRING,
        "address": DataType.EMAIL,
        "taken": DataType.MONEY,
        "paid": DataType.STRING,
    }
    assert {items["amount"].currency, items["taken"].currency} == {"currency"}


def test_an_amount_without_a_currency_beside_it_is_a_whole_number() -> None:
    tasks = service("pay", {"amount": "${amount}"}, {})
    assert type_of(process(tasks), "amount") is DataType.INTEGER


def test_nothing_is_carried_over_and_nothing_is_billed_before_somebody_has_decided_it() -> None:
    for path in SHIPPED:
        text = first_map({path.name: path.read_bytes()}, shipped_connectors())
        carry_over = read_carry_over(text.encode(), "first.yaml")
        assert (carry_over.bill, carry_over.message, carry_over.controls) == (None, None, ())
        assert {type(item.carry) for item in carry_over.items.values()} == {Drop}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_items_of_the_shipped_diagrams_are_those_of_their_maps(path: Path) -> None:
    decided = read_carry_over(path.with_name(f"{path.stem}.carry-over.yaml").read_bytes(), "decided.yaml").items
    first = read_carry_over(first_map({path.name: path.read_bytes()}, shipped_connectors()).encode(), "first.yaml").items
    by_hand = {"text": "string", "month": "string", "date": "string"}  # what only a person knows
    assert first.keys() == decided.keys()
    assert [(name, by_hand.get(item.type, item.type)) for name, item in sorted(decided.items())] == [
        (name, item.type) for name, item in sorted(first.items())
    ]


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_with_its_first_map_a_diagram_has_no_trouble_with_its_items(path: Path) -> None:
    beside = path.parent.rglob("*")
    files = {each.relative_to(path.parent).as_posix(): each.read_bytes() for each in beside if each.is_file()}
    own = {name: content for name, content in files.items() if name.startswith(f"{path.stem}.") and not name.endswith(".yaml")}
    findings = check({**own, f"{path.stem}.carry-over.yaml": first_map(own, connectors()).encode()}, connectors())
    wrong = [str(each) for each in findings if each.rule in ABOUT_ITEMS or each.rule.startswith(("carry-over-", "yaml-"))]
    assert wrong == []


def test_names_that_no_item_can_have_are_told_in_a_comment() -> None:
    content = process(user("enter", form_field("first-name") + form_field("class") + form_field("amount", "long")))
    text = first_map({f"{NAME}.bpmn": content}, connectors())
    assert "amount" in made(content).items
    assert [line.split()[1] for line in text.splitlines() if "can't be a data item's name" in line] == ['"first-name"', '"class"']


@pytest.mark.parametrize("name", ["no", "Yes", "null_", "on", "y", "NaN", "e1"])
def test_names_that_yaml_would_read_as_something_else_stay_names(name: str) -> None:
    assert list(made(process(user("enter", form_field(name)))).items) == [name]


def test_labels_and_choices_cannot_break_out_of_their_line() -> None:
    choice = '<camunda:value id="a &quot;b&quot;, c]}: #&#233;"/><camunda:value id="second&#8232;line"/><camunda:value id=""/>'
    content = process(user("ask", form_field("answer", "enum", choice))).replace(b'name="Ask"', b'name="Ask&#10;data: &#8232;{}"')
    answer = made(content).items["answer"]
    assert answer.choices == ('a "b", c]}: #\N{LATIN SMALL LETTER E WITH ACUTE}',)


def test_a_diagram_that_reads_nothing_has_a_map_too() -> None:
    assert made(process("<startEvent id='a'/><endEvent id='b'/>")).items == {}


@pytest.mark.parametrize("content", [b"", b"<a/>", b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>'])
def test_what_is_no_diagram_is_refused(content: bytes) -> None:
    with pytest.raises(DefinitionInvalid):
        first_map({f"{NAME}.bpmn": content}, connectors())


def test_a_large_diagram_takes_no_longer_than_a_breath() -> None:
    tasks = "".join(user(f"t{each}", form_field(f"item_{each}", "odd")) for each in range(400))
    flows = "".join(flow(f"${{item_{each} == item_{each + 1}}}").replace('"way"', f'"f{each}"') for each in range(399))
    began = process_time()
    assert len(made(process(tasks, flows)).items) == 400
    assert process_time() - began < 3
