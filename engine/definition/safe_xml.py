"""XML from strangers, read without giving it anything: no DOCTYPE, no entities, no network, bounded in size and depth.

A first pass with expat refuses what is dangerous before any tree is built, and notes where each element starts (lxml knows
only the line on which a start tag ends). The second pass builds the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.parsers import expat

from lxml import etree

from engine.definition.finding import Finding, Position, Severity
from engine.errors import DefinitionInvalid

if TYPE_CHECKING:
    from lxml.etree import _Element

SIZE_LIMIT = 5 * 1024 * 1024
"""Bytes. A diagram of 1,000 elements with its layout has about one tenth of it."""
DEPTH_LIMIT = 100
"""Elements within elements. Real diagrams stay below 20."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its root element, and where each of its elements starts."""

    file: str
    root: _Element
    positions: Mapping[_Element, Position]

    def position(self, element: _Element) -> Position:
        """Where the element's start tag begins."""
        return self.positions[element]


def parse_xml(content: bytes, file: str) -> _Element:
    """The root element of `content`. `file` is the name that findings use.

    Raises DefinitionInvalid, with one finding at file:line:column, for a DOCTYPE, for more than SIZE_LIMIT bytes or
    DEPTH_LIMIT levels, and for what is not well-formed XML.
    """
    return read_document(content, file).root


def read_document(content: bytes, file: str) -> Document:
    """Like `parse_xml`, with the position of every element."""
    if len(content) > SIZE_LIMIT:
        raise _refused(
            "file-too-large",
            Position(file),
            f"Expected at most {SIZE_LIMIT // 1024 // 1024} MB, but the file has {len(content):,} bytes. "
            "Do: split the diagram, or remove embedded pictures.",
        )
    starts = _Scan(file).run(content)
    root = _tree(content, file)
    elements = list(root.iter(etree.Element))
    if len(elements) != len(starts):  # two readers see two documents: a trick with encodings
        raise _not_well_formed(Position(file), "the encoding is ambiguous")
    return Document(file, root, dict(zip(elements, starts, strict=True)))


def _refused(rule: str, position: Position, message: str) -> DefinitionInvalid:
    finding = Finding(rule, Severity.ERROR, position, message)
    return DefinitionInvalid(str(finding), (finding,))


class _Scan:
    """The first pass: the start of every element in document order, or DefinitionInvalid."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._depth = 0
        self._starts: list[Position] = []
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def run(self, content: bytes) -> list[Position]:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise _not_well_formed(Position(self._file, error.lineno, error.offset + 1), expat.ErrorString(error.code)) from None
        except (LookupError, ValueError) as error:  # an encoding that expat doesn't read
            raise _not_well_formed(self._here(), str(error)) from None
        return self._starts

    def _here(self) -> Position:
        return Position(self._file, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)

    def _start(self, _name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._starts.append(self._here())
        if self._depth > DEPTH_LIMIT:
            raise _refused(
                "too-deep",
                self._here(),
                f"Expected at most {DEPTH_LIMIT} elements within each other, but there are more. "
                "Do: save the diagram again with a BPMN modeler.",
            )

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _doctype(self, _name: str, _system: str | None, _public: str | None, _internal: bool) -> None:
        raise _refused(
            "doctype-refused",
            self._here(),
            "Expected no DOCTYPE, but there is one, and it can make a reader fetch or repeat other content. "
            "Do: remove the <!DOCTYPE ...> declaration; BPMN needs none.",
        )


def _tree(content: bytes, file: str) -> _Element:
    # The first pass has refused every DOCTYPE, so no entity can be declared; the switches hold in any case.
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise _not_well_formed(Position(file, max(line, 1), max(column, 0)), error.msg or "syntax error") from None


def _not_well_formed(position: Position, reason: str) -> DefinitionInvalid:
    return _refused(
        "not-well-formed",
        position,
        f"Expected well-formed XML, but the reader says: {reason}. Do: save the file again with a BPMN modeler, in UTF-8.",
    )
