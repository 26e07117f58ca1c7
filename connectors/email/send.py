"""The connector `email.send`: renders the templates deployed with the definition and hands the message to a mail server.

E-mail is sent at least once: where a connection is lost before the server's answer, the job runs again and a message may
arrive twice. Both copies then carry the same Message-ID, by which mail programs and people recognise them.

Jinja2, Babel and the mail modules are imported by the first job: checking diagrams needs only the schemas below.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from engine.connector import Completed, Fatal, Retryable, Unknown
from engine.errors import ConfigurationInvalid, DefinitionInvalid
from engine.model.email_address import email_address

if TYPE_CHECKING:
    from email.message import EmailMessage

    from connectors.email.language import Compiler
    from engine.connector import JobContext, JobRequest, Mailer, Outcome

EmailAddress = Annotated[str, AfterValidator(email_address)]


class EmailParameters(BaseModel):
    """The parameters of `email.send`. Every further parameter is a variable of the template."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, JsonValue]

    to: EmailAddress = Field(title="To", description="The recipient's e-mail address.")
    template: str = Field(
        title="Template",
        description="The name of a mail template deployed with the process: charged stands for mail/charged.txt.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$",
    )
    locale: str = Field(default="en", title="Locale", description="How amounts and months are written, as in en or ja_JP.")
    reply_to: EmailAddress | None = Field(default=None, title="Reply to", description="Where answers go.")


class EmailSend:
    """Sends one e-mail per job."""

    topic: str = "email.send"
    title: str = "Send an e-mail"
    summary: str = (
        "Fills in a mail template that is deployed with the process, and sends it; further inputs are the template's variables."
    )
    parameters: type[BaseModel] = EmailParameters
    outputs: Mapping[str, str] = MappingProxyType({"message_id": "The message's Message-ID header."})
    errors: Mapping[str, str] = MappingProxyType({"address_refused": "The mail server refuses the recipient's address for good."})

    def __init__(self, smtp_url: str, mail_from: str) -> None:
        """`smtp_url` is what `transport_for` takes; it may hold a password and is never shown. `mail_from` is the sender."""
        self._smtp_url = smtp_url
        self._mail_from = mail_from
        self._lock = threading.Lock()
        self._compiler: Compiler | None = None

    def check_parameters(
        self, literals: Mapping[str, str], names: frozenset[str], resources: Mapping[str, bytes]
    ) -> Sequence[str]:
        """What is wrong with the template that is named literally, before anything is deployed."""
        from connectors.email.templates import Templates

        if "template" not in literals:
            return []
        given = names | {"to", "locale"}
        return Templates(resources, self._shared_compiler()).problems(literals["template"], given)

    def run(self, request: JobRequest, context: JobContext) -> Outcome:
        """Render and send. Completed gives `message_id`; what a template lacks is Fatal and names it."""
        from connectors.email.transports import transport_for

        parameters = request.parameters
        assert isinstance(parameters, EmailParameters)
        try:
            message = self._message(request, parameters, context)
            failed = transport_for(self._smtp_url).send(message, request.id)
        except (DefinitionInvalid, ConfigurationInvalid) as error:
            return Fatal(str(error))
        if isinstance(failed, Unknown):  # it is e-mail: that it arrives twice is better than that it doesn't
            return Retryable(failed.reason)
        return failed or Completed({"message_id": str(message["Message-ID"])})

    def _message(self, request: JobRequest, parameters: EmailParameters, context: JobContext) -> EmailMessage:
        from connectors.email.message import Content, build_message
        from connectors.email.templates import Templates

        variables: dict[str, JsonValue] = {
            **(parameters.model_extra or {}),
            "to": parameters.to,
            "locale": parameters.locale,
        }
        rendered = Templates(request.resources, self._shared_compiler()).render(parameters.template, variables)
        content = Content(rendered.subject, rendered.text, rendered.html, parameters.to, parameters.reply_to)
        names = (request.instance, request.flow_node, request.id)
        return build_message(content, self._mail_from, names, context.clock.now())

    def mailer(self) -> Mailer:
        """What sends mails to the company's own people. Raises ConfigurationInvalid for a bad URL or sender."""
        from connectors.email.mailer import PlainMailer
        from connectors.email.message import parse_sender
        from connectors.email.transports import transport_for

        parse_sender(self._mail_from)
        return PlainMailer(transport_for(self._smtp_url), self._mail_from)

    def _shared_compiler(self) -> Compiler:
        from connectors.email.language import Compiler

        with self._lock:
            if self._compiler is None:
                self._compiler = Compiler()
            return self._compiler


__all__ = ["EmailAddress", "EmailParameters", "EmailSend"]
