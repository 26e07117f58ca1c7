"""Starts the sandbox as a process of its own, and ends that one and no other."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.stripe_sandbox.client import SandboxControl

_ROOT: Final = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: where it listens, its control, and its process id."""

    url: str
    control: SandboxControl
    pid: int


@contextlib.contextmanager
def start_sandbox(
    port: int = 0, latency_ms: int = 0, *, live_allowed: bool = False, rate_limit: int | None = None
) -> Iterator[Sandbox]:
    """Run a sandbox for the duration of the block; `port` 0 takes any free one, `rate_limit` None any number of requests.

    The process watches the pipe from here and ends when it closes, so it never outlives this one, however this one ends.
    Raises RuntimeError when it does not come up.
    """
    command = [sys.executable, "-m", "connectors.stripe_sandbox", "--port", str(port), "--latency-ms", str(latency_ms)]
    command += ["--until-input-ends"] + (["--allow-live"] if live_allowed else [])
    command += [] if rate_limit is None else ["--rate-limit", str(rate_limit)]
    process = subprocess.Popen(  # noqa: S603 - our own module, run by our own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT
    )
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise RuntimeError(f"Expected the sandbox to listen on port {port}, but it ended. Do: choose another port.")
        url = json.loads(line)["url"]
        yield Sandbox(url, SandboxControl(url), process.pid)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
