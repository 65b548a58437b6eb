"""Monte Carlo, parametric and single studies: read whole, and told all at once where they are wrong."""

# ruff: noqa: E501 - the tables of what is wrong read by their columns

from __future__ import annotations

import pytest

from schema.errors import InputError
from schema.loading import load_study
from schema.studies import FromStudy, MonteCarloStudy, ParametricStudy, SingleStudy, values_of

SYSTEM = """\
system: house
horizon: {start: 2019-01-01T00:00, steps: 24}
profiles:
  load: {time_of_use: {0: 0.5, 7: 2.0}}
  price: {time_of_use: {0: 0.2, 7: 0.3}}
  market: {time_of_use: {0: -0.1, 7: 0.3}}
  sun: 0.5
components:
  grid: {type: grid, import_price_eur_per_kwh: {profile: price}, export_price_eur_per_kwh: 0.08}
  pv: {type: solar_pv, capacity_kw: 8, profile: sun}
  battery: {type: battery, capacity_kwh: 10, power_kw: 5}
  lights: {type: power_demand, profile: load}
"""
MONTE_CARLO = """\
study: risk
type: monte_carlo
system: house.yaml
design: {pv.capacity_kw: 10}
uncertain:
  grid.import_price_eur_per_kwh: {scale: {distribution: normal, mean: 1.0, std: 0.2}}
  economics.discount_rate: {distribution: triangular, min: 0.02, mode: 0.05, max: 0.08}
sampling: {method: sobol, samples: 64, seed: 1}
outputs: [total_cost, total_co2]
"""
PARAMETRIC = """\
study: sweep
type: parametric
system: house.yaml
sweep:
  battery.capacity_kwh: [0, 5, 10, 20]
  pv.capacity_kw: {start: 0, stop: 20, count: 11}
combine: grid
"""


@pytest.fixture
def written(tmp_path):
    """Writes the house and a study; the study's path."""

    def write(study):
        (tmp_path / "house.yaml").write_text(SYSTEM)
        (tmp_path / "study.yaml").write_text(study)
        return tmp_path / "study.yaml"

    return write


def changed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def refused(path):
    with pytest.raises(InputError) as error:
        load_study(path)
    for finding in error.value.findings:
        assert finding.file == str(path)
        assert finding.found
        assert finding.expected
        assert "pydantic" not in str(finding).lower()
    return error.value.findings


def test_a_monte_carlo_study_is_read_whole(written):
    study = load_study(written(MONTE_CARLO)).study
    assert isinstance(study, MonteCarloStudy)
    assert study.design == {"pv.capacity_kw": 10}
    assert list(study.uncertain) == ["grid.import_price_eur_per_kwh", "economics.discount_rate"]
    assert study.planned == 64 * 4
    assert study.objectives == {"total_cost": "minimise", "total_co2": "minimise"}


def test_a_parametric_study_is_read_whole(written):
    study = load_study(written(PARAMETRIC)).study
    assert isinstance(study, ParametricStudy)
    assert values_of(study.sweep["pv.capacity_kw"]) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert study.planned == 44


def test_a_single_study_may_take_another_study_s_design(written):
    study = load_study(
        written("study: one\ntype: single\nsystem: house.yaml\ndesign: {from_study: front, pick: cheapest}\n")
    ).study
    assert isinstance(study, SingleStudy)
    assert study.design == FromStudy(from_study="front", pick="cheapest")
    assert study.planned == 1


def test_names_of_profiles_and_solvers_can_be_swept(written):
    text = changed(
        PARAMETRIC,
        "battery.capacity_kwh: [0, 5, 10, 20]",
        "solver.method: [milp]\n  grid.import_price_eur_per_kwh: [price, market]\n  lights.profile: {scale: {start: 0.5, stop: 1.5, count: 3}}",
    )
    assert load_study(written(text)).study.planned == 2 * 3 * 11


