"""Where messages go: a folder of `.eml` files, or a mail server.

A transport says how sending failed, or None once the message is accepted. An SMTP URL may hold a password: no part of the
URL but the host and port ever appears in a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from connectors.email.url import url_invalid

if TYPE_CHECKING:
    from email.message import EmailMessage

    from engine.connector import BusinessError, Fatal, Retryable, Unknown


class Transport(Protocol):
    """Hands over one message."""

    def send(self, message: EmailMessage, name: str) -> BusinessError | Retryable | Fatal | Unknown | None:
        """Hand `message` over; None once it is accepted. `name` (a job's id) is for those that keep files."""
        ...


def place_of(url: str) -> str:
    """Where a URL that `transport_for` accepts leads, for people, without a password."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return f"the folder {unquote(parts.path)}"
    return f"the mail server {parts.hostname}" + (f":{parts.port}" if parts.port else "")


def transport_for(url: str) -> Transport:
    """The transport that a URL names.

    - `file:///folder`: one `.eml` file per message;
    - `smtp://user:password@host:port?starttls=always|never&ca=/path/to/ca.pem`: encrypted by STARTTLS unless the host is
      this machine or the URL says `starttls=never`, which is refused together with a password for another machine;
    - `smtps://user:password@host:port?ca=...`: encrypted from the first byte.

    Raises ConfigurationInvalid.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here because reading it is what checks it
    except ValueError:  # its text quotes the URL, so it is not kept as the cause
        raise url_invalid("it is malformed") from None
    if parts.scheme == "file":
        from connectors.email.folder import folder_transport

        return folder_transport(parts)
    if parts.scheme in ("smtp", "smtps"):
        from connectors.email.smtp import smtp_transport

        return smtp_transport(parts)
    raise url_invalid("it begins with something else")
