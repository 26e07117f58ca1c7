"""What is said of a URL that names no way to send mail."""

from __future__ import annotations

from engine.errors import ConfigurationInvalid


def url_invalid(why: str) -> ConfigurationInvalid:
    """The error for a URL that names no transport. It doesn't quote the URL, which can hold a password."""
    return ConfigurationInvalid(
        f"Expected a mail server such as smtp://user:password@host:587 or a folder such as file:///var/mail-out, but {why}. "
        "Do: set RUN_PROCESS_SMTP_URL."
    )
