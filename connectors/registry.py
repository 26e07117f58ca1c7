"""The one place that joins the connectors: from settings to what the worker calls, by topic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.email.send import EmailSend
from connectors.stripe.charge import StripeCharge
from connectors.stripe.refund import StripeRefunding
from connectors.stripe.settle import StripeSettling

if TYPE_CHECKING:
    from engine.connector import Connector, Connectors


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """What the connectors need to know of the outside world. Secrets are never shown by `repr`.

    `stripe_api_base` is None for Stripe itself. `live` says that real cards are meant. `smtp_url` is a mail server or a folder
    (`file:///...`), `mail_from` one sender such as `Billing <billing@example.com>`. `stripe_rate` is how many requests a second
    all workers of a database together send to Stripe; None: as many as Stripe allows in the key's mode.
    """

    stripe_api_key: str | None = field(repr=False)
    stripe_api_base: str | None
    live: bool
    smtp_url: str = field(repr=False)
    mail_from: str
    stripe_rate: int | None = None


def build_connectors(settings: ConnectorSettings) -> Connectors:
    """All connectors by topic. Needs no secret and checks nothing: what is missing is the outcome of the job that needs it."""
    charge = StripeCharge(settings.stripe_api_key, settings.stripe_api_base, live=settings.live, rate=settings.stripe_rate)
    connectors: list[Connector] = [
        charge,
        StripeSettling(charge.keeper),
        StripeRefunding(settings.stripe_api_key, settings.stripe_api_base, live=settings.live, rate=settings.stripe_rate),
        EmailSend(settings.smtp_url, settings.mail_from),
    ]
    return {connector.topic: connector for connector in connectors}


def without_credentials(settings: ConnectorSettings) -> frozenset[str]:
    """The topics whose connectors lack what they need for any job: a worker leaves these jobs to others."""
    topics = {StripeCharge.topic, StripeRefunding.topic, StripeSettling.topic}
    return frozenset() if settings.stripe_api_key else frozenset(topics)


def in_words(settings: ConnectorSettings) -> dict[str, str]:
    """Topic -> what its connector will do with these settings, for people. Shows no secret."""
    from connectors.email.transports import place_of
    from connectors.stripe.client import place_and_mode
    from connectors.stripe.rate import usual_rate

    words = {EmailSend.topic: f"to {place_of(settings.smtp_url)}"}
    if settings.stripe_api_key:
        rate = settings.stripe_rate or usual_rate(settings.stripe_api_key)
        through = place_and_mode(settings.stripe_api_key, settings.stripe_api_base)
        words[StripeCharge.topic] = f"{through}, at most {rate} requests a second by all workers"
        words[StripeRefunding.topic] = f"back to {through}"
    return words


def check_settings(settings: ConnectorSettings) -> None:
    """Raises ConfigurationInvalid for settings with which jobs could only fail; for a worker, before it claims any.

    A missing key passes: a process need not charge anybody.
    """
    from connectors.email.message import parse_sender
    from connectors.email.transports import transport_for
    from connectors.stripe.client import check_key

    if settings.stripe_api_key or settings.live:
        check_key(settings.stripe_api_key, settings.stripe_api_base, live=settings.live)
    transport_for(settings.smtp_url)
    parse_sender(settings.mail_from)


__all__ = ["ConnectorSettings", "build_connectors", "check_settings", "in_words", "without_credentials"]
