"""Whatever comes in is stored as it is or refused with a clear error, on every database; no instance is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.connector import BusinessError, Completed, Fatal, Retryable, Unknown
from engine.errors import DataRefused, DefinitionInvalid
from engine.services import resolving, worklist
from engine.services.inspecting import read_history
from engine.services.runtime import Runtime
from tests.builders.company import Company, definition
from tests.builders.drawing import user
from tests.doubles.connectors import RecordingConnector

FORM_OF_ERRORS = r"(?s)Expected .*, but .* Do: "

FAITHFUL = {
    "formula": "=cmd|'/c calc'!A1",
    "plus": "+1+1",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(A1)",
    "typename": "typename",
    "class": "__class__",
    "markup": "<script>alert(1)</script> ${amount} {{ 7*7 }} %s %(x)s",
    "sql": "'; DROP TABLE instances; --",
    "emoji": "💶🧑\u200d💻",
    "right-to-left": "עברית العربية",
    "escape-as-text": "\\u0000 \\x1b[31m \\ud800",
    "json": '{"typename": "x"}',
    "number": "99999999999999999999999999",
}
REFUSED = {
    "nul": "a\x00b",
    "escape": "\x1b]0;title\x07",
    "csi": "\x9b31m",
    "surrogate": "\ud800",
    "override": "\u202e05.021",
    "isolate": "\u2066x",
    "long": "x" * 100_000,
}


def is_whole(company: Company, instance: str) -> None:
    """It can be loaded, shown, listed and audited."""
    company.details(instance)
    company.open(instance)
    assert read_history(company.runtime, instance)[1] is None


@pytest.mark.parametrize("value", FAITHFUL.values(), ids=FAITHFUL)
def test_what_can_be_seen_is_kept_as_it_is_wherever_it_comes_in(company: Company, value: str) -> None:
    instance = company.start(value, name=value)
    assert company.instance(instance).customer == value
    company.enter(instance, details=value, by=value)
    company.approve(instance, by="mia")
    company.work()
    assert company.instance(instance).state == "completed"
    following = company.instance(instance).next
    assert following is not None
    data = company.details(following)["data"]
    assert (data["customer"], data["name"], company.details(instance)["data"]["details"]) == (value, value, value)
    assert [task.claimed_by for task in worklist.tasks(company.runtime, {"claimed_by": value}, completed=True)] == [value]
    is_whole(company, instance)
    is_whole(company, following)


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_seen_or_has_no_end_is_refused_wherever_it_comes_in(company: Company, value: str) -> None:
    for name in ("customer", "name"):
        with pytest.raises(DataRefused, match=FORM_OF_ERRORS) as refused:
            company.start(**{"customer": "acme", name: value})
        assert len(str(refused.value)) < 500
    instance = company.start()
    before = company.details(instance), company.events(instance)
    with pytest.raises(DataRefused, match=FORM_OF_ERRORS):
        company.enter(instance, details=value)
    assert (company.details(instance), company.events(instance)) == before
    company.enter(instance)
    is_whole(company, instance)


DEEP: Any = "x"
for _ in range(10_000):
    DEEP = [DEEP]


STARTS: tuple[tuple[str, Any], ...] = (
    ("customer", DEEP),
    ("customer", {"typename": "datetime", "__class__": "x"}),
    ("customer", 2**80),
    ("customer", 1.5),
    ("customer", True),
    ("month", 2**80),
    ("month", "2026-10\x00"),
    ("month", "9" * 5_000),
    ("typename", "x"),
    ("__class__", "x"),
    ("\ud800\x00", "x"),
    ("=cmd|x", "x"),
    ("x" * 100_000, "x"),
)


@pytest.mark.parametrize(("name", "value"), STARTS, ids=map(str, range(len(STARTS))))
def test_a_value_of_another_kind_or_name_starts_nothing(company: Company, name: str, value: Any) -> None:
    with pytest.raises(DataRefused, match=FORM_OF_ERRORS):
        company.start(**{"customer": "acme", "month": "2026-10", name: value})
    assert company.open("i1") == []


AMOUNTS: tuple[Any, ...] = (
    2**63,
    10**5_000,
    "9" * 5_000,
    "1e400",
    "NaN",
    "-0.001",
    "\u0663.50",
    1.5,
    [5],
    {"typename": 1},
    "5\x00",
)


@pytest.mark.parametrize("amount", AMOUNTS, ids=map(str, range(len(AMOUNTS))))
def test_an_amount_that_is_none_leaves_its_form_open(company: Company, amount: Any) -> None:
    instance = company.start()
    with pytest.raises(DataRefused, match=FORM_OF_ERRORS):
        company.do(instance, "sara", amount=amount)
    company.enter(instance)
    is_whole(company, instance)


WIDE = "".join(chr(0x4E00 + 7919 * n % 20_000) for n in range(1_000))  # three bytes each, and no two alike


@pytest.mark.parametrize("length", [255, 256, 1_000])
def test_a_customer_with_a_long_name_is_stored_or_told(company: Company, length: int) -> None:
    def start() -> str:
        return company.start(WIDE[:length])

    if length <= 255:
        assert company.instance(start()).customer == WIDE[:length]
    else:
        with pytest.raises(DataRefused, match="at most 255 characters, but it has"):
            start()


TEXTS = {**FAITHFUL, **REFUSED}


@pytest.mark.parametrize("reason", TEXTS.values(), ids=TEXTS)
def test_reasons_are_kept_whatever_they_hold(company: Company, reason: str, pay: RecordingConnector) -> None:
    instance = company.approved()
    pay.answers(Fatal(reason))
    company.work()
    [incident] = resolving.open_incidents(company.runtime)
    assert incident["reason"] == reason
    resolving.retry(company.runtime, incident["id"], "olivia")
    task = worklist.claim(company.runtime, company.task(company.start("other")).id, "ann")
    worklist.release(company.runtime, task.id, "bob", reason)
    resolving.cancel(company.runtime, instance, reason, "olivia")
    assert read_history(company.runtime, instance)[0][-1]["details"]["reason"] == reason
    is_whole(company, instance)
    is_whole(company, task.instance)


@pytest.mark.parametrize("said", TEXTS.values(), ids=TEXTS)
def test_whatever_a_connector_says_its_instance_can_be_shown_and_goes_on(
    company: Company, said: str, pay: RecordingConnector
) -> None:
    for number, outcome in enumerate(
        (Retryable(said), Unknown(said), BusinessError("declined", said), BusinessError(said, said))
    ):
        pay.answers(outcome)
        instance = company.approved(f"customer {number}")
        company.work()
        is_whole(company, instance)
        pay.queued.clear()


OUTPUTS: dict[str, dict[Any, Any]] = {
    **{name: {"payment_id": said} for name, said in TEXTS.items()},
    "deep": {"payment_id": DEEP},
    "many digits": {"payment_id": 10**5_000},
    "object": {"payment_id": {"typename": "datetime", "__class__": "x"}},
    "not a number": {"payment_id": float("nan")},
    "bytes": {"payment_id": b"\xff"},
    "names": {"typename": "x", "__class__": "x", "\ud800\x00": "x"},
    "name that is no text": {7: "x"},
    "long beside": {"payment_id": "ok", "beside": "x" * 100_000},
}


@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
def test_whatever_a_connector_gives_is_stored_or_an_incident(
    company: Company, outputs: dict[Any, Any], pay: RecordingConnector
) -> None:
    pay.answers(Completed(outputs))
    instance = company.approved()
    company.work()
    is_whole(company, instance)
    if company.instance(instance).state == "active":
        [incident] = resolving.open_incidents(company.runtime)
        assert incident["reason"].startswith("Expected ") or ": Expected " in incident["reason"]
        resolving.retry(company.runtime, incident["id"], "olivia")
        company.work()
    assert company.instance(instance).state == "completed"
    is_whole(company, instance)


# --- definitions ----------------------------------------------------------------------------------------------------


def is_refused(company: Company, files: dict[str, bytes]) -> bool:
    """Whether it can't be deployed; then each finding says what to do."""
    try:
        company.deploy(files)
    except DefinitionInvalid as refused:
        return bool(refused.findings) and all("Do: " in finding.message for finding in refused.findings)
    return False


