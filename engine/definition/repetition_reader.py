"""Reads the markers of repeated activities, with Camunda 7's attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import CAMUNDA, attribute, child_text, elements, first, is_true, kind_of
from engine.definition.extension_reader import unsupported_extensions
from engine.definition.finding import Position
from engine.definition.repetition import Repetition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

    from engine.definition.safe_xml import Document

_MULTI_INSTANCE, _LOOP = "multiInstanceLoopCharacteristics", "standardLoopCharacteristics"
MARKERS = frozenset({_MULTI_INSTANCE, _LOOP})
_READ = frozenset({"loopCardinality", "completionCondition", "loopCondition", "documentation", "extensionElements"})


def read_repetition(element: _Element, document: Document) -> Repetition | None:
    """The marker of an activity; None where it has none."""
    multi, loop = first(element, _MULTI_INSTANCE), first(element, _LOOP)
    if multi is not None:
        return _multi_instance(multi, document.position(multi))
    return _standard_loop(loop, document.position(loop)) if loop is not None else None


def _multi_instance(marker: _Element, position: Position) -> Repetition:
    return Repetition(
        position=position,
        sequential=is_true(marker, "isSequential"),
        cardinality=child_text(marker, "loopCardinality"),
        collection=attribute(marker, "collection", CAMUNDA),
        element=attribute(marker, "elementVariable", CAMUNDA),
        completion=child_text(marker, "completionCondition"),
        odd=tuple(_odd(marker)),
    )


def _standard_loop(marker: _Element, position: Position) -> Repetition:
    maximum = attribute(marker, "loopMaximum")
    whole = maximum is not None and maximum.isascii() and maximum.isdecimal() and len(maximum) < 10
    return Repetition(
        position=position,
        is_loop=True,
        sequential=True,
        test_before=is_true(marker, "testBefore"),
        maximum=int(maximum) if maximum and whole else None,
        condition=child_text(marker, "loopCondition"),
        odd=(*_odd(marker), *(["loopMaximum"] if maximum and not whole else [])),
    )


def _odd(marker: _Element) -> Iterator[str]:
    """What a marker says that isn't executed."""
    yield from unsupported_extensions(marker, kind_of(marker) or "")
    yield from (kind for child in elements(marker) if (kind := kind_of(child)) and kind not in _READ)
    if (attribute(marker, "behavior") or "All") != "All":
        yield "behavior"
