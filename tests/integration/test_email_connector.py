from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from connectors.email.send import EmailParameters, EmailSend
from connectors.email.smtp import SmtpTransport
from connectors.email.transports import transport_for
from engine.connector import BusinessError, Completed, Fatal, Outcome, Retryable, Unknown
from engine.errors import ConfigurationInvalid
from tests.doubles.context import Context, job_request
from tests.doubles.mailbox import Mailbox, free_port, mail_server, read

SUBJECT = "Subject: {{ month|month_name }}: {{ amount|money(currency) }} für {{ name }}"
RESOURCES = {
    "mail/charged.txt": SUBJECT.encode() + b"\n\nHallo {{ name }}, danke.\n",
    "mail/charged.html": b"<p>Hallo <b>{{ name }}</b></p>",
}
PASSWORD = "s3cr3t:/@?&"


def send(url: str, template: str = "charged", sender: str = "Billing <billing@example.com>", **changes: Any) -> Outcome:
    parameters = {
        "to": "ann@example.com",
        "template": template,
        "month": "2026-10",
        "amount": 12050,
        "currency": "EUR",
        "name": "Zoë & Co",
    }
    validated = EmailParameters.model_validate(parameters | changes.pop("parameters", {}))
    request = job_request("email.send", validated, **({"resources": RESOURCES} | changes))
    return EmailSend(url, sender).run(request, Context())


def test_the_customer_receives_text_and_html_with_the_headers_that_mail_programs_need() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        outcome = send(f"smtp://127.0.0.1:{port}", parameters={"locale": "de", "reply_to": "sales@example.com"})
    message = read(mailbox.taken[0])
    assert outcome == Completed({"message_id": "<i4.notify_customer.j17@example.com>"})
    assert message["Message-ID"] == "<i4.notify_customer.j17@example.com>"
    assert message["Subject"] == "Oktober 2026: 120,50 € für Zoë & Co"
    assert (message["From"], message["To"], message["Reply-To"]) == (
        "Billing <billing@example.com>",
        "ann@example.com",
        "sales@example.com",
    )
    assert message["Date"].datetime == Context().clock.now()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert text.get_content().splitlines() == ["Hallo Zoë & Co, danke."]
    assert html.get_content().splitlines() == ["<p>Hallo <b>Zoë &amp; Co</b></p>"]
    assert all(byte < 128 for byte in mailbox.taken[0])


def test_a_template_without_html_is_sent_as_plain_text(tmp_path: Path) -> None:
    send(tmp_path.as_uri(), resources={"mail/charged.txt": b"Subject: a\n\nb\n"})
    (file,) = tmp_path.iterdir()
    assert read(file.read_bytes()).get_content_type() == "text/plain"


def test_a_job_that_runs_again_replaces_its_file_with_the_same_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "mail out"
    assert isinstance(send(folder.as_uri()), Completed)
    first = (folder / "j0000000017.eml").read_bytes()
    assert isinstance(send(folder.as_uri()), Completed)
    assert [file.name for file in folder.iterdir()] == ["j0000000017.eml"]
    assert (folder / "j0000000017.eml").read_bytes() == first
    assert (folder / "j0000000017.eml").stat().st_mode & 0o077 == 0


