"""Reads what an analyst has silenced: `check_ignore` among an element's extension properties, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import BPMN, CAMUNDA, attribute, children, first
from engine.definition.finding import Position

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document

PROPERTY = "check_ignore"
"""The name of the extension property; its value is `rule-id: reason`. An element may have several."""


@dataclass(frozen=True, slots=True)
class Silence:
    """One `check_ignore` on the element with the id `element`. `rule` and `reason` are empty where the value lacks them."""

    element: str
    rule: str
    reason: str
    position: Position


def read_silences(document: Document, id_of: Callable[[_Element], str]) -> Iterator[Silence]:
    """Every `check_ignore` of a file, in document order. `id_of` gives the id by which findings name an element."""
    for extensions in document.root.iter(f"{{{BPMN}}}extensionElements"):
        block, owner = first(extensions, "properties", CAMUNDA), extensions.getparent()
        if block is None or owner is None:
            continue
        for each in children(block, "property", CAMUNDA):
            if attribute(each, "name") == PROPERTY:
                rule, _, reason = (attribute(each, "value") or "").partition(":")
                yield Silence(id_of(owner), rule.strip(), " ".join(reason.split()), document.position(each))
