"""An SVG as a bitmap. The library that draws it (resvg) comes with the extra `pictures`."""

from __future__ import annotations

from lxml import etree

from engine.errors import ConfigurationInvalid

_MOST = 8_000  # pixels a side: some 200 MB while it is drawn


def to_png(svg: bytes, *, scale: float = 2.0) -> bytes:
    """The picture as PNG, `scale` pixels for each of its own; fewer where a side would have more than 8,000.

    Raises ConfigurationInvalid where the library isn't installed, or nothing would be seen.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError as missing:
        raise ConfigurationInvalid(
            "Expected the library resvg_py to draw PNG, but it isn't installed. "
            "Do: pip install 'run-process[pictures]', or choose .svg or .html."
        ) from missing
    root = etree.fromstring(svg)
    sides = sorted((float(root.get("width") or 1), float(root.get("height") or 1)))
    zoom = min(scale, _MOST / sides[1])
    if sides[0] * zoom < 1:
        raise ConfigurationInvalid(
            f"Expected a picture that fits into {_MOST:,} pixels, but some of it is too far away for anything to be seen. "
            "Do: choose .svg, or correct the places in the file."
        )
    return bytes(svg_to_bytes(svg_string=svg.decode("utf-8"), zoom=zoom, background="#ffffff"))
