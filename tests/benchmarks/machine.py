"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

from engine.clock import SystemClock
from tests.benchmarks.meters import Server
from tests.builders.postgresql import PostgreSql


def describe(postgresql: PostgreSql | str) -> str:
    """Processor, cores, load, versions, date."""
    return "\n".join(
        (
            f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.system()} {platform.release()}",
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version} (WAL, synchronous FULL), {_server(postgresql)}",
            ", ".join(f"{name} {version(name)}" for name in ("SpiffWorkflow", "SQLAlchemy", "psycopg", "stripe")),
            f"{SystemClock().now():%Y-%m-%d %H:%M} UTC",
        )
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _server(postgresql: PostgreSql | str) -> str:
    if isinstance(postgresql, str):
        return postgresql
    server = Server(postgresql.url)
    return f"PostgreSQL {server.version} ({'every commit synced' if server.durable else 'commits NOT synced'})"
