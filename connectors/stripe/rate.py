"""How many requests a second Stripe is sent, by all workers of a database together.

Stripe allows an account 100 requests a second in live mode and 25 in test mode, https://docs.stripe.com/rate-limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from connectors.stripe.client import is_live
from engine.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from engine.connector import Permits

LIVE, TEST = 100, 25
MOST = 10_000
"""More than can be sent: for a service that has no limit."""


def read_rate(setting: str | None) -> int | None:
    """Requests a second from a setting's text; None where it is unset or empty. Raises ConfigurationInvalid."""
    if not setting:
        return None
    if not (setting.isascii() and setting.isdecimal()) or not 1 <= int(setting[:9]) <= MOST:
        raise ConfigurationInvalid(
            f"Expected RUN_PROCESS_STRIPE_RATE to be a whole number of requests a second from 1 to {MOST}, but it is "
            f"{setting[:40]!r}. Do: correct it, or unset it for as many as Stripe allows."
        )
    return int(setting)


def usual_rate(api_key: str) -> int:
    """Requests a second that Stripe allows in this key's mode."""
    return LIVE if is_live(api_key) else TEST


def permit(permits: Permits, api_key: str, rate: int | None) -> Callable[[], None]:
    """What to call before each request with this key. `rate` is in requests a second, None: as many as Stripe allows."""
    service = "stripe live" if is_live(api_key) else "stripe test"
    return lambda: permits.take(service, rate or usual_rate(api_key))
