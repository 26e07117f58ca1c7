"""Who plays in the demo: customers, what they owe each month, and what goes wrong with whom."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.money import exponent

MONTHS = 3

_NAMES = (
    "Akiko Abe", "Ben Brandt", "Carla Conti", "David Dray", "Emi Endo", "Farid Fahmy", "Greta Graf", "Hugo Hill",
    "Ines Ito", "Jamal Jaber", "Karen King", "Luca Lang", "Mona Mansour", "Noah Nagel", "Olga Ono", "Paul Peters",
    "Qadira Qasim", "Rosa Ricci", "Sven Sato", "Tara Tanaka", "Umar Usman", "Vera Vogt", "Walid Wazir", "Xenia Xu",
    "Yumi Yano", "Zoe Zeller", "Aldo Amari", "Bella Becker", "Chiyo Chiba", "Dalal Darwish", "Egon Eder", "Fumi Fujita",
    "Gina Gallo", "Hadi Haddad", "Irma Ito", "Jonas Jung",
)  # fmt: skip
_CURRENCIES = ("JPY", "USD", "EUR", "KWD")
_LINES = ("Base fee", "Usage", "Support", "Storage")

DECLINED, RETRIED, GIVES_UP, AUTHENTICATES, SENT_BACK, ZERO, NEGATIVE, ENDS = range(8)


@dataclass(frozen=True)
class Customer:
    """One customer. `month` is the month (0, 1, 2) in which `twist` happens; both None for most."""

    name: str
    currency: str
    amounts: tuple[str, ...]
    twist: int | None = None
    month: int | None = None
    details: tuple[str, ...] = field(default=())

    @property
    def email(self) -> str:
        """An address that belongs to nobody."""
        return f"{self.name.lower().replace(' ', '.')}@example.com"

    @property
    def card(self) -> str:
        """Which of Stripe's test cards is saved at first."""
        if self.twist in (DECLINED, RETRIED, GIVES_UP):
            return "pm_card_chargeCustomerFail"
        return "pm_card_authenticationRequired" if self.twist == AUTHENTICATES else "pm_card_visa"

    def in_month(self, twist: int, month: int) -> bool:
        """Whether this happens to this customer now."""
        return self.twist == twist and self.month == month


_TWISTS = {
    1: (DECLINED, 0),
    3: (RETRIED, 0),
    5: (GIVES_UP, 0),
    9: (AUTHENTICATES, 0),
    14: (SENT_BACK, 0),
    18: (ZERO, 1),
    22: (NEGATIVE, 2),
    27: (ENDS, 1),
}


def customers(seed: int = 556) -> list[Customer]:
    """The same customers at every run."""
    dice = random.Random(seed)  # noqa: S311 - a play, not a secret
    return [_customer(number, name, dice) for number, name in enumerate(_NAMES)]


def _customer(number: int, name: str, dice: random.Random) -> Customer:
    currency = _CURRENCIES[number % len(_CURRENCIES)]
    twist, month = _TWISTS.get(number, (None, None))
    amounts = [_amount(currency, dice) for _ in range(MONTHS)]
    if twist == ZERO and month is not None:
        amounts[month] = "0"
    if twist == NEGATIVE and month is not None:
        amounts[month] = "-" + amounts[month]
    details = tuple(f"{line} {name.split()[0]}" for line in dice.sample(_LINES, 2))
    return Customer(name, currency, tuple(amounts), twist, month, details)


def _amount(currency: str, dice: random.Random) -> str:
    places = exponent(currency)
    minor = dice.randrange(2_000, 90_000) // 10 * 10  # Stripe takes three-decimal currencies in steps of ten
    return str(Decimal(minor).scaleb(-places)) if places else str(minor)
