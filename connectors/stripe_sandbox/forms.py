"""Reads `application/x-www-form-urlencoded` as Stripe does: brackets nest, `[]` and `[0]` make arrays.

The form knows no types: every leaf is a string here, and `validation` gives it the type that the parameter has. A mapping with
the keys 0, 1, 2 stays a mapping until then, because `metadata[0]` is a mapping and `expand[0]` an array.

Follows https://docs.stripe.com/api (form-encoded requests, JSON answers).
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from connectors.stripe_sandbox.refusals import ParameterRefused

MOST_FIELDS: Final = 2000
MOST_LEVELS: Final = 8
_KEY: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """The form as nested mappings and lists with string leaves; raises ParameterRefused where it is malformed."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise ParameterRefused("Expected a form-encoded request, but it cannot be read. Do: send key=value pairs.") from error
    form: dict[str, Any] = {}
    for key, value in pairs:
        _place(form, key, _path(key), value)
    return form


def _path(key: str) -> list[str]:
    match = _KEY.fullmatch(key)
    if match is None:
        raise ParameterRefused(f"Expected a key such as a[b][0], but its brackets do not match: {key}. Do: close them.", key)
    path = [match[1], *_PART.findall(match[2])]
    if len(path) > MOST_LEVELS or "" in path[:-1]:
        raise ParameterRefused(f"Expected at most {MOST_LEVELS} named levels, but found {key}. Do: name each level.", key)
    return path


def _place(form: dict[str, Any], key: str, path: list[str], value: str) -> None:
    here: Any = form
    for part in path[:-1]:
        here = here.setdefault(part, {}) if isinstance(here, dict) else None
        if not isinstance(here, dict):
            raise ParameterRefused(f"Expected one kind of value for {key}, but it is a text and a group. Do: send one.", key)
    last = path[-1]
    if last == "":  # a[]=x appends: kept under the next number, which validation reads as an array
        last = str(len(here))
    if isinstance(here.get(last), dict):
        raise ParameterRefused(f"Expected one kind of value for {key}, but it is a text and a group. Do: send one.", key)
    here[last] = value