def label(nodes_name: str) -> dict[str, str]:
    drawn = user("call").replace('name="Call"', f'name="{nodes_name}"')
    return {"call": drawn}


@pytest.mark.parametrize(
    "name", ["💶 \u202eevil", "&#x9b;31m", "=cmd|x", "typename", "x" * 100_000, "__class__"], ids=lambda name: ascii(name)[:9]
)
def test_names_in_a_diagram_are_kept_or_refused(runtime: Runtime, name: str, pay: RecordingConnector) -> None:
    company = Company(runtime)
    if is_refused(company, definition(label(name))):
        return
    pay.answers(BusinessError("declined", "No."))
    instance = company.approved()
    company.work()
    assert company.task(instance).name == name.replace("&#x9b;", "\x9b")
    is_whole(company, instance)


ODD_IDS: dict[str, Callable[[str], dict[str, bytes]]] = {
    "a flow node": lambda odd: _renamed("charge", odd),
    "an item": lambda odd: _renamed("receipt", odd),
    "a process": lambda odd: _renamed("billing", odd),
}


def _renamed(known: str, odd: str) -> dict[str, bytes]:
    return {name: content.replace(known.encode(), odd.encode()) for name, content in definition().items()}


@pytest.mark.parametrize(
    "odd", ["typename", "__class__", "x" * 255, "x" * 256, "x" * 3_000, "é" * 255], ids=lambda odd: f"{odd[:9]}-{len(odd)}"
)
@pytest.mark.parametrize("what", ODD_IDS)
def test_ids_in_a_definition_run_or_are_refused(runtime: Runtime, what: str, odd: str) -> None:
    files = ODD_IDS[what](odd)
    company = Company(runtime, odd if what == "a process" else "billing")
    if is_refused(company, files):
        return
    instance = company.billed()
    assert company.instance(instance).state == "completed"
    is_whole(company, instance)
