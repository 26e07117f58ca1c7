"""The language of mail templates: a small, total part of Jinja2.

A template may be made of texts, variables, `if`, `for`, operators and the filters of `filters.py`. Calls, assignments, macros
and other files are refused, so a template always ends, and what it costs is bounded by its own length and its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

from connectors.email.filters import FILTERS
from engine.errors import DataRefused, DefinitionInvalid

if TYPE_CHECKING:
    from jinja2.environment import Template
    from jinja2.runtime import Context

_MOST_ROUNDS = 100_000  # of all loops of one template together
_MOST_COMPILED = 64  # a template takes milliseconds to compile, and most mails of a month use the same few
_LIMITED = "limited rounds"  # with a space, so that no template can name it

_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test),
    *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Keyword, nodes.Concat),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
)
"""What a template may be made of. Without calls, assignments and macros there is nothing that could go on for ever."""


class Compiler:
    """Compiles templates and remembers the last few. Safe to share between threads."""

    def __init__(self) -> None:
        self._environments = {escape: _environment(escape) for escape in (False, True)}
        self._remembered = lru_cache(_MOST_COMPILED)(self._compile)

    def pieces(self, path: str, source: str, variables: dict[str, Any], *, escape: bool) -> Iterable[str]:
        """What `source` renders to, piece by piece; HTML is escaped where `escape` says so.

        Raises DefinitionInvalid for what is not in the language, and Jinja2's and Python's own errors for the rest.
        """
        return self._remembered(path, source, escape).generate({**variables, _LIMITED: _Rounds()})

    def variables(self, path: str, source: str, *, escape: bool) -> set[str]:
        """The variables that `source` needs. Raises as `pieces` does for what is not in the language."""
        self._remembered(path, source, escape)
        return find_undeclared_variables(self._environments[escape].parse(source))

    def _compile(self, path: str, source: str, escape: bool) -> Template:
        environment = self._environments[escape]
        tree = environment.parse(source)
        for node in tree.find_all(nodes.Node):
            _check(path, node)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, _LIMITED, [], [], None, None, lineno=loop.lineno)
        # compile() takes a parsed template as well as its source
        return environment.template_class.from_code(environment, environment.compile(tree), {})


class _Rounds:
    """Counts the rounds of one rendering."""

    def __init__(self) -> None:
        self._left = _MOST_ROUNDS

    def limit(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._left -= 1
            if self._left < 0:
                raise DataRefused(f"Expected at most {_MOST_ROUNDS} rounds of loops, but there are more. Do: pass shorter lists.")
            yield item


@pass_context
def _limited(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    """Put around what every loop runs over."""
    rounds: _Rounds = context[_LIMITED]
    return rounds.limit(items)


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
    environment.filters = {**FILTERS, _LIMITED: _limited}
    return environment


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
