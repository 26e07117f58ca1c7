"""`run-process stripe-sandbox` in one terminal, and what it prints pasted into another."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from commands.demo.sandbox_customers import StripeSide
from connectors.stripe_sandbox.client import SandboxControl
from tests.acceptance.program import PROCESS, Program, approve, bill_of, enter

PATIENCE_SECONDS = 30


@contextmanager
def started(run: Program, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    process = run.start("stripe-sandbox", *options)
    assert process.stdout is not None
    try:
        yield process, [process.stdout.readline() for _ in range(2)]
    finally:
        process.kill()
        process.communicate()


def test_the_lines_it_prints_make_a_worker_charge_there(deployed: Program) -> None:
    with started(deployed, "--port", "0") as (sandbox, lines):
        exported = dict(re.fullmatch(r"export (\w+)=(\S+)\n", line).groups() for line in lines)  # type: ignore[union-attr]
        assert exported.keys() == {"RUN_PROCESS_STRIPE_URL", "RUN_PROCESS_STRIPE_KEY"}
        url = exported["RUN_PROCESS_STRIPE_URL"]
        stripe = StripeSide(url, SandboxControl(url))
        customer = stripe.enrol("Bo Brandt", "bo@example.com", "pm_card_visa")
        deployed("start", PROCESS, *bill_of(customer))
        enter(deployed, "t1")
        approve(deployed, "t2")
        deployed("work", "--until-idle", **exported)
        assert stripe.charged() == {"EUR": 12_050}
        sandbox.send_signal(signal.SIGTERM)
        assert sandbox.wait(PATIENCE_SECONDS) == 0


def test_ctrl_c_ends_it_quietly_and_its_port_can_be_taken_by_one_alone(run: Program) -> None:
    with started(run, "--port", "0") as (sandbox, lines):
        port = lines[0].strip().rpartition(":")[2]
        assert port in run.refused("stripe-sandbox", "--port", port)
        sandbox.send_signal(signal.SIGINT)
        assert sandbox.communicate(timeout=PATIENCE_SECONDS) == ("", "")
        assert sandbox.returncode == 0


def test_it_can_be_told_how_many_requests_it_takes_in_a_second(run: Program) -> None:
    with started(run, "--port", "0", "--rate-limit", "25") as (_, lines):
        url = lines[0].strip().rpartition("=")[2]
        assert SandboxControl(url).state()["rate_limit"] == 25
