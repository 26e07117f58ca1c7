"""What people and programs are shown of tasks and instances: plain records, with ids as text.

These are the stable JSON forms of the command line; docs/json.md describes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.connector import Value
from engine.definition.data_item import DataType, format_value
from engine.execution.state import load_state
from engine.model.identifiers import Kind, format_id
from engine.store import user_tasks
from engine.store.instances import InstanceRow
from engine.store.user_tasks import UserTaskRow

if TYPE_CHECKING:
    from engine.definition.carry_over import CarryOverMap
    from engine.definition.diagram import FormField
    from engine.definition.process_definition import ProcessDefinition


@dataclass(frozen=True, slots=True)
class FieldView:
    """One form field. `value` and `previous` are typed (money in minor units); `text` and `previous_text` are for people.

    `previous` is last period's value, to be shown beside the empty field and never inside it. `required_if` is a condition
    on the form's values under which the field is required as well.
    """

    name: str
    type: str
    label: str
    required: bool
    value: Value
    previous: Value
    required_if: str | None
    readonly: bool
    choices: tuple[str, ...]
    currency: str | None
    text: str
    previous_text: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """One user task."""

    id: str
    instance: str
    flow_node: str
    name: str
    group: str | None
    state: str
    claimed_by: str | None
    created_at: datetime
    due_at: datetime | None
    overdue: bool
    completed_at: datetime | None
    customer: str | None
    period: str | None
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One process instance. `previous` and `next` are its neighbours in the customer's chain; `called_by` is who called it."""

    id: str
    process: str
    version: int
    state: str
    customer: str | None
    period: str | None
    started_by: str
    previous: str | None
    next: str | None
    started_at: datetime
    ended_at: datetime | None
    end_events: tuple[str, ...]
    called_by: str | None = None


def task_view(
    row: UserTaskRow,
    instance: InstanceRow,
    definition: ProcessDefinition | None,
    now: datetime,
    data: Mapping[str, Value] | None = None,
) -> TaskView:
    """A task with its form as it stands `now`; without a definition, a task without its form. `data`: its data, if known."""
    return TaskView(
        id=format_id(Kind.TASK, row.id),
        instance=format_id(Kind.INSTANCE, row.instance),
        flow_node=row.flow_node,
        name=row.name or row.flow_node,
        group=row.group,
        state=row.state,
        claimed_by=row.claimed_by,
        created_at=row.created_at,
        due_at=row.due_at,
        overdue=row.state in user_tasks.OPEN and row.due_at is not None and row.due_at < now,
        completed_at=row.completed_at,
        customer=instance.customer,
        period=instance.period,
        fields=tuple(_form(row, instance, definition, data)) if definition is not None else (),
    )


def _form(
    row: UserTaskRow, instance: InstanceRow, definition: ProcessDefinition, data: Mapping[str, Value] | None
) -> Iterator[FieldView]:
    if data is None:
        data = load_state(instance.token_state).data_at(row.token)
    for field in definition.process.nodes[row.flow_node].fields:
        yield _field_view(field, definition.carry_over, data, instance.previous_values)


def _field_view(field: FormField, carry_over: CarryOverMap, data: Mapping[str, Value], previous: Mapping[str, Any]) -> FieldView:
    item = carry_over.items[field.name]
    currency = carry_over.currency_of(item, data) if item.type is DataType.MONEY else None
    before = previous.get(field.name) or {}
    value = data.get(field.name)
    return FieldView(
        name=field.name,
        type=str(item.type),
        label=field.label,
        required=field.required,
        value=value,
        previous=before.get("value"),
        required_if=field.required_if,
        readonly=field.readonly,
        choices=item.choices,
        currency=currency,
        text=format_value(item, value, currency),
        previous_text=format_value(item, before.get("value"), before.get("currency")),
    )


def instance_view(row: InstanceRow, successor: int | None, caller: int | None = None) -> InstanceView:
    """An instance, with its successor in the chain, and who called it."""
    return InstanceView(
        id=format_id(Kind.INSTANCE, row.id),
        process=row.process,
        version=row.version,
        state=row.state,
        customer=row.customer,
        period=row.period,
        started_by=row.started_by,
        previous=format_id(Kind.INSTANCE, row.previous_id) if row.previous_id is not None else None,
        next=format_id(Kind.INSTANCE, successor) if successor is not None else None,
        started_at=row.started_at,
        ended_at=row.ended_at,
        end_events=tuple(row.end_events or ()),
        called_by=format_id(Kind.INSTANCE, caller) if caller is not None else None,
    )
