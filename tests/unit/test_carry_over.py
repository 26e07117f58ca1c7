from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definition.carry_over import Bill, CarryOverMap, hand_over, read_values, refuse_other_bill
from engine.definition.data_item import Computed, Copy, DataItem, DataType, Drop, Next, SetTo
from engine.definition.finding import Position
from engine.errors import DataRefused
from engine.expressions import parse_expression


def an_item(name, kind, carry, **overrides):
    return DataItem(name, DataType(kind), carry, Position("billing.carry-over.yaml", 7), **overrides)


ITEMS = (
    an_item("customer", "string", Copy()),
    an_item("amount", "money", Drop(), currency="currency", show_previous=True),  # before the currency it is in
    an_item("currency", "currency", Copy()),
    an_item("month", "month", Next()),
    an_item("details", "text", Drop(), show_previous=True),
    an_item("approved", "boolean", Drop()),
)
DATA = {"customer": "cus_1", "amount": 12050, "currency": "USD", "month": "2026-12", "details": "Hosting", "approved": True}


def a_map(*extra, **overrides):
    items = {item.name: item for item in (*ITEMS, *extra)}
    fields = {
        "process": "billing",
        "file": "billing.carry-over.yaml",
        "message": "next",
        "bill": Bill("customer", "month", "P1M"),
        "items": items,
    }
    return CarryOverMap(**{**fields, **overrides})


def computed(text):
    return Computed(parse_expression(text))


# --- hand-over


def test_the_next_instance_starts_with_what_the_map_lets_through_and_nothing_else():
    next_instance = hand_over(a_map(), DATA)
    assert next_instance.data == {"customer": "cus_1", "currency": "USD", "month": "2027-01"}


def test_the_previous_values_are_offered_apart_from_the_data_and_money_with_its_currency():
    assert hand_over(a_map(), DATA).previous == {"amount": {"value": 12050, "currency": "USD"}, "details": {"value": "Hosting"}}


def test_an_empty_item_has_no_previous_value():
    assert hand_over(a_map(), {**DATA, "amount": None, "details": None}).previous == {}


def test_what_the_map_does_not_list_never_gets_through():
    next_instance = hand_over(a_map(), {**DATA, "card_number": "4242"})
    assert "card_number" not in {**next_instance.data, **next_instance.previous}


@pytest.mark.parametrize("missing", ["customer", "month"])
def test_without_a_customer_or_period_there_is_no_next_bill(missing):
    with pytest.raises(DataRefused, match=f"Expected {missing} to have a value") as refused:
        hand_over(a_map(), {**DATA, missing: None})
    assert refused.value.item == missing


def test_an_item_can_be_set_to_a_value_for_every_new_instance():
    extra = (an_item("tries", "integer", SetTo(0)), an_item("fee", "money", SetTo("10"), currency="currency"))
    assert hand_over(a_map(*extra), DATA).data["tries"] == 0
    assert hand_over(a_map(*extra), DATA).data["fee"] == 1000
    assert hand_over(a_map(*extra), {**DATA, "currency": "JPY"}).data["fee"] == 10


def test_a_set_amount_is_read_in_the_currency_of_the_new_instance():
    items = {item.name: item for item in (*ITEMS, an_item("fee", "money", SetTo("10"), currency="currency"))}
    items["currency"] = an_item("currency", "currency", SetTo("KWD"))
    assert hand_over(a_map(items=items), DATA).data["fee"] == 10_000


def test_an_expression_sees_the_old_data_also_of_dropped_and_empty_items():
    extra = (
        an_item("count", "integer", computed("0 if count == None else count + 1")),
        an_item("was_approved", "boolean", computed("approved")),
        an_item("last_month", "month", computed("month")),
        an_item("twice", "money", computed("amount * 2"), currency="currency"),
    )
    data = hand_over(a_map(*extra), DATA).data
    assert (data["count"], data["was_approved"], data["last_month"], data["twice"]) == (0, True, "2026-12", 24100)


def test_an_expression_whose_value_does_not_fit_the_type_is_refused():
    with pytest.raises(DataRefused, match=r"\Atotal: Expected a whole number"):
        hand_over(a_map(an_item("total", "integer", computed("details"))), DATA)


def test_an_expression_without_a_value_is_refused_at_its_place_in_the_map():
    with pytest.raises(DataRefused, match=r"billing\.carry-over\.yaml:7: share") as refused:
        hand_over(
            a_map(an_item("share", "integer", computed("100 // count")), an_item("count", "integer", Copy())),
            {**DATA, "count": 0},
        )
    assert refused.value.item == "share"


def test_a_copied_value_that_no_longer_fits_its_type_is_refused():
    with pytest.raises(DataRefused, match=r"\Anumber: "):
        hand_over(a_map(an_item("number", "integer", Copy())), {**DATA, "number": "seven"})


