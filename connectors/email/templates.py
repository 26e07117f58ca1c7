"""Mail templates: the files `mail/NAME.txt` and `mail/NAME.html` that are deployed with a definition.

NAME.txt begins with one header line (`Subject: ...`), then an empty line, then the text. NAME.html is optional. Both are written
in the language of `language.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError, TemplateSyntaxError

from engine.errors import DataRefused, DefinitionInvalid

if TYPE_CHECKING:
    from connectors.email.language import Compiler

_MOST_CHARACTERS = 1_000_000  # of what one template renders to
_LARGEST_SOURCE = 256_000  # bytes of one template file
_LONGEST_SUBJECT = 250  # characters
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"  # categories Cc (but for line end and tab) and Cs
    r"\u202a-\u202e\u2066-\u2069]"  # make text read in another order
)
_HEADER = re.compile(r"([A-Za-z-]+):[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered template. `subject` is one line; neither part holds control characters but line ends and tabs."""

    subject: str
    text: str
    html: str | None


class Templates:
    """The mail templates among a definition's resources."""

    def __init__(self, resources: Mapping[str, bytes], compiler: Compiler) -> None:
        """`resources` maps paths such as `mail/charged.txt` to their bytes."""
        self._resources = resources
        self._compiler = compiler

    def render(self, name: str, variables: Mapping[str, Any]) -> Rendered:
        """Render the template `name`. Raises DefinitionInvalid, naming the file, for what is missing or not allowed."""
        path = f"mail/{name}.txt"
        subject, body = _split(path, self._read(path))
        html_path = f"mail/{name}.html"
        has_html = html_path in self._resources
        return Rendered(
            subject=_one_line(path, self._render(path, subject, variables, escape=False)),
            text=self._render(path, body, variables, escape=False),
            html=self._render(html_path, self._read(html_path), variables, escape=True) if has_html else None,
        )

    def problems(self, name: str, variables: frozenset[str]) -> list[str]:
        """What keeps the template `name` from being rendered with these variables, one message each."""
        try:
            return [*self._missing(name, variables)]
        except DefinitionInvalid as invalid:
            return [str(invalid)]

    def _missing(self, name: str, variables: frozenset[str]) -> Iterator[str]:
        path, html = f"mail/{name}.txt", f"mail/{name}.html"
        subject, body = _split(path, self._read(path))
        parts = [(path, subject, False), (path, body, False)]
        if html in self._resources:
            parts.append((html, self._read(html), True))
        for file, source, escape in parts:
            with _explained(file):
                needed = self._compiler.variables(file, source, escape=escape)
            for variable in sorted(needed - variables):
                yield (
                    f"{file}: Expected a parameter for {variable!r}, which the template needs, but the task passes none. "
                    "Do: add an input parameter of that name, or correct the template."
                )

    def _read(self, path: str) -> str:
        content = self._resources.get(path)
        if content is None:
            known = sorted(each for each in self._resources if each.startswith("mail/"))
            raise DefinitionInvalid(
                f"Expected the mail template {path}, but the deployed definition has {', '.join(known) or 'no mail templates'}. "
                f"Do: put {path} beside the diagram and deploy it again."
            )
        if len(content) > _LARGEST_SOURCE:
            raise DefinitionInvalid(
                f"{path}: Expected at most {_LARGEST_SOURCE} bytes, but it has {len(content)}. Do: shorten it; link to images."
            )
        try:
            return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            raise DefinitionInvalid(f"{path}: Expected UTF-8, but byte {error.start} is not. Do: save it as UTF-8.") from error

    def _render(self, path: str, source: str, variables: Mapping[str, Any], *, escape: bool) -> str:
        with _explained(path):
            return _without_controls(_limited(path, self._compiler.pieces(path, source, dict(variables), escape=escape)))


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turns what Jinja2 and Python raise about a template into DefinitionInvalid, naming the file."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise DefinitionInvalid(
            f"{path}: Expected a mail template, but in line {error.lineno} of its text: {error.message} Do: correct it."
        ) from error
    except DataRefused as error:
        raise DefinitionInvalid(f"{path}: {error}") from error
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError, LookupError) as error:
        raise DefinitionInvalid(
            f"{path}: Expected a template that suits its variables, but {error}. "
            "Do: pass what is missing as an input parameter of the task, or correct the template."
        ) from error


def _split(path: str, source: str) -> tuple[str, str]:
    """The subject's source and the text's."""
    head, separator, body = source.partition("\n\n")
    subject: str | None = None
    for number, line in enumerate(head.split("\n"), 1):
        match = _HEADER.fullmatch(line)
        if match is None or match[1].lower() != "subject" or subject is not None:
            raise DefinitionInvalid(
                f"{path}:{number}: Expected one line Subject: ... and then an empty line, but found {line[:60]!r}. "
                "Do: begin the file with them."
            )
        subject = match[2]
    if not separator or subject is None:
        raise DefinitionInvalid(f"{path}:1: Expected an empty line after the subject, but there is none. Do: add one.")
    return subject, body


def _limited(path: str, pieces: Iterable[str]) -> str:
    kept: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > _MOST_CHARACTERS:
            raise DefinitionInvalid(
                f"{path}: Expected at most {_MOST_CHARACTERS} characters, but it renders to more. Do: shorten the data."
            )
        kept.append(piece)
    return "".join(kept)


def _without_controls(text: str) -> str:
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _one_line(path: str, subject: str) -> str:
    """The subject on one line: a line end in data must not begin another header."""
    line = " ".join(subject.split())
    if not line or len(line) > _LONGEST_SUBJECT:
        raise DefinitionInvalid(
            f"{path}:1: Expected a subject of 1 to {_LONGEST_SUBJECT} characters, but it has {len(line)}. Do: change the subject."
        )
    return line
