"""Small diagrams with interchange, drawn in text, and what their pictures have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from engine.drawing import draw

if TYPE_CHECKING:
    from lxml.etree import _Element

HEAD = (
    '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:di="http://www.omg.org/spec/BPMN/20100524/DI" '
    'xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:dd="http://www.omg.org/spec/DD/20100524/DI" '
    'xmlns:bioc="http://bpmn.io/schema/bpmn/biocolor/1.0" '
    'xmlns:color="http://www.omg.org/spec/BPMN/non-normative/color/1.0">'
)


def shape(
    key: str, x: object = 0, y: object = 0, width: object = 100, height: object = 80, more: str = "", inside: str = ""
) -> str:
    bounds = f'<dc:Bounds x="{x}" y="{y}" width="{width}" height="{height}"/>'
    return f"<di:BPMNShape bpmnElement={quoteattr(key)} {more}>{bounds}{inside}</di:BPMNShape>"


def edge(key: str, *points: tuple[object, object], more: str = "", inside: str = "") -> str:
    ways = "".join(f'<dd:waypoint x="{x}" y="{y}"/>' for x, y in points)
    return f"<di:BPMNEdge bpmnElement={quoteattr(key)} {more}>{ways}{inside}</di:BPMNEdge>"


def label(x: object, y: object, width: object, height: object, more: str = "") -> str:
    return f'<di:BPMNLabel {more}><dc:Bounds x="{x}" y="{y}" width="{width}" height="{height}"/></di:BPMNLabel>'


def plane(*drawn: str, element: str = "p", name: str = "", styles: str = "") -> str:
    inside = f'<di:BPMNPlane bpmnElement="{element}">{"".join(drawn)}</di:BPMNPlane>{styles}'
    return f'<di:BPMNDiagram name="{name}">{inside}</di:BPMNDiagram>'


def document(process: str, *planes: str, beside: str = "") -> bytes:
    return f'{HEAD}{beside}<process id="p">{process}</process>{"".join(planes)}</definitions>'.encode()


def svg(content: bytes, marks: Any = None, **options: Any) -> _Element:
    return etree.fromstring(draw(content, "drawn.bpmn", marks, **options))


def groups(root: _Element, key: str) -> list[_Element]:
    """The groups of an element."""
    return [g for g in root.iter("{*}g") if g.get("data-element-id") == key]


def texts(root: _Element) -> list[str]:
    """Lines of text, in the order in which they are drawn."""
    return [span.text or "" for span in root.iter("{*}tspan")]


def titles(elements: Iterable[_Element]) -> list[str]:
    """What is shown when elements are pointed at."""
    return [found for each in elements if (found := each.findtext("{*}title"))]
