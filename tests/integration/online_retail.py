"""Real monthly amounts: what the customers of a wholesaler bought, as bills in pence.

The file is not part of the product. It is looked for beside the repository and under `RUN_PROCESS_ONLINE_RETAIL`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

VARIABLE = "RUN_PROCESS_ONLINE_RETAIL"
CURRENCY = "GBP"
PERIODS = ("2010-12", "2011-01", "2011-02", "2011-03", "2011-04", "2011-05", "2011-06")
AFTERWARDS = "2011-07"

_BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "data" / "online-retail" / "monthly_amounts.csv"


def amounts_file() -> Path:
    """Where the file is, or would be."""
    return Path(os.environ.get(VARIABLE) or _BESIDE_THE_REPOSITORY)


@dataclass(frozen=True)
class Account:
    """One customer of the wholesaler. `months` has the periods with purchases or returns, in pence; any other month is zero."""

    number: str
    months: Mapping[str, int]

    @property
    def name(self) -> str:
        return f"Customer {self.number}"

    @property
    def email(self) -> str:
        return f"customer-{self.number}@example.com"

    def amount(self, period: str) -> int:
        """What is due for a period in pence: below zero where returns exceeded purchases."""
        return self.months.get(period, 0)


def first_accounts(path: Path, count: int) -> list[Account]:
    """The first `count` customers, in the order in which the file first mentions them, with all their rows."""
    accounts: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert row["currency"].upper() == CURRENCY
            months = accounts.setdefault(row["customer_id"], {})
            assert row["period"] in PERIODS
            assert row["period"] not in months
            months[row["period"]] = int(row["amount_minor"])
    return [Account(number, months) for number, months in islice(accounts.items(), count)]
