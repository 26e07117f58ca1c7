"""Form-encoded requests as Stripe reads them, https://docs.stripe.com/api."""

from __future__ import annotations

from typing import Any

import pytest
import stripe.params

from connectors.stripe_sandbox.forms import decode
from connectors.stripe_sandbox.refusals import ParameterRefused
from connectors.stripe_sandbox.routes import ROUTES, Route
from connectors.stripe_sandbox.validation import Validator


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", {}),
        ("a=1&b=%C3%A9", {"a": "1", "b": "é"}),
        ("a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
        ("a[]=x&a[]=y", {"a": {"0": "x", "1": "y"}}),
        ("a[0]=x&a[1]=y", {"a": {"0": "x", "1": "y"}}),
        ("a[0][b]=x&a[1][b]=y", {"a": {"0": {"b": "x"}, "1": {"b": "y"}}}),
        ("a=", {"a": ""}),
    ],
)
def test_brackets_nest(text: str, form: dict[str, Any]) -> None:
    assert decode(text) == form


@pytest.mark.parametrize("text", ["a[b=1", "a]=1", "=1", "a=1&a[b]=2", "a[b]=2&a=1", "a[][b]=1", "a" + "[b]" * 9 + "=1", "a"])
def test_a_form_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ParameterRefused):
        decode(text)


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator()


def test_texts_get_the_type_of_their_parameter(validator: Validator) -> None:
    text = "amount=4200&currency=eur&confirm=true&off_session=recurring&metadata[0]=7&expand[1]=customer&expand[0]=payment_method"
    assert validator.check("PaymentIntentCreateParams", decode(text)) == {
        "amount": 4200,
        "currency": "eur",
        "confirm": True,
        "off_session": "recurring",
        "metadata": {"0": "7"},
        "expand": ["payment_method", "customer"],
    }


@pytest.mark.parametrize("amount", ["42.0", "4e3", "0x10", " 42", "4_200", "true", "", "9" * 30])
def test_only_plain_integers_are_integers(validator: Validator, amount: str) -> None:
    with pytest.raises(ParameterRefused) as refused:
        validator.check("PaymentIntentCreateParams", {"amount": amount, "currency": "eur"})
    assert refused.value.error["param"] == "amount"


@pytest.mark.parametrize("option", ["api_key", "idempotency_key", "stripe_version", "headers"])
def test_options_of_a_call_are_no_parameters_of_a_request(validator: Validator, option: str) -> None:
    with pytest.raises(ParameterRefused) as refused:
        validator.check("CustomerCreateParams", {option: "x"})
    assert refused.value.error["code"] == "parameter_unknown"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path.pattern}")
def test_whatever_is_played_is_a_parameter_of_the_sdk(validator: Validator, route: Route) -> None:
    declared = getattr(stripe.params, route.params).__annotations__.keys() - stripe.RequestOptions.__annotations__.keys()
    assert route.plays <= declared
