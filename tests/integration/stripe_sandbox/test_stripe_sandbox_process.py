"""The sandbox as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stripe

from connectors.stripe_sandbox import start_sandbox
from connectors.stripe_sandbox.server import serve
from engine.clock import TurnedClock
from tests.integration.stripe_sandbox.clients import client_of

ROOT = Path(__file__).resolve().parents[3]
PARENT = """
import sys
from connectors.stripe_sandbox import start_sandbox
with start_sandbox() as sandbox:
    print(sandbox.pid, flush=True)
    sys.stdin.read()
"""


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def ended(pid: int) -> bool:
    until = time.monotonic() + 5
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not runs(pid)


def test_it_ends_with_the_block_even_while_requests_hang() -> None:
    with start_sandbox() as sandbox:
        impatient = client_of(sandbox, timeout=0.2)
        sandbox.control.add_fault("hang", method="GET")
        with pytest.raises(stripe.APIConnectionError):
            impatient.v1.customers.list()
        assert runs(sandbox.pid)
    assert ended(sandbox.pid)


def test_it_ends_when_its_parent_dies() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    assert ended(pid)


def test_a_terminated_sandbox_ends_cleanly_and_says_one_line() -> None:
    command = [sys.executable, "-m", "connectors.stripe_sandbox", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b'{"url": "http://127.0.0.1:')
    process.send_signal(signal.SIGTERM)
    rest, talk = process.communicate(timeout=5)
    assert (process.returncode, rest, talk) == (0, b"", b"")


def test_a_port_in_use_is_told_in_plain_words(capfd: pytest.CaptureFixture[str]) -> None:
    with start_sandbox() as sandbox:
        port = int(sandbox.url.rsplit(":", 1)[1])
        with pytest.raises(RuntimeError, match="another port"), start_sandbox(port):
            pass
    talk = capfd.readouterr().err
    assert "Expected a free port" in talk
    assert "Traceback" not in talk


def test_it_can_be_served_from_a_thread_on_a_turned_clock() -> None:
    stop, ready, told = threading.Event(), threading.Event(), []
    clock = TurnedClock(datetime(2030, 1, 31, tzinfo=UTC))

    def on_ready(url: str) -> None:
        told.append(url)
        ready.set()

    thread = threading.Thread(target=serve, kwargs={"clock": clock, "on_ready": on_ready, "stop": stop})
    thread.start()
    try:
        assert ready.wait(5)
        client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": told[0]}, max_network_retries=0)
        assert client.v1.customers.create({"name": "Ada"}).created == int(clock.now().timestamp())
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()
