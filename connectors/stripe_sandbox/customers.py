"""Customers. Follows https://docs.stripe.com/api/customers."""

from __future__ import annotations

from typing import Any, Final

from connectors.stripe_sandbox import payment_methods
from connectors.stripe_sandbox.limits import check_email, merged_metadata
from connectors.stripe_sandbox.refusals import ParameterRefused, no_such
from connectors.stripe_sandbox.state import Context, Record

_TEXTS: Final = ("name", "email", "phone", "description", "address", "shipping", "preferred_locales")


def create(context: Context, params: dict[str, Any]) -> Record:
    """https://docs.stripe.com/api/customers/create."""
    check_email(params.get("email"), "email")
    metadata = merged_metadata({}, params.get("metadata"))
    card = payment_methods.resolve(context, params["payment_method"]) if "payment_method" in params else None
    record = context.new(
        "customer",
        **{name: params.get(name) or None for name in _TEXTS},
        balance=0,
        currency=None,
        default_source=None,
        delinquent=False,
        discount=None,
        invoice_settings={"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None},
        metadata=metadata,
        tax_exempt="none",
    )
    try:
        if card is not None:
            payment_methods.keep(context, card, record["id"])
        _set_default(context, record, _resolved(params, card))
    except Exception:  # a refused request leaves no customer behind
        del context.state.tables["customer"][record["id"]]
        raise
    context.emit("customer.created", record)
    return record


def _resolved(params: dict[str, Any], card: Record | None) -> dict[str, Any]:
    """A test card's name means the same new card in both places, https://docs.stripe.com/testing#cards."""
    settings = params.get("invoice_settings", {})
    if card is None or settings.get("default_payment_method") != params.get("payment_method"):
        return params
    return params | {"invoice_settings": settings | {"default_payment_method": card["id"]}}


def retrieve(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/customers/retrieve; a deleted one is only `{id, deleted: true}`."""
    return context.find("customer", identifier)


def update(context: Context, params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/customers/update."""
    record = living(context, identifier, "id", 404)
    check_email(params.get("email"), "email")
    metadata = merged_metadata(record["metadata"], params.get("metadata"))
    _set_default(context, record, params)
    record |= {name: params[name] or None for name in _TEXTS if name in params} | {"metadata": metadata}
    context.emit("customer.updated", record)
    return record


def delete(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/customers/delete: for ever; its cards are detached."""
    record = living(context, identifier, "id", 404)
    context.emit("customer.deleted", record)
    for card in context.all("payment_method"):
        if card["customer"] == identifier:
            card |= {"customer": None, "_used": True}
    livemode = record["_livemode"]
    record.clear()
    record |= {"id": identifier, "object": "customer", "deleted": True, "_livemode": livemode}
    return record


def living(context: Context, identifier: str, param: str = "customer", status: int = 400) -> Record:
    """The customer, if there is one that was not deleted."""
    record = context.find("customer", identifier, param, status)
    if record.get("deleted"):
        raise no_such("customer", identifier, param, status)
    return record


def _set_default(context: Context, record: Record, params: dict[str, Any]) -> None:
    """The default card must be the customer's own,
    https://docs.stripe.com/api/customers/update#update_customer-invoice_settings-default_payment_method.
    """
    settings = params.get("invoice_settings", {})
    if "default_payment_method" not in settings:
        return
    card = context.find("payment_method", settings["default_payment_method"], "invoice_settings[default_payment_method]", 400)
    if card["customer"] != record["id"]:
        raise ParameterRefused(
            f"Expected a card of customer {record['id']}, but {card['id']} is not attached to it. Do: attach it first.",
            "invoice_settings[default_payment_method]",
            "resource_missing",
        )
    record["invoice_settings"]["default_payment_method"] = card["id"]
