"""`incidents`, `retry`, `resolve`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from commands.completion import complete_incident
from commands.failure import PERSON_NEEDED, report
from commands.output import counted, print_blocks, print_json, print_table, readable, say
from commands.session import (
    acting_user,
    database_option,
    debugging,
    json_option,
    live_option,
    open_runtime,
    options,
    topics_left,
    user_option,
)
from engine.errors import EngineError, NotFound

if TYPE_CHECKING:
    from engine.services.resolving import Verdict
    from engine.services.runtime import Runtime
    from engine.services.working import Work


@click.command()
@click.option("--all", "resolved", is_flag=True, help="Resolved ones as well.")
@options(database_option, json_option)
def incidents(resolved: bool, database: str, as_json: bool) -> int:
    """List what needs a person: what happened, how often it was tried, and what to do. Exit code 3 when there is any."""
    from engine.services.resolving import open_incidents

    with open_runtime(database) as runtime:
        found = open_incidents(runtime, resolved=resolved)
    if as_json:
        print_json(found)
    elif found and sys.stdout.isatty():
        print_blocks(_block(incident) for incident in found)
    elif found:
        columns = ("INCIDENT", "INSTANCE", "CUSTOMER", "PERIOD", "AT", "FLOW NODE", "KIND", "TRIED", "WHAT HAPPENED", "DO")
        print_table(columns, [_row(incident) for incident in found], right=("TRIED",))
    return PERSON_NEEDED if any(i["resolved_at"] is None for i in found) else 0


def _block(incident: dict[str, Any]) -> tuple[tuple[object, ...], str, list[str]]:
    names = ("id", "instance", "customer", "period", "created_at", "flow_node", "kind")
    facts = (*(incident[name] for name in names if incident[name]), f"tried {counted(incident['tried'], 'time')}")
    return facts, _resolved(incident) or incident["reason"], incident["commands"]


def _row(incident: dict[str, Any]) -> tuple[Any, ...]:
    names = ("id", "instance", "customer", "period", "created_at", "flow_node", "kind", "tried", "reason")
    return (*(incident[name] for name in names), _resolved(incident) or "; ".join(incident["commands"]))


def _resolved(incident: dict[str, Any]) -> str:
    if not incident["resolved_at"]:
        return ""
    return f"resolved by {incident['resolved_by']}" + (f": {incident['resolution']}" if incident["resolution"] else "")


@click.command()
@click.argument("incident_ids", nargs=-1, metavar="[INCIDENT]...", shell_complete=complete_incident)
@click.option("--kind", metavar="KIND", help="All open incidents of this kind as well, as `incidents` names it.")
@click.option("--wait", type=click.IntRange(0, 3600), default=30, show_default=True, help="Seconds for a running worker.")
@options(database_option, user_option, live_option, json_option)
def retry(
    incident_ids: tuple[str, ...], kind: str | None, wait: int, database: str, user: str | None, live: bool, as_json: bool
) -> int:
    """Run incidents' work again, with all its attempts, and tell what really became of it.

    A running worker does it and is waited for; where there is none, it is done here. Takes ids of jobs, messages, timers and
    calls too; a job that waits for its next attempt has it now. Exit code 3 when something needs a person again.
    """
    from engine.services.rerunning import rerun
    from engine.services.row_forms import work_json

    if not incident_ids and kind is None:
        raise click.UsageError("Expected an incident or --kind, but there is neither. Do: run-process incidents lists them.")
    by = acting_user(user)
    with open_runtime(database, live=live, working=True) as runtime:
        put_back, code = _put_back(runtime, [*incident_ids, *_of_kind(runtime, kind)], by)
        done = []
        for incident in put_back:
            work = rerun(runtime, incident, by, wait)
            done.append({**incident, "work": work_json(work)})
            code = max(code, _tell(runtime, work, live, quiet=as_json))
    if as_json:
        print_json(done)
    return code


def _of_kind(runtime: Runtime, kind: str | None) -> list[str]:
    from engine.services.resolving import open_incidents
    from engine.store.incidents import KINDS

    if kind is None:
        return []
    if kind not in KINDS:
        raise click.UsageError(f"Expected one of {', '.join(KINDS)}, but {kind!r} is none. Do: run-process incidents.")
    found = [incident["id"] for incident in open_incidents(runtime) if incident["kind"] == kind]
    if not found:
        say(f"No open incident is of the kind {kind}.")
    return found


def _put_back(runtime: Runtime, ids: list[str], by: str) -> tuple[list[dict[str, Any]], int]:
    """Whose work has its turn again, and the exit code of what was refused."""
    from engine.services.resolving import put_back as put_work_back

    put_back, code = [], 0
    for incident_id in dict.fromkeys(ids):  # each once
        try:
            put_back.append(put_work_back(runtime, incident_id, by))
        except EngineError as refused:
            code = report(refused, debug=debugging())
    return put_back, code


def _tell(runtime: Runtime, done: Work, live: bool, *, quiet: bool) -> int:
    """Tell what became of it; the exit code."""
    from engine.services.resolving import incident_of
    from engine.services.row_forms import work_json, work_line

    if not quiet:
        click.echo(readable(work_line(done)))
    if done.state == "ready" and getattr(done, "last_error", None) is None:
        why = "".join(f"{topic} is left to workers with Stripe's key. " for topic in topics_left(live=live))
        say(f"Nobody has run it yet. {why}Do: run-process work (run-process workers lists who works).")
        return PERSON_NEEDED
    if done.state != "failed":
        return 0
    named = work_json(done)["id"]
    try:
        say(f"It needs a person again, as {incident_of(runtime, named)}. Do: run-process incidents.")
    except NotFound:  # from outside, and no instance has it
        say(f"It needs a person again. Do: run-process messages, and run-process retry {named}.")
    return PERSON_NEEDED


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=complete_incident)
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")
@click.option("--done", is_flag=True, help="A job's work was done otherwise; its instance goes on.")
@click.option(
    "--set",
    "results",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --done: a result, as the connector names it: payment_intent=pi_...",
)
@click.option("--error", metavar="CODE", help="A job ended in this BPMN error; its instance takes that boundary event.")
@options(database_option, user_option, live_option, json_option)
def resolve(
    incident_id: str,
    reason: str,
    done: bool,
    results: tuple[str, ...],
    error: str | None,
    database: str,
    user: str | None,
    live: bool,
    as_json: bool,
) -> None:
    """Record that a person has dealt with an incident otherwise.

    A message will not be delivered any more. A job needs to be told how it ended: --done or --error. A charge that is in doubt
    is settled by that, as charged or as declined: look it up at Stripe first. With --done, what a job was to charge or settle is
    paid, and the ledger says so.
    """
    from engine.services.resolving import incident_of
    from engine.services.resolving import resolve as resolve_incident

    by = acting_user(user)
    verdict = _verdict(done, results, error)
    with open_runtime(database, live=live) as runtime:
        incident = resolve_incident(runtime, incident_of(runtime, incident_id), reason, by, verdict)
    if as_json:
        print_json(incident)
    else:
        click.echo(f"{incident['id']} is resolved; {_consequence(incident)}")


def _verdict(done: bool, results: tuple[str, ...], error: str | None) -> Verdict:
    from commands.values import read_settings
    from engine.services.resolving import Done, Ended

    if done and error is not None:
        raise click.UsageError("Expected one of --done and --error, but there are both. Do: choose one.")
    if results and not done:
        raise click.UsageError("Expected --set beside --done, but there is none. Do: --done, or leave --set out.")
    if error is not None:
        return Ended(error)
    return Done(read_settings(results, None)) if done else None


def _consequence(incident: dict[str, Any]) -> str:
    if incident["job"]:
        return f"{incident['instance']} goes on"
    return f"{incident['message']} of {incident['instance']} stays undelivered" if incident["message"] else "nothing else changes"
