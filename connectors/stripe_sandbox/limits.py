r"""The limits on texts that travel with a payment: metadata, statement descriptors, e-mail addresses, idempotency keys.

Follows https://docs.stripe.com/api/metadata (50 keys, 40 and 500 characters, no square brackets),
https://docs.stripe.com/get-started/account/statement-descriptors (5 to 22 characters in all, Latin letters, at least one letter,
none of < > \ ' " *; cards take a suffix only).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from connectors.stripe_sandbox.refusals import ParameterRefused

MOST_KEYS: Final = 50
LONGEST_KEY: Final = 40
LONGEST_VALUE: Final = 500
DESCRIPTOR_PREFIX: Final = "SANDBOX"
"""The account's prefix; "SANDBOX* SUFFIX" is the complete descriptor."""
_DESCRIPTOR: Final = re.compile(r"""[\x20-\x7e]*[A-Za-z][\x20-\x7e]*""")
_FORBIDDEN: Final = frozenset("<>\\'\"*")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")


def merged_metadata(existing: Mapping[str, str], given: Mapping[str, str] | str | None) -> dict[str, str]:
    """`existing` with `given` applied: an empty value removes its key, an empty whole removes all, None changes nothing."""
    if given is None:
        return dict(existing)
    if isinstance(given, str):
        return {}
    for key, value in given.items():
        _check_entry(key, value)
    merged = {key: value for key, value in {**existing, **given}.items() if value != ""}
    if len(merged) > MOST_KEYS:
        raise ParameterRefused(f"Expected at most {MOST_KEYS} metadata keys, but found {len(merged)}. Do: drop some.", "metadata")
    return merged


def _check_entry(key: str, value: str) -> None:
    if len(key) > LONGEST_KEY or set("[]") & set(key):
        raise ParameterRefused(
            f"Expected a metadata key of at most {LONGEST_KEY} characters without brackets, but found '{key}'.",
            f"metadata[{key}]",
        )
    if len(value) > LONGEST_VALUE:
        raise ParameterRefused(
            f"Expected a metadata value of at most {LONGEST_VALUE} characters, but it has {len(value)}.", f"metadata[{key}]"
        )


def complete_descriptor(suffix: str | None) -> str:
    """What the customer's statement shows; raises ParameterRefused for a suffix that may not stand there."""
    if suffix is None:
        return DESCRIPTOR_PREFIX
    complete = f"{DESCRIPTOR_PREFIX}* {suffix}"
    if not 5 <= len(complete) <= 22 or not _DESCRIPTOR.fullmatch(suffix) or _FORBIDDEN & set(suffix):
        raise ParameterRefused(
            f"Expected Latin text, a letter, none of < > \\ ' \" * and 5 to 22 characters in all, but it reads '{complete}'.",
            "statement_descriptor_suffix",
        )
    return complete


def check_email(email: str | None, param: str) -> None:
    """Raises ParameterRefused unless `email` is empty or looks like an address, https://docs.stripe.com/error-codes#email-invalid."""
    if email and not _EMAIL.fullmatch(email):
        raise ParameterRefused(f"Invalid email address: {email}. Do: send name@domain.", param, "email_invalid")
