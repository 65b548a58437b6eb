"""`init` and `examples`: what a newcomer starts from is valid, and nothing of theirs is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(folder.name for folder in (ROOT / "examples").iterdir() if (folder / "README.md").exists())


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def refused(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2
    return result.stderr


def test_init_writes_a_house_and_a_study_that_are_valid_as_they_stand(tmp_path):
    told = call("init", tmp_path / "mine")
    house, study = tmp_path / "mine" / "house.yaml", tmp_path / "mine" / "study.yaml"
    assert f"ecosystemiser run {study}" in told
    assert call("validate", house, study).count("OK") == 2


def test_the_readings_and_the_tariff_of_a_user_take_the_place_that_the_comments_name(tmp_path):
    call("init", tmp_path)
    house = tmp_path / "house.yaml"
    line = "# load: {file: load.csv, column: load_kw}"
    standard = "  load:  {model: standard_load, kind: h25, annual_kwh: 4000}\n"
    text = house.read_text(encoding="utf-8")
    assert line in text
    assert standard in text
    text = (
        text.replace(standard, "").replace(line, line.removeprefix("# ")).replace("steps: 8760", "steps: 2")
    )
    house.write_text(text, encoding="utf-8")
    sample = [row.strip("# ") for row in text.splitlines() if row.startswith(("  #   time,", "  #   2019-"))]
    (tmp_path / "load.csv").write_text("\n".join(sample) + "\n", encoding="utf-8")
    solved = json.loads(call("solve", house, "--set", "pv.capacity_kw=0", "--json"))
    assert solved["kpis"]["total_demand_kwh"] == pytest.approx(0.31 + 0.28)


def test_init_overwrites_nothing_and_writes_nothing_where_one_file_is_there(tmp_path):
    (tmp_path / "study.yaml").write_text("mine")
    assert "is not overwritten" in refused("init", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["study.yaml"]
    assert (tmp_path / "study.yaml").read_text() == "mine"


def test_examples_lists_every_shipped_folder_with_a_line_of_its_readme():
    listed = json.loads(call("examples", "list", "--json"))
    assert [row["name"] for row in listed] == SHIPPED
    for row in listed:
        readme = " ".join((ROOT / "examples" / row["name"] / "README.md").read_text(encoding="utf-8").split())
        assert row["description"] in readme
    assert all(name in call("examples") for name in SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_copied_example_is_whole(name, tmp_path):
    call("examples", "copy", name, tmp_path / "copy")
    source = ROOT / "examples" / name
    copied = {file.name: file.read_bytes() for file in (tmp_path / "copy").iterdir()}
    assert copied == {file.name: file.read_bytes() for file in source.iterdir() if file.is_file()}


def test_an_unknown_example_is_told_with_the_known_ones_and_a_folder_that_is_there_stays_as_it_is(tmp_path):
    assert "house" in refused("examples", "copy", "hose", tmp_path / "new")
    assert "is not overwritten" in refused("examples", "copy", "house", tmp_path)
    assert list(tmp_path.iterdir()) == []
