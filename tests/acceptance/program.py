"""`run-process` as its users have it: a process of its own, in a folder, with an environment that holds nothing by chance."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
PROCESSES = CHECKOUT / "processes"
PROCESS = "monthly-card-charge"
SHIPPED = f"{PROCESS}@1\nrefund@1\n"
"""What is said when the folder of the shipped processes is deployed."""
DATABASE = "run-process.db"
COMMAND = (sys.executable, "-P", "-m", "cli")

SALES, MANAGER, OPERATOR = "sara", "mia", "olivia"


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Program:
    """`run-process` in one folder. `environment` is added to a clean one."""

    folder: Path
    environment: dict[str, str]
    command: tuple[str, ...] = COMMAND

    def __call__(self, *arguments: object, code: int = 0, **environment: str) -> Done:
        """Run one command to its end; it must end with `code`, and never with a traceback unless that was asked for."""
        process = self.start(*arguments, **environment)
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == code, (arguments, process.returncode, stdout[-2000:], stderr[-2000:])
        assert "--debug" in arguments or "Traceback" not in stdout + stderr, stderr
        return Done(process.returncode, stdout, stderr)

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start a command and let it run."""
        return subprocess.Popen(
            [*self.command, *map(str, arguments)],
            cwd=self.folder,
            env=self.surroundings(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def surroundings(self, **environment: str) -> dict[str, str]:
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "PYTHONPATH": str(CHECKOUT)}
        return clean | self.environment | environment

    def stored(self) -> bytes | None:
        """The database as it lies on the disk while no command runs: equal bytes, nothing changed."""
        path = self.folder / DATABASE
        return path.read_bytes() if path.exists() else None

    def refused(self, *arguments: object, code: int = 1, **environment: str) -> str:
        """Run a command that must be refused: nothing is stored, and one clear message stands on stderr, which comes back."""
        before = self.stored()
        done = self(*arguments, code=code, **environment)
        assert self.stored() == before
        message = done.stderr.strip().splitlines()[-1]
        assert done.stdout == "", done.stdout
        assert message.startswith("Error: "), done.stderr
        assert "Expected " in message, done.stderr
        assert ", but " in message, done.stderr
        assert "Do: " in message, done.stderr
        return message


def on_path(run: Program) -> Program:
    """The same with `run-process` on the shell's path, as after activating an environment."""
    folder = run.folder / ".bin"
    folder.mkdir()
    script = folder / "run-process"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(run.command)} "$@"\n')
    script.chmod(0o755)
    return Program(run.folder, run.environment | {"PATH": f"{folder}:{os.environ['PATH']}"}, ("run-process",))


def bill(customer: str) -> dict[str, str]:
    """What a first month needs."""
    return {
        "customer_name": "Ann Abe",
        "email": "ann@example.com",
        "stripe_customer_id": customer,
        "currency": "EUR",
        "billing_month": "2026-10",
    }


AMOUNT = {"billing_amount": "120.50", "billing_details": "Base fee 100.00\nUsage 20.50"}
APPROVAL = {"approval": "approve"}


def bill_of(customer: str) -> list[str]:
    """The options that tell `start` what a first month needs."""
    return settings(**bill(customer))


def settings(**values: str) -> list[str]:
    """`--set name=value` for each."""
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def enter(run: Program, task: str) -> Done:
    """Sales enter an amount."""
    return run("complete", task, *settings(**AMOUNT), "--as", SALES)


def approve(run: Program, task: str) -> Done:
    """The manager approves."""
    return run("complete", task, *settings(**APPROVAL), "--as", MANAGER)
