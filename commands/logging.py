"""The worker's log: one line an event on stderr. What libraries log stays out of it; they know secrets and personal data."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logging(*, debug: bool) -> None:
    """Warnings and worse, as key=value lines; with `debug` everything of our own, tracebacks included."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
