"""A definition is its diagram, its map and their files, read as one thing."""

from __future__ import annotations

import pytest

from engine.definition.process_definition import digest_of, read_definition
from engine.errors import DefinitionInvalid
from tests.builders.drawing import billing, carry_over, files, start


def test_a_definition_knows_its_start_events_and_files() -> None:
    definition = read_definition(files(mail__thanks_txt=b"Thank you"))
    message_start, none_start = definition.message_start_event(), definition.none_start_event()
    assert message_start is not None
    assert none_start is not None
    assert (definition.id, definition.name, message_start.id, none_start.id) == ("billing", "billing", "again", "start")
    assert dict(definition.resources) == {"mail/thanks.txt": b"Thank you"}


def test_a_message_start_event_of_another_message_is_not_the_hand_overs() -> None:
    assert read_definition(files(billing({"again": start("again", "m_other")}))).message_start_event() is None


def test_the_digest_covers_every_name_and_every_byte() -> None:
    one = read_definition(files(mail__thanks_txt=b"Thank you")).digest
    assert one == read_definition(dict(reversed(files(mail__thanks_txt=b"Thank you").items()))).digest
    others = (files(), files(mail__thanks_txt=b"Thank you!"), files(mail__thank_txt=b"Thank you"))
    assert len({one, *(read_definition(each).digest for each in others)}) == 4


def test_no_two_sets_of_files_run_into_each_other() -> None:
    assert digest_of({"a": b"bc"}) != digest_of({"ab": b"c"})
    assert digest_of({"a": b"", "b": b"c"}) != digest_of({"a": b"b", "": b"c"})


def test_its_files_cannot_be_changed_from_outside() -> None:
    given = files()
    definition = read_definition(given)
    given["billing.bpmn"] = b""
    assert digest_of(definition.files) == definition.digest


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({}, "one-diagram"),
        ({**files(), "other.bpmn": billing()}, "one-diagram"),
        ({"billing.bpmn": billing()}, "carry-over-map-missing"),
        ({**files(), "notes.txt": b""}, "file-unexpected"),
        (files(billing(beside='<process id="second"><task id="t"/></process>')), "one-process-per-file"),
        (files(b"<definitions"), "not-well-formed"),
        (files(map_=b"process: billing\nprocess: billing\n"), None),
    ],
)
def test_what_is_not_one_definition_is_refused_with_findings(given: dict[str, bytes], rule: str | None) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        read_definition(given)
    assert refused.value.findings
    assert rule is None or refused.value.findings[0].rule == rule


def test_of_several_pools_the_maps_process_is_taken() -> None:
    drawn = billing(beside='<process id="customer"/>')
    assert read_definition(files(drawn, carry_over())).id == "billing"
