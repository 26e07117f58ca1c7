"""Tab completion: the script for a shell, and what ids complete to."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem, get_completion_class

from commands.session import DEFAULT_DATABASE, open_runtime
from engine.errors import EngineError

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_MOST = 200


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and ids with Tab.

    For bash: `run-process completion bash >> ~/.bashrc`, then open a new shell.
    """
    root = click.get_current_context().find_root().command
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(root, {}, "run-process", "_RUN_PROCESS_COMPLETE").source())


def _database(context: click.Context) -> str:
    return context.params.get("database") or DEFAULT_DATABASE


def complete_task(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The open tasks."""
    from engine.services.worklist import tasks

    try:
        with open_runtime(_database(context)) as runtime:
            found = tasks(runtime, {}, limit=_MOST, forms=False)
    except EngineError:
        return []  # completing is no place for messages; the command itself will say it
    return [CompletionItem(t.id, help=f"{t.name} {t.customer or ''}") for t in found if t.id.startswith(incomplete)]


def complete_instance(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The instances."""
    from engine.services.inspecting import list_instances

    try:
        with open_runtime(_database(context)) as runtime:
            found = list_instances(runtime, {}, limit=_MOST)
    except EngineError:
        return []
    return [CompletionItem(i.id, help=f"{i.customer or ''} {i.period or ''}") for i in found if i.id.startswith(incomplete)]


def complete_incident(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The open incidents."""
    from engine.services.resolving import open_incidents

    try:
        with open_runtime(_database(context)) as runtime:
            found = open_incidents(runtime)
    except EngineError:
        return []
    return [CompletionItem(i["id"], help=i["reason"]) for i in found if i["id"].startswith(incomplete)]


def complete_process(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The deployed processes."""
    from engine.services.deploying import definitions

    try:
        with open_runtime(_database(context)) as runtime:
            found = {deployment.process: deployment.name or "" for deployment in definitions(runtime)}
    except EngineError:
        return []
    return [CompletionItem(name, help=title) for name, title in found.items() if name.startswith(incomplete)]


def complete_diagram(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The deployed processes, and files."""
    return [*complete_process(context, parameter, incomplete), CompletionItem(incomplete, type="file")]
