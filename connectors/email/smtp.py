"""The transport that speaks SMTP (RFC 5321), one connection per message."""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from connectors.email.url import url_invalid
from engine.connector import BusinessError, Fatal, Retryable, Unknown

if TYPE_CHECKING:
    from email.message import EmailMessage
    from urllib.parse import SplitResult

    from _typeshed import ReadableBuffer

_TIMEOUT = 30.0  # seconds without an answer
_PERMANENT = 500  # a reply code of 5xx is final, 4xx is for now (RFC 5321, 4.2.1)
_PORT, _SUBMISSION_PORT, _TLS_PORT = 25, 587, 465
_POLICY_STATUS = re.compile(r"\b5\.7\.")  # RFC 3463: not the address but our right to send to it is refused


class _AnswerLost(Exception):
    """The text was handed over, or a part of it, and no answer came: the server may have taken the message."""


class _Connection(smtplib.SMTP):
    """A connection that knows whether a message's text has begun."""

    text_begun = False

    def data(self, msg: ReadableBuffer | str) -> tuple[int, bytes]:
        """Hand over the text."""
        self.text_begun = True
        return super().data(msg)


class _EncryptedConnection(_Connection, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """One mail server. `tls` is `implicit`, `starttls` or `none`; `ca` a file of certificates to trust alone."""

    host: str
    port: int
    tls: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    timeout: float = _TIMEOUT

    def send(self, message: EmailMessage, name: str) -> BusinessError | Retryable | Fatal | Unknown | None:
        """Send one message.

        Retryable where the server can't be reached, says "not now", or the connection is lost before the text is handed over;
        Unknown where it is lost after that.
        """
        try:
            self._send(message)
        except _AnswerLost as lost:
            return self._in_doubt(lost)
        except smtplib.SMTPRecipientsRefused as error:
            return self._refused_recipient(*next(iter(error.recipients.values())))
        except smtplib.SMTPResponseException as error:
            return self._refused(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError:
            return self._unsupported()
        except ssl.SSLCertVerificationError as error:
            return self._untrusted(error.verify_message)
        except (OSError, smtplib.SMTPException) as error:  # SMTPServerDisconnected and time-outs among them
            return self._unreachable(error)
        return None

    def _send(self, message: EmailMessage) -> None:
        server = self._connect()
        try:
            if self.tls == "starttls":
                server.starttls(context=self._context())
            if self.user is not None:
                server.login(self.user, self.password or "")
            self._hand_over(server, message)
            with suppress(OSError, smtplib.SMTPException):  # it is accepted: a failed goodbye must not send it again
                server.quit()
        finally:
            server.close()

    def _hand_over(self, server: _Connection, message: EmailMessage) -> None:
        try:
            server.send_message(message)
        except smtplib.SMTPResponseException:
            raise  # an answer, whatever it says
        except OSError as error:  # smtplib's own errors are among them
            if server.text_begun:
                raise _AnswerLost(_why(error)) from error
            raise

    def _connect(self) -> _Connection:
        if self.tls == "implicit":
            return _EncryptedConnection(self.host, self.port, timeout=self.timeout, context=self._context())
        return _Connection(self.host, self.port, timeout=self.timeout)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def _refused_recipient(self, code: int, text: bytes) -> BusinessError | Retryable | Fatal:
        if code < _PERMANENT or _POLICY_STATUS.search(_shown(text)):
            return self._refused(code, text)
        return BusinessError("address_refused", f"The mail server refuses this e-mail address: {code} {_shown(text)}")

    def _refused(self, code: int, text: bytes | str) -> Retryable | Fatal:
        reason = f"Expected {self._name} to take the message, but it answered {code} {_shown(text)}."
        if code >= _PERMANENT:
            return Fatal(f"{reason} Do: correct RUN_PROCESS_SMTP_URL, RUN_PROCESS_MAIL_FROM or the server, then try again.")
        return Retryable(f"{reason} Do: nothing yet; it is tried again.")

    def _unsupported(self) -> Fatal:
        return Fatal(
            f"Expected {self._name} to offer STARTTLS and, for a user name, a known way to log in, but it doesn't. "
            "Do: use smtps://, or starttls=never where the network is trusted."
        )

    def _untrusted(self, why: str) -> Fatal:
        return Fatal(
            f"Expected a trusted certificate from {self._name}, but: {why}. "
            "Do: correct the host's name, or name the certificate authority's file with ?ca=/path."
        )

    def _unreachable(self, error: Exception) -> Retryable:
        return Retryable(
            f"Expected {self._name} to take the message, but: {_shown(_why(error))}. Do: nothing yet; it is tried again."
        )

    def _in_doubt(self, lost: _AnswerLost) -> Unknown:
        return Unknown(
            f"Expected {self._name} to say whether it takes the message, but after the text: {_shown(str(lost))}. "
            "Do: nothing; it may arrive."
        )

    @property
    def _name(self) -> str:
        return f"the mail server {self.host}:{self.port}"


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def smtp_transport(parts: SplitResult) -> SmtpTransport:
    """The transport of a `smtp://` or `smtps://` URL. Raises ConfigurationInvalid."""
    host = parts.hostname
    if not host or parts.path not in ("", "/") or parts.fragment:
        raise url_invalid("after the host and port it has something else, or it has no host")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    ca = options.pop("ca", None)
    tls = _tls(parts.scheme, host, options.pop("starttls", None), with_password=parts.username is not None)
    if ca is not None and not Path(ca).is_file():
        raise url_invalid("the file of certificates that it names with ca= is not there")
    if options:
        raise url_invalid(f"{', '.join(sorted(options))[:60]} is no option of it")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    usual_port = {"implicit": _TLS_PORT, "starttls": _SUBMISSION_PORT, "none": _PORT}[tls]
    return SmtpTransport(host, parts.port or usual_port, tls, user, password, ca)


def _tls(scheme: str, host: str, starttls: str | None, *, with_password: bool) -> str:
    if scheme == "smtps":
        if starttls is not None:
            raise url_invalid("smtps: is encrypted from the beginning and takes no starttls")
        return "implicit"
    if starttls not in (None, "always", "never"):
        raise url_invalid("starttls is neither always nor never")
    if starttls == "always" or (starttls is None and not _is_this_machine(host)):
        return "starttls"
    if with_password and not _is_this_machine(host):
        raise url_invalid("starttls=never would send the password unencrypted to another machine")
    return "none"


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(text: bytes | str) -> str:
    """A server's answer on one line, shortened, without what could disturb a terminal."""
    decoded = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    return "".join(c if c.isprintable() else " " for c in decoded)[:200].strip()
