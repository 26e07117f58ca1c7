"""The tables. Migrations in `migrations/` build them; a test holds the two against each other.

Guards live here and not in code: the UNIQUE keys say what may exist once. Texts that come from outside are kept as ASCII
JSON, so that NUL characters and lone surrogates survive on every database.
"""

from engine.store.tables.billing import bills, charges, closings, customer_events, customers, periods, refunds, reminders
from engine.store.tables.columns import JsonText, UtcDateTime, metadata
from engine.store.tables.operation import chores, deployment_files, deployments, rate_limits, workers
from engine.store.tables.work import (
    call_bindings,
    calls,
    history,
    incidents,
    instances,
    jobs,
    messages,
    sent_messages,
    start_timers,
    subscriptions,
    timers,
    user_tasks,
)

__all__ = [
    "JsonText",
    "UtcDateTime",
    "bills",
    "call_bindings",
    "calls",
    "charges",
    "chores",
    "closings",
    "customer_events",
    "customers",
    "deployment_files",
    "deployments",
    "history",
    "incidents",
    "instances",
    "jobs",
    "messages",
    "metadata",
    "periods",
    "rate_limits",
    "refunds",
    "reminders",
    "sent_messages",
    "start_timers",
    "subscriptions",
    "timers",
    "user_tasks",
    "workers",
]
