"""A picture as one HTML page: the drawing, what could not be drawn, and a table of the elements.

It needs nothing from elsewhere and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lxml import etree

from engine.drawing.canvas import set_text
from engine.drawing.marks import Marking, Marks, in_words, markings_of
from engine.drawing.picture import Picture
from engine.drawing.svg_picture import draw_picture, in_plain_words

if TYPE_CHECKING:
    from lxml.etree import _Element

_STYLE = """
body { font: 15px/1.45 Arial, "Liberation Sans", Helvetica, sans-serif; color: #222; background: #fff; margin: 1.5rem; }
.drawing { overflow: auto; border: 1px solid #bbb; }
.drawing svg { display: block; margin: auto; }
table { border-collapse: collapse; margin-top: 1rem; }
caption { text-align: left; font-weight: bold; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; }
th, td { overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #222; }
@media print {
  body { margin: 0; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .drawing { border: 0; overflow: visible; }
  .drawing svg { max-width: 100%; height: auto; }
  tr { break-inside: avoid; }
}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COLUMNS = ("Element", "Kind", "Id", "From", "To")


def picture_page(picture: Picture, marks: Marks | None = None, *, about: str = "") -> bytes:
    """The page in UTF-8. `about` is a sentence below the title. Raises ValueError for a mark that isn't one."""
    page = etree.Element("html", lang="en")
    head = _add(page, "head")
    _add(head, "meta", charset="utf-8")
    _add(head, "meta", **{"http-equiv": "Content-Security-Policy", "content": _POLICY})
    _add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", picture.title)
    _add(head, "style", _STYLE)
    body = _add(page, "body")
    _add(body, "h1", picture.title)
    if about:
        _add(body, "p", about)
    drawing = _add(body, "div", **{"class": "drawing", "tabindex": "0", "role": "region", "aria-label": "Diagram"})
    drawing.append(etree.fromstring(draw_picture(picture, marks)))
    for note in picture.notes:
        _add(body, "p", f"Note: {note}")
    _add_table(body, picture, markings_of(marks))
    written: bytes = etree.tostring(page, encoding="utf-8", method="html", doctype="<!DOCTYPE html>")
    return written


def _add(parent: _Element, tag: str, text: str = "", **attributes: str) -> _Element:
    child = etree.SubElement(parent, tag, attributes)
    if text:
        set_text(child, text)
    return child


def _add_table(body: _Element, picture: Picture, markings: Mapping[str, Sequence[Marking]]) -> None:
    table = _add(body, "table")
    _add(table, "caption", "What is drawn")
    heading = _add(_add(table, "thead"), "tr")
    for column in (*_COLUMNS, *(["Marks"] if markings else [])):
        _add(heading, "th", column, scope="col")
    rows = _add(table, "tbody")
    for cells in _rows(picture, markings):
        row = _add(rows, "tr")
        for cell in cells:
            _add(row, "td", cell)


def _rows(picture: Picture, markings: Mapping[str, Sequence[Marking]]) -> Iterator[list[str]]:
    drawn = {each.element.id: each.element for plane in picture.planes for each in plane.items}
    for element in drawn.values():
        marks = "; ".join(map(in_words, markings.get(element.id, ())))
        ends = (_named(picture, end) for end in (element.source, element.target))
        yield [element.name, in_plain_words(element.kind), element.id, *ends, *([marks] if markings else [])]


def _named(picture: Picture, key: str | None) -> str:
    element = picture.elements.get(key or "")
    return (element.name or element.id) if element is not None else ""
