"""How a number varies from case to case: how long people take, what a bill comes to.

Numbers are whole: seconds, or minor units of a currency. Whoever draws hands the source of chance in, so that the same seed gives
the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeAlias, TypeVar

_P95 = 1.6448536269514722
"""Where 95 % of a normal distribution lie below, in standard deviations."""
_MOST = 2**53
_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same."""

    value: int


@dataclass(frozen=True, slots=True)
class Skewed:
    """Half lie below `median`, 95 % below `p95`, and few far above: a logarithmic normal distribution, as the time that people
    take is. Both are above zero.
    """

    median: int
    p95: int


@dataclass(frozen=True, slots=True)
class Between:
    """From `least` to `most`, mostly around `mode`: a triangular distribution."""

    least: int
    mode: int
    most: int


Distribution: TypeAlias = Fixed | Skewed | Between


def draw(distribution: Distribution, chance: Random) -> int:
    """One number. It takes the same from the source of chance whatever it comes to."""
    match distribution:
        case Fixed(value):
            chance.random()
            return value
        case Skewed(median, p95):
            spread = math.log(p95 / median) / _P95
            return min(round(median * math.exp(spread * _normal(chance))), _MOST)
        case Between(least, mode, most):
            return round(chance.triangular(least, most, mode)) if most > least else least


def _normal(chance: Random) -> float:
    """By Box and Muller, from two numbers: the library's own remember half of what they have made."""
    return math.sqrt(-2.0 * math.log(1.0 - chance.random())) * math.cos(2.0 * math.pi * chance.random())


def choose(weights: Mapping[_K, float], chance: Random) -> _K:
    """One of the keys, each as often as its weight says. At least one weight is above zero."""
    left = chance.random() * math.fsum(weights.values())
    chosen = None
    for key, weight in weights.items():
        if weight > 0:
            chosen = key
            if left < weight:
                return key
        left -= weight
    if chosen is None:
        raise ValueError("Expected a weight above zero, but there is none. Do: see to it that the profile's reader refuses that.")
    return chosen


def happens(share: float, chance: Random) -> bool:
    """True in `share` (from 0 to 1) of all cases."""
    return chance.random() < share


def quantile(sorted_numbers: list[int], share: float) -> int | None:
    """The number that `share` of all don't exceed: the nearest of them, none is made up. None where there are no numbers."""
    if not sorted_numbers:
        return None
    return sorted_numbers[max(math.ceil(share * len(sorted_numbers)) - 1, 0)]