@pytest.mark.parametrize(
    ("method", "rows"), [("morris", 64 * 3), ("fast", 65 * 2), ("latin_hypercube", 64), ("random", 64)]
)
def test_the_number_of_runs_follows_from_method_samples_and_parameters(written, method, rows):
    text = changed(MONTE_CARLO, "sobol", method)
    if method == "fast":
        text = changed(text, "64", "65")
    assert load_study(written(text)).study.planned == rows


# -- what is written instead of what, where it is told, and in which words

WRONG_MONTE_CARLO = {
    "unknown key": ("samples: 64", "sample: 64", "sampling.sample", "did you mean 'samples'?"),
    "unknown key of a distribution": (
        "std: 0.2",
        "std: 0.2, sd: 1",
        "uncertain.grid.import_price_eur_per_kwh.scale.sd",
        "unknown key 'sd'",
    ),
    "unknown distribution": (
        "distribution: normal",
        "distribution: gauss",
        "uncertain.grid.import_price_eur_per_kwh.scale",
        "there are uniform, normal",
    ),
    "missing number": (
        ", std: 0.2",
        "",
        "uncertain.grid.import_price_eur_per_kwh.scale.std",
        "std is missing",
    ),
    "spread of 0": ("std: 0.2", "std: 0", "uncertain.grid.import_price_eur_per_kwh.scale.std", "above 0"),
    "order": ("min: 0.02", "min: 0.2", "uncertain.economics.discount_rate", "must be in this order"),
    "impossible value": ("max: 0.08", "max: 1.08", "uncertain.economics.discount_rate", "below 1"),
    "number for a profile": (
        "{scale: {distribution: normal, mean: 1.0, std: 0.2}}",
        "{distribution: normal, mean: 0.3, std: 0.01}",
        "uncertain.grid.import_price_eur_per_kwh",
        "write {scale: ...} to multiply it",
    ),
    "path that leads nowhere": (
        "grid.import_price",
        "net.import_price",
        "uncertain.net.import_price_eur_per_kwh",
        "no component 'net'",
    ),
    "path twice": (
        "economics.discount_rate: {distribution: triangular, min: 0.02, mode: 0.05, max: 0.08}",
        "pv.capacity_kw: {distribution: uniform, min: 1, max: 2}",
        "uncertain.pv.capacity_kw",
        "the design states pv.capacity_kw as well",
    ),
    "design that leads nowhere": (
        "design: {pv.capacity_kw: 10}",
        "design: {pv.capacity: 10}",
        "design.pv.capacity",
        "did you mean 'capacity_kw'?",
    ),
    "impossible design": (
        "design: {pv.capacity_kw: 10}",
        "design: {pv.capacity_kw: -10}",
        "design.pv.capacity_kw",
        "at least 0",
    ),
    "auto without Sobol": (
        "method: sobol, samples: 64",
        "method: random, samples: auto",
        "sampling",
        "samples: auto doubles a Sobol design",
    ),
    "setting of another method": (
        "samples: 64",
        "samples: 64, levels: 6",
        "sampling",
        "levels has a meaning with method: morris only",
    ),
    "too few for FAST": ("method: sobol", "method: fast", "sampling", "fast needs at least 65"),
    "too many": ("samples: 64", "samples: 900000", "", "more than 1,000,000"),
    "front without a front": (
        "outputs: [",
        "timeseries: front\noutputs: [",
        "",
        "a monte carlo study has no front",
    ),
    "unknown output": ("total_co2", "total_c02", "outputs.1", "did you mean 'total_co2'?"),
    "output that not all have": (
        "total_co2",
        "npv_eur",
        "outputs.npv_eur",
        "it stands only with economics.baseline",
    ),
    "output twice": ("total_co2", "total_cost", "outputs", "stands twice"),
}


@pytest.mark.parametrize("case", WRONG_MONTE_CARLO)
def test_a_wrong_monte_carlo_study_is_told_where_it_is_wrong(written, case):
    old, new, path, words = WRONG_MONTE_CARLO[case]
    told = refused(written(changed(MONTE_CARLO, old, new)))
    assert [f.path for f in told] == [path], told
    assert words in told[0].message


