"""The message itself: headers and parts, built so that sending it again gives the same message again."""

from __future__ import annotations

from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address, AddressHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from engine.errors import ConfigurationInvalid
from engine.model.email_address import email_address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_POLICY = SMTP.clone(cte_type="7bit")  # readable by every server on the way, whatever it announces


@dataclass(frozen=True, slots=True)
class Content:
    """What one e-mail says and to whom. `html` is None where there is only text."""

    subject: str
    text: str
    html: str | None
    to: str
    reply_to: str | None = None


def build_message(content: Content, mail_from: str, names: Sequence[str], at: datetime) -> EmailMessage:
    """One message: `multipart/alternative` with HTML, plain text without. `at` is aware, for the Date header.

    Its Message-ID is made of `names` alone (a job's instance, flow node and id), so that what is sent again has the same one.
    Auto-Submitted keeps out-of-office programs from answering (RFC 3834). Raises ConfigurationInvalid for a bad sender.
    """
    sender = parse_sender(mail_from)
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = Address(addr_spec=content.to)
    if content.reply_to is not None:
        message["Reply-To"] = Address(addr_spec=content.reply_to)
    message["Subject"] = content.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = _message_id(names, sender.domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text)
    if content.html is not None:
        message.add_alternative(content.html, subtype="html")
        message.set_boundary("_".join(("=", *(quote(name, safe="") for name in reversed(names))))[:70])
    return message


def parse_sender(mail_from: str) -> Address:
    """The one sender in `mail_from`, as in `Billing <billing@example.com>`. Raises ConfigurationInvalid."""
    wrong = ConfigurationInvalid(
        f"Expected one sender such as Billing <billing@example.com>, but {mail_from[:100]!r} is none. "
        "Do: set RUN_PROCESS_MAIL_FROM."
    )
    if not mail_from.isprintable():
        raise wrong
    try:
        header = cast("AddressHeader", HeaderRegistry()("from", mail_from))
        (address,) = header.addresses
        email_address(address.addr_spec)
    except (HeaderParseError, ValueError, IndexError) as error:
        raise wrong from error
    return address


def _message_id(names: Sequence[str], domain: str) -> str:
    parts = (quote(name, safe="-_") for name in names)
    return f"<{'.'.join(parts)}@{domain}>"
