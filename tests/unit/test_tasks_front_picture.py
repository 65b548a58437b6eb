"""The small picture of a front: right places, round marks, valid SVG whatever the numbers and names."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from tasks.front_picture import as_address, front_picture

LABELS = ("total_cost [€]", "total_co2 [kg]")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(points, title="front"):
    return ET.fromstring(front_picture(points, LABELS, title))


def circles(picture):
    return [(float(c.get("cx")), float(c.get("cy"))) for c in picture.iter(f"{SVG}circle")]


def texts(picture):
    return [text.text for text in picture.iter(f"{SVG}text")]


def test_cheaper_is_further_left_and_less_co2_further_down():
    (a, b, c) = circles(drawn([(300.0, 10.0), (100.0, 50.0), (200.0, 20.0)]))
    assert a[0] < b[0] < c[0]
    assert a[1] < b[1] < c[1]  # pixels count downwards


def test_marks_are_round_and_within_the_picture():
    told = texts(drawn([(100.0, -5.0), (300.0, 5.0)]))
    assert {"100", "150", "200", "250", "300"} <= set(told)
    assert {"−4", "0", "4"} <= set(told)


@pytest.mark.parametrize(
    "points", [[(5.0, 5.0)], [(0.0, 0.0)], [(1e9, 1e-9), (1e9, 2e-9)], [(-3.0, 2.0)] * 2]
)
def test_one_design_or_many_of_the_same_are_drawn(points):
    picture = drawn(points)
    assert len(circles(picture)) == len(points)
    assert all(0 < x < 640 and 0 < y < 400 for x, y in circles(picture))


def test_a_large_front_stays_a_small_picture():
    svg = front_picture([(float(i), float(-i)) for i in range(20_000)], LABELS, "front")
    assert len(as_address(svg)) < 60_000


def test_names_cannot_break_out_of_the_picture():
    assert "<b>" in texts(drawn([(1.0, 2.0)], title="<b>"))
    assert re.fullmatch(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+", as_address("<svg/>"))
