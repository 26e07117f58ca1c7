"""Reminders are mailed once a day to an address, whoever sends them and whatever fails; a real mail server takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import text

from connectors.email.send import EmailSend
from engine.billing.reminders import ReminderRules
from engine.clock import TurnedClock
from engine.errors import ConfigurationInvalid
from engine.services import worklist
from engine.services.chores import do_due_chores
from engine.services.configuration import Configuration
from engine.services.reminding import REMINDING, planned_reminders, remind
from engine.services.runtime import Runtime
from engine.store import user_tasks
from engine.store.database import Database
from tests.builders.company import REQUIRED, Company, definition
from tests.builders.drawing import form_field, user
from tests.doubles.connectors import RecordingConnector
from tests.doubles.ledger import ProcessKilled
from tests.doubles.mailbox import Mailbox, free_port, mail_server, read

SALES, MIA = "sales@example.com", "mia@example.com"
RULES = ReminderRules(MappingProxyType({"Sales": (SALES,), "Manager": (MIA,)}), timedelta(days=2), timedelta(days=7), "Manager")
DUE = 'camunda:candidateGroups="Sales" camunda:dueDate="P10D"'
DUE_AFTER_TEN_DAYS = definition({"enter": user("enter", form_field("amount", inside=REQUIRED), DUE)})


class Office:
    """A company whose sales have ten days to enter an amount, with a mail server that can be told what to answer."""

    def __init__(self, runtime_with: Callable[..., Runtime], pay: RecordingConnector, clock: TurnedClock) -> None:
        self.mailbox = Mailbox()
        self.clock = clock
        self._runtime_with = runtime_with
        self._pay = pay
        self.company = Company(runtime_with())
        self.company.deploy(DUE_AFTER_TEN_DAYS)

    def runtime(self, port: int, rules: ReminderRules = RULES, **parts: Any) -> Runtime:
        mail = EmailSend(f"smtp://127.0.0.1:{port}", "Billing <billing@example.com>")
        connectors = {self._pay.topic: self._pay, mail.topic: mail}
        configured = Configuration(reminders=rules)
        return self._runtime_with(**({"connectors": connectors, "configure": lambda: configured} | parts))

    @contextmanager
    def open(self, rules: ReminderRules = RULES, **parts: Any) -> Iterator[Runtime]:
        with mail_server(self.mailbox) as port:
            yield self.runtime(port, rules, **parts)

    @property
    def mails(self) -> list[EmailMessage]:
        return [read(content) for content in self.mailbox.taken]


@pytest.fixture
def office(runtime_with: Callable[..., Runtime], pay: RecordingConnector, clock: TurnedClock) -> Office:
    return Office(runtime_with, pay, clock)


def states(found: list[Any]) -> dict[str | None, str]:
    return {each.address: str(each.state) for each in found}


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_a_group_is_mailed_its_overdue_tasks_and_its_manager_those_overdue_for_long(office: Office) -> None:
    office.company.start("acme")
    office.clock.advance(timedelta(days=17))
    office.company.start("bolt", "2026-11")
    with office.open() as runtime:
        [manager, sales] = remind(runtime)
    assert (sales.address, sales.recipients, sales.tasks, sales.overdue, sales.state) == (SALES, ("Sales",), ("t1",), 1, "sent")
    assert (manager.address, manager.tasks, manager.escalated, manager.state) == (MIA, (), ("t1",), "sent")
    by_address = {str(mail["To"]): mail for mail in office.mails}
    mail = by_address[SALES]
    assert (mail["From"], mail["Subject"]) == ("Billing <billing@example.com>", "Tasks: 1 overdue")
    assert mail["Date"].datetime == office.clock.now()
    assert mail["Auto-Submitted"] == "auto-generated"
    said = mail.get_content()
    assert mail.get_content_type() == "text/plain"
    for part in ("t1  Enter", "customer acme, period 2026-10", "due 2026-10-11 09:30Z, overdue 7 days", "run-process tasks t1"):
        assert part in said
    assert "bolt" not in said
    assert by_address[MIA]["Subject"] == "Tasks: 1 escalated"


def test_nobody_gets_a_second_reminder_on_a_day_and_everybody_one_on_the_next(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=9))
    with office.open() as runtime:
        assert states(remind(runtime)) == {SALES: "sent"}
        office.company.start("bolt", "2026-09", name="B")
        office.clock.advance(timedelta(hours=14))  # 23:30 of the same day
        assert states(remind(runtime)) == {SALES: "already"}
        office.clock.advance(timedelta(minutes=30))
        assert states(remind(runtime)) == {SALES: "sent"}
    assert len({mail["Message-ID"] for mail in office.mails}) == len(office.mails) == 2


def test_of_many_who_remind_at_once_one_sends(office: Office, database_url: str, runtime_with: Callable[..., Runtime]) -> None:
    """Half of them through another connection pool, as another process would."""
    office.company.start()
    office.clock.advance(timedelta(days=11))
    other = Database(database_url)
    barrier = threading.Barrier(6)
    with office.open() as runtime:
        runtimes = [runtime, office.runtime(0, connectors=runtime.connectors, database=other)]

        def send(number: int) -> str:
            barrier.wait(10)
            return states(remind(runtimes[number % 2]))[SALES]  # type: ignore[index] # it has one

        with ThreadPoolExecutor(6) as pool:
            found = sorted(pool.map(send, range(6)))
    other.close()
    assert found == ["already"] * 5 + ["sent"]
    assert len(office.mails) == 1


def test_a_dry_run_shows_who_would_get_what_and_sends_nothing(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))
    with office.open() as runtime:
        [planned] = planned_reminders(runtime)
        assert (planned.address, planned.tasks, planned.overdue, planned.state) == (SALES, ("t1",), 1, "planned")
        assert office.mails == []
        remind(runtime)
        assert states(planned_reminders(runtime)) == {SALES: "already"}


def test_a_completed_task_is_not_reminded_of(office: Office) -> None:
    instance = office.company.start()
    office.clock.advance(timedelta(days=11))
    office.company.enter(instance)
    with office.open() as runtime:
        assert remind(runtime) == []


def test_who_has_no_address_is_told_and_the_others_are_reminded(office: Office) -> None:
    office.company.start()
    instance = office.company.start("bolt")
    office.clock.advance(timedelta(days=18))
    worklist.claim(office.company.runtime, office.company.task(instance).id, "sara")
    rules = ReminderRules(MappingProxyType({"sara": ("sara@example.com",)}))
    with office.open(rules) as runtime:
        [sara, nobody] = remind(runtime)
    assert (sara.tasks, sara.state) == (("t2",), "sent")
    assert (nobody.address, nobody.recipients, nobody.tasks, nobody.state) == (None, ("Sales",), ("t1",), "no_address")
    assert nobody.reason == "Expected an address for Sales, but run-process.yaml has none. Do: add it under `addresses`."


# --- what fails -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"rcpt": "450 4.2.0 greylisted"}, "failed"),
        ({"data": "452 disk full"}, "failed"),
        ({"rcpt": "550 5.1.1 no such user"}, "refused"),
        ({"mail": "553 not your domain"}, "refused"),
    ],
)
def test_a_mail_that_was_not_sent_is_sent_later_on_the_same_day(office: Office, answers: dict[str, str], state: str) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))
    office.mailbox.answers = answers
    with office.open() as runtime:
        [failed] = remind(runtime)
        assert failed.state == state
        assert failed.reason is not None
        assert "Do: " in failed.reason
        office.mailbox.answers = {}
        assert states(remind(runtime)) == {SALES: "sent"}
    assert len(office.mails) == 1


def test_a_mail_of_which_nobody_knows_whether_it_was_taken_counts_as_sent(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))
    office.mailbox.answers = {"hang_up": "yes"}
    with office.open() as runtime:
        [unknown] = remind(runtime)
        assert unknown.state == "unknown"
        office.mailbox.answers = {}
        assert states(remind(runtime)) == {SALES: "already"}
        office.clock.advance(timedelta(days=1))
        assert states(remind(runtime)) == {SALES: "sent"}
    assert len(office.mails) == 2


def test_a_mail_during_which_the_program_was_killed_counts_as_sent(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))

    class Killed:
        def send(self, _: object) -> None:
            raise ProcessKilled

    with office.open() as runtime:
        with monkeypatch.context() as patched:
            patched.setattr(runtime.connectors["email.send"], "mailer", Killed)
            with pytest.raises(ProcessKilled):
                remind(runtime)
        assert states(remind(runtime)) == {SALES: "already"}
        office.clock.advance(timedelta(days=1))
        assert states(remind(runtime)) == {SALES: "sent"}


def test_a_mail_server_that_is_down_is_not_asked_for_everybody(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.services.reminding._MOST_FAILED", 2)
    office.company.start()
    office.clock.advance(timedelta(days=11))
    everybody = MappingProxyType({"Sales": tuple(f"s{number}@example.com" for number in range(5))})
    runtime = office.runtime(free_port(), ReminderRules(everybody))
    asked: list[str] = []
    connector = runtime.connectors["email.send"]
    assert isinstance(connector, EmailSend)
    real = connector.mailer()

    class Counting:
        def send(self, mail: Any) -> Any:
            asked.append(mail.to)
            return real.send(mail)

    monkeypatch.setattr(connector, "mailer", Counting)
    found = remind(runtime)
    assert [each.state for each in found] == ["failed"] * 5
    assert len(asked) == 2
    with office.open(ReminderRules(everybody)) as runtime:
        assert set(states(remind(runtime)).values()) == {"sent"}


@pytest.mark.parametrize("sender", ["nobody", "a@example.com, b@example.com"])
def test_settings_with_which_nothing_can_be_sent_are_refused_and_cost_nobody_their_day(office: Office, sender: str) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))
    with office.open() as runtime:
        bad = EmailSend("smtp://127.0.0.1:25", sender)
        with pytest.raises(ConfigurationInvalid, match="RUN_PROCESS_MAIL_FROM"):
            remind(office.runtime(0, connectors={bad.topic: bad}))
        assert states(remind(runtime)) == {SALES: "sent"}


# --- the worker -----------------------------------------------------------------------------------------------------


def chore(runtime: Runtime, by: str = "worker w1") -> dict[str, int] | None:
    """What the chore did; None where it wasn't due, or was left to others."""
    reports = do_due_chores(runtime, [REMINDING], by)
    return dict(reports[0].counts) if reports else None


