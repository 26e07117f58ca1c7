"""What can go wrong, as a message on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback

import click

from engine.errors import DefinitionInvalid, EngineError

FAILED, WRONG_USAGE, PERSON_NEEDED = 1, 2, 3
_INTERRUPTED = 130


def report(error: Exception, *, debug: bool) -> int:
    """Tell a person what went wrong; the exit code that goes with it."""
    if debug and not isinstance(error, click.exceptions.Exit):
        traceback.print_exception(error)
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.exceptions.Abort():
            return _INTERRUPTED
        case click.ClickException():
            error.show()
            return error.exit_code
        case BrokenPipeError():
            # The reader has gone (`| head`): nothing is wrong, but Python would complain when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case EngineError():
            _say(error)
        case _:
            _say_defect(error, debug)
    return FAILED


def _say(error: EngineError) -> None:
    for finding in error.findings if isinstance(error, DefinitionInvalid) else ():
        click.echo(str(finding), err=True)
    click.echo(f"Error: {error}", err=True)


def _say_defect(error: Exception, debug: bool) -> None:
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, DBAPIError) and error.orig is not None:
        reason = str(error.orig).strip().splitlines()[0]
        click.echo(
            f"Error: Expected the database to answer, but it says: {reason}. Nothing of this step was saved. "
            "Do: check its disk and connection, and try again.",
            err=True,
        )
        return
    remedy = "report what stands above" if debug else "run the command again with --debug, and report what it shows"
    click.echo(f"Error: Expected no defect in run-process, but met {type(error).__name__}. Do: {remedy}.", err=True)
