"""`run-process`: the entry point. Finds the command, and turns what can go wrong into a message and an exit code.

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but a person is needed (findings, incidents, gaps).
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any, NamedTuple

import click


class Entry(NamedTuple):
    """Where a command is defined, and what the list of commands says of it."""

    place: str
    summary: str


SECTIONS = {
    "Begin here": {
        "demo": Entry("commands.demo:demo", "Play three months with a few dozen customers."),
        "stripe-sandbox": Entry("commands.sandbox:stripe_sandbox", "Run a local stand-in for Stripe, to try things on."),
        "completion": Entry("commands.completion:completion", "Print the script that completes commands with Tab."),
    },
    "Draw and try a process (analyst)": {
        "init": Entry("commands.new_process.command:init", "Make a new process, to go on from in the modeler."),
        "templates": Entry("commands.templates:templates", "Write element templates: connectors as forms in the modeler."),
        "check": Entry("commands.check:check", "Check definitions: everything that is wrong, by place."),
        "test": Entry("commands.testing:test", "Try processes with the scenarios beside them."),
        "simulate": Entry("commands.simulate:simulate", "Simulate many customers for some months, and show where work piles up."),
        "render": Entry("commands.render:render", "Draw a diagram, or where an instance is in it."),
        "deploy": Entry("commands.definitions:deploy", "Deploy definitions as new versions."),
        "definitions": Entry("commands.definitions:definitions", "List the deployed definitions."),
        "replay": Entry("commands.replay:replay", "Run a period's recorded inputs through a changed definition: what differs."),
    },
    "Run the month (operator)": {
        "customers": Entry("commands.customers:customers", "The roster: enrol, pause, resume and end customers."),
        "start": Entry("commands.instances:start", "Start instances by hand, from a file, or from a finished one."),
        "tasks": Entry("commands.tasks:tasks", "List the work that waits for people."),
        "claim": Entry("commands.tasks:claim", "Take a task."),
        "release": Entry("commands.tasks:release", "Give a task back."),
        "complete": Entry("commands.tasks:complete", "Complete a task with its form's values."),
        "remind": Entry("commands.remind:remind", "Mail reminders of tasks that are overdue or due soon."),
        "work": Entry("commands.workers:work", "Run a worker: deliver messages, call connectors."),
        "workers": Entry("commands.workers:workers", "List the workers; exit code 3 when none lives."),
        "incidents": Entry("commands.incidents:incidents", "List what needs a person."),
        "retry": Entry("commands.incidents:retry", "Run an incident's work again."),
        "resolve": Entry("commands.incidents:resolve", "Record that an incident was dealt with otherwise."),
        "cancel": Entry("commands.instances:cancel", "End an instance by hand, with a reason."),
        "send": Entry("commands.messages:send", "Send a message to the instance that waits for it, or that it starts."),
        "signal": Entry("commands.messages:signal", "Send a signal to every instance that waits for it."),
        "messages": Entry("commands.messages:messages", "List what is waited for, and what nobody has received yet."),
        "coverage": Entry("commands.coverage:coverage", "Who is charged in a period, and who is not; mend broken chains."),
    },
    "Look into it, compare, close (operator, auditor)": {
        "instances": Entry("commands.instances:instances", "List instances."),
        "show": Entry("commands.instances:show", "Show one instance in full."),
        "history": Entry("commands.instances:history", "Show what happened to an instance, and who did it."),
        "chain": Entry("commands.instances:chain", "Show a customer's months in a line."),
        "charges": Entry("commands.charges:charges", "List the charge ledger, with totals."),
        "refunds": Entry("commands.refunds:refunds", "List what was given back, and of which charge."),
        "reconcile": Entry("commands.reconcile:reconcile", "Compare a period with Stripe's own records, both ways."),
        "close": Entry("commands.periods:close", "Close a period, so that nothing of it changes any more."),
        "reopen": Entry("commands.periods:reopen", "Let a closed period change again, with a reason."),
        "periods": Entry("commands.periods:periods", "List periods: open, closed, or changed since."),
    },
}
COMMANDS = {name: entry for entries in SECTIONS.values() for name, entry in entries.items()}


class LazyGroup(click.Group):
    """A group that imports a command's module when that command runs, so that start-up costs only what is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """A name that was mistyped gets the nearest one shown."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1)
            remedy = f"Do: run-process {near[0]}." if near else "Do: run-process --help."
            ctx.fail(f"Expected a command, but {name!r} is none. {remedy}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands by who uses them, without importing any."""
        width = max(map(len, COMMANDS))
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.summary) for name, entry in entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Names of commands, without importing any."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(n, help=e.summary) for n, e in COMMANDS.items() if n.startswith(incomplete)]
        return names or super(click.Group, self).shell_complete(ctx, incomplete)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="run-process", prog_name="run-process")
def root() -> None:
    """Run BPMN processes that charge customers every month: nobody missed, nobody charged twice, provably.

    Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but a person is needed.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit. No traceback reaches a user, but with --debug."""
    from commands.failure import report

    arguments = sys.argv[1:] if arguments is None else arguments
    _open_closed_streams()
    gc.set_threshold(50_000, 20, 20)  # starting up makes many objects and hardly any garbage: looking for it costs a tenth
    try:
        _refuse_unreadable(arguments)
        code = root.main(arguments, prog_name="run-process", standalone_mode=False)
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - the last line of defence: whatever it is becomes a message
        code = report(error, debug="--debug" in arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse_unreadable(arguments: list[str]) -> None:
    """Bytes that are no text have no place in a database, and stand for nothing there is."""
    for argument in arguments:
        if not argument.isascii() and any("\ud800" <= c <= "\udfff" for c in argument):
            raise click.UsageError(
                f"Expected arguments in UTF-8, but {argument[:60]!r} isn't. Do: correct it, or rename the file."
            )


def _open_closed_streams() -> None:
    """Schedulers may close stdout or stderr (`>&-`); a command must do its work all the same."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open for as long as the program


if __name__ == "__main__":
    main()
