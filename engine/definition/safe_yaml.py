"""YAML from people, read without its traps: no anchors, tags or merge keys, bounded in size and depth, every place known.

What is read are the parser's events, so nothing is constructed or resolved by a library. Scalars stay text; what they mean
is decided here, and where YAML 1.1 and 1.2 disagree (`no`, `010`, `1:30`) they mean nothing until somebody quotes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from engine.definition.finding import Finding, Position, Severity
from engine.errors import DefinitionInvalid
from engine.model.text import shown

if TYPE_CHECKING:
    from engine.connector import Value

SIZE_LIMIT: Final = 256 * 1024
"""Bytes. A map of 100 items has about 10,000."""
DEPTH_LIMIT: Final = 20
"""Lists and mappings within each other. A map needs 4."""
MOST_FINDINGS: Final = 100
"""Reading stops after so many: nobody mends more at once."""

_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_EMPTY = re.compile(r"|~|null|Null|NULL")
# What a reader of YAML 1.1 or 1.2 takes for something else than text: booleans, numbers (also octal, in base 60, with
# underscores), infinities, timestamps.
_UNCLEAR = re.compile(
    r"""(?ix) y|yes|n|no|on|off | [-+]?\.(?:inf|nan)
    | [-+]?0[box][0-9a-f_]+
    | [-+]?(?:[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:e[-+]?[0-9]+)?
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t\s].*)?"""
)


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """One value as it was written. `plain` means without quotes."""

    text: str
    plain: bool
    position: Position

    @property
    def meaning(self) -> Literal["text", "boolean", "integer", "empty", "unclear"]:
        """What the text stands for; unclear where readers of YAML disagree or see a number that is no integer."""
        if not self.plain:
            return "text"
        if _EMPTY.fullmatch(self.text):
            return "empty"
        if _BOOLEAN.fullmatch(self.text):
            return "boolean"
        if _INTEGER.fullmatch(self.text):
            return "integer"
        return "unclear" if _UNCLEAR.fullmatch(self.text) else "text"

    @property
    def value(self) -> Value:
        """The value by its meaning; what is unclear stays text."""
        match self.meaning:
            case "empty":
                return None
            case "boolean":
                return self.text.lower() == "true"
            case "integer":
                return int(self.text)
            case _:
                return self.text


@dataclass(frozen=True, slots=True)
class YamlList:
    """A list of nodes."""

    items: tuple[YamlNode, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class YamlMap:
    """A mapping in document order. Keys are text and stand once."""

    entries: tuple[tuple[YamlScalar, YamlNode], ...]
    position: Position


YamlNode: TypeAlias = YamlScalar | YamlList | YamlMap


def read_yaml(content: bytes, file: str) -> tuple[YamlNode, tuple[Finding, ...]]:
    """The first document in `content`, which is UTF-8, and what is wrong with it. `file` is the name that findings use.

    Returned are findings that leave the rest readable: anchors, aliases, tags, directives, further documents, merge keys,
    duplicate keys (the first one counts) and keys that are not text. A caller that has any must refuse the file. Raises
    DefinitionInvalid for more than SIZE_LIMIT bytes, DEPTH_LIMIT levels or MOST_FINDINGS findings, for other encodings, and
    for what is not YAML or is empty.
    """
    if len(content) > SIZE_LIMIT:
        message = (
            f"Expected at most {SIZE_LIMIT // 1024} kB, but the file has {len(content):,} bytes. Do: remove what is not needed."
        )
        raise refused(Finding("yaml-too-large", Severity.ERROR, Position(file), message))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        position = Position(file, content.count(b"\n", 0, error.start) + 1)
        message = f"Expected text in UTF-8, but byte {error.start + 1} is not. Do: save the file in UTF-8."
        raise refused(Finding("yaml-not-utf-8", Severity.ERROR, position, message)) from None
    return _Reading(text, file).run()


def refused(*findings: Finding) -> DefinitionInvalid:
    """The error that carries these findings, and whose text lists them."""
    return DefinitionInvalid("\n".join(map(str, findings)), findings)


class _Reading:
    """One pass over the parser's events. What can be passed over is noted."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._findings: list[Finding] = []
        self._events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)

    def run(self) -> tuple[YamlNode, tuple[Finding, ...]]:
        try:
            return self._documents(), tuple(self._findings)
        except ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            self._stop(Position(self._file, line), f"it holds the control character U+{error.character:04X}")
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            position = Position(self._file, mark.line + 1, mark.column + 1) if mark else Position(self._file)
            self._stop(position, error.problem or "the syntax is wrong")
        except (YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
            # The library raises more than its own errors on malformed directives and escapes.
            self._stop(Position(self._file), f"the reader says: {shown(str(error))}")

    def _documents(self) -> YamlNode:
        root: YamlNode | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if event.version or event.tags:
                    self._note(
                        "yaml-directive", self._place(event), "no directive", "there is one above", "remove the line with %"
                    )
                if root is not None:
                    self._note("yaml-several-documents", self._place(event), "one document", "another starts here", "remove it")
                    break
                root = self._node(next(self._events), 0)
        if root is None:
            self._stop(Position(self._file), "it is empty")
        return root

    def _node(self, event: Event, depth: int) -> YamlNode:
        position = self._place(event)
        if depth > DEPTH_LIMIT:
            self._note("yaml-too-deep", position, f"at most {DEPTH_LIMIT} levels", "there are more", "flatten the file")
            raise refused(*self._findings)
        self._refuse_anchor_and_tag(event, position)
        match event:
            case ScalarEvent():
                return YamlScalar(event.value, event.style is None, position)
            case SequenceStartEvent():
                return YamlList(tuple(self._items(depth)), position)
            case MappingStartEvent():
                return YamlMap(tuple(self._entries(depth)), position)
            case _:  # an alias, noted above; nothing is ever looked up
                return YamlScalar("", True, position)

    def _items(self, depth: int) -> Iterator[YamlNode]:
        while not isinstance(event := next(self._events), SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _entries(self, depth: int) -> Iterator[tuple[YamlScalar, YamlNode]]:
        seen: dict[str, Position] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(self._node(event, depth + 1), seen)
            value = self._node(next(self._events), depth + 1)
            if key is not None:
                yield key, value

    def _key(self, node: YamlNode, seen: dict[str, Position]) -> YamlScalar | None:
        if not isinstance(node, YamlScalar) or node.meaning != "text":
            found = f"{shown(node.text)} is not" if isinstance(node, YamlScalar) else "it is a list or a mapping"
            self._note("yaml-key-not-text", node.position, "a key that is text", found, "put it in quotes")
            return None
        if node.plain and node.text == "<<":
            self._note("yaml-merge-key", node.position, "every entry written out", "<< merges others in", "write them out")
            return None
        if node.text in seen:
            found = f"{shown(node.text)} stands on line {seen[node.text].line} already"
            self._note("yaml-duplicate-key", node.position, "every key once", found, "remove one")
            return None
        seen[node.text] = node.position
        return node

    def _refuse_anchor_and_tag(self, event: Event, position: Position) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, AliasEvent):
            self._note("yaml-anchor", position, "every value written out", f"there is the alias {shown(anchor)}", "write it out")
        elif anchor is not None:
            self._note("yaml-anchor", position, "no anchor", f"there is {shown(anchor)}", "remove it")
        if tag is not None:
            self._note("yaml-tag", position, "no tag", f"there is {shown(str(tag))}", "remove it, and put text in quotes")

    def _place(self, event: Event) -> Position:
        return Position(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _note(self, rule: str, position: Position, expected: str, found: str, remedy: str) -> None:
        message = f"Expected {expected}, but {found}. Do: {remedy}."
        self._findings.append(Finding(rule, Severity.ERROR, position, message))
        if len(self._findings) >= MOST_FINDINGS:
            raise refused(*self._findings)

    def _stop(self, position: Position, reason: str) -> NoReturn:
        self._note("yaml-unreadable", position, "a file in YAML", reason, "correct it at this place")
        raise refused(*self._findings)
