"""README, the quick start and every how-to are followed, command by command, in a folder of their own.

A block whose first line is a comment with a file's name is that file. Horizons and searches are shortened, so that
each page takes seconds; what needs a server, a shell or another program is passed over.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from contextlib import chdir
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from typer.testing import CliRunner

from ecosystemiser.cli import app
from flows.session import prefect_session

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "quickstart.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LEFT_OUT = ("serve", "doctor")  # runs until it is stopped; has its own test
SHORT = {
    r"steps: 8760": "steps: 48",
    r"population_size: \d+": "population_size: 8",
    r"max_generations: \d+": "max_generations: 2",
    r"samples: 32": "samples: 8",
}


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory):
    """One Prefect server for all pages, in a home of its own."""
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_API_URL", raising=False)
        patch.setenv("PREFECT_HOME", str(home))
        with (
            temporary_settings({PREFECT_HOME: home}, restore_defaults={PREFECT_API_URL}),
            prefect_session(),
        ):
            yield


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed(page, tmp_path, monkeypatch):
    monkeypatch.delenv("ECOSYSTEMISER_RESULTS", raising=False)
    followed = 0
    with chdir(tmp_path):
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if kind in {"yaml", "csv"}:
                write(text)
            elif kind == "python":
                exec(compile(text, str(page), "exec"), {})
            elif kind == "sh":
                followed += sum(typed(line) for line in text.splitlines())
    assert followed >= 3


def test_the_snippets_of_the_python_page_run_one_after_the_other(tmp_path):
    shutil.copytree(ROOT / "examples" / "house", tmp_path / "house")
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    names = {}
    with chdir(tmp_path / "house"):
        for number, (kind, snippet) in enumerate(BLOCK.findall(page), 1):
            assert kind == "python"
            exec(compile(snippet, f"docs/python.md, snippet {number}", "exec"), names)
    assert names["study"].status == "completed"
    assert list(names["hours"].columns) == ["grid.import_kw", "battery.level_kwh"]
    assert len(names["hours"]) == 168
    assert (tmp_path / "house" / "sweep.png").exists()


def write(text):
    """A file that a page shows: by its first line's name, or a system or study by what it is."""
    named = re.match(r"# ([\w.]+)\n", text)
    if named:
        file = Path(named[1])
        text = text[named.end() :] if file.suffix == ".csv" else text
    else:
        raw = yaml.safe_load(text)
        if not isinstance(raw, dict) or not {"components", "study"} & set(raw):
            return  # a fragment; tests/unit/test_docs.py looks at it
        file = Path("study.yaml" if "study" in raw else "house.yaml")
        readings(raw)
    file.write_text(short(text), encoding="utf-8")


def readings(raw):
    """The CSV that README's house names: what a user would have."""
    if "profiles" not in raw:
        return
    first = datetime.fromisoformat(str(raw["horizon"]["start"]))
    rows = ["time,load_kw,pv_kw_per_kw"]
    for hour in range(49):
        moment = first + timedelta(hours=hour)
        rows.append(f"{moment:%Y-%m-%dT%H:%M},{0.3 + 0.02 * moment.hour:.2f},{0.5 * (9 <= moment.hour < 16)}")
    Path("house.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def short(text):
    for long, instead in SHORT.items():
        text = re.sub(long, instead, text)
    return text


def typed(line):
    """Type a line; whether it was one of ours."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["cd"]:
        os.chdir(words[1])
        return False
    if not words or words[0].removeprefix(".venv/bin/") != "ecosystemiser" or words[1] in LEFT_OUT:
        return False
    if words[1] == "run":
        words += ["--runner", "threads", "--quiet"]
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, f"{line}\n{result.output}"
    if words[1] in {"init", "examples"}:
        for file in Path().rglob("*.yaml"):
            file.write_text(short(file.read_text(encoding="utf-8")), encoding="utf-8")
    return True