WRONG_PARAMETRIC = {
    "unequal zip": (
        "combine: grid",
        "combine: zip",
        "",
        "all need as many values (battery.capacity_kwh 4, pv.capacity_kw 11)",
    ),
    "unknown word": ("combine: grid", "combine: product", "combine", "'grid' or 'zip'"),
    "value twice": ("[0, 5, 10, 20]", "[0, 5, 5]", "", "a value of battery.capacity_kwh stands twice"),
    "impossible value": ("[0, 5, 10, 20]", "[0, -5]", "sweep.battery.capacity_kwh", "at least 0"),
    "no values": ("[0, 5, 10, 20]", "[]", "sweep.battery.capacity_kwh", "at least 1"),
    "name for a number": (
        "[0, 5, 10, 20]",
        "[price]",
        "sweep.battery.capacity_kwh",
        "takes no name such as 'price'",
    ),
    "unknown solver": (
        "battery.capacity_kwh: [0, 5, 10, 20]",
        "solver.method: [milp, simplex]",
        "sweep.solver.method",
        "not simplex",
    ),
    "unknown profile": (
        "battery.capacity_kwh: [0, 5, 10, 20]",
        "grid.import_price_eur_per_kwh: [price, prize]",
        "sweep.grid.import_price_eur_per_kwh",
        "did you mean 'price'?",
    ),
    "profile out of bounds": (
        "battery.capacity_kwh: [0, 5, 10, 20]",
        "lights.profile: [load, market]",
        "sweep.lights.profile",
        "must be at least 0 in every step",
    ),
    "scale out of bounds": (
        "battery.capacity_kwh: [0, 5, 10, 20]",
        "lights.profile: {scale: [1, -1]}",
        "sweep.lights.profile",
        "must be at least 0 in every step",
    ),
    "number for a profile": (
        "battery.capacity_kwh: [0, 5, 10, 20]",
        "lights.profile: [1, 2]",
        "sweep.lights.profile",
        "write {scale: ...} to multiply it",
    ),
    "nothing to scale": (
        "battery.capacity_kwh: [0, 5, 10, 20]",
        "battery.charge_power_kw: {scale: [1, 2]}",
        "sweep.battery.charge_power_kw",
        "holds no number that could be multiplied",
    ),
    "word to scale by": (
        "[0, 5, 10, 20]",
        "{scale: [1, twice]}",
        "sweep.battery.capacity_kwh",
        "'twice' is no number",
    ),
    "whole front": (
        "combine: grid",
        "combine: grid\ndesign: {from_study: x, pick: front}",
        "",
        "a whole front can be put through a monte_carlo study only",
    ),
}


@pytest.mark.parametrize("case", WRONG_PARAMETRIC)
def test_a_wrong_parametric_study_is_told_where_it_is_wrong(written, case):
    old, new, path, words = WRONG_PARAMETRIC[case]
    told = refused(written(changed(PARAMETRIC, old, new)))
    assert [f.path for f in told] == [path], told
    assert words in told[0].message


def test_a_whole_front_takes_a_fixed_number_of_samples_and_two_outputs(written):
    front = changed(MONTE_CARLO, "design: {pv.capacity_kw: 10}", "design: {from_study: x, pick: front}")
    assert load_study(written(front)).study.planned == 256
    (told,) = refused(written(changed(front, "samples: 64", "samples: auto")))
    assert "a whole front takes a number of samples" in told.message
    (told,) = refused(written(changed(front, "[total_cost, total_co2]", "[total_cost]")))
    assert "a whole front needs two or more" in told.message


def test_all_that_is_wrong_is_told_at_once(written):
    text = MONTE_CARLO
    for old, new in (
        ("std: 0.2", "std: 0"),
        ("max: 0.08", "max: 1.08"),
        ("kw: 10", "kw: -1"),
        ("total_co2", "co2"),
    ):
        text = changed(text, old, new)
    assert {f.path for f in refused(written(text))} == {
        "uncertain.grid.import_price_eur_per_kwh.scale.std",
        "uncertain.economics.discount_rate",
        "design.pv.capacity_kw",
        "outputs.1",
    }
