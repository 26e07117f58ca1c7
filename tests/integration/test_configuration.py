"""`run-process.yaml`: found like git's, read strictly, wrong ones named with file, line and column."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine.billing.reminders import ReminderRules
from engine.errors import ConfigurationInvalid
from engine.services.configuration import Configuration, find_configuration, read_configuration


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "run-process.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_groups_and_pauses_are_read(tmp_path: Path) -> None:
    found = read_configuration(
        written(tmp_path, "groups:\n  Sales: [ann, bob]\n  Department Manager:\n    - mia\nretry_after: [1, 60, 86400]\n")
    )
    assert found.groups == {"Sales": frozenset({"ann", "bob"}), "Department Manager": frozenset({"mia"})}
    assert found.retry_after == (timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1))
    assert found.reconcile_after == Configuration().reconcile_after


def test_addresses_and_the_rules_of_reminders_are_read(tmp_path: Path) -> None:
    found = read_configuration(
        written(
            tmp_path,
            "reminders: {due_within: PT36H, escalate_after: P7D, escalate_to: Department Manager}\n"
            "addresses:\n  Sales: sales@example.com\n  Department Manager: [mia@example.com, max@example.com]\n",
        )
    )
    addresses = {"Sales": ("sales@example.com",), "Department Manager": ("mia@example.com", "max@example.com")}
    assert found.reminders == ReminderRules(addresses, timedelta(hours=36), timedelta(days=7), "Department Manager")


def test_addresses_alone_remind_two_days_before_and_escalate_nothing(tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path, "addresses: {sara: sara@example.com}\n")).reminders
    assert found == ReminderRules({"sara": ("sara@example.com",)}, timedelta(days=2), None, None)


@pytest.mark.parametrize("text", ["", "\n\n", "  \n"])
def test_an_empty_file_sets_nothing(tmp_path: Path, text: str) -> None:
    assert read_configuration(written(tmp_path, text)) == Configuration()


def test_who_may_work_for_a_group(tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path, "groups: {Sales: [ann], Nobody: []}\n"))
    assert found.may_work_for("ann", "Sales")
    assert not found.may_work_for("bob", "Sales")
    assert not found.may_work_for("Ann", "Sales")
    assert not found.may_work_for("ann", "Nobody")
    assert found.may_work_for("bob", "Unlisted")
    assert found.may_work_for("bob", None)


def test_the_nearest_file_upwards_is_taken(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_configuration(inner) is None or not find_configuration(inner).is_relative_to(tmp_path)  # type: ignore[union-attr]
    outer = written(tmp_path, "")
    assert find_configuration(inner) == outer
    nearer = written(tmp_path / "a", "")
    assert find_configuration(inner) == nearer
    (inner / "run-process.yaml").mkdir()  # a folder of that name is no configuration
    assert find_configuration(inner) == nearer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "group: {}\n",
            ":1:1: Expected `groups`, `addresses`, `reminders` or `retry_after`, but there is `group`. Do: correct",
        ),
        ("groups: [Sales]\n", ":1:9: Expected group names with lists of users"),
        ("groups:\n  Sales: ann\n", ":2:10: Expected a list of user names"),
        ("groups:\n  Sales: [ann, 7]\n", ":2:10: Expected a list of user names"),
        ("groups:\n  Sales: [ann, [bob]]\n", ":2:10: Expected a list of user names"),
        ("groups:\n  Sales: [ann, '']\n", ":2:10: Expected a list of user names"),
        ("retry_after: 10\n", ":1:14: Expected a list of whole seconds up to a day"),
        ("retry_after: []\n", ":1:14: Expected a list of whole seconds"),
        ("retry_after: [0]\n", "whole seconds"),
        ("retry_after: [-5]\n", "whole seconds"),
        ("retry_after: [1.5]\n", "Expected"),
        ("retry_after: [true]\n", "whole seconds"),
        ("retry_after: [86401]\n", "whole seconds"),
        ("retry_after: ['10']\n", "whole seconds"),
        ("addresses: sales@example.com\n", ":1:12: Expected names of groups and users with e-mail addresses"),
        (
            "addresses:\n  Sales: sales(at)example.com\n",
            ':2:10: Expected one e-mail address, but there is "sales(at)example.com"',
        ),
        ("addresses:\n  Sales: [sales@example.com, 'a@b, c@d']\n", ":2:30: Expected one e-mail address"),
        ("addresses:\n  Sales: 'a@example.com\\nBcc: b@example.com'\n", ":2:10: Expected one e-mail address"),
        ("addresses:\n  Sales: []\n", ":2:10: Expected an e-mail address or a list of them, but there is an empty list"),
        ("addresses:\n  Sales:\n", ": Expected one e-mail address, but there is something else"),
        ("addresses:\n  Sales: {ann: a@example.com}\n", ":2:10: Expected one e-mail address"),
        ("addresses:\n  Sales: [[a@example.com]]\n", ":2:11: Expected one e-mail address"),
        ("reminders: P2D\n", ":1:12: Expected a mapping with `due_within`, `escalate_after` and `escalate_to`"),
        ("reminders:\n  due: P2D\n", ":2:3: Expected `due_within`, `escalate_after` and `escalate_to`, but there is `due`"),
        ("reminders:\n  due_within: 2\n", ":2:15: Expected an ISO 8601 duration of days or hours, up to a year"),
        ("reminders:\n  due_within: P1M\n", ":2:15: Expected an ISO 8601 duration"),
        ("reminders:\n  due_within: P400D\n", ":2:15: Expected an ISO 8601 duration"),
        ("reminders:\n  due_within: [P2D]\n", ":2:15: Expected an ISO 8601 duration"),
        ("reminders:\n  escalate_after: P7D\n", ":2:3: Expected `escalate_after` and `escalate_to` together"),
        ("reminders:\n  escalate_to: Boss\n", ':2:16: Expected a name that stands under `addresses`, but there is "Boss"'),
        ("- groups\n", "Expected a mapping"),
        ("groups: {Sales: [ann]}\ngroups: {}\n", ":2:1"),
        ("groups: {Sales: &a [ann], Manager: *a}\n", "anchor"),
        ("groups: {Sales: [ann\n", ":"),
        ("groups: !!python/object:os.system {}\n", ":1:"),
        (b"groups: \xff\xfe\n", "UTF-8"),
        ("groups:\n\tSales: [ann]\n", ":2"),
        ("a: " * 300, "run-process.yaml"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationInvalid) as refused:
        read_configuration(path)
    assert str(path) in str(refused.value)
    assert says in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"No such file.*Do: check its permissions"):
        read_configuration(tmp_path / "run-process.yaml")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid):
        read_configuration(written(tmp_path, "# much\n" * 400_000 + "groups: {}\n"))
