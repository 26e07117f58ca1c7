"""Starting: from a file of customers, from a JSON file, and from a finished instance."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from tests.acceptance.program import PROCESS, Program, bill_of, settings

HEADER = "customer_name,email,stripe_customer_id,currency,billing_month"


def row(customer: str, name: str = "Ann", email: str = "ann@example.com", currency: str = "EUR", month: str = "2026-10") -> str:
    return f"{name},{email},{customer},{currency},{month}"


FORMULA = "=HYPERLINK('http://example.com')"
ODD = [
    HEADER,
    row("cus_1", '"Abe, ""Ann"""'),
    "",
    row("cus_2") + ",too many",
    "cus_3,too few",
    row("cus_4", email="nobody"),
    row("cus_5", month="2026-13"),
    row("cus_6", currency="ABC"),
    row("cus_7", '"two\nlines"'),
    row("cus_8", FORMULA),
    row("cus_9", "next\u2028line"),
    row(""),
    row("cus_1"),
    row("cus_10"),
]
REFUSED = {
    4: "Expected 5 values, but there are 6",
    5: "Expected 5 values, but there are 2",
    6: "email: ",
    7: "billing_month: ",
    8: "currency: ",
    9: "customer_name: ",
    12: "customer_name: ",
    13: "stripe_customer_id",
}
STARTED = (2, 11, 15)
ALREADY = (14,)


def test_every_row_of_a_file_is_accounted_for_and_a_second_run_starts_nothing(deployed: Program) -> None:
    content = "\r\n".join(ODD) + "\r\n"
    (deployed.folder / "customers.csv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    first = deployed("start", PROCESS, "--csv", "customers.csv", code=3)
    lines = [re.match(r"customers\.csv:(\d+): (\w+) (.+)", line) for line in first.stdout.splitlines()]
    assert all(lines)
    found = {int(line[1]): (line[2], line[3]) for line in lines if line}
    assert {number for number, (outcome, _) in found.items() if outcome == "started"} == set(STARTED)
    assert {number for number, (outcome, _) in found.items() if outcome == "already"} == set(ALREADY)
    assert {number for number, (outcome, _) in found.items() if outcome == "refused"} == set(REFUSED)
    assert all(found[number][1].startswith(why) or why in found[number][1] for number, why in REFUSED.items()), found
    assert first.stderr == "3 started, 1 already, 8 refused\n"

    again = deployed("start", PROCESS, "--csv", "customers.csv", "--json", code=3).json
    assert Counter(report["outcome"] for report in again) == {"already": 4, "refused": 8}
    assert {report["line"]: report["instance"] for report in again if report["line"] in STARTED} == {2: "i1", 11: "i2", 15: "i3"}
    assert deployed("show", "i2", "--json").json["data"]["customer_name"] == FORMULA


def test_a_thousand_rows_start_a_thousand_instances_once(deployed: Program) -> None:
    rows = "\n".join(row(f"cus_{number}") for number in range(1_000))
    (deployed.folder / "customers.csv").write_text(f"{HEADER}\n{rows}\n")
    first = deployed("start", PROCESS, "--csv", "customers.csv", "--json")
    assert first.stderr == "1000 started, 0 already, 0 refused\n"
    assert [report["line"] for report in first.json] == list(range(2, 1_002))
    assert deployed("start", PROCESS, "--csv", "customers.csv").stderr == "0 started, 1000 already, 0 refused\n"


UNUSABLE = {
    "a column that is no data item": ("nme,email\nAnn,ann@example.com\n", 3, "nme"),
    "a column that stands twice": ("email,email\na@example.com,b@example.com\n", 1, "once"),
    "an empty file": ("", 1, "header"),
    "a quote that is never closed": (f'{HEADER}\n"Ann,ann@example.com\n', 3, "quotes"),
    "semicolons for commas": ("customer_name;email\nAnn;ann@example.com\n", 1, "Expected commas between the columns"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_cannot_be_used_starts_nothing(case: str, deployed: Program) -> None:
    content, code, why = UNUSABLE[case]
    (deployed.folder / "customers.csv").write_text(content)
    before = deployed.stored()
    done = deployed("start", PROCESS, "--csv", "customers.csv", code=code)
    assert why in done.stdout + done.stderr
    assert "started i" not in done.stdout
    assert deployed.stored() == before


def test_values_come_from_a_file_and_set_goes_over_it(deployed: Program) -> None:
    values = {"customer_name": "Ann", "email": "a@example.com", "stripe_customer_id": "cus_1", "currency": "JPY"}
    (deployed.folder / "first.json").write_text(json.dumps(values | {"billing_month": "2026-09", "billing_details": "Base fee"}))
    started = deployed("start", PROCESS, "--data", "first.json", *settings(billing_month="2026-10"), "--json").json
    assert (started["id"], started["period"]) == ("i1", "2026-10")
    assert deployed("show", "i1", "--json").json["data"] == values | {"billing_month": "2026-10", "billing_details": "Base fee"}


BAD_DATA = {
    "not JSON": ('{"email": ', "JSON object"),
    "no object": ("[1, 2]", "JSON object"),
    "an item twice": ('{"email": "a@example.com", "email": "b@example.com"}', "twice"),
    "a fraction": ('{"billing_amount": 120.5}', "120.5"),
    "nesting without end": ("[" * 100_000, "JSON object"),
    "another type": ('{"email": ["a@example.com"]}', "email"),
    "an unknown item": ('{"e-mail": "a@example.com"}', "email"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_does_not_fit_is_refused(case: str, deployed: Program) -> None:
    content, why = BAD_DATA[case]
    (deployed.folder / "first.json").write_text(content)
    assert why in deployed.refused("start", PROCESS, "--data", "first.json", *settings(customer_name="Ann"))


def test_a_bill_is_started_once_and_the_second_start_names_the_first(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    assert "i1 is that bill" in deployed.refused("start", PROCESS, *bill_of("cus_1"))
    assert "i1" in deployed.refused("start", PROCESS, "--reuse", "i1")


def test_a_contract_that_has_ended_is_not_billed_until_it_is_resumed(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    deployed("complete", "t1", *settings(billing_amount="99", billing_details="Base fee"), "--as", "sara")
    deployed("complete", "t2", *settings(approval="end_contract", end_reason="Moved away."), "--as", "mia")
    told = deployed.refused("start", PROCESS, "--reuse", "i1")
    assert "mia has ended them from 2026-10 on: Moved away. Do: leave it, or run-process customers resume" in told
    resumed = deployed("customers", "resume", PROCESS, "cus_1", "--from", "2026-11", "--reason", "Came back.")
    assert "i2 is their bill for 2026-11." in resumed.stderr


def test_a_finished_instance_is_reused_through_the_carry_over_map(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    deployed("complete", "t1", *settings(billing_amount="99", billing_details="Base fee"), "--as", "sara")
    deployed("cancel", "i1", "--reason", "Billed on paper.")
    deployed("start", PROCESS, "--reuse", "i1", *settings(email="new@example.com"))
    again = deployed("show", "i2", "--json").json
    assert (again["started_by"], again["previous"], again["period"]) == ("reuse", "i1", "2026-11")
    assert again["data"]["email"] == "new@example.com"
    assert "billing_amount" not in again["data"]
    assert again["previous_values"]["billing_amount"]["value"] == 9_900
