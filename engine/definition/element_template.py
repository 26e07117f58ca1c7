"""Element templates: what lets an analyst pick a connector's operation in the modeler and fill it in like a form.

They are made from the connectors' own schemas, in Camunda 7's format (the JSON schema published as
`@camunda/element-templates-json-schema`; docs.camunda.org, "Element Templates" of the modeler). A template is known by its id
and version, and a diagram remembers which ones it was drawn with: the same content keeps its version, changed content gets the
next one, and the earlier ones stay, so that the modeler still knows a diagram's own and can offer the update.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol, TypeAlias, runtime_checkable

from engine.connector import Connector, Connectors

Template: TypeAlias = "dict[str, Any]"
"""One element template as JSON, the newest version of its id or an earlier one."""

FOLDER = ".camunda/element-templates"
"""Where the modeler looks for templates: in a folder of this name beside a diagram or above it."""

_SCHEMA = "https://unpkg.com/@camunda/element-templates-json-schema/resources/schema.json"
_PREFIX = "run-process."
_GROUPS = (("required", "Needed"), ("optional", "If wanted"), ("results", "Results"))
_LONG_TEXT = 1_000  # characters; a text that may be longer gets a field of several lines
_ORIGIN = ("id", "version")


@runtime_checkable
class Described(Protocol):
    """What a connector may offer beside its contract: how people call what it does."""

    title: str
    """Two to five words: `Charge a card`."""
    summary: str
    """One sentence."""


def templates_of(connectors: Connectors, known: Mapping[str, Sequence[Template]]) -> dict[str, list[Template]]:
    """Topic -> its templates, the newest version first. `known` are those that were written before, by topic, in that order."""
    return {topic: _versions(template_of(connectors[topic]), known.get(topic, ())) for topic in sorted(connectors)}


def _versions(made: Template, known: Sequence[Template]) -> list[Template]:
    newest = max((int(each.get("version", 0)) for each in known), default=0)
    if any(each.get("version") == newest and _content(each) == _content(made) for each in known):
        return list(known)
    return [{**made, "version": newest + 1}, *known]


def _content(template: Template) -> Template:
    return {key: value for key, value in template.items() if key not in _ORIGIN}


def template_of(connector: Connector) -> Template:
    """The template of one operation, as version 1."""
    named = connector if isinstance(connector, Described) else None
    schema = connector.parameters.model_json_schema()
    return {
        "$schema": _SCHEMA,
        "name": named.title if named else connector.topic,
        "id": _PREFIX + connector.topic,
        "version": 1,
        "description": " ".join(_sentences(connector, named.summary if named else "")),
        "keywords": sorted({connector.topic, *connector.topic.split("."), *connector.errors}),
        "appliesTo": ["bpmn:Task", "bpmn:ServiceTask"],
        "elementType": {"value": "bpmn:ServiceTask"},
        # Parameters of an analyst's own choice are added in the modeler's group of inputs, which a template else hides.
        "entriesVisible": bool(schema.get("additionalProperties")),
        "groups": [{"id": key, "label": label} for key, label in _GROUPS],
        "properties": [*_hidden(connector.topic), *_parameters(connector.topic, schema), *_results(connector, schema)],
    }


def _sentences(connector: Connector, summary: str) -> Iterator[str]:
    if summary:
        yield summary
    if connector.errors:
        yield "Errors to catch with boundary events:"
        yield " ".join(f"{code} ({when.rstrip('.')})." for code, when in connector.errors.items())


def _hidden(topic: str) -> Iterator[dict[str, Any]]:
    for name, value in (("camunda:type", "external"), ("camunda:topic", topic)):
        yield {"type": "Hidden", "value": value, "binding": {"type": "property", "name": name}}


# --- parameters -----------------------------------------------------------------------------------------------------


def _parameters(topic: str, schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that are needed come first, as in the modeler's panel."""
    needed = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    in_order = chain((name for name in properties if name in needed), (name for name in properties if name not in needed))
    for name in in_order:
        item = f"{topic.rpartition('.')[2]}_{name}"  # refund_reason: what `reason` is likely to be called among the data items
        yield _parameter(name, properties[name], _choices(_kind(properties[name]), item, name in needed), name in needed)


