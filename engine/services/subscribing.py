"""What instances wait for and throw, stored by the step that does so: subscriptions, messages, signals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engine.execution.transition import Effect, MessageThrown, SignalThrown, SubscriptionClosed, SubscriptionOpened
from engine.model.identifiers import Kind, format_id
from engine.store import incidents, sent_messages, subscriptions

Event = tuple[str, dict[str, Any]]


def opened(connection: Connection, instance: int, effect: SubscriptionOpened, now: datetime) -> Event:
    """Something is waited for; what history says of it."""
    told = {"flow_node": effect.flow_node, "kind": effect.kind, "name": effect.name, "key": effect.key}
    values = {**told, "instance_id": instance, "token": effect.token, "created_at": now}
    number = subscriptions.add(connection, values)
    return "subscription_opened", {"subscription": format_id(Kind.SUBSCRIPTION, number), **told}


def closed(connection: Connection, instance: int, effect: SubscriptionClosed, by: str, now: datetime) -> list[Event]:
    """Something is no longer waited for. A signal that was on its way to it and failed needs nobody any more."""
    state = subscriptions.RECEIVED if effect.received else subscriptions.WITHDRAWN
    number = subscriptions.close(connection, instance, effect.token, state, now)
    failed = sent_messages.settle_failed(connection, number, "it is no longer waited for")
    if failed:
        incidents.resolve_of_sent_messages(connection, failed, by, now)
    details = {"subscription": format_id(Kind.SUBSCRIPTION, number), "flow_node": effect.flow_node}
    return [] if effect.received else [("subscription_withdrawn", details)]  # that it was received is the cause of all this


def message_thrown(connection: Connection, instance: int, effect: MessageThrown, by: str, now: datetime) -> Event:
    """A message that isn't the hand-over is on its way to whoever waits for it."""
    told = {"name": effect.message, "flow_node": effect.flow_node, "key": effect.key, "data": dict(effect.data)}
    values = {**told, "kind": subscriptions.MESSAGE, "instance_id": instance, "sent_by": by, "run_at": now, "sent_at": now}
    number = sent_messages.add(connection, values)
    return "message_thrown", {"message": format_id(Kind.SENT_MESSAGE, number), **told}


def signal_thrown(connection: Connection, instance: int, effect: SignalThrown, by: str, now: datetime) -> Event:
    """A signal is on its way to everybody else who waits for it now; its own instance has it already."""
    reached = sent_messages.spread(connection, effect.name, by, instance, effect.flow_node, now)
    return "signal_thrown", {"name": effect.name, "flow_node": effect.flow_node, "others": reached}


def wake(connection: Connection, effects: Iterable[Effect], now: datetime) -> None:
    """Put messages on their way that were kept for what is waited for now. The last thing that a step does."""
    asked = [each for each in effects if isinstance(each, SubscriptionOpened) and each.kind == subscriptions.MESSAGE and each.key]
    if asked:
        sent_messages.meet(connection, ((each.name, each.key) for each in asked))
    for each in asked:
        sent_messages.wake(connection, each.name, str(each.key), now)
