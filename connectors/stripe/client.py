"""The Stripe client: one for all threads, built from settings, and which keys it accepts.

Nothing of the SDK's global state is used. The SDK keeps one HTTP session per thread, and by itself would retry twice and wait
80 seconds; here nothing is sent twice but by the charge protocol.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from stripe import StripeClient

_KEY = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9_]+")
_STRIPE = "api.stripe.com"
_CONNECT_TIMEOUT = 10.0  # seconds
_READ_TIMEOUT = 30.0  # seconds without a byte; a charge takes about one


def is_live(api_key: str) -> bool:
    """Whether a key moves real money."""
    return "_live_" in api_key


def check_key(api_key: str | None, api_base: str | None, *, live: bool) -> str:
    """The key, if it suits the mode that was asked for and the place it would be sent to. Raises ConfigurationInvalid."""
    if not api_key:
        raise ConfigurationInvalid("Expected a secret key for Stripe, but there is none. Do: set RUN_PROCESS_STRIPE_KEY.")
    if _KEY.fullmatch(api_key) is None:
        raise ConfigurationInvalid(
            "Expected a secret key for Stripe, which begins with sk_test_, rk_test_, sk_live_ or rk_live_, "
            "but RUN_PROCESS_STRIPE_KEY holds something else. Do: copy the secret key from Stripe's dashboard, without spaces."
        )
    if is_live(api_key) and not live:
        raise ConfigurationInvalid(
            "Expected a test key, but RUN_PROCESS_STRIPE_KEY holds a live one, which charges real cards. "
            "Do: use a test key, or say --live if real cards are meant."
        )
    if live and not is_live(api_key):
        raise ConfigurationInvalid(
            "Expected a live key because of --live, but RUN_PROCESS_STRIPE_KEY holds a test one. "
            "Do: leave --live out, or use a live key."
        )
    _check_base(api_base, live=live)
    return api_key


def build_client(
    api_key: str,
    api_base: str | None,
    connect_timeout: float = _CONNECT_TIMEOUT,
    read_timeout: float = _READ_TIMEOUT,
) -> StripeClient:
    """A client for a checked key. Time-outs are in seconds. It may be shared by all threads."""
    import stripe

    _keep_quiet()
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": api_base.rstrip("/")} if api_base else {},
        max_network_retries=0,
        http_client=stripe.RequestsClient(
            timeout=(connect_timeout, read_timeout),
            # an HTTP proxy set for the machine can't reach a sandbox on it
            proxy={"http": "", "https": ""} if api_base and _is_this_machine(api_base) else None,
        ),
    )


def place_and_mode(api_key: str, api_base: str | None) -> str:
    """Where a key is sent and whose cards it charges, for people."""
    parts = urlsplit(api_base or "")
    port = f":{parts.port}" if parts.port else ""
    place = f"the Stripe at {parts.scheme}://{parts.hostname}{port}" if api_base else "Stripe"
    return f"{'REAL' if is_live(api_key) else 'test'} cards through {place}"


def _check_base(api_base: str | None, *, live: bool) -> None:
    if api_base is None:
        return
    parts = urlsplit(api_base)
    if live and parts.hostname != _STRIPE:
        raise ConfigurationInvalid(
            "Expected a live key to be sent to Stripe alone, but RUN_PROCESS_STRIPE_URL names another address. Do: unset it."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(api_base)):
        raise ConfigurationInvalid(
            f"Expected https:// before another machine's address, but found {api_base[:80]!r}. "
            "Do: correct RUN_PROCESS_STRIPE_URL."
        )


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _keep_quiet() -> None:
    """Their DEBUG lines hold e-mail addresses and metadata."""
    for name in ("stripe", "urllib3"):
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)
