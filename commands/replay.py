"""`replay`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.completion import complete_process
from commands.failure import PERSON_NEEDED
from commands.output import counted, print_json, print_table, say
from commands.session import connectors, database_option, json_option, open_runtime, options
from commands.values import PERIOD
from engine.model.money import format_money
from engine.model.text import shown

if TYPE_CHECKING:
    from engine.execution.executable import Executable
    from engine.rehearsal.recording import Payment
    from engine.rehearsal.replay import CarryOverChange, Difference, PathChange, Replay


@click.command()
@click.argument("process", shell_complete=complete_process)
@click.option(
    "--definition",
    "diagram",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="NEW.bpmn",
    help="The changed definition, with its map beside it.",
)
@click.option("--period", required=True, type=PERIOD, metavar="PERIOD", help="Whose inputs are replayed, e.g. 2026-10.")
@click.option(
    "--renamed",
    multiple=True,
    metavar="OLD=NEW",
    help="A flow node's id has changed; what was recorded for OLD is given to NEW. Can be given several times.",
)
@options(database_option, json_option)
def replay(process: str, diagram: Path, period: str, renamed: tuple[str, ...], database: str, as_json: bool) -> int:
    """Run a period's recorded inputs through a changed definition, and list every customer for whom something differs.

    What people entered and what services answered is taken from history, in its order. Each instance is run through the
    definition that it ran on first: one that doesn't come out as recorded is named, and nothing is said of it. Then the path,
    the charge and what is handed over to the next period are compared. Where the new definition asks for something that was not
    recorded, that is named. Nothing is stored, sent or charged.

    Exit code 0 when nothing differs, 3 otherwise.
    """
    from engine.services.replaying import replay_period

    new = _definition(diagram, process)
    with open_runtime(database) as runtime:
        found, versions = replay_period(runtime, process, period, new, _renamed(renamed))
    if as_json:
        print_json({"process": process, "period": period, "versions": versions, **_plain(found)})
    else:
        _print(found)
    _say_totals(found, process, period, versions)
    return PERSON_NEEDED if found.different or found.not_reproduced else 0


def _definition(path: Path, process: str) -> Executable:
    from engine.rehearsal.rehearsing import prepare
    from engine.services.deploying import read_files

    if path.suffix != ".bpmn":
        raise click.UsageError(f"Expected a .bpmn file for --definition, but it is {path.name}. Do: name the diagram.")
    executable = prepare(read_files(path), None, str(path), connectors()).executable
    if executable.definition.id != process:
        raise click.UsageError(
            f"Expected a definition of {process}, but {path} draws {executable.definition.id}. Do: name another file or process."
        )
    return executable


def _renamed(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        old, equals, new = each.partition("=")
        if not (old and equals and new) or old in found or new in found.values():
            raise click.UsageError(f"Expected OLD=NEW after --renamed, each id once, but there is {each!r}. Do: correct it.")
        found[old] = new
    return found


def _plain(found: Replay) -> Mapping[str, object]:
    return {
        "instances": found.instances,
        "same": found.same,
        "different": found.different,
        "not_reproduced": found.not_reproduced,
    }


# --- showing ---------------------------------------------------------------------------------------------------------


def _print(found: Replay) -> None:
    rows = [(each.customer, each.instance, *fact) for each in found.different for fact in _facts(each)]
    rows += [(each.customer, each.instance, "does not reproduce", each.reason, "") for each in found.not_reproduced]
    if rows:
        print_table(("CUSTOMER", "INSTANCE", "WHAT", "WAS", "BECOMES"), rows)


def _facts(of: Difference) -> Iterator[tuple[str, str, str]]:
    for ask in of.asks_for:
        yield "asks for", "", ask.what
    for node in of.not_asked_for:
        yield "not asked for any more", node, ""
    if of.path is not None:
        yield "path", *_departing(of.path)
    if of.charge is not None:
        yield "charge", _payments(of.charge.was), _payments(of.charge.becomes) + ("" if of.complete else " so far")
    for change in of.carry_over:
        yield _carried(change), _value(change.was), _value(change.becomes)


def _departing(path: PathChange) -> tuple[str, str]:
    """From the last flow node that both have in common before they part."""
    common = 0
    while common < min(len(path.was), len(path.becomes)) and path.was[common] == path.becomes[common]:
        common += 1
    begin = max(common - 1, 0)
    before = "... > " if begin else ""
    was, becomes = (before + " > ".join(nodes[begin:]) for nodes in (path.was, path.becomes))
    return was, becomes


def _payments(of: tuple[Payment, ...]) -> str:
    return ", ".join(f"{format_money(each.amount, each.currency)} {each.currency} by {each.customer}" for each in of) or "nothing"


def _carried(change: CarryOverChange) -> str:
    kinds = {"data": f"carry-over of {change.item}", "previous": f"last time's {change.item}", "hand_over": "hand-over"}
    return kinds[change.what]


def _value(value: object) -> str:
    return shown(value["value"]) if isinstance(value, dict) and "value" in value else shown(value)


def _say_totals(found: Replay, process: str, period: str, versions: tuple[int, ...]) -> None:
    ran = ", ".join(f"{process}@{version}" for version in versions)
    lost = f", {len(found.not_reproduced)} not reproduced" if found.not_reproduced else ""
    instances = f"{counted(found.instances, 'instance')} of {ran}"
    say(f"{period}: {instances}: {found.same} the same, {len(found.different)} different{lost}.")
