"""Where an expression stands in the text that somebody wrote, so that an error can point at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.errors import ExpressionFailed, ExpressionInvalid

if TYPE_CHECKING:
    import ast

_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Source:
    """`text` as it was written, and `code`, the part that is parsed. `starts` says for every line of `code` where in `text`
    its first character stands.
    """

    text: str
    code: str
    starts: tuple[int, ...]

    def offset_of(self, node: ast.expr | ast.stmt) -> int:
        """The 0-based character of `text` where a node begins."""
        line = self.code.split("\n")[node.lineno - 1]
        # Python counts columns in bytes of UTF-8
        return self.at(node.lineno, len(line.encode()[: node.col_offset].decode()))

    def at(self, line: int, column: int) -> int:
        """The 0-based character of `text` for a line (from 1) and a character in it (from 0) of `code`."""
        start = self.starts[min(max(line, 1), len(self.starts)) - 1]
        return min(max(start + column, 0), len(self.text))

    def invalid(self, node: ast.expr | ast.stmt, message: str) -> ExpressionInvalid:
        """The error for a node that the language does not have."""
        return invalid(self.text, self.offset_of(node), message)

    def failed(self, node: ast.expr | ast.stmt, message: str) -> ExpressionFailed:
        """The error for a node that has no value on the data at hand."""
        return failed(self.text, self.offset_of(node), message)


def expression_source(text: str, start: int, end: int) -> Source:
    """The expression in `text[start:end]`. Brackets around it let it go over several lines."""
    body = _with_plain_line_ends(text[start:end])
    starts = []
    for line in body.split("\n"):
        starts.append(start)
        start += len(line) + 1
    starts[0] -= 1  # the opening bracket
    starts.append(end)
    return Source(text, f"({body}\n)", tuple(starts))


def script_source(text: str) -> Source:
    """The script in `text`, moved to the margin: in a diagram it is indented as the XML around it, and its first line has
    often lost that indentation.
    """
    lines = _with_plain_line_ends(text).split("\n")
    margin = _margin(lines)
    code, starts, start = [], [], 0
    for line in lines:
        removed = min(margin, _indentation(line))
        code.append(line[removed:])
        starts.append(start + removed)
        start += len(line) + 1
    return Source(text, "\n".join(code), tuple(starts))


def invalid(text: str, offset: int, message: str) -> ExpressionInvalid:
    """The error for a character of `text` that the language cannot have there."""
    return ExpressionInvalid(f"{message} {_place(text, offset)}", offset)


def failed(text: str, offset: int, message: str) -> ExpressionFailed:
    """The error for what stands at a character of `text` and has no value on the data at hand."""
    return ExpressionFailed(f"{message} {_place(text, offset)}")


def _with_plain_line_ends(text: str) -> str:
    """As Python's parser reads them, with every character left at its place."""
    return text.replace("\r\n", " \n").replace("\r", "\n")


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _margin(lines: list[str]) -> int:
    """How far the script as a whole is indented."""
    statements = [line for line in lines if re.match(r"[ \t]*[^ \t#]", line)]
    if not statements:
        return 0
    first, rest = statements[0], [_indentation(line) for line in statements[1:]]
    if not rest or _indentation(first) > 0:
        return min([_indentation(first), *rest])
    opens_block = first.split("#")[0].rstrip().endswith(":")
    return 0 if opens_block and min(rest) == rest[0] else min(rest)


def _place(text: str, offset: int) -> str:
    """Line, column and the line itself, shortened, without anything that could steer a terminal."""
    number = text.count("\n", 0, offset) + 1
    begin = text.rfind("\n", 0, offset) + 1
    line = text[begin:].split("\n", 1)[0]
    column = offset - begin
    first = max(0, min(column - _SHOWN // 2, len(line) - _SHOWN))
    shown = "".join(char if char.isprintable() else " " for char in line[first : first + _SHOWN])
    excerpt = f"{'…' if first else ''}{shown}{'…' if first + _SHOWN < len(line) else ''}"
    where = f"line {number}, column {column + 1}" if "\n" in text.strip() else f"column {column + 1}"
    return f"({where} of: {excerpt.strip()})"
