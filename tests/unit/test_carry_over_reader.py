from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definition.carry_over import Bill, DifferentPeople, EveryEndHandsOver, MustPass, hand_over
from engine.definition.carry_over_reader import read_carry_over
from engine.definition.data_item import Computed, Copy, DataType, Drop, Next, SetTo
from engine.definition.safe_yaml import DEPTH_LIMIT, MOST_FINDINGS, SIZE_LIMIT
from engine.errors import DefinitionInvalid

BILLING = """\
process: monthly-card-charge
message: next-billing
bill:
  customer: stripe_customer_id
  period: billing_month
  every: P1M
data:
  email: {type: email, carry: copy}
  stripe_customer_id: {type: string, carry: copy}
  currency: {type: currency, carry: copy}
  billing_month: {type: month, carry: next}   # 2026-10 -> 2026-11
  billing_amount: {type: money, currency: currency, carry: drop, show_previous: true, label: Amount}
  plan: {type: choice, choices: [basic, full], carry: {set: basic}}
  reminders: {type: integer, carry: {expr: "reminders + 1"}}
controls:
  - {path: charge, must_pass: approve}
  - {different_people: [enter_amount, approve]}
  - {every_end: hands_over, except: [contract_ended]}
"""


def read(text):
    return read_carry_over(text.encode(), "billing.carry-over.yaml")


def findings_of(text):
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(DefinitionInvalid) as invalid:
        read_carry_over(content, "billing.carry-over.yaml")
    assert str(invalid.value) == "\n".join(str(finding) for finding in invalid.value.findings)
    return invalid.value.findings


def rules_of(text):
    return [finding.rule for finding in findings_of(text)]


def with_items(*lines):
    return "process: p\ndata:\n" + "".join(f"  {line}\n" for line in lines)


# --- what a map says


def test_a_bill_names_its_amount_and_why_a_contract_ended():
    carry_over = read(BILLING.replace("every: P1M", "every: P1M\n  amount: billing_amount\n  end_reason: email"))
    assert (carry_over.bill.amount, carry_over.bill.end_reason) == ("billing_amount", "email")
    assert carry_over.billed_item == carry_over.items["billing_amount"]
    assert read(BILLING).billed_item.name == "billing_amount"  # the only one


def test_what_is_billed_is_an_amount():
    assert "carry-over-bill-amount" in rules_of(BILLING.replace("every: P1M", "every: P1M\n  amount: email"))
    assert "carry-over-unknown-item" in rules_of(BILLING.replace("every: P1M", "every: P1M\n  end_reason: nothing"))


def test_a_map_is_read_as_it_stands():
    carry_over = read(BILLING)
    assert (carry_over.process, carry_over.message, carry_over.file) == (
        "monthly-card-charge",
        "next-billing",
        "billing.carry-over.yaml",
    )
    assert carry_over.bill == Bill("stripe_customer_id", "billing_month", "P1M")
    assert list(carry_over.items) == [
        "email",
        "stripe_customer_id",
        "currency",
        "billing_month",
        "billing_amount",
        "plan",
        "reminders",
    ]
    amount = carry_over.items["billing_amount"]
    assert (amount.type, amount.carry, amount.currency, amount.show_previous) == (DataType.MONEY, Drop(), "currency", True)
    assert amount.label == "Amount"
    assert (amount.position.line, amount.position.column) == (12, 3)


def test_every_decision_is_read():
    items = read(BILLING).items
    assert (items["email"].carry, items["billing_month"].carry, items["plan"].carry) == (Copy(), Next(), SetTo("basic"))
    assert isinstance(items["reminders"].carry, Computed)


def test_controls_are_read_with_their_places():
    controls = read(BILLING).controls
    assert [(type(c), c.position.line) for c in controls] == [(MustPass, 16), (DifferentPeople, 17), (EveryEndHandsOver, 18)]
    assert (controls[0].path, controls[0].must_pass) == ("charge", "approve")
    assert controls[1].tasks == ("enter_amount", "approve")
    assert controls[2].except_ == ("contract_ended",)


def test_a_map_that_was_read_can_be_applied():
    data = {"stripe_customer_id": "cus_1", "currency": "USD", "billing_month": "2026-12", "billing_amount": 5, "reminders": 1}
    next_instance = hand_over(read(BILLING), data)
    assert next_instance.data == {
        "stripe_customer_id": "cus_1",
        "currency": "USD",
        "billing_month": "2027-01",
        "plan": "basic",
        "reminders": 2,
    }


def test_a_process_that_does_not_repeat_needs_neither_bill_nor_message():
    once = read("process: p\ndata: {}\n")
    assert (once.bill, once.message, once.items, once.controls) == (None, None, {}, ())


