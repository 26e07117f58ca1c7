"""`stripe-sandbox`."""

from __future__ import annotations

import click

from commands.session import options
from engine.errors import ConfigurationInvalid


@click.command("stripe-sandbox")
@click.option("--port", type=click.IntRange(0, 65_535), default=12_111, show_default=True, help="0 takes a free one.")
@click.option("--latency-ms", type=click.IntRange(0, 60_000), default=0, show_default=True, help="How long each answer takes.")
@click.option("--rate-limit", type=click.IntRange(1, 100_000), metavar="N", help="Refuse more than N requests in any second.")
@options()
def stripe_sandbox(port: int, latency_ms: int, rate_limit: int | None) -> None:
    """Run a local stand-in for Stripe on loopback, to try things on. It keeps everything in memory.

    Prints the settings that make a worker use it. Ctrl-C ends it.
    """
    from connectors.stripe_sandbox.server import serve

    def announce(url: str) -> None:
        click.echo(f"export RUN_PROCESS_STRIPE_URL={url}")
        click.echo("export RUN_PROCESS_STRIPE_KEY=sk_test_sandbox")

    try:
        serve(port=port, latency_ms=latency_ms, on_ready=announce, rate_limit=rate_limit)
    except OSError as error:
        raise ConfigurationInvalid(
            f"Expected port {port} to be free, but the system says: {error.strerror}. Do: choose another with --port."
        ) from error
