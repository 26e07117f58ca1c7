"""Which requests the sandbox plays, with the SDK's type of their parameters and the parameters that have an effect here.

A parameter that Stripe takes and the sandbox does not play is refused by name rather than ignored.
Follows https://docs.stripe.com/api (paths and methods).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from connectors.stripe_sandbox import charges, customers, events, payment_intents, payment_methods, refunds
from connectors.stripe_sandbox.listing import listing
from connectors.stripe_sandbox.refusals import ApiRefused
from connectors.stripe_sandbox.state import Record

Handler: TypeAlias = Callable[..., Record]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `params` names its type in `stripe.params`, `kind` what it answers (a list of them if `many`)."""

    method: str
    path: re.Pattern[str]
    kind: str
    params: str
    handler: Handler
    plays: frozenset[str]
    many: bool = False


_ID: Final = r"(?!search$)([A-Za-z0-9_]{1,255})"


def _route(method: str, path: str, kind: str, params: str, handler: Handler, plays: str = "") -> Route:
    played = frozenset(plays.split()) | (set() if method == "DELETE" else {"expand"})
    return Route(method, re.compile(path.replace("{}", _ID)), kind, params, handler, played)


def _list(path: str, kind: str, params: str, plays: str = "created") -> Route:
    played = frozenset(plays.split()) | {"limit", "starting_after", "ending_before", "expand"}
    return Route("GET", re.compile(path.replace("{}", _ID)), kind, params, listing(kind, path), played, many=True)


_CUSTOMER: Final = "name email phone description address shipping preferred_locales metadata invoice_settings"
_INTENT: Final = "description metadata receipt_email setup_future_usage shipping statement_descriptor statement_descriptor_suffix"
_ATTEMPT: Final = "payment_method off_session return_url error_on_requires_action allowed_payment_method_types"
_CONFIRM: Final = "receipt_email setup_future_usage shipping amount_to_confirm"
_NEW_INTENT: Final = "amount currency customer capture_method automatic_payment_methods confirm"
_INTENTS: Final = "/v1/payment_intents"
_METHODS: Final = "/v1/payment_methods"

ROUTES: Final = (
    _route("POST", "/v1/customers", "customer", "CustomerCreateParams", customers.create, f"{_CUSTOMER} payment_method"),
    _route("GET", "/v1/customers/{}", "customer", "CustomerRetrieveParams", customers.retrieve),
    _route("POST", "/v1/customers/{}", "customer", "CustomerUpdateParams", customers.update, _CUSTOMER),
    _route("DELETE", "/v1/customers/{}", "customer", "CustomerDeleteParams", customers.delete),
    _list("/v1/customers", "customer", "CustomerListParams", "created email"),
    _list("/v1/customers/{}/payment_methods", "payment_method", "CustomerPaymentMethodListParams", "type"),
    _route(
        "POST",
        _METHODS,
        "payment_method",
        "PaymentMethodCreateParams",
        payment_methods.create,
        "type card metadata billing_details",
    ),
    _route("GET", f"{_METHODS}/{{}}", "payment_method", "PaymentMethodRetrieveParams", payment_methods.retrieve),
    _route(
        "POST",
        f"{_METHODS}/{{}}",
        "payment_method",
        "PaymentMethodUpdateParams",
        payment_methods.update,
        "metadata billing_details",
    ),
    _route("POST", f"{_METHODS}/{{}}/attach", "payment_method", "PaymentMethodAttachParams", payment_methods.attach, "customer"),
    _route("POST", f"{_METHODS}/{{}}/detach", "payment_method", "PaymentMethodDetachParams", payment_methods.detach),
    _list(_METHODS, "payment_method", "PaymentMethodListParams", "customer type"),
    _route(
        "POST",
        _INTENTS,
        "payment_intent",
        "PaymentIntentCreateParams",
        payment_intents.create,
        f"{_INTENT} {_ATTEMPT} {_NEW_INTENT}",
    ),
    _route("GET", f"{_INTENTS}/{{}}", "payment_intent", "PaymentIntentRetrieveParams", payment_intents.retrieve),
    _route(
        "POST",
        f"{_INTENTS}/{{}}",
        "payment_intent",
        "PaymentIntentUpdateParams",
        payment_intents.update,
        f"{_INTENT} amount currency customer payment_method",
    ),
    _route(
        "POST",
        f"{_INTENTS}/{{}}/confirm",
        "payment_intent",
        "PaymentIntentConfirmParams",
        payment_intents.confirm,
        f"{_ATTEMPT} {_CONFIRM}",
    ),
    _route(
        "POST",
        f"{_INTENTS}/{{}}/cancel",
        "payment_intent",
        "PaymentIntentCancelParams",
        payment_intents.cancel,
        "cancellation_reason",
    ),
    _route(
        "POST",
        f"{_INTENTS}/{{}}/capture",
        "payment_intent",
        "PaymentIntentCaptureParams",
        payment_intents.capture,
        "amount_to_capture metadata",
    ),
    _list(_INTENTS, "payment_intent", "PaymentIntentListParams", "created customer"),
    _route("GET", "/v1/charges/{}", "charge", "ChargeRetrieveParams", charges.retrieve),
    _list("/v1/charges", "charge", "ChargeListParams", "created customer payment_intent"),
    _route("POST", "/v1/refunds", "refund", "RefundCreateParams", refunds.create, "amount charge payment_intent reason metadata"),
    _route("GET", "/v1/refunds/{}", "refund", "RefundRetrieveParams", refunds.retrieve),
    _list("/v1/refunds", "refund", "RefundListParams", "created charge payment_intent"),
    _route(
        "GET",
        "/v1/balance_transactions/{}",
        "balance_transaction",
        "BalanceTransactionRetrieveParams",
        charges.retrieve_balance_transaction,
    ),
    _list("/v1/balance_transactions", "balance_transaction", "BalanceTransactionListParams", "created currency source type"),
    _route("GET", "/v1/events/{}", "event", "EventRetrieveParams", events.retrieve),
    _list("/v1/events", "event", "EventListParams", "created type types"),
)


def find(method: str, path: str) -> tuple[Route, tuple[Any, ...]]:
    """The operation and the ids in its path; raises ApiRefused (404) when the sandbox plays no such request."""
    for route in ROUTES:
        match = route.path.fullmatch(path)
        if match is not None and route.method == method:
            return route, match.groups()
    raise ApiRefused(404, f"Expected a request that this sandbox plays, but {method} {path} is not one. Do: see its routes.")
