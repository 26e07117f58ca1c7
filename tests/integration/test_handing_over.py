"""The hand-over: the message that starts the next instance is never lost, and starts exactly one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.errors import AlreadyBilled, DataRefused, InstanceNotActive
from engine.services import handing_over, resolving
from engine.services.handing_over import deliver_next
from engine.services.inspecting import chain
from engine.services.runtime import Runtime
from engine.services.starting import reuse
from engine.store import messages
from engine.store.database import Database
from tests.builders.company import NODES, CardCompany, Company, definition
from tests.builders.drawing import element, end, form_field, start, throw, user
from tests.doubles.connectors import RecordingConnector


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the product may catch it."""


def killed(*_: Any, **__: Any) -> None:
    raise Killed


def thrown(company: Company, **values: Any) -> str:
    """An instance that has thrown its message, which nobody has delivered yet: its charge is completed by hand-made work."""
    company.deploy(definition({"charge": user("charge", form_field("receipt")), "declined": "", "call": ""}, {"declined": ""}))
    instance = company.approved(**values)
    company.do(instance, "cleo", receipt="pay_1")
    return instance


def message_of(company: Company, instance: str) -> dict[str, Any]:
    [message] = company.details(instance)["messages"]
    return message


# --- throwing -------------------------------------------------------------------------------------------------------


def test_the_message_is_stored_by_the_step_that_threw_it_and_nothing_has_started_yet(company: Company) -> None:
    instance = thrown(company)
    assert company.instance(instance).state == "completed"
    assert company.instance(instance).next is None
    message = message_of(company, instance)
    assert (message["state"], message["delivered_to"], message["flow_node"]) == ("waiting", None, "next")


def test_a_step_that_breaks_off_after_its_message_leaves_neither_message_nor_step(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.deploy(definition({"charge": user("charge", form_field("receipt")), "declined": "", "call": ""}, {"declined": ""}))
    instance = company.approved()
    stored: list[int] = []
    add = messages.add

    def add_and_die(*given: Any) -> int:
        stored.append(add(*given))
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(messages, "add", add_and_die)
        with pytest.raises(Killed):
            company.do(instance, "cleo", receipt="pay_1")
    assert stored
    assert company.task(instance).flow_node == "charge"
    assert company.details(instance)["messages"] == []
    company.do(instance, "cleo", receipt="pay_1")
    assert message_of(company, instance)["state"] == "waiting"


def test_a_hand_over_that_the_map_refuses_is_found_before_the_step_is_saved(company: Company) -> None:
    nodes = {"charge": user("charge", form_field("receipt")), "declined": "", "call": ""}
    given = definition(nodes, {"declined": ""}, {"details": "{type: text, carry: {expr: details + receipt}}"})
    company.deploy(given)
    instance = company.approved()
    with pytest.raises(Exception, match="details"):
        company.do(instance, "cleo", receipt="pay_1")
    assert company.task(instance).flow_node == "charge"


# --- delivery -------------------------------------------------------------------------------------------------------


def test_delivery_starts_the_next_period_with_exactly_what_the_map_lets_through(company: Company) -> None:
    first = company.billed(name="Acme")
    view = company.instance(first)
    assert view.next is not None
    following = company.instance(view.next)
    assert (following.previous, following.period, following.customer) == (first, "2026-11", "acme")
    assert (following.started_by, following.state) == ("message", "active")
    assert company.details(view.next)["data"] == {"customer": "acme", "month": "2026-11", "name": "Acme"}
    assert message_of(company, first)["delivered_to"] == view.next


def test_the_previous_amount_is_offered_beside_the_empty_field_and_never_as_its_value(company: Company) -> None:
    first = company.billed()
    second = company.instance(first).next
    assert second is not None
    [amount] = [field for field in company.task(second).fields if field.name == "amount"]
    assert (amount.value, amount.text, amount.previous, amount.previous_text) == (None, "", 500, "5.00 USD")
    with pytest.raises(Exception, match="Expected a value for amount"):
        company.do(second, "sara")
    [details] = [field for field in company.task(second).fields if field.name == "details"]
    assert (details.value, details.previous) == (None, None)


def test_a_year_of_months_is_one_chain(company: Company) -> None:
    instance: str | None = company.start()
    for _ in range(12):
        assert instance is not None
        company.enter(instance)
        company.approve(instance)
        company.work()
        instance = company.instance(instance).next
    views = [view for view, _ in chain(company.runtime, "acme")]
    assert [view.period for view in views] == [
        *(f"2026-{month}" for month in (10, 11, 12)),
        *(f"2027-{m:02}" for m in range(1, 11)),
    ]
    assert [view.previous for view in views[1:]] == [view.id for view in views[:-1]]
    assert [view.next for view in views[:-1]] == [view.id for view in views[1:]]


def test_corrected_data_is_what_the_next_month_starts_with(company: Company) -> None:
    first = company.start(name="Acme")
    company.enter(first, name="Acme Ltd")
    company.approve(first)
    company.work()
    second = company.instance(first).next
    assert second is not None
    assert company.details(second)["data"]["name"] == "Acme Ltd"


def test_the_next_instance_is_of_the_newest_version_when_it_is_delivered(company: Company) -> None:
    first = thrown(company, name="Acme")
    version = company.deploy(definition(items={"note": "{type: text, carry: copy}"}))
    assert version == company.instance(first).version + 1
    company.work()
    second = company.instance(first).next
    assert second is not None
    assert company.instance(second).version == version
    assert company.details(second)["data"] == {"customer": "acme", "month": "2026-11", "name": "Acme"}


def test_an_item_that_the_newest_version_no_longer_lists_ends_with_its_version(company: Company) -> None:
    first = thrown(company, name="Acme")
    fields = form_field("amount") + form_field("details")
    given = definition({"enter": user("enter", fields), "call": user("call", form_field("details"))}, items={})
    without = {name: content.replace(b"  name: {type: string, carry: copy}\n", b"") for name, content in given.items()}
    company.deploy(without)
    company.work()
    second = company.instance(first).next
    assert second is not None
    assert company.details(second)["data"] == {"customer": "acme", "month": "2026-11"}
    assert company.task(second).flow_node == "enter"


def test_a_message_is_delivered_once_also_by_several_workers_at_once(
    company: Company, database_url: str, runtime_with: Callable[..., Runtime]
) -> None:
    instances = [thrown(company, customer=f"c{number}") for number in range(6)]
    other = Database(database_url)
    runtimes = [company.runtime, runtime_with(database=other)]
    barrier = threading.Barrier(6)

    def deliver(number: int) -> int:
        barrier.wait(10)
        delivered = 0
        while deliver_next(runtimes[number % 2], f"worker {number}") is not None:
            delivered += 1
        return delivered

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(deliver, range(6))) == 6
    other.close()
    for instance in instances:
        customer = company.instance(instance).customer
        assert [view.period for view, _ in chain(company.runtime, customer or "")] == ["2026-10", "2026-11"]


