"""Colours: which texts are taken for one, and what can be read on them."""

from __future__ import annotations

import re

INK = "#222222"
PAPER = "#ffffff"

_COLOUR = re.compile(r"#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|[a-zA-Z]{3,24}|rgb\( *\d{1,3} *, *\d{1,3} *, *\d{1,3} *\)")
_READABLE = 3.0
"""The least contrast of symbols and large text (WCAG 2.2, 1.4.11)."""


def colour(text: str | None) -> str | None:
    """A colour as SVG writes it; None for anything else, so that nothing but a colour reaches the picture."""
    return text if text and _COLOUR.fullmatch(text) else None


def readable_on(paper: str, ink: str) -> str:
    """The ink, or white where the ink can't be told from the paper. Colours that are given by name are left alone."""
    ground, line = _luminance(paper), _luminance(ink)
    if ground is None or line is None or _contrast(ground, line) >= _READABLE:
        return ink
    return PAPER if _contrast(ground, 1.0) > _contrast(ground, 0.0) else INK


def is_dark(paper: str) -> bool:
    """Whether our ink can't be read on this colour."""
    ground = _luminance(paper)
    return ground is not None and _contrast(ground, _luminance(INK) or 0.0) < _READABLE


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _luminance(text: str) -> float | None:
    """Relative luminance (WCAG 2.2) of a colour given by numbers; None for one given by name."""
    digits = text.removeprefix("#")
    if text.startswith("#"):
        parts = [int(d * 2, 16) for d in digits] if len(digits) == 3 else [int(digits[n : n + 2], 16) for n in (0, 2, 4)]
    elif text.startswith("rgb("):
        parts = [min(int(part), 255) for part in text[4:-1].split(",")]
    else:
        return None
    linear = [p / 255 / 12.92 if p <= 10 else ((p / 255 + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
