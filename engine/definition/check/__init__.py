"""Checks a process definition before it is deployed: a diagram runs as BPMN 2.0 says, or it is refused by name.

One rule is one function. RULES is all there are, in the order in which a person would want to know: first whether it is a
process at all, then where it leads, then what its elements say, then what the carry-over map promises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from engine.connector import Connectors
from engine.definition.carry_over import CarryOverMap
from engine.definition.carry_over_reader import read_carry_over
from engine.definition.check import (
    controls,
    data,
    elements,
    flow,
    hand_over,
    secrets,
    service_tasks,
    structure,
    timers,
    user_tasks,
)
from engine.definition.check.service_tasks import ChecksParameters
from engine.definition.check.subject import Rule, Subject, verdict
from engine.definition.diagram import Diagram
from engine.definition.diagram_reader import read_diagram
from engine.definition.finding import Finding, Position, Severity
from engine.definition.process_definition import DIAGRAM_SUFFIX, MAP_SUFFIX, main_process, resources_of
from engine.errors import DefinitionInvalid

MAX_ELEMENTS = 5_000
"""Flow nodes and sequence flows of a process. A large real one has a few hundred; proofs take time with the square."""

RULES: tuple[Rule, ...] = (
    structure.one_process_per_file,
    structure.process_not_executable,
    structure.process_id_mismatch,
    structure.duplicate_id,
    structure.reserved_id,
    structure.id_too_long,
    structure.missing_reference,
    structure.start_event_required,
    structure.several_none_starts,
    structure.several_message_starts,
    structure.start_has_incoming,
    structure.boundary_has_incoming,
    structure.end_has_outgoing,
    structure.no_implicit_end,
    structure.boundary_event_detached,
    structure.flow_crosses_sub_process,
    structure.label_required,
    structure.unknown_user_task,
    elements.camunda_8_dialect,
    elements.unsupported_element,
    elements.drawing_only,
    flow.gateway_condition_missing,
    flow.condition_needs_split,
    flow.unreachable_node,
    flow.parallel_join_after_exclusive_split,
    flow.endless_loop_without_wait,
    timers.timer_invalid,
    timers.unless_claimed_invalid,
    timers.timer_meets_its_task,
    user_tasks.task_without_group,
    user_tasks.due_date_invalid,
    user_tasks.duplicate_form_field,
    user_tasks.form_field_unknown_item,
    user_tasks.form_field_type,
    data.carry_over_map_missing,
    data.expression_invalid,
    data.script_required,
    data.condition_not_boolean,
    data.unknown_data_item,
    data.item_unused,
    service_tasks.topic_required,
    service_tasks.unknown_topic,
    service_tasks.duplicate_parameter,
    service_tasks.unknown_parameter,
    service_tasks.missing_parameter,
    service_tasks.parameter_type,
    service_tasks.parameter_refused,
    service_tasks.unknown_output,
    service_tasks.error_code_not_caught,
    service_tasks.error_code_unknown,
    service_tasks.error_caught_twice,
    hand_over.message_not_caught,
    hand_over.message_not_thrown,
    hand_over.message_not_in_map,
    hand_over.message_thrown_twice,
    controls.control_unknown_element,
    controls.control_must_pass,
    controls.control_every_end,
    controls.control_end_expected,
    controls.control_different_people,
    secrets.secret_in_diagram,
)


def check(files: Mapping[str, bytes], connectors: Connectors) -> tuple[Finding, ...]:
    """Everything that is wrong with the definitions in `files`, sorted by position.

    `files` may hold several definitions, each as `NAME.bpmn`, `NAME.carry-over.yaml` and `NAME.FOLDER/FILE`; names may have
    folders in front. Never raises for what files say: one that can't be read gives findings.
    """
    stems = sorted(name.removesuffix(DIAGRAM_SUFFIX) for name in files if name.endswith(DIAGRAM_SUFFIX))
    found = set(_without_diagram(files, stems))
    for stem in stems:
        found.update(_check_one(stem, files, connectors))
    return tuple(sorted(found, key=lambda each: (each.position, each.rule, each.message)))


def _without_diagram(files: Mapping[str, bytes], stems: list[str]) -> Iterator[Finding]:
    maps = sorted(name.removesuffix(MAP_SUFFIX) for name in files if name.endswith(MAP_SUFFIX))
    for stem in maps:
        if stem not in stems:
            message = f"Expected the diagram {stem}{DIAGRAM_SUFFIX} beside the map, but there is none. Do: name both alike."
            yield Finding("diagram-missing", Severity.ERROR, Position(stem + MAP_SUFFIX), message)
    if not stems and not maps:
        at = Position(min(files, default="."))
        yield Finding("diagram-missing", Severity.ERROR, at, "Expected a diagram NAME.bpmn, but there is none. Do: give one.")


def _check_one(stem: str, files: Mapping[str, bytes], connectors: Connectors) -> Iterator[Finding]:
    found: list[Finding] = []
    carry_over = _read_map(stem + MAP_SUFFIX, files, found)
    diagram = _read_diagram(stem + DIAGRAM_SUFFIX, files, found)
    yield from found
    if diagram is None:
        return
    process = main_process(diagram, carry_over.process if carry_over else None)
    if process is None:
        message = "Expected a process in the diagram, but there is none. Do: draw a start event, tasks and an end event."
        yield Finding("process-required", Severity.ERROR, Position(diagram.file), message)
        return
    if (count := len(process.nodes) + len(process.flows)) > MAX_ELEMENTS:
        message = f"Expected at most {MAX_ELEMENTS:,} elements in a process, but there are {count:,}. Do: split the process."
        yield Finding("diagram-too-large", Severity.ERROR, process.position, message, process.id, process.name)
        return
    own = MappingProxyType({name: files[name] for name in files if name.startswith(f"{stem}.")})
    subject = Subject(diagram, process, carry_over, connectors, stem + MAP_SUFFIX, own, resources_of(stem, files))
    for rule in RULES:
        yield from rule(subject)


def _read_map(name: str, files: Mapping[str, bytes], found: list[Finding]) -> CarryOverMap | None:
    try:
        return read_carry_over(files[name], name) if name in files else None
    except DefinitionInvalid as invalid:
        found.extend(_findings(invalid, name))
        return None


def _read_diagram(name: str, files: Mapping[str, bytes], found: list[Finding]) -> Diagram | None:
    try:
        return read_diagram(files[name], name)
    except DefinitionInvalid as invalid:
        found.extend(_findings(invalid, name))
        return None


def _findings(invalid: DefinitionInvalid, name: str) -> tuple[Finding, ...]:
    return invalid.findings or (Finding("file-unreadable", Severity.ERROR, Position(name), str(invalid)),)


__all__ = ["RULES", "ChecksParameters", "Rule", "Subject", "check", "verdict"]
