"""Messages and signals between instances, and from outside: each is received once, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from engine.clock import TurnedClock
from engine.connector import ChargeState
from engine.errors import DataRefused, DefinitionInvalid, ExpressionFailed, NotFound
from engine.model.identifiers import Kind, parse_id
from engine.services import awaiting, inspecting, receiving, resolving, sending_messages
from engine.services.coverage import coverage
from engine.services.runtime import Runtime
from engine.services.working import Worker
from engine.store.database import Database
from tests.builders.company import Company, definition
from tests.builders.drawing import boundary_timer, end, flows, form_field, parallel, script, start, user, wait
from tests.builders.events import (
    catch,
    catch_signal,
    event_gateway,
    extensions,
    message,
    on_message,
    on_signal,
    receive,
    throw_message,
    throw_signal,
)
from tests.builders.messages import awaited_of, deliver_all, deploy, started
from tests.doubles.connectors import RecordingConnector, charged_to

ORDER = "${order}"
TAKES = {"receipt": "${number}", "amount": "${paid}"}


def orders(runtime: Runtime) -> Company:
    """An order waits until it is paid."""
    paid = catch("paid", outputs=TAKES, by=ORDER)
    enter = user("call", form_field("receipt") + form_field("amount", "long") + form_field("note"))
    return deploy(runtime, "orders", start(), paid, enter, end(), flows("start -> paid -> call -> end"))


def payments(runtime: Runtime) -> Company:
    """A payment tells the order of it."""
    tell = throw_message("tell", inputs={"number": "${receipt}", "paid": "${amount}"}, by=ORDER)
    enter = user("enter", form_field("receipt") + form_field("amount", "long") + form_field("note"))
    return deploy(runtime, "payments", start(), enter, tell, end(), flows("start -> enter -> tell -> end"))


def pay(company: Company, order: str, receipt: str = "R-1", amount: str = "5") -> str:
    instance = started(company, order=order)
    company.do(instance, "ann", receipt=receipt, amount=amount)
    return instance


# --- between instances ----------------------------------------------------------------------------------------------


def test_a_message_that_an_instance_throws_is_received_by_the_one_that_waits_for_its_key(runtime: Runtime) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    one, two = started(waiting, order="A"), started(waiting, order="B")
    pay(paying, "B", "R-7", "9")
    assert awaited_of(waiting, two) == {"paid": "waiting"}
    [delivered] = deliver_all(runtime)
    assert (delivered.state, delivered.key) == ("delivered", "B")
    assert awaited_of(waiting, one) == {"paid": "waiting"}
    assert awaited_of(waiting, two) == {"paid": "received"}
    assert waiting.details(two)["data"] == {"order": "B", "receipt": "R-7", "amount": 9}
    assert [task.flow_node for task in waiting.open(two)] == ["call"]


def test_of_those_that_wait_for_one_key_the_oldest_receives_and_each_message_once(runtime: Runtime) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    both = [started(waiting, order="A") for _ in range(2)]
    for number in range(3):
        pay(paying, "A", f"R-{number}")
    states = [(message.state, message.delivered_to) for message in deliver_all(runtime)]
    assert states == [("delivered", 1), ("delivered", 2), ("kept", None)]
    assert [waiting.details(each)["data"]["receipt"] for each in both] == ["R-0", "R-1"]


def test_a_message_is_kept_until_somebody_waits_for_it(runtime: Runtime, clock: TurnedClock) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    for receipt in ("R-1", "R-2"):
        pay(paying, "A", receipt)
    assert [message.state for message in deliver_all(runtime)] == ["kept", "kept"]
    clock.advance(timedelta(days=1_000))
    assert deliver_all(runtime) == []
    first = started(waiting, order="A")
    assert [message.state for message in deliver_all(runtime)] == ["delivered"]
    second = started(waiting, order="A")
    deliver_all(runtime)
    assert [waiting.details(each)["data"]["receipt"] for each in (first, second)] == ["R-1", "R-2"]
    assert awaiting.not_received(runtime, {}) == []


def test_a_worker_delivers_messages_beside_everything_else(runtime: Runtime) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    instance = started(waiting, order="A")
    pay(paying, "A")
    told: list[object] = []
    backlog = Worker(runtime, "w1", 2, told.append).run(until_idle=True)
    assert (backlog.messages, len(told)) == (0, 1)
    assert awaited_of(waiting, instance) == {"paid": "received"}


def test_history_says_what_was_waited_for_thrown_and_received(runtime: Runtime) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    instance = started(waiting, order="A")
    payment = pay(paying, "A")
    deliver_all(runtime)
    entries, broken = inspecting.read_history(runtime, instance)
    assert [(entry["event"], entry["by"]) for entry in entries[1:3]] == [
        ("subscription_opened", "olivia"),
        ("message_received", "worker w1"),
    ]
    received = entries[2]["details"]
    assert (received["message"], received["from"], received["key"]) == ("s1", payment, "A")
    assert received["data"] == {"number": "R-1", "paid": 5}
    [thrown] = [e for e in inspecting.read_history(runtime, payment)[0] if e["event"] == "message_thrown"]
    assert thrown["details"]["data"] == {"number": "R-1", "paid": 5}
    assert broken is None


# --- once, and never lost -------------------------------------------------------------------------------------------


def test_of_two_engines_that_race_one_delivers_each_message(runtime: Runtime, clock: TurnedClock, database_url: str) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    instances = [started(waiting, order=f"O{number % 3}") for number in range(9)]
    for number in range(12):
        pay(paying, f"O{number % 3}", f"R-{number}")
    assert _together(2, database_url, runtime, clock, deliver_all) == []
    receipts = [waiting.details(each)["data"]["receipt"] for each in instances]
    assert len(set(receipts)) == 9
    assert [waiting.events(each).count("message_received") for each in instances] == [1] * 9
    assert [row["state"] for row in awaiting.not_received(runtime, {})] == ["kept"] * 3


def test_who_begins_to_wait_and_who_keeps_a_message_at_the_same_moment_meet(
    runtime: Runtime, clock: TurnedClock, database_url: str
) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    for round_ in range(12):
        pay(paying, f"O{round_}")
        begun: list[str] = []

        def begin(each: Runtime, order: str = f"O{round_}", begun: list[str] = begun) -> None:
            begun.append(started(Company(each, "orders"), order=order))

        assert _together(1, database_url, runtime, clock, deliver_all, begin) == []
        deliver_all(runtime)
        assert awaited_of(waiting, begun[0]) == {"paid": "received"}
    assert awaiting.not_received(runtime, {}) == []


def _together(
    number: int, url: str, runtime: Runtime, clock: TurnedClock, *works: Callable[[Runtime], object]
) -> list[Exception]:
    """Do each of `works` in `number` threads at once, each on an engine of its own; what went wrong."""
    barrier, wrong = threading.Barrier(number * len(works)), list[Exception]()

    def run(work: Callable[[Runtime], object]) -> None:
        database = Database(url)
        try:
            barrier.wait()
            work(Runtime(database, clock, runtime.connectors))
        except Exception as error:  # noqa: BLE001 - a thread's error is the test's
            wrong.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return wrong


def test_a_database_that_fails_leaves_the_message_on_its_way(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    instance = started(waiting, order="A")
    pay(paying, "A")

    def lost(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with monkeypatch.context() as broken:
        broken.setattr(receiving, "apply_transition", lost)
        with pytest.raises(OperationalError):
            receiving.deliver_next(runtime, "w1")
    assert awaited_of(waiting, instance) == {"paid": "waiting"}
    assert [message.state for message in deliver_all(runtime)] == ["delivered"]


# --- from outside ---------------------------------------------------------------------------------------------------


def test_a_message_from_outside_is_received_before_the_sender_is_answered(runtime: Runtime) -> None:
    company = orders(runtime)
    instance = started(company, order="A")
    sent = sending_messages.send(runtime, "paid", "A", {"number": "R-7", "paid": "9"}, "bank")
    assert (sent["state"], sent["delivered_to"]) == ("delivered", instance)
    assert company.details(instance)["data"] == {"order": "A", "receipt": "R-7", "amount": 9}
    assert company.events(instance)[-2:] == ["message_received", "task_created"]


def test_a_message_from_outside_is_sent_once_with_its_id(runtime: Runtime) -> None:
    company = orders(runtime)
    values = {"number": "R-7", "paid": "9"}
    first = sending_messages.send(runtime, "paid", "A", values, "bank", "evt_1")
    assert first["state"] == "kept"
    instance = started(company, order="A")
    deliver_all(runtime)
    again = sending_messages.send(runtime, "paid", "A", values, "bank", "evt_1")
    assert (again["id"], again["state"], again["delivered_to"]) == (first["id"], "delivered", instance)
    assert deliver_all(runtime) == []
    with pytest.raises(DataRefused, match='Expected the id "evt_1" to stand for one message'):
        sending_messages.send(runtime, "paid", "B", values, "bank", "evt_1")


def test_of_two_who_send_with_one_id_at_once_one_message_comes(runtime: Runtime, clock: TurnedClock, database_url: str) -> None:
    company = orders(runtime)
    instances = [started(company, order="A") for _ in range(4)]
    values = {"number": "R-7", "paid": "9"}
    wrong = _together(
        4, database_url, runtime, clock, lambda each: sending_messages.send(each, "paid", "A", values, "bank", "evt_1")
    )
    assert wrong == []
    assert [awaited_of(company, each)["paid"] for each in instances].count("received") == 1


def test_a_message_that_whoever_waits_cannot_take_is_refused_and_not_sent(runtime: Runtime) -> None:
    company = orders(runtime)
    instance = started(company, order="A")
    with pytest.raises(DataRefused, match="In what 'paid' receives: amount: Expected a whole number"):
        sending_messages.send(runtime, "paid", "A", {"number": "R-7", "paid": "a lot"}, "bank", "evt_1")
    with pytest.raises(ExpressionFailed):
        sending_messages.send(runtime, "paid", "A", {"number": "R-7"}, "bank", "evt_1")
    assert awaited_of(company, instance) == {"paid": "waiting"}
    assert awaiting.not_received(runtime, {}) == []
    assert sending_messages.send(runtime, "paid", "A", {"number": "R", "paid": 1}, "bank", "evt_1")["state"] == "delivered"


@pytest.mark.parametrize(
    ("name", "key", "says"), [("payd", "A", 'write "paid"'), ("paid", None, "Expected a key"), ("paid", " A", "a key of 1 to")]
)
def test_a_message_that_could_never_be_received_is_refused(runtime: Runtime, name: str, key: str | None, says: str) -> None:
    orders(runtime)
    with pytest.raises((NotFound, DataRefused), match=says):
        sending_messages.send(runtime, name, key, {}, "bank")


# --- starting by a message ------------------------------------------------------------------------------------------


def shop(runtime: Runtime, name: str = "shop") -> Company:
    """An order begins when it comes in."""
    came = f'<startEvent id="came" name="Came">{extensions(None, {"order": "${number}"})}{message("m_paid")}</startEvent>'
    return deploy(runtime, name, came, user("pack", form_field("order")), end(), flows("came -> pack -> end"))


def test_a_message_from_outside_starts_an_instance(runtime: Runtime) -> None:
    company = shop(runtime)
    sent = sending_messages.send(runtime, "paid", None, {"number": "O-1", "secret": "x"}, "web", "evt_1")
    assert sent["state"] == "delivered"
    view = company.instance(sent["delivered_to"])
    assert (view.process, view.started_by, view.previous) == ("shop", "message", None)
    assert company.details(view.id)["data"] == {"order": "O-1"}
    again = sending_messages.send(runtime, "paid", None, {"number": "O-1", "secret": "x"}, "web", "evt_1")
    assert again["delivered_to"] == sent["delivered_to"]


def test_a_thrown_message_starts_an_instance_of_another_process_once(runtime: Runtime) -> None:
    company, paying = shop(runtime), payments(runtime)
    pay(paying, "A", "O-2")
    [delivered] = deliver_all(runtime)
    assert delivered.delivered_to == 2
    assert company.details("i2")["data"] == {"order": "O-2"}
    assert deliver_all(runtime) == []


def test_whoever_waits_comes_before_what_would_be_started(runtime: Runtime) -> None:
    waiting = orders(runtime)
    shop(runtime)
    instance = started(waiting, order="A")
    sending_messages.send(runtime, "paid", "A", {"number": "R-1", "paid": 1}, "web")
    assert awaited_of(waiting, instance) == {"paid": "received"}
    assert sending_messages.send(runtime, "paid", "A", {"number": "R-1", "paid": 1}, "web")["delivered_to"] == "i2"


def test_a_message_is_kept_until_a_process_is_deployed_that_it_starts(runtime: Runtime) -> None:
    paying = payments(runtime)
    pay(paying, "A", "O-2")
    assert [message.state for message in deliver_all(runtime)] == ["kept"]
    company = shop(runtime)
    assert [message.state for message in deliver_all(runtime)] == ["delivered"]
    assert company.details("i2")["data"] == {"order": "O-2"}


def test_two_processes_do_not_begin_with_one_message(runtime: Runtime) -> None:
    shop(runtime)
    with pytest.raises(DefinitionInvalid, match="Expected the message 'paid' to start one process, but it starts 'shop' already"):
        shop(runtime, "store")


# --- signals --------------------------------------------------------------------------------------------------------


def listening(runtime: Runtime) -> Company:
    parts = (start(), user("work", form_field("note")), on_signal("stopped", "work"), end(), end("gone"))
    return deploy(runtime, "listening", *parts, flows("start -> work -> end", "stopped -> gone"), items={"note": ITEM})


ITEM = "{type: text, carry: drop}"


def alarm(runtime: Runtime) -> Company:
    parts = (start(), user("decide", form_field("note")), throw_signal("tell"), catch_signal("heard"), end())
    return deploy(runtime, "alarm", *parts, flows("start -> decide -> tell -> heard -> end"), items={"note": ITEM})


def test_a_signal_comes_to_every_instance_that_waits_when_it_is_thrown_and_to_no_other(runtime: Runtime) -> None:
    hearing, throwing = listening(runtime), alarm(runtime)
    before = [started(hearing) for _ in range(3)]
    thrower = started(throwing)
    throwing.do(thrower, "ann")
    after = started(hearing)
    assert [(message.kind, message.state) for message in deliver_all(runtime)] == [("signal", "delivered")] * 3
    assert [hearing.instance(each).end_events for each in before] == [("gone",)] * 3
    assert hearing.instance(after).state == "active"
    assert awaited_of(throwing, thrower) == {"heard": "waiting"}  # it began to wait after it had thrown


def test_a_signal_from_outside_is_sent_once_with_its_id(runtime: Runtime) -> None:
    hearing = listening(runtime)
    first = started(hearing)
    assert sending_messages.signal(runtime, "alarm", "olivia", "evt_1")["receivers"] == 1
    second = started(hearing)
    assert sending_messages.signal(runtime, "alarm", "olivia", "evt_1")["receivers"] is None
    deliver_all(runtime)
    assert [hearing.instance(each).state for each in (first, second)] == ["completed", "active"]
    assert sending_messages.signal(runtime, "alarm", "olivia")["receivers"] == 1
    with pytest.raises(NotFound, match='write "alarm"'):
        sending_messages.signal(runtime, "alarn", "olivia")


def test_a_signal_to_who_has_gone_on_meanwhile_is_over(runtime: Runtime) -> None:
    hearing = listening(runtime)
    instance = started(hearing)
    sending_messages.signal(runtime, "alarm", "olivia")
    hearing.do(instance, "ann")
    assert [message.state for message in deliver_all(runtime)] == ["settled"]
    assert hearing.instance(instance).end_events == ("end",)


# --- what ends otherwise --------------------------------------------------------------------------------------------


def test_the_first_of_several_events_withdraws_the_others(runtime: Runtime, clock: TurnedClock) -> None:
    parts = (
        start(),
        event_gateway("first"),
        catch("paid", by=ORDER),
        wait("late", "P5D"),
        user("call", form_field("note")),
        end(),
    )
    parts = (*parts, user("enter", form_field("order")))
    company = deploy(
        runtime, "race", *parts, flows("start -> enter -> first -> paid -> end", "first -> late -> call -> end"),
        items={"order": "{type: string, carry: drop}", "note": ITEM},
    )  # fmt: skip
    begun = [started(company) for _ in range(2)]
    for number, instance in enumerate(begun):
        company.do(instance, "ann", order=f"O{number}")
    sending_messages.send(runtime, "paid", "O0", {}, "bank")
    clock.advance(timedelta(days=5))
    company.work()
    assert company.instance(begun[0]).state == "completed"
    assert company.details(begun[0])["timers"][0]["state"] == "withdrawn"
    assert awaited_of(company, begun[1]) == {"paid": "withdrawn"}
    assert [task.flow_node for task in company.open(begun[1])] == ["call"]
    assert sending_messages.send(runtime, "paid", "O1", {}, "bank")["state"] == "kept"


def test_a_cancelled_instance_waits_for_nothing_any_more(runtime: Runtime) -> None:
    company = orders(runtime)
    instance = started(company, order="A")
    resolving.cancel(runtime, instance, "not wanted", "olivia")
    assert awaited_of(company, instance) == {"paid": "withdrawn"}
    assert sending_messages.send(runtime, "paid", "A", {"number": "R", "paid": 1}, "bank")["state"] == "kept"


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_message_that_cannot_be_taken_is_an_incident_of_the_receiver_and_holds_up_no_other(runtime: Runtime) -> None:
    waiting, paying = orders(runtime), payments(runtime)
    one, two = started(waiting, order="A"), started(waiting, order="B")
    pay(paying, "A", receipt="")
    pay(paying, "B")
    assert [message.state for message in deliver_all(runtime)] == ["delivered", "delivered"]
    assert waiting.details(one)["data"] == {"order": "A", "amount": 5}
    assert awaited_of(waiting, two) == {"paid": "received"}


def stuck(runtime: Runtime) -> tuple[Company, str]:
    waiting = deploy(
        runtime, "orders", start(), catch("paid", outputs={"amount": "${paid}"}, by=ORDER), user("call", form_field("note")),
        form(), end(), flows("start -> paid -> call -> more -> end"),
    )  # fmt: skip
    told = throw_message("tell", inputs={"paid": "${note}"}, by=ORDER)
    paying = deploy(
        runtime, "payments", start(), user("enter", form_field("note")), form(), told, end(),
        flows("start -> enter -> more -> tell -> end"),
    )  # fmt: skip
    instance = started(waiting, order="A")
    payment = started(paying, order="A")
    paying.do(payment, "ann", note="a lot")
    paying.do(payment, "ann")
    return waiting, instance


def form() -> str:
    return user("more", form_field("receipt") + form_field("amount", "long"))


def test_a_message_with_the_wrong_data_waits_for_a_person_who_may_settle_it(runtime: Runtime) -> None:
    company, instance = stuck(runtime)
    assert [message.state for message in deliver_all(runtime)] == ["failed"]
    assert awaited_of(company, instance) == {"paid": "waiting"}
    [incident] = resolving.open_incidents(runtime)
    assert (incident["kind"], incident["message"], incident["instance"]) == ("undelivered", "s1", instance)
    assert "In what 'paid' receives: amount" in incident["reason"]
    resolving.retry(runtime, "x1", "olivia")
    assert [message.state for message in deliver_all(runtime)] == ["failed"]
    resolving.resolve(runtime, "x2", "the bank sends it again", "olivia")
    assert awaiting.not_received(runtime, {}) == []
    assert sending_messages.send(runtime, "paid", "A", {"paid": 7}, "bank")["delivered_to"] == instance


def test_an_interrupting_message_never_leaves_a_charge_in_doubt_behind(
    runtime: Runtime, pay: RecordingConnector, clock: TurnedClock
) -> None:
    company = Company(runtime)
    company.deploy(definition({"halt": on_message("halt", "charge")}, {"halt": "halt -> call"}))
    instance = company.approved()
    pay.answers(charged_to(ChargeState.UNKNOWN))
    company.work()
    sent = sending_messages.send(runtime, "paid", "acme", {}, "bank")
    assert sent["state"] == "waiting"
    clock.advance(timedelta(minutes=1))
    assert receiving.deliver(runtime, parse_id(Kind.SENT_MESSAGE, sent["id"]), "w1").state == "waiting"
    assert awaited_of(company, instance) == {"halt": "waiting"}
    assert company.job(instance)["state"] == "ready"


def test_an_interrupting_message_withdraws_a_charge_that_has_not_begun(runtime: Runtime) -> None:
    company = Company(runtime)
    company.deploy(definition({"halt": on_message("halt", "charge")}, {"halt": "halt -> call"}))
    instance = company.approved()
    assert sending_messages.send(runtime, "paid", "acme", {}, "bank")["delivered_to"] == instance
    assert [task.flow_node for task in company.open(instance)] == ["call"]
    assert company.job(instance)["state"] == "withdrawn"


def test_a_receive_task_in_a_billed_process_waits_for_the_customer_s_message(runtime: Runtime) -> None:
    company = Company(runtime)
    nodes = {"confirmed": receive("confirmed", outputs={"receipt": "${number}"})}
    company.deploy(definition(nodes, {"charge": "charge -> confirmed -> next -> end"}))
    instance = company.approved()
    company.work()
    assert awaited_of(company, instance) == {"confirmed": "waiting"}
    sending_messages.send(runtime, "paid", "acme", {"number": "R-7"}, "bank")
    company.work()
    assert company.instance(instance).state == "completed"
    assert company.instance(instance).next is not None


# --- beside other things --------------------------------------------------------------------------------------------


def test_a_message_that_does_not_interrupt_may_come_again_and_again(runtime: Runtime) -> None:
    parts = (
        start(),
        user("work", form_field("note")),
        on_message("told", "work", interrupting=False),
        user("read"),
        end(),
        end("n"),
    )
    parts = tuple(part.replace("<messageEventDefinition", extensions(key=ORDER) + "<messageEventDefinition") for part in parts)
    items = {"order": "{type: string, carry: drop}", "note": ITEM}
    company = deploy(runtime, "office", *parts, flows("start -> work -> end", "told -> read -> n"), items=items)
    instance = started(company, order="A")
    for _ in range(3):
        assert sending_messages.send(runtime, "paid", "A", {}, "bank")["delivered_to"] == instance
    assert [task.flow_node for task in company.open(instance)] == ["work", "read", "read", "read"]
    assert [each["state"] for each in company.details(instance)["subscriptions"]] == ["received"] * 3 + ["waiting"]


def test_a_timer_that_repeats_fires_each_time_in_the_worker(runtime: Runtime, clock: TurnedClock) -> None:
    remind = boundary_timer("remind", "work", "R3/PT1H", "timeCycle", interrupting=False)
    parts = (start(), user("work", form_field("note")), remind, user("read"), end(), end("n"))
    company = deploy(runtime, "office", *parts, flows("start -> work -> end", "remind -> read -> n"), items={"note": ITEM})
    instance = started(company)
    for number in range(1, 5):
        clock.advance(timedelta(hours=1))
        company.work()
        assert [task.flow_node for task in company.open(instance)].count("read") == min(number, 3)
    assert [each["state"] for each in company.details(instance)["timers"]] == ["fired"] * 3


def test_a_signal_that_cannot_be_taken_is_over_when_it_is_no_longer_waited_for(runtime: Runtime) -> None:
    parts = (
        start(),
        user("work", form_field("note")),
        on_signal("stopped", "work"),
        script("more", "amount = amount + 1"),
        end(),
    )
    items = {"note": ITEM, "amount": "{type: integer, carry: drop}"}
    company = deploy(runtime, "office", *parts, flows("start -> work -> end", "stopped -> more -> end"), items=items)
    instance = started(company)
    sending_messages.signal(runtime, "alarm", "olivia")
    assert [message.state for message in deliver_all(runtime)] == ["failed"]
    assert [incident["kind"] for incident in resolving.open_incidents(runtime)] == ["undelivered"]
    company.do(instance, "ann")
    assert resolving.open_incidents(runtime) == []
    assert awaiting.not_received(runtime, {}) == []


def test_who_waits_for_a_message_alone_is_said_to_wait(runtime: Runtime) -> None:
    company = Company(runtime)
    company.deploy(
        definition({"confirmed": receive("confirmed")}, {"start": "start -> enter -> confirmed -> approve -> decision"})
    )
    instance = company.start()
    company.enter(instance)
    [row] = coverage(runtime, "billing", "2026-10")
    assert (row.state, row.command) == ("waiting", None)
    assert row.reason == "waits for the message paid with the key acme (e1)"


def test_messages_and_people_that_move_one_instance_at_once_both_come_through(
    runtime: Runtime, clock: TurnedClock, database_url: str
) -> None:
    parts = (start(), parallel("both"), catch("paid", by=ORDER), user("work", form_field("note")), parallel("join"), end())
    items = {"order": "{type: string, carry: drop}", "note": ITEM}
    ways = flows("start -> both -> paid -> join -> end", "both -> work -> join")
    company = deploy(runtime, "office", *parts, ways, items=items)
    begun = [started(company, order=f"O{number}") for number in range(10)]

    def people(each: Runtime) -> None:
        at_work = Company(each, "office")
        for instance in begun:
            at_work.do(instance, "ann")

    def bank(each: Runtime) -> None:
        for number in reversed(range(10)):
            sending_messages.send(each, "paid", f"O{number}", {}, "bank")

    assert _together(1, database_url, runtime, clock, people, bank) == []
    assert {company.instance(instance).state for instance in begun} == {"completed"}
