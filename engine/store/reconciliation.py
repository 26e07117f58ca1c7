"""What a reconciliation asks of the database."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select

from engine.billing.reconciliation import Ours
from engine.store import charges, refunds
from engine.store.groups import in_groups
from engine.store.tables import charges as charges_table
from engine.store.tables import customers as customers_table


def ledgers(connection: Connection, process: str, period: str) -> Ours:
    """The charges of a period and their refunds, in both modes."""
    found = {row.request.charge_key: row for row in charges.of_period(connection, process, period)}
    given_back = refunds.listing(connection, {"process": process, "period": period})
    return Ours(found, {refund.refund_key: refund for refund in given_back})


def first_created_at(connection: Connection, process: str, period: str) -> datetime | None:
    """When the first of these charges was written down."""
    query = select(func.min(charges_table.c.created_at))
    query = query.where(charges_table.c.process == process, charges_table.c.period == period)
    found: datetime | None = connection.execute(query).scalar()
    return found


def known_payments(connection: Connection, payments: Collection[str]) -> set[str]:
    """Those of some payments that stand in the ledger, for whatever bill."""
    column = charges_table.c.intent
    return {each for some in in_groups(payments) for each in connection.scalars(select(column).where(column.in_(some)))}


def known_customers(connection: Connection, process: str, names: Collection[str]) -> set[str]:
    """Those of the service's customers that the process has charged, or has on its roster by the service's id."""
    charged, enrolled = charges_table.c, customers_table.c
    found: set[str] = set()
    for some in in_groups(names):
        paid = select(charged.stripe_customer).where(charged.process == process, charged.stripe_customer.in_(some)).distinct()
        found.update(connection.scalars(paid))
        on_roster = select(enrolled.customer).where(enrolled.process == process, enrolled.customer.in_(some))
        found.update(connection.scalars(on_roster))
    return found
