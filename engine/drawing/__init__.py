"""BPMN diagrams as pictures: what an analyst has placed, drawn as SVG, with elements marked.

    from engine.drawing import Mark, Marking, draw

    svg = draw(content, "billing.bpmn")                                    # bytes, UTF-8, beginning with <svg
    svg = draw(content, "billing.bpmn", {"charge": Mark.UNCOVERED})         # or just "uncovered"
    svg = draw(content, "billing.bpmn", {
        "approve": [Mark.TOKEN, Marking(Mark.INCIDENT, note="card_declined, 3 attempts")],
        "flow_7": Marking(Mark.COVERED, badge="12", note="taken by 12 scenarios"),
    })

Keys of `marks` are ids of flow nodes, sequence flows or anything else that is drawn; ids that aren't drawn are passed over.
The result can stand in a file of its own or, as it is, within an HTML page: it has no scripts, links, ids or outside resources.
Each element is a `<g class="bpmn-KIND marked-MARK ..." data-element-id="ID">` whose `<title>` says its name, kind and marks.
The same input gives the same bytes. A legend below the picture says what the marks mean (`legend=False` leaves it out).

`read_picture` gives what would be drawn as plain records, with `notes` on what could not be drawn as the file has it: a file
without places for its elements is laid out from left to right. `draw_picture` draws it; `draw` is both in one. `picture_page`
makes an HTML page of a picture and a table of its elements; `to_png` makes a bitmap of an SVG.
"""

from __future__ import annotations

from engine.drawing.bitmap import to_png
from engine.drawing.marks import Mark, Marking, Marks
from engine.drawing.page import picture_page
from engine.drawing.picture import Picture
from engine.drawing.reader import read_picture
from engine.drawing.svg_picture import draw_picture

__all__ = ["Mark", "Marking", "Marks", "Picture", "draw", "draw_picture", "picture_page", "read_picture", "to_png"]


def draw(content: bytes, file: str, marks: Marks | None = None, *, legend: bool = True) -> bytes:
    """The diagram in `content` as an SVG document in UTF-8. `file` is the name that errors carry.

    `marks` says by element id what is to be marked. Raises DefinitionInvalid where the file isn't BPMN 2.0 or is refused by
    engine/definition/safe_xml.py. Several diagrams in one file stand one below the other, each under its name.
    """
    return draw_picture(read_picture(content, file), marks, legend=legend)
