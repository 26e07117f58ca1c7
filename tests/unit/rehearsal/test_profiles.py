"""Profiles: what analysts write is read, and what is wrong is said with its place."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from connectors.registry import ConnectorSettings, build_connectors
from engine.definition.process_definition import read_definition
from engine.definition.safe_yaml import YamlList, YamlMap, read_yaml
from engine.errors import DefinitionInvalid
from engine.rehearsal.distribution import Between, Fixed, Skewed
from engine.rehearsal.profile import Amounts, Profile
from engine.rehearsal.profile_reader import read_profile
from engine.rehearsal.working_hours import ALWAYS
from engine.services.deploying import read_files
from tests.builders.company import PROCESSES

CONNECTORS = build_connectors(ConnectorSettings(None, None, live=False, smtp_url="file:///nowhere", mail_from="a@example.com"))
DEFINITION = read_definition(read_files(PROCESSES / "monthly-card-charge.bpmn"))


EVERYTHING = """
process: monthly-card-charge
begins: 2026-04
start: {currency: {USD: 80, EUR: 20}}
groups:
  Sales: {people: 4, takes: {min: PT1M, mode: PT2M, max: PT9M}, notices: PT1H, hours: always, tasks_a_day: 30}
  Department Manager: {hours: {days: [Sat, Mon], from: "08:30", to: "24:00"}}
tasks:
  enter_amount:
    fields:
      billing_amount: {zero: 3%, below_zero: 0.5 %, JPY: {median: "12000", p95: "90000"}, USD: "9.90"}
  approve: {takes: {median: PT2M, p95: PT10M}, share: 99%, fields: {approval: {approve: 95%, send_back: 5%}}}
services:
  stripe.charge: {takes: PT2S, errors: {card_declined: 2%}, again: {card_declined: 40%}, down: [{after: P40D, for: PT8H}]}
messages:
  next-billing: {comes: P1D, share: 10%}
mended_after: PT3H
"""


def read(text: str) -> Profile:
    return read_profile(text.encode(), "p.profile.yaml", DEFINITION, CONNECTORS)


def refused(text: str) -> str:
    with pytest.raises(DefinitionInvalid) as refusal:
        read(text)
    return str(refusal.value)


def test_everything_that_can_be_said_is_read() -> None:
    profile = read(EVERYTHING)
    sales, manager = profile.group("Sales"), profile.group("Department Manager")
    assert (sales.people, sales.takes, sales.notices, sales.tasks_a_day) == (4, Between(60, 120, 540), Fixed(3_600), 30)
    assert sales.hours is ALWAYS
    assert (manager.hours.days, manager.hours.opens, manager.hours.closes) == ((0, 5), timedelta(hours=8.5), timedelta(days=1))
    amounts = profile.task("enter_amount").fields["billing_amount"]
    assert isinstance(amounts, Amounts)
    assert (amounts.zero, amounts.below_zero) == (0.03, 0.005)
    assert amounts.by_currency == {"JPY": Skewed(12_000, 90_000), "USD": Fixed(990)}
    assert profile.task("approve").fields == {"approval": {"approve": 0.95, "send_back": 0.05}}
    charge = profile.service("stripe.charge")
    assert (charge.errors, charge.again) == ({"card_declined": 0.02}, {"card_declined": 0.4})
    assert charge.outages[0].begins_after == timedelta(days=40)
    assert (profile.begins, profile.incident_lasts, profile.message("next-billing").share) == ("2026-04", Fixed(10_800), 0.1)


def test_an_empty_profile_has_the_usual_values() -> None:
    assert read("process: monthly-card-charge\n") == Profile()


def test_the_shipped_profile_can_be_read() -> None:
    read((PROCESSES / "monthly-card-charge.profile.yaml").read_text())


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("groups: {Saels: {people: 3}}", "1:10", '"Saels" is none. Do: write "Sales"'),
        ("groups: {Sales: {people: 0}}", "1:26", "a whole number of at least 1"),
        ("groups: {Sales: {takes: {median: PT9M, p95: PT5M}}}", "1:25", "a p95 above that"),
        ("groups: {Sales: {takes: P1M}}", "1:25", "without months"),
        ("groups: {Sales: {hours: {days: [Mo]}}}", "1:32", "days of the week"),
        ("groups: {Sales: {hours: {from: 09:00}}}", "1:32", "quotes"),
        ('groups: {Sales: {hours: {from: "17:00", to: "09:00"}}}', "1:25", "to end after they begin"),
        ("tasks: {aprove: {}}", "1:9", 'Do: write "approve"'),
        ("tasks: {approve: {fields: {billing_amount: 5}}}", "1:28", "field that people fill in at approve"),
        ("tasks: {approve: {fields: {approval: {aprove: 1}}}}", "1:38", "approval: Expected one of its choices"),
        ("tasks: {approve: {fields: {approval: {approve: 0}}}}", "1:38", "one above zero"),
        ("tasks: {enter_amount: {fields: {billing_amount: {USX: 5}}}}", "1:50", "a currency as in USD"),
        ("tasks: {approve: {share: 120%}}", "1:26", "from 0% to 100%"),
        ("services: {stripe.charge: {errors: {declined: 5%}}}", "1:37", "card_declined"),
        ("services: {stripe.charge: {errors: {card_declined: 60%, card_declined_for_now: 60%}}}", "1:36", "at most 100%"),
        ("services: {stripe.charge: {down: [{after: P1D}]}}", "1:35", '"for"'),
        ("services: {stripe.pay: {}}", "1:12", "Expected a topic"),
        ("process: refund", "1:10", "monthly-card-charge"),
        ("begins: 2026-13", "1:9", "month of the calendar"),
        ("gruops: {}", "1:1", 'Do: write "groups"'),
        ("[]", "1:1", "a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, place: str, said: str) -> None:
    message = refused(text)
    assert f"p.profile.yaml:{place}" in message
    assert said in message


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(DefinitionInvalid) as refusal:
        read("groups: {Saels: {}}\ntasks: {aprove: {}}\nservices: {x: {}}\n")
    assert len(refusal.value.findings) == 3


SCHEMA = json.loads((PROCESSES / "profile.schema.json").read_text())


def plain(node: Any) -> Any:
    """A document as editors see it."""
    match node:
        case YamlMap():
            return {key.text: plain(value) for key, value in node.entries}
        case YamlList():
            return [plain(each) for each in node.items]
        case _:
            return node.value


def fits_the_schema(text: str) -> bool:
    document, _ = read_yaml(text.encode(), "p.profile.yaml")
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(plain(document)))


def test_the_schema_for_editors_takes_what_is_read() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert fits_the_schema((PROCESSES / "monthly-card-charge.profile.yaml").read_text())
    assert fits_the_schema(EVERYTHING)


@pytest.mark.parametrize(
    "text",
    [
        "gruops: {}",
        "groups: {Sales: {people: 0}}",
        "groups: {Sales: {takes: soon}}",
        "groups: {Sales: {hours: {days: [Mo]}}}",
        "tasks: {approve: {share: 5}}",
        "services: {stripe.charge: {down: [{after: P1D}]}}",
    ],
)
def test_the_schema_for_editors_refuses_what_is_refused(text: str) -> None:
    refused(text)
    assert not fits_the_schema(text)
