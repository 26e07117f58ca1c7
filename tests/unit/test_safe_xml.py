"""XML from strangers is refused where it is dangerous, and located where it is not."""

from __future__ import annotations

import time

import pytest

from engine.definition.safe_xml import DEPTH_LIMIT, SIZE_LIMIT, parse_xml, read_document
from engine.errors import DefinitionInvalid

BOMB = '<!DOCTYPE a [<!ENTITY l0 "ha">{}]><a>&l9;</a>'.format(
    "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
)
REFUSED = {
    "a DOCTYPE": (b"<!DOCTYPE a><a/>", "doctype-refused"),
    "a file of the machine as an entity": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "doctype-refused",
    ),
    "a DTD from the network": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', "doctype-refused"),
    "a billion laughs": (BOMB.encode(), "doctype-refused"),
    "a DOCTYPE in UTF-16": ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "doctype-refused"),
    "an entity that nobody declared": (b"<a>&x;</a>", "not-well-formed"),
    "nothing": (b"", "not-well-formed"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00", "not-well-formed"),
    "an open tag": (b"<a><b></a>", "not-well-formed"),
    "a prefix without a namespace": (b"<x:a/>", "not-well-formed"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="klingon"?><a/>', "not-well-formed"),
    "an encoding that cannot be read safely": (b'<?xml version="1.0" encoding="shift_jis"?><a/>', "not-well-formed"),
    "broken UTF-8": (b"<a>\xff</a>", "not-well-formed"),
    "one level too many": (b"<a>" * (DEPTH_LIMIT + 1) + b"</a>" * (DEPTH_LIMIT + 1), "too-deep"),
    "a hundred thousand levels": (b"<a>" * 100_000, "too-deep"),
    "one byte too many": (b"<a>" + b" " * (SIZE_LIMIT - 6) + b"</a>", "file-too-large"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_at_once_with_one_finding_in_the_file(what: str) -> None:
    content, rule = REFUSED[what]
    began = time.process_time()
    with pytest.raises(DefinitionInvalid) as refused:
        parse_xml(content, "x.bpmn")
    assert time.process_time() - began < 1
    [finding] = refused.value.findings
    assert (finding.rule, finding.position.file) == (rule, "x.bpmn")
    assert "Do: " in finding.message
    assert "root:" not in str(refused.value)


def test_a_mistake_is_reported_at_its_line_and_column() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_xml(b"<a>\n  <b>\n  </c>\n</a>", "x.bpmn")
    assert str(refused.value).startswith("x.bpmn:3:5: error: not-well-formed")


def test_the_largest_and_deepest_file_that_is_allowed_is_read() -> None:
    deep = b"<a>" * DEPTH_LIMIT
    content = deep + b" " * (SIZE_LIMIT - 7 * DEPTH_LIMIT) + b"</a>" * DEPTH_LIMIT
    assert parse_xml(content, "x.bpmn").tag == "a"


def test_elements_are_located_where_their_start_tags_begin() -> None:
    content = b'<?xml version="1.0"?>\n<a\n   x="1">\n  <!-- <c/> --><b\n y="2"/><?pi?><![CDATA[<d/>]]>\n</a>'
    document = read_document(content, "x.bpmn")
    assert [(e.tag, str(at)) for e, at in document.positions.items()] == [("a", "x.bpmn:2:1"), ("b", "x.bpmn:4:16")]
    assert document.position(document.root).line == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_encodings_that_modelers_write_are_read(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    content = f'<?xml version="1.0" encoding="{declared}"?><a n="Abbuchung für März"/>'.encode(encoding)
    assert parse_xml(content, "x.bpmn").get("n") == "Abbuchung für März"


def test_entities_of_the_language_itself_and_cdata_are_text() -> None:
    assert parse_xml(b"<a>x &lt; 3 &#38;<![CDATA[ y > 2 ]]></a>", "x.bpmn").text == "x < 3 & y > 2 "