def test_a_message_may_be_named_in_words():
    assert read(BILLING.replace("next-billing", "Next billing")).message == "Next billing"


def test_a_byte_order_mark_is_ignored():
    assert read_carry_over(b"\xef\xbb\xbf" + BILLING.encode(), "f").process == "monthly-card-charge"


# --- what is refused


def test_everything_wrong_is_reported_at_once_and_in_the_order_of_the_file():
    findings = findings_of(
        "process: p\n"
        "mesage: x\n"
        "data:\n"
        "  email: {type: emial, carry: copy}\n"
        "  email: {type: email, carry: copy}\n"
        "  name: {type: string}\n"
        "  note: {type: text, carrry: drop}\n"
    )
    assert [(finding.rule, finding.position.line, finding.position.column) for finding in findings] == [
        ("carry-over-unknown-key", 2, 1),
        ("carry-over-unknown-type", 4, 17),
        ("yaml-duplicate-key", 5, 3),
        ("carry-over-missing-decision", 6, 9),
        ("carry-over-missing-decision", 7, 9),
        ("carry-over-unknown-key", 7, 22),
    ]


@pytest.mark.parametrize(
    ("old", "new", "rule", "remedy"),
    [
        ("process: monthly-card-charge\n", "", "missing-key", "add process:"),
        ("process: monthly-card-charge", "process: [a]", "wrong-type", "write text"),
        ("process: monthly-card-charge", "process: 5", "wrong-type", 'in quotes, "5"'),
        ("process: monthly-card-charge", "process: a|b", "wrong-type", "another name"),
        ("process: monthly-card-charge", "process: monthly charge", "wrong-type", "another name"),
        ("message: next-billing", 'message: "a\\nb"', "wrong-type", "another name"),
        ("- {path: charge, must_pass: approve}", "- approve", "wrong-type", "key: value"),
        ('expr: "reminders + 1"', "expr: [1]", "wrong-type", "write text"),
        ("message: next-billing", "message: no", "wrong-type", 'in quotes, "no"'),
        ("message: next-billing", "message: 1:30", "wrong-type", "in quotes"),
        ("message: next-billing\n", "", "bill-without-message", "add message:"),
        ("controls:", "contrls:", "unknown-key", 'write "controls"'),
        ("  customer: stripe_customer_id\n", "", "missing-key", "add customer:"),
        ("  every: P1M\n", "", "missing-key", "add every: P1M"),
        ("every: P1M", "evry: P1M", "unknown-key", 'write "every"'),
        ("every: P1M", "every: monthly", "bill-every", "P1M"),
        ("every: P1M", "every: P30D", "bill-every", "P1M"),
        ("customer: stripe_customer_id", "customer: stripe_custmer_id", "unknown-item", 'write "stripe_customer_id"'),
        ("customer: stripe_customer_id", "customer: billing_amount", "bill-customer", "carry: copy"),
        ("period: billing_month", "period: email", "bill-period", "carry: next"),
        ("{type: email, carry: copy}", "{type: email}", "missing-decision", "copy, drop, next"),
        ("{type: email, carry: copy}", "{type: email, carry: }", "missing-decision", "write one"),
        ("{type: email, carry: copy}", "{type: email, carry: coppy}", "unknown-decision", 'write "copy"'),
        ("{type: email, carry: copy}", "{type: email, carry: {sett: a}}", "unknown-decision", "set: value"),
        ("{type: email, carry: copy}", "{type: email, carry: {set: a, expr: b}}", "unknown-decision", "set: value"),
        ("{type: email, carry: copy}", "{carry: copy}", "missing-key", "add type:"),
        ("{type: email, carry: copy}", "{type: emial, carry: copy}", "unknown-type", 'write "email"'),
        ("{type: email, carry: copy}", "{type: email, carry: next}", "next-of-no-period", "change its type"),
        ("{type: email, carry: copy}", "{type: email, carry: copy, choices: [a]}", "choices-without-choice", "remove"),
        ("{type: email, carry: copy}", "{type: email, carry: copy, currency: USD}", "currency-without-money", "remove"),
        ("{type: email, carry: copy}", "{type: email, carry: copy, show_previous: true}", "previous-is-copied", "drop"),
        ("show_previous: true", "show_previous: yes", "wrong-type", "true or false"),
        ("show_previous: true", 'show_previous: "true"', "wrong-type", "true or false"),
        ("label: Amount", 'label: "\\e[31m"', "wrong-type", "remove it"),
        ("choices: [basic, full], ", "", "missing-choices", "add choices:"),
        ("choices: [basic, full]", "choices: []", "wrong-type", "write [one, another]"),
        ("choices: [basic, full]", "choices: [basic, no]", "wrong-type", "in quotes"),
        ("choices: [basic, full]", "choices: [basic, basic]", "repeated", "remove it"),
        ("choices: [basic, full]", 'choices: ["two\\nlines"]', "wrong-type", "one line"),
        ("{type: email, carry: copy}", "email", "wrong-type", "key: value"),
        ("controls:", "controls: none\nx:", "wrong-type", "begin each with"),
        ("set: basic", "set: premium", "wrong-type", "basic, full"),
        ("set: basic", "set: ", "wrong-type", "carry: drop"),
        ("set: basic", "set: [basic]", "wrong-type", "write text"),
        ("money, currency: currency,", "money,", "missing-currency", "add currency:"),
        ("money, currency: currency,", "money, currency: curency,", "unknown-currency", 'write "currency"'),
        ("money, currency: currency,", "money, currency: email,", "unknown-currency", "write one of currency"),
        ("money, currency: currency,", "money, currency: usd,", "unknown-currency", 'write "USD"'),
        ("carry: drop, show_previous: true", "carry: {set: 10}", "wrong-type", "in quotes"),
        ("carry: drop, show_previous: true", 'carry: {set: "10.50"}', "wrong-type", "currency: USD"),
        ("reminders + 1", "remindrs + 1", "unknown-item", 'write "reminders"'),
        ("reminders + 1", "reminders +", "expression-invalid", "Do:"),
        ("reminders + 1", "completed_by('approve')", "expression-invalid", "remove completed_by"),
        ("different_people: [enter_amount, approve]", "different_people: [approve]", "different-people", "add the other"),
        ("every_end: hands_over", "every_end: hand_over", "unknown-control", "hands_over"),
        ("{path: charge, must_pass: approve}", "{path: charge}", "unknown-control", "one control per list entry"),
        ("{path: charge, must_pass: approve}", "{path: charge, must_pas: approve}", "unknown-key", 'write "must_pass"'),
        ("  email:", "  2nd-email:", "item-name", "a letter first"),
        ("  email:", "  typename:", "item-name", "another name"),
        ("  email:", "  EUR:", "item-name", "another name"),
        ("  email:", "  not:", "item-name", "another name"),
    ],
)
def test_a_mistake_is_found_under_its_own_rule_and_says_what_to_do(old, new, rule, remedy):
    changed = BILLING.replace(old, new, 1)
    assert changed != BILLING
    findings = findings_of(changed)
    assert f"carry-over-{rule}" in {finding.rule for finding in findings}
    assert any(remedy in finding.message for finding in findings)
    assert all("Expected" in finding.message and "but" in finding.message and "Do: " in finding.message for finding in findings)


