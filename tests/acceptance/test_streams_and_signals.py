"""Data goes to stdout and talk to stderr, whatever these are; and a worker that is told to end finishes what it began."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import sqlite3
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.stripe_sandbox import Sandbox
from tests.acceptance.program import DATABASE, Program

PATIENCE_SECONDS = 30


def test_talk_stays_out_of_the_data(billed: Program) -> None:
    page = billed("tasks", "--limit", "1")
    assert "t3" in page.stdout
    assert "Do:" not in page.stdout
    assert "--after t3" in page.stderr
    assert billed("tasks", "--limit", "1", "--json").stderr == ""


@pytest.mark.parametrize("arguments", [("tasks", "--json"), ("tasks",), ("--help",)], ids=" ".join)
def test_a_reader_that_has_gone_is_nothing_to_complain_about(arguments: tuple[str, ...], billed: Program) -> None:
    process = billed.start(*arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(PATIENCE_SECONDS) == 1


@pytest.mark.parametrize("arguments", [("show", "i1")], ids=" ".join)
def test_a_closed_stdout_keeps_no_command_from_its_work(arguments: tuple[str, ...], billed: Program) -> None:
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", *billed.command, *arguments]
    done = subprocess.run(shell, cwd=billed.folder, env=billed.surroundings(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_is_told(billed: Program) -> None:
    with Path("/dev/full").open("w") as full:
        command = [*billed.command, "tasks", "--json"]
        done = subprocess.run(
            command, cwd=billed.folder, env=billed.surroundings(), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Expected the system to do its part, but it says: No space left on device.")


@pytest.fixture
def slow(sandbox: Sandbox) -> Iterator[Sandbox]:
    sandbox.control.set_latency(150)
    yield sandbox
    sandbox.control.set_latency(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_finishes_the_charge_in_flight_and_takes_no_other_work(
    number: signal.Signals, approved: Program, slow: Sandbox, stripe: dict[str, str]
) -> None:
    before = _intents(slow)
    worker = approved.start("work", "--name", "w1", **stripe)
    _wait_until(lambda: _intents(slow) > before)
    worker.send_signal(number)
    stdout, stderr = worker.communicate(timeout=PATIENCE_SECONDS)
    assert worker.returncode == 0, stderr
    assert stdout == "j1 i1 stripe.charge: done\n"
    introduced, *rest = stderr.splitlines()
    assert introduced.startswith("Works as w1. email.send: to the folder ")
    assert f"stripe.charge: test cards through the Stripe at {slow.url}, at most 1000 requests a second" in introduced
    assert stripe["RUN_PROCESS_STRIPE_KEY"] not in introduced
    assert rest == ["Not done yet: 1 job, 0 messages."]
    shown = approved("show", "i1", "--json").json
    assert [(job["id"], job["state"], job["attempts"]) for job in shown["jobs"]] == [("j1", "done", 1), ("j2", "ready", 0)]
    assert [charge["state"] for charge in shown["charges"]] == ["succeeded"]


def test_a_worker_whose_reader_has_gone_finishes_what_is_in_flight(approved: Program, stripe: dict[str, str]) -> None:
    worker = approved.start("work", **stripe)
    assert worker.stdout is not None
    assert worker.stderr is not None
    worker.stdout.close()
    assert "Traceback" not in worker.stderr.read()
    assert worker.wait(PATIENCE_SECONDS) == 0
    assert [job["state"] for job in approved("show", "i1", "--json").json["jobs"]] == ["done", "ready"]


def test_an_idle_worker_ends_at_once(deployed: Program, stripe: dict[str, str]) -> None:
    worker = deployed.start("work", **stripe)
    database = deployed.folder / "run-process.db-wal"  # there while the database is open
    _wait_until(database.exists)
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.communicate(timeout=PATIENCE_SECONDS)[0] == ""
    assert worker.returncode == 0


def test_a_worker_that_ends_in_order_has_not_failed_because_an_incident_is_open(
    approved: Program, stripe: dict[str, str], another_account: dict[str, str]
) -> None:
    approved("work", "--until-idle", code=3, **another_account)
    worker = approved.start("work", "--name", "w1", **stripe)
    _wait_until(lambda: "w1" in approved.start("workers").communicate()[0])
    worker.send_signal(signal.SIGTERM)
    assert "Waiting for a person: 1 incident." in worker.communicate(timeout=PATIENCE_SECONDS)[1]
    assert worker.returncode == 0  # a supervisor would take anything else for a crash


def _intents(sandbox: Sandbox) -> int:
    return sum(request["method"] == "POST" and request["path"] == "/v1/payment_intents" for request in sandbox.control.requests())


def _wait_until(condition: object) -> None:
    assert callable(condition)
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_whether_a_worker_lives_is_told_by_an_exit_code(approved: Program, stripe: dict[str, str]) -> None:
    assert "No worker lives. Do: run-process work." in approved("workers", code=3).stderr
    worker = approved.start("work", "--name", "w1", "--concurrency", "3", **stripe)
    try:
        _wait_until(lambda: "w1" in approved.start("workers").communicate()[0])
        [shown] = approved("workers", "--name", "w1", "--json").json
        assert (shown["name"], shown["state"], shown["process_id"], shown["concurrency"]) == ("w1", "working", worker.pid, 3)
        assert "stripe.charge" in shown["topics"]
        assert "of the name 'w2' lives" in approved("workers", "--name", "w2", code=3).stderr
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=PATIENCE_SECONDS)
    assert approved("workers", code=3).stdout == ""
    assert [each["state"] for each in approved("workers", "--all", "--json", code=3).json] == ["stopped"]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="only POSIX systems can stop a process")
def test_a_worker_that_stood_still_beyond_its_lease_saves_nothing(
    approved: Program, slow: Sandbox, stripe: dict[str, str]
) -> None:
    before, charged = _intents(slow), slow.control.state()["charges_taken"]
    worker = approved.start("work", "--name", "sleeper", **stripe)
    _wait_until(lambda: _intents(slow) > before)
    worker.send_signal(signal.SIGSTOP)
    with sqlite3.connect(approved.folder / DATABASE) as raw:  # as if its lease had ended
        raw.execute("UPDATE jobs SET lease_until = '2020-01-01 00:00:00.000000' WHERE state = 'leased'")
    raw.close()
    assert "stripe.charge: done" in approved("work", "--until-idle", "--name", "other", **stripe).stdout
    worker.send_signal(signal.SIGCONT)
    worker.send_signal(signal.SIGTERM)
    _, stderr = worker.communicate(timeout=PATIENCE_SECONDS)
    assert "lease_lost" in stderr
    assert {entry["by"] for entry in approved("history", "i1", "--json").json if "job_" in entry["event"]} >= {"worker other"}
    assert [charge["state"] for charge in approved("show", "i1", "--json").json["charges"]] == ["succeeded"]
    assert slow.control.state()["charges_taken"] <= charged + 1  # the sandbox remembers this bill from other tests


def test_a_retry_that_is_not_waited_for_says_who_is_at_it(
    approved: Program, slow: Sandbox, stripe: dict[str, str], another_account: dict[str, str]
) -> None:
    approved("work", "--until-idle", code=3, **another_account)
    slow.control.set_latency(3_000)
    worker = approved.start("work", "--name", "w1", **stripe)
    try:
        _wait_until(lambda: approved.start("workers").wait(PATIENCE_SECONDS) == 0)
        assert approved("retry", "x1", "--wait", "2", **stripe).stdout == "j1 i1 stripe.charge: not done yet, w1 is at it\n"
        heading, shown = approved("workers").stdout.splitlines()
        assert "STATE    HOLDS  AT ONCE" in heading
        assert "working      0       20" in shown or "working      1       20" in shown
    finally:
        slow.control.set_latency(0)
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=PATIENCE_SECONDS)


def test_on_a_narrow_terminal_commands_can_be_copied_and_ids_are_whole(
    approved: Program, another_account: dict[str, str]
) -> None:
    approved("work", "--until-idle", code=3, **another_account)
    shown = _on_a_terminal(approved, 60, "incidents").splitlines()
    assert shown[0].split()[:2] == ["x1", "i1"]
    assert "  $ run-process retry x1" in shown
    assert all(len(line) <= 60 for line in shown if "$" not in line)
    instances = _on_a_terminal(approved, 60, "instances").splitlines()
    assert "active" in instances[1]
    assert "2026-10" in instances[1]


def _on_a_terminal(program: Program, columns: int, *arguments: str) -> str:
    leader, follower = pty.openpty()
    size = struct.pack("HHHH", 40, columns, 0, 0)
    fcntl.ioctl(follower, termios.TIOCSWINSZ, size)
    surroundings = program.surroundings() | {"TERM": "dumb"}
    process = subprocess.Popen([*program.command, *arguments], cwd=program.folder, env=surroundings, stdout=follower)
    os.close(follower)
    shown = b""
    while part := _read(leader):
        shown += part
    process.wait(PATIENCE_SECONDS)
    os.close(leader)
    return shown.decode().replace("\r", "")


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 4096)
    except OSError:  # the other side is closed
        return b""