def _parameter(name: str, schema: Mapping[str, Any], choices: list[dict[str, str]], required: bool) -> dict[str, Any]:
    kind = _kind(schema)
    long_text = kind.get("type") == "string" and int(kind.get("maxLength", 0)) > _LONG_TEXT
    made: dict[str, Any] = {
        "label": str(schema.get("title", name)),
        "description": str(schema.get("description", "")),
        "type": "Dropdown" if choices else "Text" if long_text else "String",
        "group": "required" if required else "optional",
        "binding": {"type": "camunda:inputParameter", "name": name},
    }
    if choices:
        made["choices"] = choices
    else:
        made["placeholder"] = f"${{{name}}}"
    if (default := _default(schema, choices)) is not None:
        made["value"] = default
    constraints: dict[str, Any] = {"notEmpty": True} if required else {}
    if not choices and (fitting := _fitting(kind, str(schema.get("description", name)))) is not None:
        constraints["pattern"] = _pattern(*fitting, name, required)
    return {**made, "constraints": constraints} if constraints else made


def _kind(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the value, where there is one: an optional value's stands beside null's."""
    others = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return others[0] if len(others) == 1 else schema


def _choices(kind: Mapping[str, Any], item: str, required: bool) -> list[dict[str, str]]:
    """What a dropdown offers; nothing where any text will do. The last one takes the choice from the data item `item`."""
    values = ["true", "false"] if kind.get("type") == "boolean" else [str(each) for each in kind.get("enum", ())]
    if not values:
        return []
    offered = [{"name": value.replace("_", " ").capitalize(), "value": value} for value in values]
    none = [] if required else [{"name": "(none)", "value": ""}]
    return [*none, *offered, {"name": f"As the data item {item} says", "value": f"${{{item}}}"}]


def _default(schema: Mapping[str, Any], choices: Sequence[Mapping[str, str]]) -> str | None:
    """A dropdown shows its first choice even where nothing was chosen: so it is chosen."""
    default = schema.get("default")
    if default is not None:
        return str(default).lower() if isinstance(default, bool) else str(default)
    return choices[0]["value"] if choices else None


def _fitting(kind: Mapping[str, Any], description: str) -> tuple[str, str] | None:
    """What text fits, as a regular expression and in words; None where any does."""
    if kind.get("type") == "integer":
        return r"^\s*-?[0-9]+\s*$", "A whole number."
    if pattern := kind.get("pattern"):
        return str(pattern), description
    if longest := kind.get("maxLength"):
        return rf"^[\s\S]{{{kind.get('minLength', 0)},{longest}}}$", f"At most {longest:,} characters."
    return None


def _pattern(accepted: str, words: str, name: str, required: bool) -> dict[str, str]:
    """An expression fits as well: its value isn't known before it is evaluated. The modeler holds empty fields to this, too."""
    empty = "" if required else "^$|"
    return {"value": rf"{empty}(?:{accepted})|\$\{{", "message": f"{words} Or an expression, such as ${{{name}}}."}


# --- results --------------------------------------------------------------------------------------------------------


def _results(connector: Connector, schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One output for each result, but for those that only say again what a needed parameter said."""
    for name, what in connector.outputs.items():
        if name in schema.get("required", ()):
            continue
        yield {
            "label": name,
            "description": f"{what} Goes to a data item of the carry-over map; switch it off if none is to take it.",
            "type": "String",
            # A result must not overwrite the data item that the parameter of its name is likely to come from.
            "value": f"actual_{name}" if name in schema.get("properties", {}) else name,
            "group": "results",
            "binding": {"type": "camunda:outputParameter", "source": f"${{{name}}}"},
        }


__all__ = ["FOLDER", "Described", "Template", "template_of", "templates_of"]
