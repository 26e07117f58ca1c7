"""How wide text is, and how it is broken into lines, without asking a font: widths are Helvetica's, which Arial and Liberation
Sans share (Adobe's font metrics, in thousandths of the size).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

FAMILY = "Arial, 'Liberation Sans', Helvetica, sans-serif"
LEADING = 1.2
"""A line's height in sizes."""
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

_BY_WIDTH = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft",
    333: "()-`r",
    334: "{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jckvsxyz",
    556: "#$0123456789?L_abdeghnopqu",
    584: "+<=>~",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: ELLIPSIS,
    1015: "@",
}
_WIDTHS: Mapping[str, int] = {letter: width for width, letters in _BY_WIDTH.items() for letter in letters}
_OTHER = 600
_BOLD = 1.07  # of the regular width, on the average of text
_PIECES = re.compile(r"\s+|[^\s-]+-+(?=\w)|\S+?(?=-\w)|\S+")
_JOINERS = frozenset("\u200b\u200c\u200d\ufe0e\ufe0f")


@lru_cache(maxsize=4096)
def _letter_width(letter: str) -> int:
    known = _WIDTHS.get(letter)
    if known is not None:
        return known
    if unicodedata.combining(letter) or letter in _JOINERS:
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1000
    base = unicodedata.normalize("NFD", letter)[0]
    return _WIDTHS.get(base, _OTHER)


def width_of(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text, in pixels."""
    return sum(map(_letter_width, text)) * size / 1000 * (_BOLD if bold else 1)


def wrap(text: str, width: float, size: float, *, lines: int, bold: bool = False) -> tuple[str, ...]:
    """The text in at most `lines` lines that are not wider than `width`.

    They are broken at spaces and hyphens, and within words where it must be; breaks in the text are kept. An ellipsis stands
    for what doesn't fit.
    """
    if lines < 1:
        return ()
    found: list[str] = []
    for line in _lines(text, width, size, bold):
        if len(found) == lines:
            found[-1] = _shortened(found[-1], width, size, bold)
            break
        found.append(line)
    return tuple(found)


def _lines(text: str, width: float, size: float, bold: bool) -> Iterator[str]:
    for paragraph in text.strip().splitlines():
        line = ""
        for piece in _pieces(paragraph, width, size, bold):
            if line and width_of((line + piece).rstrip(), size, bold) > width:
                yield line.rstrip()
                line = ""
            line += piece if line else piece.lstrip()
        yield line.rstrip()


def _pieces(paragraph: str, width: float, size: float, bold: bool) -> Iterator[str]:
    """Words, spaces, and parts of words that are wider than a line."""
    for found in _PIECES.finditer(paragraph):
        piece = " " if found[0].isspace() else found[0]
        while width_of(piece, size, bold) > width and len(piece) > 1:
            fitting = _fitting(piece, width, size, bold)
            yield piece[:fitting]
            piece = piece[fitting:]
        yield piece


def _fitting(piece: str, width: float, size: float, bold: bool) -> int:
    """How many letters of a piece fit, one at least."""
    taken = 0.0
    for number, letter in enumerate(piece):
        taken += width_of(letter, size, bold)
        if taken > width:
            return max(number, 1)
    return len(piece)


def _shortened(line: str, width: float, size: float, bold: bool) -> str:
    while line and width_of(line + ELLIPSIS, size, bold) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS


def widest(lines: tuple[str, ...], size: float, bold: bool = False) -> float:
    """The width of the widest line."""
    return max((width_of(line, size, bold) for line in lines), default=0.0)
