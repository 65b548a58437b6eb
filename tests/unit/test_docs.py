"""What README and docs/ show holds: commands parse, YAML is valid, and the site builds without a warning."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from pydantic import TypeAdapter
from typer.main import get_command

from ecosystemiser.cli import app
from schema.community.settings import Settings
from schema.components import COMPONENT_TYPES
from schema.loading import load_study, load_system
from schema.profiles import ProfileSpec, kind_of_profile

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "examples" / "house"
STARTER = ROOT / "ecosystemiser" / "starter" / "house.yaml"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
COMMAND = get_command(app)
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
# What Prefect is told: tests/integration/test_deployments.py runs it as it stands.
OTHER_PROGRAMS = {"make", "source", "cd", "curl", "export", "pip", "git", "dask", "prefect"}


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    kind: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(ROOT))
    return [
        Block(name, text[: found.start()].count("\n") + 1, found["kind"], found["text"])
        for found in BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
# What docs/extending.md shows is valid with its changes only: tests/integration/test_docs_extending.py.
YAML = [block for block in BLOCKS if block.kind == "yaml" and block.page != "docs/extending.md"]


def test_every_block_is_of_a_kind_that_is_checked_here_or_elsewhere():
    # python: tests/unit/test_api.py; diff: test_docs_extending.py; text and csv are not run.
    assert {block.kind for block in BLOCKS} <= {"", "sh", "yaml", "python", "csv", "text", "diff"}


def typed_lines():
    for block in BLOCKS:
        if block.kind in {"", "sh"}:
            for line in block.text.splitlines():
                if block.kind == "sh" or line.startswith("ecosystemiser "):
                    yield pytest.param(line, id=f"{block}: {line[:60]}")


@pytest.mark.parametrize("line", list(typed_lines()))
def test_every_command_line_can_be_typed(line):
    typed = re.sub(r"^(?:[A-Z_]+=(?:\$\([^)]*\)|\S*) )+", "", line.split(" | ")[0])
    words = shlex.split(typed, comments=True)
    if not words:
        return
    program = words[0].removeprefix(".venv/bin/")
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets
    elif program != "ecosystemiser":
        assert program in OTHER_PROGRAMS
    else:
        parsed(words[1:])


def parsed(words):
    """Have the real command line read the words, without doing anything."""
    command, context = COMMAND, None
    while True:
        context = command.make_context(words[0] if words else "", list(words), parent=context)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not hasattr(command, "commands") or not rest:
            return context
        _, command, words = command.resolve_command(context, rest)


# -- YAML


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the example house's files, and a CSV for those whose own data a page speaks of."""
    made = tmp_path_factory.mktemp("yaml")
    for name in ("house.yaml", "week.yaml"):
        shutil.copy(HOUSE / name, made)
    return made


def stated(block):
    return yaml.safe_load(block.text)


@pytest.mark.parametrize("block", YAML, ids=str)
def test_every_yaml_is_valid_as_what_it_is(block, folder):
    raw = stated(block)
    if "components" in raw:
        load_system(written_system(raw, folder))
    elif "study" in raw:
        system = folder / raw["system"]
        own = [stated(one) for one in YAML if one.page == block.page and "components" in stated(one)]
        if own:
            system = written_system(own[0], folder)
        elif "init my_house" in "".join(one.text for one in BLOCKS if one.page == block.page):
            system = shutil.copy(STARTER, folder / "own_starter.yaml")
        (folder / "study.yaml").write_text(yaml.safe_dump({**raw, "system": system.name}, sort_keys=False))
        load_study(folder / "study.yaml")
    elif "transports" in raw:
        Settings.model_validate(raw)
    elif all(isinstance(value, dict) and value.get("type") in COMPONENT_TYPES for value in raw.values()):
        load_system(written_system(completed_system(raw), folder))
    elif set(raw) & {"design", "failures"}:
        (folder / "study.yaml").write_text(yaml.safe_dump({**SINGLE, **raw}, sort_keys=False))
        load_study(folder / "study.yaml")
    else:
        for profile in raw.values():
            TypeAdapter(ProfileSpec).validate_python(profile)
            assert kind_of_profile(profile) or isinstance(profile, float)


SINGLE = {"study": "one", "type": "single", "system": "week.yaml"}


def completed_system(components):
    """A system around components: a day of a house that has every carrier."""
    base = yaml.safe_load((HOUSE / "week.yaml").read_text(encoding="utf-8"))
    gas = {"type": "gas_grid", "import_limit_kw": 20, "import_price_eur_per_kwh": 0.1}
    return {**base, "components": {**base["components"], "gas": gas, **components}}


def written_system(raw, folder):
    """The system in a file, with made-up readings for the files that it names."""
    for profile in (raw.get("profiles") or {}).values():
        if isinstance(profile, dict) and "file" in profile:
            write_readings(folder / profile["file"], raw["horizon"])
    file = folder / f"own_{raw['system']}.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False))
    return file


def write_readings(file, horizon):
    """Hours of the horizon with the columns that the pages name."""
    start = horizon["start"]
    first = start if isinstance(start, datetime) else datetime.fromisoformat(str(start))
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["time", "load_kw", "pv_kw_per_kw"])
        for hour in range(horizon["steps"]):
            moment = first + timedelta(hours=hour)
            sun = 0.6 if 9 <= moment.hour < 16 else 0.0
            writer.writerow([moment.isoformat(), 0.3 + 0.02 * moment.hour, sun])


# -- the site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if shutil.which("mkdocs") is None and not Path(sys.executable).with_name("mkdocs").exists():
        pytest.skip("needs the extra docs")
    made = tmp_path_factory.mktemp("site")
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(made)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    return made


def test_the_site_builds_without_a_warning_and_has_every_page(site):
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs")).with_suffix(".html").exists()
    for name in ("index", "changes", "examples/house", "examples/water"):
        assert (site / f"{name}.html").exists()


def test_the_site_asks_nothing_of_the_network(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        asked = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"?(https?:[^\" >]+)", text)
        assert [url for url in asked if not url.startswith("http://127.0.0.1")] == [], page.name


def test_every_page_is_in_the_navigation(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r"href=\"?([\w/.-]+\.html)", home))
    pages = {str(page.relative_to(site)) for page in site.rglob("*.html")} - {"404.html", "index.html"}
    assert pages - linked == set()


def test_links_to_the_source_become_words_or_links_where_the_repository_is_known(monkeypatch):
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    hooks = module_from_spec(spec)
    spec.loader.exec_module(hooks)

    page = SimpleNamespace(file=SimpleNamespace(src_uri="dispatch.md"))
    links = "[grids](../solvers/components/grid.py) [`x`](../examples/house/README.md) [k](kpis.md#a)"
    text = f"{links}\n```\n[a](b)\n```"
    offline = hooks.on_page_markdown(text, page, {"repo_url": None})
    assert '<abbr title="solvers/components/grid.py">grids</abbr>' in offline
    assert "[`x`](examples/house.md)" in offline
    assert "[k](kpis.md#a)" in offline
    assert "[a](b)" in offline
    online = hooks.on_page_markdown(text, page, {"repo_url": "https://example.org/eco/"})
    assert "[grids](https://example.org/eco/blob/main/solvers/components/grid.py)" in online
