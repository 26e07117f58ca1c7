"""What commands share: the options that stand on each of them, and the engine they open with these."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.clock import Clock, SystemClock
from engine.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from connectors.registry import ConnectorSettings
    from engine.connector import Connector, Connectors
    from engine.services.configuration import Configuration
    from engine.services.runtime import Runtime

DEFAULT_DATABASE = "run-process.db"

_Command = TypeVar("_Command", bound=Callable[..., Any])


# --- options --------------------------------------------------------------------------------------------------------

database_option = click.option(
    "--database",
    envvar="RUN_PROCESS_DATABASE",
    default=DEFAULT_DATABASE,
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="A SQLite file, or a URL like postgresql+psycopg://host/name.",
)
user_option = click.option(
    "--as",
    "user",
    envvar="RUN_PROCESS_USER",
    metavar="USER",
    show_envvar=True,
    help="Who is doing this; recorded in the history. Default: your login name.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
live_option = click.option("--live", is_flag=True, help="Charge real cards: allow a live Stripe key.")


debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show what went wrong inside, with the traceback.")


def options(*chosen: Callable[..., Any]) -> Callable[[_Command], _Command]:
    """Put several options on a command, and `--debug` with them."""

    def decorate(command: _Command) -> _Command:
        for option in reversed((*chosen, debug_option)):
            command = option(command)
        return command

    return decorate


def debugging() -> bool:
    """Whether the running command was given --debug."""
    return "--debug" in sys.argv


def acting_user(user: str | None) -> str:
    """Who is doing this: `--as`, else the login name. Raises ConfigurationInvalid when neither is known."""
    name = user
    if name is None:
        try:
            name = getpass.getuser()
        except (OSError, KeyError) as error:
            raise ConfigurationInvalid(
                "Expected to know who is doing this, but the system names no user. Do: --as NAME, or set RUN_PROCESS_USER."
            ) from error
    return check_name(name, "a user name", "--as NAME")


def check_name(name: str, what: str, remedy: str) -> str:
    """A name that is shown in tables and kept in the history. Raises ConfigurationInvalid for one that isn't fit for that."""
    if not 0 < len(name) <= 100 or not name.isprintable() or name != name.strip():
        raise ConfigurationInvalid(
            f"Expected {what} of 1 to 100 printable characters without spaces around it, but it isn't. Do: {remedy}."
        )
    return name


# --- the engine -----------------------------------------------------------------------------------------------------


@contextmanager
def open_runtime(
    database: str, *, create: bool = False, live: bool = False, working: bool = False, clock: Clock | None = None
) -> Iterator[Runtime]:
    """The engine on this database. Without `create`, a SQLite file must exist: a mistyped name makes no new one. With `working`,
    it has only those connectors that have what they need.
    """
    from engine.services.runtime import Runtime
    from engine.store.database import Database

    opened = Database(database_url(database), create=create)
    try:
        known = working_connectors(live=live) if working else _LazyConnectors(live=live)
        yield Runtime(opened, clock or SystemClock(), known, configuration)
    finally:
        opened.close()


def database_url(database: str) -> str:
    """A SQLAlchemy URL: what was given, or a SQLite file of that name."""
    return database if "://" in database else f"sqlite:///{database}"


def configuration() -> Configuration:
    """The configuration file's content, or the defaults."""
    from engine.services.configuration import Configuration, find_configuration, read_configuration

    path = find_configuration(Path.cwd())
    return read_configuration(path) if path else Configuration()


class _LazyConnectors(Mapping[str, "Connector"]):
    """The connectors, built when the first one is asked for: most commands need none."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._built: Connectors | None = None

    def _connectors(self) -> Connectors:
        if self._built is None:
            self._built = connectors(live=self._live)
        return self._built

    def __getitem__(self, topic: str) -> Connector:
        return self._connectors()[topic]

    def __iter__(self) -> Iterator[str]:
        return iter(self._connectors())

    def __len__(self) -> int:
        return len(self._connectors())


def connectors(*, live: bool = False) -> Connectors:
    """The connectors, with what the environment says about them."""
    from connectors.registry import build_connectors

    return build_connectors(connector_settings(live=live))


def working_connectors(*, live: bool) -> Connectors:
    """The connectors that have what they need. Raises ConfigurationInvalid for settings with which jobs could only fail."""
    from connectors.registry import build_connectors, check_settings, without_credentials

    settings = connector_settings(live=live)
    check_settings(settings)
    left = without_credentials(settings)
    return {topic: connector for topic, connector in build_connectors(settings).items() if topic not in left}


def connectors_in_words(*, live: bool) -> Mapping[str, str]:
    """Topic -> what a worker with this environment does with it: whose cards it charges through which Stripe, where mail goes."""
    from connectors.registry import in_words

    return in_words(connector_settings(live=live))


def topics_left(*, live: bool) -> list[str]:
    """What a process with this environment leaves to workers that have Stripe's key."""
    from connectors.registry import without_credentials

    return sorted(without_credentials(connector_settings(live=live)))


def connector_settings(*, live: bool) -> ConnectorSettings:
    """Stripe's key and the mail server, from the environment. A key may stand in a file of mode 0600 instead."""
    from connectors.registry import ConnectorSettings
    from connectors.stripe.rate import read_rate

    environment = os.environ
    return ConnectorSettings(
        stripe_api_key=environment.get("RUN_PROCESS_STRIPE_KEY") or _key_file(environment.get("RUN_PROCESS_STRIPE_KEY_FILE")),
        stripe_api_base=environment.get("RUN_PROCESS_STRIPE_URL"),
        live=live,
        smtp_url=environment.get("RUN_PROCESS_SMTP_URL") or (Path.cwd() / "mail").as_uri(),
        mail_from=environment.get("RUN_PROCESS_MAIL_FROM") or "billing@localhost",
        stripe_rate=read_rate(environment.get("RUN_PROCESS_STRIPE_RATE")),
    )


def _key_file(name: str | None) -> str | None:
    if not name:
        return None
    path = Path(name)
    try:
        mode = path.stat().st_mode & 0o077
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(
            "Expected RUN_PROCESS_STRIPE_KEY_FILE to name a readable file with a key, but it doesn't. Do: check the path."
        ) from error
    if mode:
        raise ConfigurationInvalid(
            f"Expected {path} to be readable by its owner alone, but others may read it. Do: chmod 600 {path}."
        )
    return key
