"""The `expect` of a scenario or step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.definition.safe_yaml import YamlList, YamlNode, YamlScalar
from engine.definition.yaml_fields import Fields, Report, as_map
from engine.rehearsal.scenario import Expected, Values
from engine.rehearsal.scenario_names import Names

NOTHING: Final = "nothing"
TOPICS: Final = {"charged": "stripe.charge", "refunded": "stripe.refund", "mailed": "email.send"}
"""The word for a topic's jobs that succeeded."""
_KEYS: Final = ("task", "for", "data", *TOPICS, "ran", "thrown", "ended", "passed", "next")


def read_expected(node: YamlNode, names: Names, report: Report) -> Expected | None:
    """What is expected; None, with findings, where that isn't a mapping."""
    entries = as_map(node, '"expect"', report)
    if entries is None:
        return None
    fields = Fields(entries, _KEYS, '"expect"', report)
    ends = ("endEvent",)
    return Expected(
        position=entries.position,
        tasks=_several(fields.node("task"), lambda each: names.node(each, ("userTask",), "a user task")),
        group=fields.text("for"),
        data=names.items(fields.node("data"), '"data"'),
        ran=_ran(fields, names, report),
        thrown=_several(fields.node("thrown"), names.message),
        ended=_several(fields.node("ended"), lambda each: names.own_node(each, ends, "an end event")),
        passed=_several(fields.node("passed"), names.any_node) or (),
        following=_following(fields.node("next"), names),
    )


def _several(node: YamlNode | None, read: Callable[[YamlNode], str | None]) -> tuple[str, ...] | None:
    """One or a list; nothing is an empty tuple; None where it was not asked."""
    if node is None:
        return None
    if _is_nothing(node):
        return ()
    each = node.items if isinstance(node, YamlList) else (node,)
    found = [read(one) for one in each]
    return tuple(name for name in found if name is not None)


def _following(node: YamlNode | None, names: Names) -> Values | None:
    return names.items(node, '"next"') if node is not None else None


def _ran(fields: Fields, names: Names, report: Report) -> dict[str, tuple[Values, ...]]:
    ran = {}
    for word, topic in TOPICS.items():
        node = fields.node(word)
        if node is not None:
            ran[topic] = _jobs(node, topic, names)
    node = fields.node("ran")
    entries = as_map(node, '"ran"', report) if node is not None else None
    for key, value in entries.entries if entries is not None else ():
        job = names.job(key)
        if job is not None:
            topic = names.topic_of(job)
            ran[topic] = _jobs(value, topic, names)
    return ran


def _jobs(node: YamlNode, topic: str, names: Names) -> tuple[Values, ...]:
    if _is_nothing(node):
        return ()
    each = node.items if isinstance(node, YamlList) else (node,)
    return tuple(names.parameters(one, topic) for one in each)


def _is_nothing(node: YamlNode) -> bool:
    return isinstance(node, YamlScalar) and node.text == NOTHING
