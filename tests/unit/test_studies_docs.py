"""What the page on studies, the examples and the deployments show can be run as it stands."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
import yaml

from schema.loading import load_study
from schema.studies import STUDY_TYPES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
SHOWN = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
STUDIES = {shown["study"]: shown for shown in SHOWN if "study" in shown}
EXAMPLES = sorted((ROOT / "examples" / "house").glob("study*.yaml"))
DEPLOYMENTS = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))[
    "deployments"
]


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_on_the_page_is_valid_on_the_house_s_week(study, tmp_path):
    for name in ("week.yaml", "house.yaml"):
        (tmp_path / name).symlink_to(ROOT / "examples" / "house" / name)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDIES[study], sort_keys=False))
    assert load_study(tmp_path / "study.yaml").study.study == study


def test_the_page_shows_every_kind():
    assert {shown["type"] for shown in STUDIES.values()} == set(STUDY_TYPES)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_study_is_valid(file):
    assert load_study(file).study.planned >= 1


def test_there_is_an_example_of_every_kind():
    kinds = {yaml.safe_load(file.read_text(encoding="utf-8"))["type"] for file in EXAMPLES}
    assert kinds == set(STUDY_TYPES)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["entrypoint"])
def test_every_deployment_names_a_flow_and_its_typed_parameters(deployment):
    module, _, name = deployment["entrypoint"].rpartition(".")
    flow = getattr(importlib.import_module(module), name)
    stated = inspect.signature(flow.fn).parameters
    assert set(deployment["parameters"]) < set(stated)
    form = flow.parameters.model_dump()["properties"]
    assert form["study"]["format"] == form["results"]["format"] == "path"
    assert form["runner"]["enum"] == ["threads", "processes", "dask"]
    assert {one["type"] for one in form["workers"]["anyOf"]} == {"integer", "null"}
    assert {one["type"] for one in form["dask_address"]["anyOf"]} == {"string", "null"}
    assert form["resume"]["type"] == "boolean"
    assert all(form[name].get("description") for name in stated)
    assert deployment["schedules"] == []


def test_every_kind_of_study_has_a_deployment():
    from flows.run import _flow_of

    names = {deployment["entrypoint"].rpartition(".")[2] for deployment in DEPLOYMENTS}
    studies = {kind: _study_of(kind) for kind in STUDY_TYPES}
    assert {_flow_of(study).fn.__name__ for study in studies.values()} <= names


def _study_of(kind):
    file = next(f for f in EXAMPLES if yaml.safe_load(f.read_text(encoding="utf-8"))["type"] == kind)
    return load_study(file).study
