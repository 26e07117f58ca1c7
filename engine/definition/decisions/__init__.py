"""DMN decision tables: read from `NAME.decisions/*.dmn` beside a process, evaluated, and proved.

The tests in a table's columns are FEEL's unary tests, as far as modelers write them (unary_tests.py); the expressions at its
columns and in its results are in our own language (engine/expressions). A table knows nothing of instances: names go in,
values come out.
"""

from __future__ import annotations
