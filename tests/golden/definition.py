"""The definition that the golden states belong to: the shipped process as it was when they were recorded."""

from __future__ import annotations

from pathlib import Path

from engine.definition.process_definition import ProcessDefinition, read_definition

FOLDER = Path(__file__).parent


def golden_definition() -> ProcessDefinition:
    """The diagram and its map in this folder."""
    names = ("monthly-card-charge.bpmn", "monthly-card-charge.carry-over.yaml")
    return read_definition({name: (FOLDER / name).read_bytes() for name in names})
