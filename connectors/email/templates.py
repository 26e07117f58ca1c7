"""Mail templates: the files `mail/NAME.txt` and `mail/NAME.html` that are deployed with a definition.

NAME.txt begins with header lines (`Subject: ...`), then an empty line, then the text. NAME.html is optional. Both are
Jinja2 templates in a small, total part of that language: variables, `if`, `for`, operators and the filters listed in
`filters.py`. Calls, assignments, macros and other files are refused, so a template always ends, and what it costs is
bounded by its own length and its data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from connectors.email.filters import FILTERS
from engine.errors import DataRefused, DefinitionInvalid

if TYPE_CHECKING:
    from jinja2.environment import Template

_MOST_CHARACTERS = 1_000_000  # of what one template renders to
_MOST_ROUNDS = 100_000  # of all loops of one template together
_LARGEST_SOURCE = 256_000  # bytes of one template file
_LONGEST_SUBJECT = 250  # characters
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # make text read in another order
_HEADER = re.compile(r"([A-Za-z-]+):[ \t]*(.*)")
_LOOPS = "limited_rounds"  # a filter put around what every loop runs over; no analyst can name it by accident

_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test),
    *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Keyword, nodes.Concat),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
)
"""What a template may be made of. Without calls, assignments and macros there is nothing that could go on for ever."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered template. `subject` is one line; neither part holds control characters but line ends and tabs."""

    subject: str
    text: str
    html: str | None


class Templates:
    """The mail templates among a definition's resources."""

    def __init__(self, resources: Mapping[str, bytes]) -> None:
        """`resources` maps paths such as `mail/charged.txt` to their bytes."""
        self._resources = resources

    def render(self, name: str, variables: Mapping[str, Any]) -> Rendered:
        """Render the template `name`. Raises DefinitionInvalid, naming the file, for what is missing or not allowed."""
        path = f"mail/{name}.txt"
        subject, body = _split(path, self._read(path))
        html_path = f"mail/{name}.html"
        has_html = html_path in self._resources
        return Rendered(
            subject=_one_line(path, _render(path, subject, variables, escape=False)),
            text=_render(path, body, variables, escape=False),
            html=_render(html_path, self._read(html_path), variables, escape=True) if has_html else None,
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


def _render(path: str, source: str, variables: Mapping[str, Any], *, escape: bool) -> str:
    try:
        return _without_controls(_limited(path, _compiled(path, source, escape).generate(variables)))
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


def _compiled(path: str, source: str, escape: bool) -> Template:
    environment = _environment(escape)
    tree = environment.parse(source)
    for node in tree.find_all(nodes.Node):
        _check(path, node)
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, _LOOPS, [], [], None, None, lineno=loop.lineno)
    # compile() takes a parsed template as well as its source, and resolves the names of filters here
    return environment.template_class.from_code(environment, environment.compile(tree), {})


def _check(path: str, node: nodes.Node) -> None:
    if not isinstance(node, _ALLOWED):
        what = f"a {type(node).__name__.lower()}"
    elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
        what = f"the filter {node.name}"
    elif isinstance(node, nodes.For) and node.recursive:
        what = "a recursive loop"
    else:
        return
    raise DefinitionInvalid(
        f"{path}: Expected variables, if, for, operators and the filters {', '.join(sorted(FILTERS))}, but line {node.lineno} of "
        f"its text has {what}. Do: compute the value in the process and pass it as a parameter."
    )


class _Environment(SandboxedEnvironment):
    """The sandbox, with arithmetic for numbers alone: text times a number is how a short template makes a huge text."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute `left operator right` for two integers or fractions. Raises DataRefused for anything else."""
        for operand in (left, right):
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                raise DataRefused(f"Expected numbers beside {operator}, but found {operand!r:.60}. Do: join texts with ~.")
        return super().call_binop(context, operator, left, right)


def _environment(escape: bool) -> _Environment:
    environment = _Environment(
        undefined=StrictUndefined, autoescape=escape, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.filters = {**FILTERS, _LOOPS: _round_counter()}
    return environment


def _round_counter() -> Callable[[Iterable[Any]], Iterator[Any]]:
    """A filter that lets at most `_MOST_ROUNDS` items through, counted over all loops of the environment."""
    rounds = 0

    def counted(items: Iterable[Any]) -> Iterator[Any]:
        nonlocal rounds
        for item in items:
            rounds += 1
            if rounds > _MOST_ROUNDS:
                raise DataRefused(f"Expected at most {_MOST_ROUNDS} rounds of loops, but there are more. Do: pass shorter lists.")
            yield item

    return counted


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
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or not (unicodedata.category(c) in ("Cc", "Cs") or c in _BIDI_CONTROLS))


def _one_line(path: str, subject: str) -> str:
    """The subject on one line: a line end in data must not begin another header."""
    line = " ".join(subject.split())
    if not line or len(line) > _LONGEST_SUBJECT:
        raise DefinitionInvalid(
            f"{path}:1: Expected a subject of 1 to {_LONGEST_SUBJECT} characters, but it has {len(line)}. Do: change the subject."
        )
    return line
