"""`run-process.yaml`: who belongs to which group, how often failed work is tried, and who is reminded where.

The file is found like git's: in the working directory or the nearest folder above it. Without one, everything is open to
everyone, so that a first try needs no set-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.billing.reminders import ReminderRules
from engine.errors import ConfigurationInvalid, DataRefused, DefinitionInvalid
from engine.model.email_address import email_address
from engine.model.text import shown

if TYPE_CHECKING:
    from engine.definition.finding import Position
    from engine.definition.safe_yaml import YamlNode, YamlScalar

FILE_NAME = "run-process.yaml"

_DAY = 86_400
_KEYS = "`groups`, `addresses`, `reminders` or `retry_after`"
_REMINDER_KEYS = "`due_within`, `escalate_after` and `escalate_to`"
_LONGEST_WAIT = timedelta(days=366)
_RETRY_AFTER = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
_RECONCILE_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))


@dataclass(frozen=True)
class Configuration:
    """What an operator may set. A group that is not listed is open to everyone.

    `retry_after`: the pauses before work that failed harmlessly is tried again; after the last one it is an incident.
    `reconcile_after`, which no file sets: the same for work whose outcome is unknown and is only looked up.
    `reminders`: who is reminded of tasks, at which addresses, and when.
    """

    groups: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    retry_after: tuple[timedelta, ...] = _RETRY_AFTER
    reconcile_after: tuple[timedelta, ...] = _RECONCILE_AFTER
    reminders: ReminderRules = field(default_factory=ReminderRules)

    def may_work_for(self, user: str, group: str | None) -> bool:
        """Whether a user may do a group's tasks."""
        members = self.groups.get(group) if group is not None else None
        return members is None or user in members


def find_configuration(folder: Path) -> Path | None:
    """The configuration file in `folder` or the nearest folder above it."""
    for place in (folder, *folder.parents):
        if (place / FILE_NAME).is_file():
            return place / FILE_NAME
    return None


def read_configuration(path: Path) -> Configuration:
    """The configuration in a file. Raises ConfigurationInvalid, with file, line and column of what is wrong."""
    from engine.definition.safe_yaml import read_yaml  # reading YAML is slow to import, and most first tries have no file

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected to read {path}, but the system says: {error.strerror}. Do: check its permissions."
        ) from error
    if not content.strip():
        return Configuration()
    try:
        document, findings = read_yaml(content, str(path))
    except DefinitionInvalid as error:
        raise ConfigurationInvalid(str(error)) from error
    if findings:
        raise ConfigurationInvalid("\n".join(map(str, findings)))
    return _configuration(document)


def _configuration(document: YamlNode) -> Configuration:
    values: dict[str, Any] = {}
    addresses: Mapping[str, tuple[str, ...]] = {}
    reminders: YamlNode | None = None
    for key, node in _entries(document, f"a mapping with {_KEYS}"):
        match key.text:
            case "groups":
                values["groups"] = _groups(node)
            case "retry_after":
                values["retry_after"] = _pauses(node)
            case "addresses":
                addresses = _addresses(node)
            case "reminders":
                reminders = node
            case _:
                raise _refused(key.position, _KEYS, f"`{key.text}`", "correct the key")
    return Configuration(**values, reminders=_reminders(reminders, addresses))


def _groups(node: YamlNode) -> Mapping[str, frozenset[str]]:
    return MappingProxyType({key.text: _members(members) for key, members in _entries(node, "group names with lists of users")})


def _members(node: YamlNode) -> frozenset[str]:
    items = getattr(node, "items", None)
    if items is None or any(getattr(item, "meaning", None) != "text" or not item.text for item in items):
        raise _refused(node.position, "a list of user names", "something else", "write it like `Sales: [ann, bob]`")
    return frozenset(item.text for item in items)


def _pauses(node: YamlNode) -> tuple[timedelta, ...]:
    values = [getattr(item, "value", None) for item in getattr(node, "items", ())]
    seconds = [value for value in values if type(value) is int and 0 < value <= _DAY]
    if not seconds or seconds != values:
        asked = "a list of whole seconds up to a day"
        raise _refused(node.position, asked, "something else", "write it like `retry_after: [10, 60, 300]`")
    return tuple(timedelta(seconds=pause) for pause in seconds)


def _addresses(node: YamlNode) -> Mapping[str, tuple[str, ...]]:
    entries = _entries(node, "names of groups and users with e-mail addresses")
    return MappingProxyType({key.text: tuple(map(_address, _several(given))) for key, given in entries})


def _several(node: YamlNode) -> tuple[YamlNode, ...]:
    items: tuple[YamlNode, ...] = getattr(node, "items", (node,))
    if not items:
        raise _refused(node.position, "an e-mail address or a list of them", "an empty list", "write one, or remove the name")
    return items


def _address(node: YamlNode) -> str:
    text = getattr(node, "text", "")
    try:
        return email_address(text)
    except ValueError as error:
        found = shown(text) if text else "something else"
        raise _refused(node.position, "one e-mail address", found, "write it as in `Sales: sales@example.com`") from error


def _reminders(node: YamlNode | None, addresses: Mapping[str, tuple[str, ...]]) -> ReminderRules:
    rules: dict[str, Any] = {}
    for key, value in _entries(node, f"a mapping with {_REMINDER_KEYS}") if node is not None else ():
        match key.text:
            case "due_within" | "escalate_after":
                rules[key.text] = _wait(value)
            case "escalate_to":
                rules[key.text] = _addressee(value, addresses)
            case _:
                raise _refused(key.position, _REMINDER_KEYS, f"`{key.text}`", "correct the key")
    if node is not None and ("escalate_after" in rules) != ("escalate_to" in rules):
        raise _refused(node.position, "`escalate_after` and `escalate_to` together", "only one of them", "add the other")
    return ReminderRules(addresses, **rules)


def _wait(node: YamlNode) -> timedelta:
    from engine.model.period import parse_duration  # loads a library that most commands don't need

    try:
        duration = parse_duration(getattr(node, "text", ""))
    except DataRefused:
        duration = None
    if duration is None or duration.months or duration.rest > _LONGEST_WAIT:
        asked = "an ISO 8601 duration of days or hours, up to a year"
        raise _refused(node.position, asked, "something else", "write one as in P7D (days) or PT12H (hours)")
    return duration.rest


def _addressee(node: YamlNode, addresses: Mapping[str, tuple[str, ...]]) -> str:
    name: str = getattr(node, "text", "")
    if name not in addresses:
        raise _refused(node.position, "a name that stands under `addresses`", shown(name), "add it there, or correct it")
    return name


def _entries(node: YamlNode, expected: str) -> tuple[tuple[YamlScalar, YamlNode], ...]:
    entries: tuple[tuple[YamlScalar, YamlNode], ...] | None = getattr(node, "entries", None)
    if entries is None:
        raise _refused(node.position, expected, "something else", "see the README's section on configuration")
    return entries


def _refused(position: Position, expected: str, found: str, remedy: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"{position}: Expected {expected}, but there is {found}. Do: {remedy}.")
