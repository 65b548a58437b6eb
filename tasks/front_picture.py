"""A front as a small picture that a page can hold: a few kilobytes of SVG, drawn in a millisecond.

For pages of others, such as Prefect's; our own pictures are the face's.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from html import escape

Point = tuple[float, float]

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 24, 50, 60
_INK, _GREY, _LINE, _BLUE = "#222222", "#9A9A9A", "#E4E4E4", "#0072B2"
_DRAWN = 300
"""Points that are drawn: more cannot be told apart at this size."""


def front_picture(points: Sequence[Point], labels: tuple[str, str], title: str) -> str:
    """The picture as SVG.

    Args:
        points: the designs by their two objectives, one at least.
        labels: what the axes show, with units.
        title: what the picture shows.
    """
    drawn = sorted(points[:: -(-len(points) // _DRAWN)])
    across, up = ([point[i] for point in drawn] for i in (0, 1))
    x_of, x_marks = _axis(across, _LEFT, _WIDTH - _RIGHT)
    y_of, y_marks = _axis(up, _HEIGHT - _BOTTOM, _TOP)
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="28" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for value, told in x_marks:
        x = x_of(value)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="{_LINE}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{told}</text>')
    for value, told in y_marks:
        y = y_of(value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{_LINE}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{told}</text>')
    places = [f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in drawn]
    turned = f"translate(18 {(_TOP + bottom) / 2}) rotate(-90)"
    parts += [
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 16}" text-anchor="middle">{escape(labels[0])}</text>',
        f'<text transform="{turned}" text-anchor="middle">{escape(labels[1])}</text>',
        f'<path d="M{" L".join(places)}" fill="none" stroke="{_GREY}"/>',
        *(
            f'<circle cx="{place.split()[0]}" cy="{place.split()[1]}" r="4.5" fill="{_BLUE}" stroke="white"/>'
            for place in places
        ),
        "</svg>",
    ]
    return "".join(parts)


def as_address(svg: str) -> str:
    """The picture as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode('ascii')}"


def _axis(
    values: Sequence[float], start: int, end: int
) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
    """Where a value lies between two pixels, and the round values to mark, as they are written."""
    low, high = min(values), max(values)
    room = 0.06 * ((high - low) or abs(high) or 1.0)
    low, high = low - room, high + room
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    digits = max(-math.floor(math.log10(step)), 0)
    marks = [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def place(value: float) -> float:
        return start + (value - low) / (high - low) * (end - start)

    return place, [(value, f"{value + 0.0:,.{digits}f}".replace("-", "−")) for value in marks]
