"""docs/extending.md: its changes are applied to a copy of the source, and what stands behind them is run there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
ROOMS = ("schema", "solvers", "tasks", "flows", "ecosystemiser")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A copy of the source with the page's changes in it, and a folder with its files."""
    copy, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("work")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    changes = blocks("diff")
    assert len(changes) == 3
    for change in changes:
        subprocess.run(
            ["git", "apply", "-C1", "-"], cwd=copy, input=change, text=True, check=True, timeout=30
        )
    for text in blocks("yaml"):
        (folder / re.match(r"# ([\w.]+)\n", text)[1]).write_text(text, encoding="utf-8")
    return copy, folder


def call(changed, *words):
    copy, folder = changed
    environment = {**os.environ, "PYTHONPATH": str(copy), "PREFECT_HOME": str(folder / "prefect")}
    ran = subprocess.run(
        [sys.executable, "-m", "ecosystemiser", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_new_component_is_dispatched_as_worked_out_by_hand(changed):
    told = json.loads(call(changed, "solve", "filling_station.yaml", "--json"))
    # 14 h · 5 kW / 0.7 = 100 kWh at 0.3 €, of which the tank, half full at first, moves 20 / 0.7 kWh to 0.1 €.
    assert told["status"] == "optimal"
    assert told["kpis"]["total_cost"] == pytest.approx(100 * 0.3 - 20 / 0.7 * 0.2)


def test_the_new_solver_lets_rules_dispatch_and_else_the_whole_program(changed):
    by_rules = json.loads(call(changed, "solve", "filling_station.yaml", "--solver", "rules_first", "--json"))
    assert (by_rules["status"], by_rules["gap_fraction"]) == ("feasible", None)
    # Rules do not buy ahead; of 7.1 kW by day a grid of 6 kW gives part, and the rest must be bought at night.
    short = ["--set", "grid.import_limit_kw=6", "--set", "tank.capacity_kwh=100"]
    whole = json.loads(
        call(changed, "solve", "filling_station.yaml", *short, "--solver", "rules_first", "--json")
    )
    assert whole["status"] == "optimal"


def test_the_new_kind_of_study_runs_and_every_command_of_the_page_with_it(changed):
    for line in (line for text in blocks("sh") for line in text.splitlines()):
        words = shlex.split(line)[1:]
        call(changed, *words, *(["--runner", "threads", "--quiet"] if words[0] == "run" else []))
    rows = json.loads(call(changed, "query", "runs", "--study-id", "one", "--format", "json"))
    assert [row["parameters"] for row in rows] == [
        {},
        {"tank.capacity_kwh": 0},
        {"tank.capacity_kwh": 80},
        {"electrolyser.capacity_kw": 8},
        {"electrolyser.capacity_kw": 20},
    ]
    # Without a tank all is bought as it is used; with 80 kWh, twice as much is moved as with 40.
    costs = [row["objectives"]["total_cost"] for row in rows[:3]]
    assert costs == pytest.approx([30 - 20 / 0.7 * 0.2, 30, 30 - 40 / 0.7 * 0.2])
