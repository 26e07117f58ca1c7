"""What a block of code spends: CPU of this process, CPU of the database's server, wall time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

_PROC = Path("/proc")


@dataclass
class Spent:
    """Seconds. `server` stays 0 where there is no server, or where the system doesn't tell what it spends."""

    cpu: float = 0.0
    server: float = 0.0
    wall: float = 0.0

    @property
    def all_cpu(self) -> float:
        return self.cpu + self.server

    def per(self, count: int) -> Spent:
        return Spent(self.cpu / count, self.server / count, self.wall / count)


class Server:
    """The processes of a PostgreSQL server on this machine: the one that started the others, and those it started."""

    def __init__(self, url: str) -> None:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            self.version = str(connection.execute(text("SHOW server_version")).scalar()).split()[0]
            self.durable = all(connection.execute(text(f"SHOW {s}")).scalar() == "on" for s in ("fsync", "synchronous_commit"))
            self._first = _parent(int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one()))

    def cpu(self) -> float:
        """Seconds that they have spent until now, those that have ended included; in steps of a hundredth."""
        if self._first is None:
            return 0.0
        ticks = 0
        for stat in _PROC.glob("[0-9]*/stat"):
            fields = _fields(stat)
            if fields is not None and fields[1] == str(self._first):
                ticks += int(fields[11]) + int(fields[12])
        own = _fields(_PROC / str(self._first) / "stat")
        ticks += sum(map(int, own[11:15])) if own else 0
        return ticks / os.sysconf("SC_CLK_TCK")


def _parent(process: int) -> int | None:
    fields = _fields(_PROC / str(process) / "stat")
    return int(fields[1]) if fields else None


def _fields(stat: Path) -> list[str] | None:
    """A process's figures behind its name, from its state on (proc(5)); None when it has ended, or on other systems."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None


@contextmanager
def spending(server: Server | None = None) -> Iterator[Spent]:
    """Fills what it yields when the block ends."""
    spent = Spent()
    before = (time.process_time(), server.cpu() if server else 0.0, time.perf_counter())
    yield spent
    spent.cpu, spent.wall = time.process_time() - before[0], time.perf_counter() - before[2]
    spent.server = (server.cpu() if server else 0.0) - before[1]


def middle(values: list[float], digits: int = 2) -> str:
    """The median, with the least and the most where they differ: `1.62 (1.58-1.71)`."""
    least, most = min(values), max(values)
    spread = f" ({least:.{digits}f}-{most:.{digits}f})" if len(values) > 1 else ""
    return f"{median(values):.{digits}f}{spread}"
