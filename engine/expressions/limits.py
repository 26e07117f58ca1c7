"""How large things may get. Every text ends quickly and fits in memory because of these."""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 4_000
"""Characters of one expression or script."""

MAX_NODES: Final = 500
"""Names, literals, operators, calls and statements in one expression or script."""

MAX_TOKENS: Final = 3 * MAX_NODES
"""Words, numbers, texts and signs: more than this many nodes can need, and few enough that Python's parser, which recurses,
stays far from the end of a thread's stack.
"""

MAX_DEPTH: Final = 60
"""Levels of nesting, of brackets and operators in a text and of lists and dictionaries in a value."""

MAX_INTEGER: Final = 2**63 - 1
"""Largest whole number, and as a negative the smallest: the same on both sides, so that a sign never overflows."""

MAX_TEXT: Final = 10_000
"""Characters of one text, and of a parameter as it is written."""

MAX_ELEMENTS: Final = 1_000
"""Elements of a list or dictionary, those of the lists and dictionaries inside it included as often as they appear."""

MAX_CONTAINED_TEXT: Final = 100_000
"""Characters of all texts and keys in a list or dictionary together."""