@pytest.mark.parametrize("breaks_at", ["start_instance", "mark_delivered"])
def test_a_delivery_that_breaks_off_loses_nothing_and_starts_nothing_twice(
    company: Company, monkeypatch: pytest.MonkeyPatch, breaks_at: str
) -> None:
    first = thrown(company)
    with monkeypatch.context() as broken:
        broken.setattr(handing_over if breaks_at == "start_instance" else messages, breaks_at, killed)
        with pytest.raises(Killed):
            company.work()
    assert company.instance(first).next is None
    assert message_of(company, first)["state"] == "waiting"
    company.work()
    assert [view.period for view, _ in chain(company.runtime, "acme")] == ["2026-10", "2026-11"]


def test_a_contract_that_ends_hands_nothing_over(card_company: CardCompany) -> None:
    instance = card_company.start()
    card_company.enter(instance)
    card_company.do(instance, "mia", approval="end_contract", end_reason="Moved away.")
    card_company.work()
    assert card_company.instance(instance).end_events == ("contract_ended",)
    assert card_company.details(instance)["messages"] == []
    assert card_company.instance(instance).next is None


def test_the_chain_goes_on_when_the_charge_has_failed(
    card_company: CardCompany, stripe_charge: RecordingConnector, email_send: RecordingConnector
) -> None:
    from engine.connector import BusinessError

    stripe_charge.answers(BusinessError("card_declined", "The card was declined."))
    instance = card_company.start()
    card_company.enter(instance)
    card_company.approve(instance)
    card_company.work()
    assert card_company.task(instance).flow_node == "contact_customer"
    card_company.do(instance, "sara", contact_result="give_up")
    card_company.work()
    assert [request.parameters.template for request in email_send.requests] == ["charge_failed"]  # type: ignore[attr-defined]
    following = card_company.instance(instance).next
    assert following is not None
    assert card_company.instance(following).period == "2026-11"


