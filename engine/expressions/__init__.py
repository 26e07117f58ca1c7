"""The language of conditions, parameters and scripts: small, total, and without any way out.

It looks like Python and is evaluated by an interpreter of its own: names of data items; texts, whole numbers, True, False,
None, `[lists]`, `{"key": value}`; `+ - * / // %`; comparisons, also chained; `in`; `and`, `or`, `not`; `a if condition else b`;
`x["key"]`, `x[0]`, `x.get("key", default)`; and len, min, max, abs, sum, str, int, lower, upper, strip, contains, starts_with,
ends_with, and `completed_by("flow_node_id")`. Scripts have assignments and `if`. There are no loops, attributes, powers,
functions of one's own, and no numbers with a fraction: money is in minor units.

What it promises:

- Every evaluation ends quickly, within the limits of limits.py, with a value or an ExpressionFailed. Nothing else is raised,
  nothing is read or written outside, and the same data always gives the same answer.
- The caller's data is never changed, and what comes out of an evaluation shares nothing with it.
- Types are never guessed: True is not 1, only True and False decide, and only like is ordered with like.

A text goes tokens -> Python's parser -> grammar -> interpreter; the first three refuse it with an ExpressionInvalid.
"""

from __future__ import annotations

from engine.expressions.expression import Condition, Expression, parse_condition, parse_expression
from engine.expressions.parameter import Parameter, parse_parameter
from engine.expressions.script import Script, parse_script

__all__ = [
    "Condition",
    "Expression",
    "Parameter",
    "Script",
    "parse_condition",
    "parse_expression",
    "parse_parameter",
    "parse_script",
]
