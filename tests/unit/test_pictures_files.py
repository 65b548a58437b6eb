"""Pictures as files: whole or not at all, the same each time, offline, and safe whatever things are called."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.main import get_command

from ecosystemiser.cli import app
from ecosystemiser.pictures import by_plotly, files, fronts
from schema.errors import InputError

EVIL = "<script>alert(1)</script> & <b>\"x'</b> $\\frac"
OBJECTIVES = {"total_cost": "minimise", "total_co2": "minimise"}


def front(title="t", name="pv.capacity_kw"):
    rows = [
        {"run_id": f"{title}-{i}", "objectives": {"total_cost": c, "total_co2": e}, "parameters": {name: i}}
        for i, (c, e) in enumerate([(1.0, 5.0), (2.0, 3.0), (4.0, 2.0)])
    ]
    return fronts.pareto_front(rows, OBJECTIVES, title=title, knee=1), fronts.parallel(
        rows, OBJECTIVES, title=title, knee=1
    )


class Page(HTMLParser):
    """What a page loads, and which text stands outside scripts."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.tags, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href", "data", "action"} and value]

    def handle_data(self, data):
        if self.tags and self.tags[-1] not in {"script", "style"}:
            self.texts.append(data)


@pytest.mark.parametrize("name", ["front.png", "front.svg", "front.html"])
def test_a_picture_is_written_whole_and_alone(tmp_path, name):
    files.save(front()[0], tmp_path / "new" / name)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [name]
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "html": b"<!doctype html>"}
    assert (tmp_path / "new" / name).read_bytes().startswith(begins[name.split(".")[1]])


@pytest.mark.parametrize("kind", ["png", "svg", "html"])
def test_pictures_are_made_anew_bit_for_bit(tmp_path, kind):
    for name in ("a", "b"):
        files.save(front()[0], tmp_path / f"{name}.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_the_words_of_an_svg_are_text(tmp_path):
    files.save(front("my title")[0], tmp_path / "front.svg")
    told = [e.text for e in ET.parse(tmp_path / "front.svg").iter() if e.tag.endswith("}text")]
    assert {"my title", "total cost [€]", "knee"} <= set(told)


def test_a_picture_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.png, \.svg, \.html"):
        files.save(front()[0], tmp_path / "front.gif")


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        files.save(front()[0], tmp_path / "file" / "front.png")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_page_needs_no_network_and_runs_nothing_that_users_wrote(tmp_path, which):
    files.save(front(EVIL, f"pv.{EVIL}")[which], tmp_path / "front.html")
    text = (tmp_path / "front.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads == []
    assert "alert(1)</script>" not in text
    assert page.tags.count("script") == 3  # plotly's settings, plotly, the picture
    assert EVIL in page.texts  # the title of the page, as it was written
    assert text.count("plotly.js v") == 1


@pytest.mark.parametrize("which", [0, 1])
def test_odd_names_can_be_drawn_in_every_format(tmp_path, which):
    for kind in ("png", "svg"):
        files.save(front(EVIL, f"pv.{EVIL}")[which], tmp_path / f"front.{kind}")
    words = "".join(ET.parse(tmp_path / "front.svg").getroot().itertext())
    assert "<script>alert(1)</script> & <b>\"x'</b> $\\frac" in words


def test_markup_in_a_name_is_shown_as_it_stands():
    figure = by_plotly.figure(front("<a href='http://x'>y</a>")[0])
    assert figure.layout.title.text.startswith("<b>&lt;a href='http://x'&gt;y&lt;/a&gt;</b>")


def test_without_plotly_a_page_is_refused_in_one_line_that_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['plotly'] = None\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'plotly' else found(name, *a)\n"
        "from pathlib import Path; from ecosystemiser.pictures.files import check_format\n"
        "check_format(Path('x.png'))\n"
        "try: check_format(Path('x.html'))\n"
        "except Exception as e: print(e)\n"
        "print('matplotlib' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    refused, matplotlib = told.stdout.splitlines()
    assert "pip install 'ecosystemiser[plots]'" in refused
    assert matplotlib == "False"


# -- the page

ROOT = Path(__file__).parents[2]
GALLERY = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")


def test_the_gallery_shows_what_its_commands_draw():
    shown = re.findall(r"!\[[^]]+\]\((images/\S+)\)", GALLERY)
    drawn = re.findall(r"^ecosystemiser .*--output docs/(images/\S+)$", GALLERY, re.MULTILINE)
    assert len(shown) > 10
    assert shown == drawn
    assert [name for name in shown if (ROOT / "docs" / name).stat().st_size > 150_000] == []


def test_the_commands_of_the_gallery_can_be_typed():
    command = get_command(app)
    for line in re.findall(r"^ecosystemiser (query .*)$", GALLERY, re.MULTILINE):
        _, name, *words = shlex.split(line)
        assert command.commands["query"].commands[name].make_context(name, words)