# --- trouble --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_delivered_is_an_incident_and_arrives_when_the_trouble_is_mended(company: Company) -> None:
    first = thrown(company)
    nodes = {"again": "", "next": throw("next", None), "charge": NODES["charge"]}
    silent = {
        name: content.replace(b"message: next\n", b"").replace(b"bill: {customer: customer, period: month, every: P1M}\n", b"")
        .replace(b"carry: next", b"carry: drop").replace(b"carry: copy", b"carry: drop")
        for name, content in definition(nodes, {"again": ""}).items()
    }  # fmt: skip
    company.deploy(silent)
    assert company.work().incidents == 1
    [incident] = resolving.open_incidents(company.runtime)
    assert incident["instance"] == first
    assert "to start by the message 'next', but it doesn't. Do: deploy a version that does" in incident["reason"]
    assert message_of(company, first)["state"] == "failed"
    assert company.instance(first).state == "completed"
    assert company.work().incidents == 1  # nobody tries again by himself

    company.deploy(definition())
    resolving.retry(company.runtime, incident["id"], "olivia")
    assert company.work().incidents == 0
    assert message_of(company, first)["state"] == "delivered"
    assert company.instance(first).next is not None
    assert company.events(first)[-3:] == ["incident_created", "incident_retried", "message_delivered"]


def test_a_value_that_the_newest_version_types_differently_is_an_incident(company: Company) -> None:
    first = thrown(company, name="Acme")
    company.deploy(definition(items={"name": "{type: integer, carry: copy}"}, nodes={
        "enter": user("enter", form_field("amount") + form_field("details") + form_field("name", "long")),
        "call": user("call", form_field("name", "long")),
    }))  # fmt: skip
    company.work()
    [incident] = resolving.open_incidents(company.runtime)
    assert "name: Expected a whole number" in incident["reason"]
    assert company.instance(first).next is None


def next_of_another(company: Company, customer: str = "acme") -> str:
    """November, started behind an October that was cancelled and is started anew afterwards."""
    cancelled = company.start(customer)
    resolving.cancel(company.runtime, cancelled, "started by mistake", "olivia")
    return reuse(company.runtime, "billing", cancelled, {}, "olivia")


def test_a_next_instance_that_was_started_from_nothing_is_linked_and_the_chain_goes_on(company: Company) -> None:
    second = company.start(month="2026-11")
    first = company.billed()
    assert resolving.open_incidents(company.runtime) == []
    assert (company.instance(first).next, company.instance(second).previous) == (second, first)
    assert company.events(second)[-1] == "instance_linked"


def test_a_message_that_a_person_has_dealt_with_is_not_delivered_any_more(company: Company) -> None:
    next_of_another(company)
    first = company.billed()
    [incident] = resolving.open_incidents(company.runtime)
    with pytest.raises(DataRefused, match="Expected a reason"):
        resolving.resolve(company.runtime, incident["id"], " ", "olivia")
    resolving.resolve(company.runtime, incident["id"], "November was started behind the first October", "olivia")
    assert company.work().incidents == 0
    assert (message_of(company, first)["state"], company.instance(first).next) == ("settled", None)
    with pytest.raises(InstanceNotActive, match="olivia resolved it"):
        resolving.resolve(company.runtime, incident["id"], "again", "olivia")


def test_a_next_instance_that_exists_already_is_an_incident_that_names_it(company: Company) -> None:
    other = next_of_another(company)
    first = company.billed()
    [incident] = resolving.open_incidents(company.runtime)
    assert f"{other} is that bill" in incident["reason"]
    assert company.instance(first).next is None
    resolving.cancel(company.runtime, other, "started by mistake", "olivia")
    resolving.retry(company.runtime, incident["id"], "olivia")
    company.work()
    assert company.instance(first).next is not None


def test_a_successor_that_was_started_by_hand_before_the_delivery_counts_as_delivered(company: Company) -> None:
    first = thrown(company)
    second = reuse(company.runtime, "billing", first, {}, "olivia")
    assert company.work().incidents == 0
    message = message_of(company, first)
    assert (message["state"], message["delivered_to"]) == ("delivered", second)
    assert company.instance(first).next == second
    assert [view.period for view, _ in chain(company.runtime, "acme")] == ["2026-10", "2026-11"]
    with pytest.raises(AlreadyBilled, match=second):
        reuse(company.runtime, "billing", first, {}, "olivia")


def test_one_message_in_trouble_does_not_hold_up_the_others(company: Company) -> None:
    next_of_another(company, "a")
    blocked, free = thrown(company, customer="a"), thrown(company, customer="b")
    assert company.work().incidents == 1
    assert company.instance(blocked).next is None
    assert company.instance(free).next is not None


def test_a_message_end_event_hands_over_as_a_throw_event_does(company: Company) -> None:
    company.deploy(definition({"next": "", "end": end("end", "m_next")}, {"charge": "charge -> end"}))
    first = company.billed()
    assert company.instance(first).next is not None


def test_parts_of_the_drawing_without_meaning_change_nothing(company: Company) -> None:
    company.deploy(
        definition(
            {"halfway": element("intermediateThrowEvent", "halfway"), "start": start()},
            {"charge": "charge -> halfway -> next -> end"},
        )
    )
    assert company.instance(company.billed()).next is not None
