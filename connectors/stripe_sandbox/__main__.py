"""`python -m connectors.stripe_sandbox`: serves until it is ended, after one line `{"url": "http://127.0.0.1:PORT"}`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading

from connectors.stripe_sandbox.server import serve


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m connectors.stripe_sandbox", description="A local Stripe for tests.")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; 0 takes any free one")
    parser.add_argument("--latency-ms", type=int, default=0, help="how long every request takes")
    parser.add_argument("--rate-limit", type=int, help="how many requests it takes in any second; any number if unset")
    parser.add_argument("--allow-live", action="store_true", help="also take sk_live_ keys")
    parser.add_argument("--until-input-ends", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    stop = threading.Event()
    if options.until_input_ends:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    try:
        serve(
            options.port,
            options.latency_ms,
            on_ready=_announce,
            live_allowed=options.allow_live,
            rate_limit=options.rate_limit,
            stop=stop,
        )
    except OSError as error:
        parser.exit(1, f"Expected a free port, but port {options.port} cannot be used ({error}). Do: choose another.\n")


def _announce(url: str) -> None:
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()


def _stop_at_end_of_input(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()


if __name__ == "__main__":
    main()
