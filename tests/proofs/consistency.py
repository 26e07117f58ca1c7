"""Whether what a database holds fits together, asked of its tables directly: what is found is a sentence each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from sqlalchemy import create_engine, event, select
from sqlalchemy.pool import NullPool

from engine.errors import StateUnknown
from engine.execution.executable import Executable
from engine.execution.state import load_state
from engine.execution.token_game import TokenGame
from engine.store import history as chains
from engine.store.tables import metadata

Row: TypeAlias = Any
Tables: TypeAlias = Mapping[str, list[Row]]

_CHECKED = ("instances", "bills", "user_tasks", "jobs", "messages", "timers", "incidents", "charges", "history")

_OPEN_TASKS = ("offered", "claimed")
_OPEN_JOBS = ("ready", "leased", "failed")
_OPEN_TIMERS = ("waiting", "failed")


class Reader:
    """Reads one database's tables through connections of its own, which see what is committed and nothing else."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _say_begin)
        else:
            self._engine = self._engine.execution_options(isolation_level="REPEATABLE READ")

    def tables(self, *names: str) -> Tables:
        """The rows of these tables as they are at one moment."""
        with self._engine.connect() as connection:
            return {name: list(connection.execute(select(metadata.tables[name]))) for name in names}

    def findings(self, executable: Executable) -> list[str]:
        """What doesn't fit in a database whose instances are all of this definition."""
        tables = self.tables(*_CHECKED)
        return [finding for rule in _RULES for finding in rule(tables, executable)]


def _say_begin(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("BEGIN")  # every question is asked of one snapshot


def _of_instances(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.instance_id].append(row)
    return found


def _states_load_and_name_the_open_work(tables: Tables, executable: Executable) -> Iterator[str]:
    tasks, jobs, timers = (_of_instances(tables[name]) for name in ("user_tasks", "jobs", "timers"))
    for instance in tables["instances"]:
        try:
            state = load_state(instance.token_state)
            waiting = TokenGame(executable.tree(state.start), _Nobody(), state.tokens).open_nodes()
        except StateUnknown as error:
            yield f"i{instance.id} can't be loaded: {error}"
            continue
        open_work = {row.token: row.flow_node for row in tasks[instance.id] if row.state in _OPEN_TASKS}
        open_work |= {row.token: row.flow_node for row in jobs[instance.id] if row.state in _OPEN_JOBS}
        open_work |= {row.token: row.flow_node for row in timers[instance.id] if row.state in _OPEN_TIMERS}
        expected = waiting if instance.state == "active" else {}
        if open_work != expected:
            yield f"i{instance.id} waits for {expected}, but {open_work} is open"


class _Nobody:
    """A token game that only shows where its tokens are asks nothing."""

    def holds(self, flow: str) -> bool:
        raise AssertionError(flow)

    def run_script(self, node: str) -> None:
        raise AssertionError(node)

    def throw(self, node: str) -> None:
        raise AssertionError(node)


def _every_change_of_state_has_its_history(tables: Tables, _: Executable) -> Iterator[str]:
    entries = _of_instances(tables["history"])
    for instance in tables["instances"]:
        own = entries[instance.id]
        steps = sum("path" in entry.details or entry.event == "instance_cancelled" for entry in own)
        if steps != instance.revision:
            yield f"i{instance.id} has changed {instance.revision} times, but its history tells of {steps}"
        ended = {"instance_completed": "completed", "instance_cancelled": "cancelled"}
        told = [ended[entry.event] for entry in own if entry.event in ended] or ["active"]
        if told != [instance.state] or (instance.ended_at is None) != (instance.state == "active"):
            yield f"i{instance.id} is {instance.state}, but its history says {told}"


def _every_record_has_its_history(tables: Tables, _: Executable) -> Iterator[str]:
    told = Counter((entry.instance_id, entry.event) for entry in tables["history"])
    for table, told_as in (("user_tasks", "task_created"), ("jobs", "job_created"), ("messages", "message_thrown")):
        for instance, rows in _of_instances(tables[table]).items():
            if len(rows) != told[instance, told_as]:
                yield f"i{instance} has {len(rows)} {table}, but {told[instance, told_as]} times {told_as} in its history"
    succeeded = [row.instance_id for row in tables["charges"] if row.state == "succeeded"]
    for instance in {number for number, what in told if what == "charge_succeeded"} | set(succeeded):
        if (told[instance, "charge_succeeded"], succeeded.count(instance)) != (1, 1):
            yield f"i{instance} has {succeeded.count(instance)} successful charges; told: {told[instance, 'charge_succeeded']}"


def _chains_are_whole(tables: Tables, _: Executable) -> Iterator[str]:
    for instance, entries in _of_instances(tables["history"]).items():
        sealed = "0" * 64
        for position, entry in enumerate(sorted(entries, key=lambda row: row.number), start=1):
            sealed = chains.seal(sealed, instance, position, entry.at, entry.event, entry.by, entry.details)
            if (entry.number, entry.hash) != (position, sealed):
                yield f"the history of i{instance} is broken at {position}"
                break


def _bills_and_hand_overs_are_once(tables: Tables, _: Executable) -> Iterator[str]:
    bills = {row.instance_id: (row.process, row.customer, row.period) for row in tables["bills"]}
    following = Counter(row.previous_id for row in tables["instances"] if row.previous_id is not None)
    for instance in tables["instances"]:
        bill = (instance.process, instance.customer, instance.period)
        if instance.state != "cancelled" and bills.get(instance.id) != bill:
            yield f"i{instance.id} is {bill}, but its bill is {bills.get(instance.id)}"
        if following[instance.id] > 1:
            yield f"i{instance.id} has {following[instance.id]} next instances"
    by_number = {row.id: row for row in tables["instances"]}
    for message in tables["messages"]:
        arrived = by_number.get(message.delivered_to) if message.delivered_to is not None else None
        if (message.state == "delivered") != (arrived is not None and arrived.previous_id == message.instance_id):
            yield f"m{message.id} is {message.state}, but arrived at {message.delivered_to}"
        if message.state == "waiting" and following[message.instance_id]:
            yield f"m{message.id} waits, but its instance has a next one"


def _incidents_are_of_failed_work(tables: Tables, _: Executable) -> Iterator[str]:
    failed = {row.id for row in tables["jobs"] if row.state == "failed"}
    of_jobs = {row.job_id for row in tables["incidents"] if row.resolved_at is None and row.job_id is not None}
    if failed != of_jobs:
        yield f"the jobs {failed} have failed, but {of_jobs} have an incident"


_RULES: tuple[Callable[[Tables, Executable], Iterator[str]], ...] = (
    _states_load_and_name_the_open_work,
    _every_change_of_state_has_its_history,
    _every_record_has_its_history,
    _chains_are_whole,
    _bills_and_hand_overs_are_once,
    _incidents_are_of_failed_work,
)
