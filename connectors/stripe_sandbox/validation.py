"""Refuses what Stripe would refuse, by the SDK's own types (`stripe.params.*`): unknown and removed parameters, missing ones,
fractions where integers belong, values outside an enumeration.

The SDK's TypedDicts describe Python calls; a form carries strings. So each type is rebuilt once with three changes: extra keys
are forbidden, the request options (key, version, headers) are left out, and every scalar is first read from its form text
("10" is an integer, "10.5" and "1e3" are not; only "true" and "false" are booleans) and then checked strictly.
The SDK leaves enumerations open (`Literal[...] | str`) for the sake of later versions; at one version they are closed.

Follows https://docs.stripe.com/error-codes (parameter_unknown, parameter_missing, parameter_invalid_integer,
parameter_invalid_empty) and https://docs.stripe.com/upgrades (a version has its own parameters).
"""

from __future__ import annotations

import importlib
import re
import threading
import types
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NotRequired, Required, Union, get_args, get_origin

from pydantic import BeforeValidator, ConfigDict, Field, Strict, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict, get_type_hints, is_typeddict

from connectors.stripe_sandbox.refusals import ParameterRefused

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,12})?")
_UNSETTABLE: Final = frozenset({"name", "email", "phone", "description"})
"""Texts that an empty value clears, https://docs.stripe.com/api/customers/update. Any other must not be empty."""


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _array(value: Any) -> Any:
    if isinstance(value, Mapping) and value and all(str(key).isdecimal() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return value


_Text: Any = Annotated[str, StringConstraints(strict=True, min_length=1)]
_UnsettableText: Any = Annotated[str, Strict()]
_SCALARS: Final[Mapping[Any, Any]] = types.MappingProxyType(
    {
        int: Annotated[int, BeforeValidator(_integer), Strict()],
        float: Annotated[float, BeforeValidator(_number), Strict()],
        bool: Annotated[bool, BeforeValidator(_boolean), Strict()],
        str: _Text,
        Decimal: _Text,
    }
)


class Validator:
    """Checks parameters by the name of their type. Builds each check when it is first needed, and once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._adapters: dict[str, TypeAdapter[dict[str, Any]]] = {}

    def check(self, params_type: str, form: Mapping[str, Any]) -> dict[str, Any]:
        """The typed parameters of `form`, checked as `stripe.params.<params_type>`; raises ParameterRefused."""
        try:
            return self._adapter(params_type).validate_python(form)
        except ValidationError as error:
            raise _refusal(error, form) from error

    def _adapter(self, params_type: str) -> TypeAdapter[dict[str, Any]]:
        with self._lock:
            if params_type not in self._adapters:
                declared = getattr(importlib.import_module("stripe.params"), params_type)
                self._adapters[params_type] = TypeAdapter(_Shapes().mapping(declared))
            return self._adapters[params_type]


class _Shapes:
    """Rebuilds one type and what it refers to."""

    def __init__(self) -> None:
        self._options = frozenset(importlib.import_module("stripe._request_options").RequestOptions.__annotations__)
        self._done: dict[Any, Any] = {}

    def mapping(self, declared: Any) -> Any:
        """A TypedDict like `declared` that forbids extra keys and reads form texts."""
        if declared not in self._done:
            # the request options are inherited by the parameters of a call, never nested, and name types of other modules
            inherited = self._options if self._options <= declared.__annotations__.keys() else frozenset()
            own = {name: hint for name, hint in declared.__annotations__.items() if name not in inherited}
            names = vars(importlib.import_module(declared.__module__))
            hints = get_type_hints(types.SimpleNamespace(__annotations__=own), names, include_extras=True)
            fields = {name: self._field(name, hint) for name, hint in hints.items()}
            make: Any = TypedDict  # a type checker knows only literal ones
            self._done[declared] = make(declared.__name__, fields)
            self._done[declared].__pydantic_config__ = ConfigDict(extra="forbid")
        return self._done[declared]

    def _field(self, name: str, hint: Any) -> Any:
        if get_origin(hint) in (NotRequired, Required):
            return get_origin(hint)[self._field(name, get_args(hint)[0])]
        return _UnsettableText if hint is str and name in _UNSETTABLE else self._shape(hint)

    def _shape(self, hint: Any) -> Any:
        origin, args = get_origin(hint), get_args(hint)
        if hint in _SCALARS:
            return _SCALARS[hint]
        if origin in (Union, types.UnionType):
            return self._union(args)
        if origin is list:
            return Annotated[list[self._shape(args[0])], BeforeValidator(_array)]  # type: ignore[misc] # made at run time
        if origin is dict:
            # an empty value removes a key, https://docs.stripe.com/api/metadata
            return dict[str, Annotated[str, Strict()]]
        return self.mapping(hint) if is_typeddict(hint) else hint

    def _union(self, choices: Sequence[Any]) -> Any:
        closed = any(get_origin(choice) is Literal and any(get_args(choice)) for choice in choices)
        kept = [
            self._shape(choice)
            for choice in choices
            if not (choice is str and closed) and getattr(get_origin(choice), "__name__", "") != "UntypedStripeObject"
        ]
        if len(kept) == 1:
            return kept[0]
        return Annotated[Union[tuple(kept)], Field(union_mode="left_to_right")]  # noqa: UP007 - made at run time


def _refusal(error: ValidationError, form: Mapping[str, Any]) -> ParameterRefused:
    """The one problem that says most: an unknown key, then a missing one, then the deepest wrong value."""
    order = {"extra_forbidden": 0, "missing": 1}
    problems = [(order.get(each["type"], 2), _path(each["loc"], form), each) for each in error.errors()]
    rank, path, problem = min(problems, key=lambda found: (found[0], -len(found[1])))
    param = path[0] + "".join(f"[{part}]" for part in path[1:]) if path else None
    value = problem["input"]
    if rank == 0:
        return ParameterRefused(f"Received unknown parameter: {param}. Do: leave it out.", param, "parameter_unknown")
    if rank == 1:
        return ParameterRefused(f"Missing required param: {param}. Do: send it.", param, "parameter_missing")
    if value == "":
        return ParameterRefused(f"Expected a value, but {param} is empty. Do: leave it out.", param, "parameter_invalid_empty")
    if any(each["type"] == "int_type" and found == path for _, found, each in problems):
        return ParameterRefused(f"Invalid integer: {value}. Do: send an integer.", param, "parameter_invalid_integer")
    return ParameterRefused(f"Invalid {param}: {problem['msg']}. Do: send a value that the API names.", param)


def _path(location: Sequence[int | str], form: Any) -> list[str]:
    """The parts of pydantic's location that stand in the form; the others name branches of a union."""
    path: list[str] = []
    here = form
    for index, part in enumerate(location):
        if isinstance(here, Mapping) and str(part) in here:
            here = here[str(part)]
            path.append(str(part))
        elif index == len(location) - 1 and isinstance(here, Mapping) and not _branch(part):
            path.append(str(part))
    return path


def _branch(part: int | str) -> bool:
    return not re.fullmatch(r"[a-z0-9_]+", str(part)) or part in ("int", "str", "bool", "float")


def api_version() -> str:
    """The version that the SDK is made for, and so the only one played here, https://docs.stripe.com/api/versioning."""
    return str(importlib.import_module("stripe").api_version)
