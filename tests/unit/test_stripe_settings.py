from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from connectors.registry import ConnectorSettings, build_connectors, check_settings
from connectors.stripe.charge import ChargeParameters
from connectors.stripe.client import build_client, check_key
from connectors.stripe.declines import is_final, may_pass, message_for, reason_of
from connectors.stripe.rate import permit, read_rate
from engine.connector import Fatal
from engine.errors import ConfigurationInvalid
from tests.doubles.context import Context, CountedPermits, job_request

PARAMETERS = {"amount": 12050, "currency": "USD", "stripe_customer": "cus_1", "description": "October", "approved_by": "kim"}


def settings(**changes: object) -> ConnectorSettings:
    given = {
        "stripe_api_key": None,
        "stripe_api_base": None,
        "live": False,
        "smtp_url": "file:///mail",
        "mail_from": "b@example.com",
    }
    return ConnectorSettings(**(given | changes))  # type: ignore[arg-type] # tests pass what they please


def test_a_missing_key_is_reported_when_a_charge_runs_and_names_the_setting() -> None:
    connectors = build_connectors(settings())
    assert sorted(connectors) == ["email.send", "stripe.charge", "stripe.refund", "stripe.settle"]
    outcome = connectors["stripe.charge"].run(
        job_request("stripe.charge", ChargeParameters.model_validate(PARAMETERS)), Context()
    )
    assert isinstance(outcome, Fatal)
    assert "RUN_PROCESS_STRIPE_KEY" in outcome.reason
    check_settings(settings())


@pytest.mark.parametrize(
    ("key", "base", "live", "says"),
    [
        (None, None, False, "there is none"),
        ("", None, False, "there is none"),
        ("pk_test_abcdefgh", None, False, "something else"),
        ("sk_test_abcd efgh", None, False, "something else"),
        ("sk_test_abcdefgh\n", None, False, "something else"),
        ("sk_live_abcdefgh", None, False, "real cards"),
        ("rk_live_abcdefgh", None, False, "real cards"),
        ("sk_test_abcdefgh", None, True, "because of --live"),
        ("sk_live_abcdefgh", "http://127.0.0.1:1", True, "to Stripe alone"),
        ("sk_live_abcdefgh", "https://stripe.example.com", True, "to Stripe alone"),
        ("sk_test_abcdefgh", "http://stripe.example.com", False, "https://"),
        ("sk_test_abcdefgh", "ftp://127.0.0.1", False, "https://"),
    ],
)
def test_a_key_that_does_not_suit_is_refused_without_being_shown(
    key: str | None, base: str | None, live: bool, says: str
) -> None:
    with pytest.raises(ConfigurationInvalid, match=says) as refused:
        check_key(key, base, live=live)
    assert "abcd" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "base", "live"),
    [
        ("sk_test_abcdefgh", None, False),
        ("rk_test_abcdefgh", "http://127.0.0.1:8000", False),
        ("sk_test_abcdefgh", "http://localhost:8000/", False),
        ("sk_live_abcdefgh", None, True),
        ("sk_live_abcdefgh", "https://api.stripe.com", True),
    ],
)
def test_a_key_that_suits_is_taken(key: str, base: str | None, live: bool) -> None:
    assert check_key(key, base, live=live) == key


@pytest.mark.parametrize(
    "changes",
    [{"stripe_api_key": "sk_live_abcdefgh"}, {"live": True}, {"smtp_url": "http://x"}, {"mail_from": "nobody"}],
)
def test_a_worker_learns_of_unsuitable_settings_before_it_claims_jobs(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationInvalid, match="RUN_PROCESS_"):
        check_settings(settings(**changes))


def test_secrets_are_not_shown_by_settings() -> None:
    assert "abcdefgh" not in repr(settings(stripe_api_key="sk_test_abcdefgh", smtp_url="smtp://u:abcdefgh@h"))


def test_joining_the_connectors_imports_nothing_heavy() -> None:
    heavy = "{'stripe', 'jinja2', 'babel', 'requests', 'smtplib'}"
    settings_text = "ConnectorSettings(None, None, False, 'file:///m', 'b@example.com')"
    code = f"import sys; from connectors.registry import *; build_connectors({settings_text}); print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("setting", ["0", "-1", "2.5", "fast", "10001", "\u0663", "9" * 5000])
