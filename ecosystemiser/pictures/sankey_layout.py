"""Where the boxes and ribbons of a Sankey diagram lie, in a square from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

from ecosystemiser.pictures.marks import Sankey

_BOX_WIDTH = 0.018
_GAP = 0.012
_LABEL = 0.06
"""Height that the words beside a box take."""
_LEAST = 0.002


@dataclass(frozen=True)
class Box:
    """A place as it is drawn; `amount` is the larger of what comes and what goes."""

    name: str
    column: int
    x: float
    y: float
    width: float
    height: float
    colour: str
    amount: float


@dataclass(frozen=True)
class Ribbon:
    """A stream as it is drawn: from the lower right corner of its source's part to its target's lower left."""

    start: tuple[float, float]
    end: tuple[float, float]
    width: float
    colour: str


def laid_out(content: Sankey) -> tuple[list[Box], list[Ribbon]]:
    """Boxes column by column, in the order in which their streams cross least; ribbons between them."""
    amounts = _amounts(content)
    columns: dict[int, list[int]] = {}
    for place, told in enumerate(content.places):
        columns.setdefault(told.column, []).append(place)
    last = max(columns)
    label = min(_LABEL, 0.8 / max(map(len, columns.values())))
    scale = min(_scale([amounts[place] for place in places], label) for places in columns.values())
    boxes: dict[int, Box] = {}
    for column in sorted(columns):
        ordered = sorted(columns[column], key=lambda place: -_height_of_sources(content, boxes, place))
        rooms = {place: max(amounts[place] * scale, label) for place in ordered}
        used = sum(rooms.values()) + _GAP * (len(ordered) - 1)
        y = 1 - (1 - used) / 2
        for place in ordered:
            told, height = content.places[place], max(amounts[place] * scale, _LEAST)
            y -= (rooms[place] + height) / 2
            x = (1 - _BOX_WIDTH) * column / max(last, 1)
            boxes[place] = Box(told.name, column, x, y, _BOX_WIDTH, height, told.colour, amounts[place])
            y -= (rooms[place] - height) / 2 + _GAP
    return [boxes[place] for place in range(len(content.places))], _ribbons(content, boxes, scale)


def _scale(amounts: list[float], label: float) -> float:
    """The height of one unit with which boxes, none of them with less room than its words, fill a column."""
    room = 1 - _GAP * (len(amounts) - 1)
    for count in range(len(amounts) + 1):
        # The smallest have the room of their words, the others share what is left.
        large = sorted(amounts)[count:]
        scale = (room - count * label) / sum(large) if large else room / max(sum(amounts), 1e-12)
        if not large or large[0] * scale >= label:
            return scale
    return room / sum(amounts)


def _amounts(content: Sankey) -> list[float]:
    come, go = [0.0] * len(content.places), [0.0] * len(content.places)
    for stream in content.streams:
        go[stream.source] += stream.amount
        come[stream.target] += stream.amount
    return [max(both) for both in zip(come, go, strict=True)]


def _height_of_sources(content: Sankey, boxes: dict[int, Box], place: int) -> float:
    """Where what comes in comes from, on average; in the order of the system where that is not drawn yet."""
    told = [
        (boxes[s.source].y + boxes[s.source].height / 2, s.amount)
        for s in content.streams
        if s.target == place and s.source in boxes
    ]
    total = sum(amount for _, amount in told)
    return sum(y * amount for y, amount in told) / total if total else 1 - place / len(content.places)


def _ribbons(content: Sankey, boxes: dict[int, Box], scale: float) -> list[Ribbon]:
    top_out = {place: box.y + box.height for place, box in boxes.items()}
    top_in = dict(top_out)
    leaving, arriving = {}, {}
    for stream in sorted(content.streams, key=lambda s: -boxes[s.target].y):
        top_out[stream.source] -= stream.amount * scale
        leaving[stream] = top_out[stream.source]
    for stream in sorted(content.streams, key=lambda s: -boxes[s.source].y):
        top_in[stream.target] -= stream.amount * scale
        arriving[stream] = top_in[stream.target]
    return [
        Ribbon(
            (boxes[s.source].x + _BOX_WIDTH, leaving[s]),
            (boxes[s.target].x, arriving[s]),
            s.amount * scale,
            s.colour,
        )
        for s in content.streams
    ]
