"""E-mail addresses: what is accepted as one."""

from __future__ import annotations

import re

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*")
_LONGEST = 254  # RFC 5321, 4.5.3.1.3: a path has 256 octets with its angle brackets
_LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1


def email_address(text: str) -> str:
    """`text` without surrounding white space, if it is one plain address: a dot-atom (RFC 5322), `@` and a host name.

    Quoted local parts, comments, display names, several addresses and characters beyond ASCII are refused: a domain in
    another script is written as `xn--...`. Raises ValueError.
    """
    address = text.strip()
    fits = len(address) <= _LONGEST and address.find("@") <= _LONGEST_LOCAL_PART
    if not fits or _ADDRESS.fullmatch(address) is None:
        raise ValueError(f"Expected one e-mail address, but {address[:60]!r} is none. Do: write it as name@example.com.")
    return address