def test_a_rate_that_is_no_number_of_requests_a_second_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="RUN_PROCESS_STRIPE_RATE"):
        read_rate(setting)


@pytest.mark.parametrize(
    ("key", "rate", "asked_for"),
    [
        ("sk_test_abc", None, ("stripe test", 25)),
        ("rk_live_abc", None, ("stripe live", 100)),
        ("sk_test_abc", read_rate("40"), ("stripe test", 40)),
        ("sk_live_abc", read_rate(""), ("stripe live", 100)),
    ],
)
def test_permits_are_as_many_as_stripe_allows_in_the_keys_mode_or_as_was_set(
    key: str, rate: int | None, asked_for: tuple[str, int]
) -> None:
    permits = CountedPermits()
    permit(permits, key, rate)()
    assert permits.taken == [asked_for]


def test_the_sdks_logs_never_reach_debug() -> None:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        build_client("sk_test_abcdefgh", None)
        assert not any(logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in ("stripe", "urllib3.connectionpool"))
    finally:
        root.setLevel(before)


def test_the_client_leaves_the_sdks_global_state_alone() -> None:
    import stripe

    build_client("sk_test_abcdefgh", "http://127.0.0.1:1")
    assert (stripe.api_key, stripe.default_http_client) == (None, None)
    assert stripe.api_base == "https://api.stripe.com"


@pytest.mark.parametrize(
    "changes",
    [
        *({"amount": 1.5}, {"amount": True}, {"amount": "1.5"}, {"currency": "usd"}, {"stripe_customer": "ann@example.com"}),
        *({"description": "x" * 501}, {"unknown": 1}),
    ],
)
def test_parameters_of_the_wrong_kind_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        ChargeParameters.model_validate(PARAMETERS | changes)


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "fraudulent", "pickup_card", "insufficient_funds"])
def test_a_customer_is_told_no_more_than_that_the_card_was_declined(code: str) -> None:
    assert message_for(reason_of("card_declined", code, "do_not_try_again")) == "The card was declined."


HARD = (
    *("lost_card", "stolen_card", "pickup_card", "fraudulent", "expired_card", "incorrect_number", "invalid_account"),
    *("restricted_card", "revocation_of_authorization", "stop_payment_order", "card_not_supported", "currency_not_supported"),
)
SOFT = (
    *("insufficient_funds", "processing_error", "issuer_not_available", "try_again_later", "reenter_transaction"),
    *("card_velocity_exceeded", "generic_decline", "do_not_honor"),
)


@pytest.mark.parametrize("advice", [None, "try_again_later", "do_not_try_again", "confirm_card_data"])
@pytest.mark.parametrize("code", HARD)
def test_a_hard_decline_is_never_tried_again_by_itself_whatever_is_advised(code: str, advice: str | None) -> None:
    reason = reason_of("card_declined", code, advice)
    assert (may_pass(reason), is_final(reason)) == (False, True)


@pytest.mark.parametrize("code", SOFT)
def test_a_soft_decline_may_pass_unless_the_issuer_advises_otherwise(code: str) -> None:
    assert may_pass(reason_of("card_declined", code, None))
    assert may_pass(reason_of(code, None, "try_again_later"))
    assert not may_pass(reason_of("card_declined", code, "do_not_try_again"))
    assert not may_pass(reason_of("card_declined", code, "confirm_card_data"))


@pytest.mark.parametrize("code", ["incorrect_cvc", "authentication_required", "a_code_of_the_years_to_come", "unexplained"])
def test_what_is_not_known_to_pass_takes_a_person(code: str) -> None:
    assert not may_pass(reason_of("card_declined", code, None))
    assert not is_final(reason_of("card_declined", code, None))


def test_advice_to_try_again_is_enough_for_a_code_that_is_not_known() -> None:
    assert may_pass(reason_of("card_declined", "a_code_of_the_years_to_come", "try_again_later"))


def test_hard_declines_and_the_issuers_advice_rule_the_card_out() -> None:
    assert is_final(reason_of("card_declined", "lost_card", None))
    assert is_final(reason_of("card_declined", "generic_decline", "do_not_try_again"))
    assert not is_final(reason_of("card_declined", "insufficient_funds", "try_again_later"))
    assert reason_of("expired_card", None, None) == "expired_card"
    assert not is_final(None)
