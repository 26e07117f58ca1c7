"""Stand-ins for connectors: they call nothing, keep the connector's contract, and make up outputs of the right shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import ValidationError

from engine.connector import Connector, Connectors, Value
from engine.definition.data_item import DataItem, DataType
from engine.errors import DataRefused
from engine.execution.executable import Executable
from engine.model.moment import format_moment
from engine.model.money import format_money, parse_money
from engine.rehearsal.scenario import Given, Values
from engine.rehearsal.work import Job

_AMOUNT = "amount"
_CURRENCY = "currency"
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_SOME_AMOUNT = 10_000  # minor units


def refuse_parameters(job: Job, connectors: Connectors) -> None:
    """Raise DataRefused for parameters that the job's connector wouldn't take."""
    connector = connectors.get(job.topic)
    if connector is None:
        return
    try:
        connector.parameters.model_validate(dict(job.parameters))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'they'}: {each['msg']}" for each in found)
        raise DataRefused(
            f"Expected parameters that {job.topic} takes, but {wrong}. Do: correct what {job.flow_node!r} passes."
        ) from error


def made_up(job: Job, executable: Executable, connectors: Connectors, now: datetime) -> dict[str, Value]:
    """Outputs as the job's connector declares them: those that it has as parameters too are the same (amount, currency), times
    are now, and the rest fits the data item that takes it.
    """
    connector = connectors.get(job.topic)
    if connector is None:
        return {}
    takers = _takers(job, executable)
    return {name: _output(name, job, connector, takers.get(name), now) for name in connector.outputs}


def _output(name: str, job: Job, connector: Connector, taker: DataItem | None, now: datetime) -> Value:
    given = job.parameters.get(name)
    if given is not None:
        return given
    if name.endswith("_at"):
        return format_moment(now)
    if name == _AMOUNT and _CURRENCY in connector.outputs:
        return _SOME_AMOUNT
    return _fitting(name, job, taker, now)


def _fitting(name: str, job: Job, taker: DataItem | None, now: datetime) -> Value:
    match taker.type if taker is not None else DataType.STRING:
        case DataType.MONEY:
            return _SOME_AMOUNT
        case DataType.INTEGER:
            return 1
        case DataType.BOOLEAN:
            return True
        case DataType.EMAIL:
            return "someone@example.com"
        case DataType.MONTH:
            return now.strftime("%Y-%m")
        case DataType.DATE:
            return now.strftime("%Y-%m-%d")
        case DataType.CURRENCY:
            return "USD"
        case DataType.CHOICE:
            return taker.choices[0] if taker is not None and taker.choices else None
        case _:
            return f"{name}_{job.id}"


def _takers(job: Job, executable: Executable) -> Mapping[str, DataItem]:
    """Output -> the data item that takes it as it is."""
    items = executable.definition.carry_over.items
    written = executable.nodes[job.flow_node].outputs
    return {p.text.strip().removeprefix("${").removesuffix("}").strip(): items[p.name] for p in written if p.name in items}


# --- values that analysts write -------------------------------------------------------------------------------------


def as_output(name: str, given: Given, job: Job) -> Value:
    """An output's value: an amount beside a currency in major units, as people write money; else a whole number, true or false,
    or text. Raises DataRefused for an amount that is none.
    """
    currency = job.parameters.get(_CURRENCY)
    if given.text is None:
        return None
    if name == _AMOUNT and isinstance(currency, str):
        return parse_money(given.text, currency)
    return as_value(given)


def as_value(given: Given) -> Value:
    """A value without a type of its own: what stands in quotes is text."""
    if not given.plain or given.text is None:
        return given.text
    if given.text in ("true", "false"):
        return given.text == "true"
    return int(given.text) if _INTEGER.fullmatch(given.text) else given.text


def differing(job: Job, expected: Values) -> Mapping[str, str]:
    """The expected parameters that the job has not, with what it has instead, as people read it. Raises DataRefused."""
    return {name: _read(name, job) for name, given in expected.items() if not _same(name, given, job)}


def _same(name: str, given: Given, job: Job) -> bool:
    actual, currency = job.parameters.get(name), job.parameters.get(_CURRENCY)
    if given.text is None or actual is None:
        return given.text is None and actual is None
    if name == _AMOUNT and isinstance(actual, int) and isinstance(currency, str):
        return parse_money(given.text, currency) == actual
    return given.text.strip() == _text(actual)


def described_parameters(job: Job, names: Iterable[str]) -> str:
    """Some of a job's parameters as people read them."""
    return ", ".join(f"{name} {_read(name, job)}" for name in names)


def _read(name: str, job: Job) -> str:
    actual, currency = job.parameters.get(name), job.parameters.get(_CURRENCY)
    if name == _AMOUNT and isinstance(actual, int) and isinstance(currency, str):
        return format_money(actual, currency)
    return "nothing" if actual is None else _text(actual)


def _text(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