def test_files_sort_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    for job in ("j9", "j10", "j../../x"):
        send(tmp_path.as_uri(), id=job)
    assert sorted(file.name for file in tmp_path.iterdir())[1:] == ["j0000000009.eml", "j0000000010.eml"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = send((tmp_path / "file").as_uri())
    assert isinstance(outcome, Retryable)
    assert "RUN_PROCESS_SMTP_URL" in outcome.reason


def test_a_missing_variable_needs_a_person_and_is_named(tmp_path: Path) -> None:
    outcome = send(tmp_path.as_uri(), resources={"mail/charged.txt": b"Subject: a\n\n{{ due_day }}"})
    assert isinstance(outcome, Fatal)
    assert "'due_day' is undefined" in outcome.reason
    assert list(tmp_path.iterdir()) == []


def test_a_missing_template_and_a_bad_sender_need_a_person(tmp_path: Path) -> None:
    for outcome in (send(tmp_path.as_uri(), template="nope"), send(tmp_path.as_uri(), sender="nobody")):
        assert isinstance(outcome, Fatal)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "outcome", "says"),
    [
        ({"rcpt": "550 5.1.1 no such user"}, BusinessError, "550 5.1.1 no such user"),
        ({"rcpt": "550 5.7.1 relaying denied"}, Fatal, "relaying denied"),
        ({"rcpt": "450 4.2.0 greylisted"}, Retryable, "greylisted"),
        ({"mail": "553 not your domain"}, Fatal, "not your domain"),
        ({"mail": "451 later"}, Retryable, "later"),
        ({"data": "554 looks like spam"}, Fatal, "spam"),
        ({"data": "452 disk full"}, Retryable, "disk full"),
    ],
)
def test_what_the_server_answers_decides_what_happens_next(answers: dict[str, str], outcome: type, says: str) -> None:
    mailbox = Mailbox(**answers)
    with mail_server(mailbox) as port:
        found = send(f"smtp://127.0.0.1:{port}")
    assert isinstance(found, outcome)
    assert says in (found.message if isinstance(found, BusinessError) else found.reason)  # type: ignore[union-attr] # Completed has neither
    assert not isinstance(found, BusinessError) or found.code == "address_refused"
    assert mailbox.taken == []


def test_a_connection_lost_after_the_text_is_tried_again_with_the_same_message_id() -> None:
    mailbox = Mailbox(hang_up="yes")
    with mail_server(mailbox) as port:
        assert isinstance(send(f"smtp://127.0.0.1:{port}"), Retryable)
        mailbox.answers = {}
        assert isinstance(send(f"smtp://127.0.0.1:{port}"), Completed)
    assert len({read(content)["Message-ID"] for content in mailbox.taken}) == 1


def test_whether_a_message_was_taken_is_unknown_only_once_its_text_was_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "a@example.com", "b@example.com"
    mailbox = Mailbox(hang_up="yes")
    with mail_server(mailbox) as port:
        lost = transport_for(f"smtp://127.0.0.1:{port}").send(message, "j1")
    assert isinstance(lost, Unknown)
    assert len(mailbox.taken) == 1

    async def hang_up(server: SMTP, *_: object) -> str:
        assert server.transport is not None
        server.transport.abort()
        return "250 OK"

    monkeypatch.setattr(mailbox, "handle_RCPT", hang_up, raising=True)
    with mail_server(mailbox) as port:
        assert isinstance(transport_for(f"smtp://127.0.0.1:{port}").send(message, "j1"), Retryable)
    assert len(mailbox.taken) == 1