def test_a_previous_amount_without_its_currency_is_refused():
    with pytest.raises(DataRefused, match="currency"):
        hand_over(a_map(), {**DATA, "currency": None})


def test_the_old_data_is_left_as_it_was():
    before = dict(DATA)
    hand_over(a_map(), DATA)
    assert before == DATA


values = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*DATA, "unlisted", "typename"]), values))
def test_no_dropped_or_unlisted_item_ever_gets_through(data):
    carry_over = a_map()
    try:
        next_instance = hand_over(carry_over, data)
    except DataRefused:
        return
    assert set(next_instance.data) <= {"customer", "currency", "month"}
    assert set(next_instance.previous) <= {"amount", "details"}


@settings(deadline=None)
@given(st.text(min_size=1).filter(str.strip), st.integers(-(2**63) + 1, 2**63 - 1), st.booleans())
def test_dropped_values_of_a_whole_bill_stay_behind(details, amount, approved):
    data = hand_over(a_map(), {**DATA, "details": details, "amount": amount, "approved": approved}).data
    assert set(data) == {"customer", "currency", "month"}


# --- whose bill


def test_the_bill_is_told_by_its_customer_and_period():
    assert (a_map().customer_of(DATA), a_map().period_of(DATA)) == ("cus_1", "2026-12")


def test_a_process_that_does_not_repeat_has_no_bill():
    once = a_map(message=None, bill=None)
    assert (once.customer_of(DATA), once.period_of(DATA)) == (None, None)


def test_a_bill_without_its_customer_is_refused():
    with pytest.raises(DataRefused, match="Expected customer to have a value"):
        a_map().customer_of({})


def test_the_currency_of_an_amount_is_a_code_or_stands_in_an_item():
    fixed = an_item("fee", "money", Drop(), currency="JPY")
    assert a_map().currency_of(fixed, {}) == "JPY"
    assert a_map().currency_of(ITEMS[1], DATA) == "USD"
    assert a_map().currency_of(ITEMS[1], {}) is None


# --- what people enter


def test_values_are_read_by_the_types_of_their_items():
    raw = {"amount": "120.500", "currency": "kwd", "approved": "no", "details": "", "month": "2026-10"}
    assert read_values(a_map(), raw) == {
        "amount": 120500,
        "currency": "KWD",
        "approved": False,
        "details": None,
        "month": "2026-10",
    }


def test_an_amount_is_read_in_the_currency_that_stands():
    assert read_values(a_map(), {"amount": "12000"}, {"currency": "JPY"}) == {"amount": 12000}


def test_an_amount_is_read_in_the_new_currency_rather_than_the_one_that_stands():
    assert read_values(a_map(), {"amount": "12", "currency": "USD"}, {"currency": "JPY", "amount": 5})["amount"] == 1200


def test_an_amount_without_a_currency_is_refused():
    with pytest.raises(DataRefused, match="currency") as refused:
        read_values(a_map(), {"amount": "12"})
    assert refused.value.item == "amount"


@pytest.mark.parametrize("currency", ["JPY", "EUR", ""])
def test_a_currency_does_not_change_under_an_amount_that_stands(currency):
    with pytest.raises(DataRefused, match=r"120\.50 USD.*enter the amount again") as refused:
        read_values(a_map(), {"currency": currency}, DATA)
    assert refused.value.item == "amount"


def test_the_same_currency_may_be_entered_again_and_a_new_one_where_no_amount_stands():
    assert read_values(a_map(), {"currency": "usd"}, DATA) == {"currency": "USD"}
    assert read_values(a_map(), {"currency": "jpy"}, {"currency": "USD"}) == {"currency": "JPY"}


def test_an_unknown_item_is_refused_naming_the_near_one():
    with pytest.raises(DataRefused, match='Do: write "customer"') as refused:
        read_values(a_map(), {"custommer": "cus_1"})
    assert refused.value.item == "custommer"


def test_a_period_that_no_period_can_follow_is_refused_when_it_is_entered():
    items = {**a_map().items, "month": an_item("month", "date", Next())}
    with pytest.raises(DataRefused, match="up to the 28th"):
        read_values(a_map(items=items), {"month": "2026-10-31"})


@pytest.mark.parametrize(("name", "value"), [("customer", "cus_2"), ("month", "2027-05"), ("customer", None)])
def test_a_running_instance_does_not_become_another_bill(name, value):
    with pytest.raises(DataRefused, match=f"Expected {name} to stay") as refused:
        refuse_other_bill(a_map(), {name: value}, DATA)
    assert refused.value.item == name


def test_the_bill_may_be_entered_again_or_filled_in():
    refuse_other_bill(a_map(), {"customer": "cus_1", "amount": 5}, DATA)
    refuse_other_bill(a_map(), {"customer": "cus_1", "month": "2026-12"}, {})
    refuse_other_bill(a_map(message=None, bill=None), {"customer": "cus_2"}, DATA)
