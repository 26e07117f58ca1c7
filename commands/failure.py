"""What can go wrong, as a message on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback

import click

from commands.output import say
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
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return WRONG_USAGE
        case click.UsageError():
            _say_usage(error)
            return WRONG_USAGE
        case EngineError():
            _say(error)
        case OSError():
            _say_system(error)
        case _:
            _say_defect(error, debug)
    return FAILED


def _say(error: EngineError) -> None:
    for finding in error.findings if isinstance(error, DefinitionInvalid) else ():
        say(str(finding))
    say(f"Error: {error}")


def _say_usage(error: click.UsageError) -> None:
    if error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\n", err=True)
    say(f"Error: {_in_our_form(error)}")


def _in_our_form(error: click.UsageError) -> str:
    """What click says about the command line, in the form that every message here has."""
    command = error.ctx.command_path if error.ctx else "run-process"
    remedy = f"Do: {command} --help."
    said = error.format_message().rstrip(".")
    match error:
        case click.NoSuchOption():
            near = f"Do: write {' or '.join(error.possibilities)}." if error.possibilities else remedy
            return f"Expected an option of {command}, but {error.option_name} is none. {near}"
        case click.MissingParameter():
            return f"Expected {said.removeprefix('Missing ')}, but it is missing. {remedy}"
        case click.BadParameter():
            # "Invalid value for '--limit': 0 is not in the range 1<=x<=100000"
            where, _, why = said.removeprefix("Invalid value for ").partition(": ")
            return f"Expected a value that suits {where}, but {_lowered(why)}. {remedy}"
    if not said.startswith("Expected "):
        return f"Expected what {command} takes, but {_lowered(said)}. {remedy}"
    return f"{said}." if "Do: " in said else f"{said}. {remedy}"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _say_system(error: OSError) -> None:
    where = f" with {error.filename}" if error.filename else ""
    say(
        f"Error: Expected the system to do its part{where}, but it says: {error.strerror or type(error).__name__}. "
        "Do: check disk, permissions and network, and try again."
    )
    try:
        sys.stdout.flush()
    except OSError:  # told just now; Python would tell it again, with a traceback, when it closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say_defect(error: Exception, debug: bool) -> None:
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, DBAPIError) and error.orig is not None:
        reason = str(error.orig).strip().splitlines()[0]
        # A commit is no statement: it may have been carried out although its answer was lost.
        saved = "Nothing of this step was saved" if error.statement else "Whether this step was saved isn't known"
        say(
            f"Error: Expected the database to answer, but it says: {reason}. {saved}. "
            "Do: check its disk and connection, and do it again; nothing is done twice."
        )
        return
    remedy = "report what stands above" if debug else "run the command again with --debug, and report what it shows"
    click.echo(f"Error: Expected no defect in run-process, but met {type(error).__name__}. Do: {remedy}.", err=True)