def test_a_period_of_dates_takes_days_and_weeks():
    dates = BILLING.replace("billing_month: {type: month", "billing_month: {type: date")
    assert read(dates.replace("P1M", "P2W")).bill.every == "P2W"
    assert rules_of(dates.replace("P1M", "PT1H")) == ["carry-over-bill-every"]


def test_a_bill_without_a_message_and_a_message_without_a_bill_are_refused():
    assert rules_of("process: p\nmessage: next\ndata: {}\n") == ["carry-over-message-without-bill"]
    assert rules_of(BILLING.replace("message: next-billing\n", "")) == ["carry-over-bill-without-message"]


def test_a_period_that_goes_on_without_a_bill_is_refused():
    assert rules_of(with_items("month: {type: month, carry: next}")) == ["carry-over-next-without-bill"]


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("copy", "drop"), ("copy", "{set: JPY}"), ("{expr: amount * 2}", "{expr: '\"JPY\"'}"), ('{set: "10"}', "drop")],
)
def test_an_amount_never_goes_along_without_the_currency_it_was_meant_in(amount, currency):
    items = (f"amount: {{type: money, currency: currency, carry: {amount}}}", f"currency: {{type: currency, carry: {currency}}}")
    assert rules_of(with_items(*items)) == ["carry-over-amount-without-currency"]


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("integer", "5", 5),
        ("integer", "-5", -5),
        ("boolean", "true", True),
        ("boolean", '"no"', "no"),
        ("date", '"2026-10-31"', "2026-10-31"),
        ("month", "2026-10", "2026-10"),
        ("currency", "EUR", "EUR"),
        ("money, currency: USD", '"10.50"', "10.50"),
        ("text", "|\n    a\n", "a\n"),
    ],
)
def test_a_literal_that_fits_its_type_can_be_set(type_, written, value):
    items = f"process: p\ndata:\n  it:\n    type: {type_}\n    carry:\n      set: {written}\n"
    if "currency: USD" in type_:
        items = items.replace("type: money, currency: USD", "type: money\n    currency: USD")
    assert read(items.replace("|\n    a", "|\n        a")).items["it"].carry == SetTo(value)


