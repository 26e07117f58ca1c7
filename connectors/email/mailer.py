"""Mail to the company's own people: plain texts that no template renders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.email.message import Content, build_message
from engine.connector import BusinessError, Completed, Fatal, Retryable, Unknown

if TYPE_CHECKING:
    from connectors.email.transports import Transport
    from engine.connector import Mail


@dataclass(frozen=True, slots=True)
class PlainMailer:
    """Sends from one sender by one transport."""

    transport: Transport
    mail_from: str

    def send(self, mail: Mail) -> Completed | Retryable | Fatal | Unknown:
        """Send one mail. Fatal where the server refuses the address or the message for good."""
        content = Content(mail.subject, mail.text, None, mail.to)
        message = build_message(content, self.mail_from, (mail.id,), mail.at)
        failed = self.transport.send(message, mail.id)
        if isinstance(failed, BusinessError):
            return Fatal(f"Expected mail to be taken for {mail.to}, but: {failed.message}. Do: correct the address.")
        return failed or Completed()