def test_a_server_that_is_down_or_silent_is_tried_again() -> None:
    down = send(f"smtp://127.0.0.1:{free_port()}")
    assert isinstance(down, Retryable)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        found = SmtpTransport("127.0.0.1", silent.getsockname()[1], "none", timeout=0.2).send(EmailMessage(), "j1")
        assert isinstance(found, Retryable)
        assert time.monotonic() - started < 5


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def _authenticator(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    known = data.login == b"bill@er" and data.password == PASSWORD.encode()
    return AuthResult(success=known, handled=known)  # what is not handled here is answered by the server with 535


@contextmanager
def guarded_server(mailbox: Mailbox, authority: trustme.CA, name: str = "127.0.0.1") -> Iterator[int]:
    options = {"require_starttls": True, "auth_required": True, "authenticator": _authenticator}
    with mail_server(mailbox, tls_context=_server_tls(authority, name), **options) as port:
        yield port


def test_mail_is_encrypted_before_the_password_is_sent(authority: trustme.CA, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    mailbox = Mailbox()
    with guarded_server(mailbox, authority) as port:
        good = send(f"smtp://bill%40er:s3cr3t%3A%2F%40%3F%26@127.0.0.1:{port}?starttls=always&ca={ca}")
        bad = send(f"smtp://bill%40er:wr0ng@127.0.0.1:{port}?starttls=always&ca={ca}")
        untrusted = send(f"smtp://bill%40er:wr0ng@127.0.0.1:{port}?starttls=always")
        plain = send(f"smtp://127.0.0.1:{port}")
    assert isinstance(good, Completed)
    assert mailbox.encrypted == [True]
    for outcome, says in ((bad, "535"), (untrusted, "certificate"), (plain, "STARTTLS")):
        assert isinstance(outcome, Fatal)
        assert says in outcome.reason
        assert "wr0ng" not in outcome.reason


def test_a_certificate_for_another_host_is_not_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with guarded_server(Mailbox(), authority, "mail.example.com") as port:
        outcome = send(f"smtp://127.0.0.1:{port}?starttls=always&ca={ca}")
    assert isinstance(outcome, Fatal)
    assert "certificate" in outcome.reason


class EncryptedServer(Controller):
    """The first connection, by which a controller learns that its server is up, has to trust its certificate as well."""

    trusted: ssl.SSLContext

    def _trigger_server(self) -> None:
        plain = socket.create_connection((self.hostname, self.port), timeout=5)
        with plain, self.trusted.wrap_socket(plain, server_hostname=self.hostname) as encrypted:
            encrypted.recv(1)


def test_smtps_is_encrypted_from_the_first_byte(authority: trustme.CA, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    mailbox = Mailbox()
    server = EncryptedServer(mailbox, hostname="127.0.0.1", port=free_port(), ssl_context=_server_tls(authority))
    server.trusted = ssl.create_default_context(cafile=str(ca))
    server.start()
    try:
        assert isinstance(send(f"smtps://127.0.0.1:{server.port}?ca={ca}"), Completed)
    finally:
        server.stop()
    assert len(mailbox.taken) == 1


def test_a_server_without_starttls_is_not_sent_anything() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        outcome = send(f"smtp://127.0.0.1:{port}?starttls=always")
    assert isinstance(outcome, Fatal)
    assert "STARTTLS" in outcome.reason
    assert mailbox.taken == []


@pytest.mark.parametrize(
    "url",
    [
        f"smtp://user:{PASSWORD}@host",
        "smtp://user:p4ssw0rd@host:p4ssw0rd",
        "smtp://user:p4ssw0rd@host:25?tls=yes",
        "smtp://user:p4ssw0rd@host?starttls=never",
        "smtp://user:p4ssw0rd@host?starttls=perhaps",
        "smtps://user:p4ssw0rd@host?starttls=always",
        "smtp://user:p4ssw0rd@host?ca=/nowhere.pem",
        "smtp://user:p4ssw0rd@[host",
        "http://user:p4ssw0rd@host",
        "smtp://",
        "file://p4ssw0rd/mail",
        "file:mail",
        "",
    ],
)
def test_a_bad_mail_setting_names_itself_and_never_shows_the_password(url: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="RUN_PROCESS_SMTP_URL") as refused:
        transport_for(url)
    assert "p4ssw0rd" not in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "p4ssw0rd" not in repr(send(url))


@pytest.mark.parametrize(
    ("url", "tls", "port"),
    [
        ("smtp://mail.example.com", "starttls", 587),
        ("smtp://mail.example.com?starttls=never", "none", 25),
        ("smtp://localhost", "none", 25),
        ("smtp://[::1]:2525", "none", 2525),
        ("smtps://u:p@mail.example.com", "implicit", 465),
    ],
)
def test_other_machines_are_spoken_to_encrypted_unless_the_setting_says_otherwise(url: str, tls: str, port: int) -> None:
    transport = transport_for(url)
    assert isinstance(transport, SmtpTransport)
    assert (transport.tls, transport.port) == (tls, port)
    assert "password" not in repr(transport)