@pytest.mark.parametrize(
    "written", ["no", "On", "y", "010", "0x1F", "1_000", "1.5", ".5", "1e3", ".inf", "1:30", "2026-10-31", "2026-10-31T10:00:00Z"]
)
def test_what_readers_of_yaml_disagree_about_must_be_quoted(written):
    (finding,) = findings_of(with_items(f"it: {{type: string, carry: {{set: {written}}}}}"))
    assert (finding.rule, finding.position.column) == ("carry-over-wrong-type", 35)
    assert f'"{written}"' in finding.message
    assert read(with_items(f'it: {{type: string, carry: {{set: "{written}"}}}}')).items["it"].carry == SetTo(written)


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("", "yaml-unreadable", 1, 0),
        ("# nothing but a comment\n", "yaml-unreadable", 1, 0),
        ("process: p\n\tdata: {}\n", "yaml-unreadable", 2, 1),
        ("process: p\ndata: {a: \n", "yaml-unreadable", 3, 1),
        ("process: p\ndata: '\x07'\n", "yaml-unreadable", 2, 0),
        ('process: "\\U00110000"\ndata: {}\n', "yaml-unreadable", 1, 0),
        (b"process: p\ndata: '\xff'\n", "yaml-not-utf-8", 2, 0),
        (b"\xff\xfep\x00", "yaml-not-utf-8", 1, 0),
        ("process: &a p\ndata: {}\n", "yaml-anchor", 1, 10),
        ("process: p\ndata: {}\ncontrols: *a\n", "yaml-anchor", 3, 11),
        ("process: !!str 5\ndata: {}\n", "yaml-tag", 1, 10),
        ("process: !!python/object/apply:os.system [id]\ndata: {}\n", "yaml-tag", 1, 10),
        ("process: p\ndata:\n  <<: {}\n", "yaml-merge-key", 3, 3),
        ("process: p\ndata: {}\n---\nprocess: q\n", "yaml-several-documents", 3, 1),
        ("%YAML 1.1\n---\nprocess: p\ndata: {}\n", "yaml-directive", 2, 1),
        ("process: p\ndata: {}\ndata: {}\n", "yaml-duplicate-key", 3, 1),
        ("process: p\ndata:\n  on: {type: text, carry: drop}\n", "yaml-key-not-text", 3, 3),
        ("process: p\ndata:\n  ? [a]\n  : b\n", "yaml-key-not-text", 3, 5),
        ("process: p\ndata: " + "[" * (DEPTH_LIMIT + 1) + "\n", "yaml-too-deep", 2, 7 + DEPTH_LIMIT),
        ("#" * (SIZE_LIMIT + 1), "yaml-too-large", 1, 0),
        ("- process: p\n", "carry-over-wrong-type", 1, 1),
    ],
)
def test_what_is_not_plain_yaml_is_refused_at_its_place(text, rule, line, column):
    finding = findings_of(text)[0]
    assert (finding.rule, finding.position.line, finding.position.column) == (rule, line, column)


@pytest.mark.parametrize("lines", [[f"key{number}: x\n" for number in range(1000)], ["key: x\n"] * 1000])
def test_reading_stops_after_as_many_findings_as_anybody_mends(lines):
    assert len(findings_of("".join(lines))) == MOST_FINDINGS


def test_a_map_does_not_list_thousands_of_items():
    assert "carry-over-too-many-items" in rules_of(with_items(*(f"i{n}: {{type: text, carry: drop}}" for n in range(501))))


# --- whatever is in the file


def is_read_or_refused(content):
    try:
        read_carry_over(content, "f")
    except DefinitionInvalid as invalid:
        return bool(invalid.findings)
    return True


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused_with_findings(content):
    assert is_read_or_refused(content)


PIECES = [
    "%YAML 9.9\n---\n",
    "%TAG ! x\n",
    "&a ",
    "*a",
    "!",
    "!!str ",
    "? ",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "|",
    ">",
    "'",
    '"',
    "\\",
    "\t",
    "\n",
]
LINES = BILLING.splitlines(keepends=True)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES + LINES) | st.text(max_size=5).filter(lambda text: text.isprintable()), max_size=20))
def test_any_mixture_of_yaml_is_read_or_refused_with_findings(pieces):
    assert is_read_or_refused("".join(pieces).encode())


@settings(deadline=None)
@given(st.data())
def test_a_map_with_characters_inserted_is_read_or_refused_with_findings(data):
    at = data.draw(st.integers(0, len(BILLING)))
    assert is_read_or_refused(
        (BILLING[:at] + data.draw(st.sampled_from(PIECES) | st.characters(codec="utf-8")) + BILLING[at:]).encode()
    )