def test_a_worker_reminds_every_morning_after_six(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=10, hours=17, minutes=30))
    assert office.clock.now() == datetime(2026, 10, 12, 3, 0, tzinfo=UTC)
    with office.open() as runtime:
        assert chore(runtime) == {}  # never done before, but it is night
        office.clock.advance(timedelta(hours=2, minutes=59))
        assert chore(runtime) is None
        office.clock.advance(timedelta(minutes=1))
        assert chore(runtime) == {"sent": 1}
        office.clock.advance(timedelta(hours=23))
        assert chore(runtime) is None
        office.clock.advance(timedelta(days=3, hours=5))  # nobody worked for days: one reminder, not three
        assert chore(runtime) == {"sent": 1}
        office.clock.advance(timedelta(hours=19, minutes=59))
        assert chore(runtime) is None
        office.clock.advance(timedelta(minutes=1))
        assert chore(runtime) == {"sent": 1}  # at six again
    assert len(office.mails) == 3


def test_of_two_workers_one_reminds(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))
    barrier = threading.Barrier(2)
    with office.open() as runtime:

        def work(number: int) -> None:
            barrier.wait(10)
            Company(runtime).work(f"w{number}")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, range(2)))
    assert [mail["To"] for mail in office.mails] == [SALES]


def test_a_worker_whose_mail_failed_tries_again_soon_but_not_in_the_night(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11, hours=14, minutes=25))  # 23:55
    office.mailbox.answers = {"data": "452 disk full"}
    with office.open() as runtime:
        assert chore(runtime) == {"failed": 1}
        office.clock.advance(timedelta(minutes=10))
        assert chore(runtime) == {}
        office.mailbox.answers = {}
        office.clock.advance(timedelta(hours=6))
        assert chore(runtime) == {"sent": 1}


