"""The transport that writes `.eml` files, for trying out and for tests. Any mail program opens them."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.request import url2pathname

from connectors.email.url import url_invalid
from engine.connector import Retryable

if TYPE_CHECKING:
    from email.message import EmailMessage
    from urllib.parse import SplitResult

_JOB = re.compile(r"([a-z])([0-9]+)")
_DIGITS = 10  # job 17 is file j0000000017.eml, so that a listing by name is in the order of the jobs


@dataclass(frozen=True, slots=True)
class FolderTransport:
    """Writes into `folder`, which is made when the first message comes."""

    folder: Path

    def send(self, message: EmailMessage, name: str) -> Retryable | None:
        """Write one file, named after the job: a message that is sent again replaces itself. Only its owner may read it."""
        path = self.folder / _file_name(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_atomically(path, message.as_bytes())
        except OSError as error:
            why = error.strerror or "it failed"
            return Retryable(f"Expected to write {path}, but: {why}. Do: make room there, or correct RUN_PROCESS_SMTP_URL.")
        return None


def folder_transport(parts: SplitResult) -> FolderTransport:
    """The transport of a `file:///folder` URL. Raises ConfigurationInvalid."""
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query or parts.fragment:
        raise url_invalid("a file: URL has three slashes and then the folder")
    return FolderTransport(Path(url2pathname(parts.path)))


def _file_name(name: str) -> str:
    job = _JOB.fullmatch(name)
    padded = f"{job[1]}{job[2].zfill(_DIGITS)}" if job else name
    return f"{quote(padded, safe='-_')}.eml"


def _write_atomically(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:  # also when the process is told to end: no half of a mail stays behind
        Path(name).unlink(missing_ok=True)
        raise