def test_a_worker_leaves_an_address_that_is_refused_until_the_next_morning(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))
    office.mailbox.answers = {"rcpt": "550 5.1.1 no such user"}
    with office.open() as runtime:
        assert chore(runtime) == {"refused": 1}
        office.clock.advance(timedelta(minutes=10))
        assert chore(runtime) is None


def test_a_worker_without_addresses_or_without_mail_leaves_reminding_to_others(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=11))
    with office.open() as runtime:
        assert chore(office.runtime(0, ReminderRules())) is None
        assert chore(office.runtime(0, connectors={})) is None
        assert chore(runtime, "worker w2") == {"sent": 1}


def test_a_worker_that_is_told_to_end_leaves_the_rest_to_another(office: Office) -> None:
    office.company.start()
    office.clock.advance(timedelta(days=18))
    with office.open() as runtime:
        [report] = do_due_chores(runtime, [REMINDING], "worker w1", stop=lambda: True)
        assert dict(report.counts) == {"sent": 1}
        office.clock.advance(timedelta(seconds=30))
        assert chore(runtime, "worker w2") == {"sent": 1, "already": 1}
    assert {mail["To"] for mail in office.mails} == {SALES, MIA}


# --- the store ------------------------------------------------------------------------------------------------------


def test_overdue_tasks_are_found_by_their_index(office: Office, database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by what it has counted, and here there is nothing to count")
    with database.reading() as connection:
        seen: list[str] = []
        real = connection.execute

        def explained(query: Any) -> Any:
            written = query.compile(connection.engine, compile_kwargs={"literal_binds": True, "render_postcompile": True})
            seen.extend(row.detail for row in real(text(f"EXPLAIN QUERY PLAN {written}")))
            return real(query)

        connection.execute = explained  # type: ignore[method-assign, assignment] # the statement itself is asked for its plan
        user_tasks.due(connection, office.clock.now(), {}, limit=10)
    assert len(seen) == 1
    assert "USING INDEX ix_user_tasks_open_due_at_id (due_at<?)" in seen[0]
