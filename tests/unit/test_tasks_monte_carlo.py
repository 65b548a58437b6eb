"""Rounds of samples around designs, answered by functions that are known."""

from __future__ import annotations

import numpy as np
import pytest

from schema.loading import load_study
from tasks.bases import Base
from tasks.evaluate import Design
from tasks.monte_carlo import MonteCarlo, staying
from tasks.scoring import Scored

SYSTEM = """\
system: house
horizon: {start: 2019-01-01T00:00, steps: 2}
profiles: {load: 1.0}
components:
  grid: {type: grid, import_price_eur_per_kwh: 0.3}
  battery: {type: battery, capacity_kwh: 4, power_kw: 2}
  lights: {type: power_demand, profile: load}
"""
STUDY = """\
study: risk
type: monte_carlo
system: house.yaml
uncertain:
  lights.profile: {scale: {distribution: uniform, min: 0, max: 1}}
  battery.capacity_kwh: {distribution: uniform, min: 0, max: 2}
"""


@pytest.fixture
def prepared(tmp_path):
    """A study's samples, by what it says of sampling and outputs."""

    def prepare(more, bases=None):
        (tmp_path / "house.yaml").write_text(SYSTEM)
        (tmp_path / "study.yaml").write_text(STUDY + more)
        loaded = load_study(tmp_path / "study.yaml")
        return MonteCarlo(loaded.study, loaded, bases or [Base({})])

    return prepare


def cost(values):
    return 10 * values["lights.profile"] + values["battery.capacity_kwh"]


def played(samples, answer):
    """Ask and tell to the end; every question in order."""
    asked = []
    while designs := samples.ask():
        samples.tell([answer(Design(len(asked) + i, values)) for i, values in enumerate(designs)])
        asked += designs
    return asked


def solved(design):
    return Scored(
        design, "success", {"total_cost": cost(design.values), "total_co2": design.values["lights.profile"]}
    )


def test_every_sample_is_the_design_with_the_uncertain_numbers_in_it(prepared):
    samples = prepared(
        "sampling: {method: random, samples: 50}\n", [Base({"battery.power_kw": 3}, "other-0000001")]
    )
    asked = played(samples, solved)
    assert len(asked) == 50
    assert {tuple(values) for values in asked} == {
        ("battery.power_kw", "lights.profile", "battery.capacity_kwh")
    }
    assert {values["battery.power_kw"] for values in asked} == {3}
    analyses = samples.analyses()
    assert [a.uncertainty.objective_name for a in analyses] == ["total_cost", "total_co2"]
    assert {a.uncertainty.target_solution_id for a in analyses} == {"other-0000001"}
    costs = [cost(values) for values in asked]
    assert analyses[0].uncertainty.mean_value == pytest.approx(np.mean(costs))
    assert analyses[0].uncertainty.metadata["samples"] == 50
    assert [s.parameter_name for s in analyses[0].sensitivities] == ["lights.profile", "battery.capacity_kwh"]


def test_percentiles_of_a_sobol_study_are_of_its_a_and_b_rows(prepared):
    samples = prepared("sampling: {samples: 32}\n")
    asked = played(samples, solved)
    assert len(asked) == 32 * 4
    costs = [cost(values) for row, values in enumerate(asked) if row % 4 in {0, 3}]
    told = samples.analyses()[0].uncertainty
    assert told.metadata["samples"] == 64
    assert told.percentile_95 == pytest.approx(np.percentile(costs, 95))


def test_auto_doubles_until_the_widest_interval_is_narrow_enough_and_runs_nothing_twice(prepared):
    samples = prepared("sampling: {samples: auto, target_interval: 0.25, max_samples: 4096}\n")
    assert samples.most_rounds == 7
    asked = played(samples, solved)
    widths = [told["widest_interval"] for told in samples.rounds]
    assert [told["samples"] for told in samples.rounds] == [64 * 2**i for i in range(len(widths))]
    assert 1 < len(widths) < 7
    assert widths[-1] < 0.25 <= widths[-2]
    assert len(asked) == samples.rounds[-1]["samples"] * 4
    fixed = prepared(f"sampling: {{samples: {samples.samples}}}\n")
    assert asked == played(fixed, solved)
    assert [a.sensitivities for a in samples.analyses()] == [a.sensitivities for a in fixed.analyses()]
    assert samples.summary()["sampling"]["reached_target"] is True


def test_auto_stops_at_its_most_and_says_that_it_fell_short(prepared):
    samples = prepared("sampling: {samples: auto, target_interval: 0.001, max_samples: 200}\n")
    played(samples, solved)
    assert [told["samples"] for told in samples.rounds] == [64, 128]
    assert samples.summary()["sampling"]["reached_target"] is False


def test_auto_stops_at_once_where_nothing_varies_or_nothing_is_solved(prepared):
    for answer in (
        lambda design: Scored(design, "success", {"total_cost": 5.0, "total_co2": 1.0}),
        lambda design: Scored(design, "infeasible"),
    ):
        samples = prepared("sampling: {samples: auto}\n")
        played(samples, answer)
        assert len(samples.rounds) == 1


def test_samples_without_an_answer_are_counted_and_told_by_where_they_lie(prepared):
    def answer(design):
        return Scored(design, "infeasible") if design.values["battery.capacity_kwh"] > 1.5 else solved(design)

    samples = prepared("sampling: {samples: 256}\n")
    asked = played(samples, answer)
    gone = sum(values["battery.capacity_kwh"] > 1.5 for values in asked)
    told = samples.summary()["left_out"]
    assert (told["count"], told["infeasible"], told["failed"]) == (gone, gone, 0)
    assert told["share"] == pytest.approx(gone / 1024)
    (cluster,) = told["clusters"]
    assert cluster["parameter"] == "battery.capacity_kwh"
    assert cluster["unsolved"][0] > 1.5
    uncertainty = samples.analyses()[0].uncertainty
    assert uncertainty.metadata["left_out"] + uncertainty.metadata["samples"] == 512
    used = {s.metadata["used"] for s in samples.analyses()[0].sensitivities}
    assert all(0 < count < 256 for count in used)


def test_a_study_without_any_answer_has_no_figures(prepared):
    samples = prepared("sampling: {samples: 8}\n")
    played(samples, lambda design: Scored(design, "failed"))
    assert [a.uncertainty for a in samples.analyses()] == [None, None]
    assert samples.summary()["left_out"]["share"] == 1


def test_every_design_of_a_front_meets_the_same_samples(prepared):
    bases = [Base({"battery.power_kw": power}, f"front-{power}") for power in (1, 2, 3)]
    samples = prepared("sampling: {method: latin_hypercube, samples: 20}\n", bases)

    def answer(design):
        power = design.values["battery.power_kw"]
        # 1 is cheap, 2 clean where the lights are dim, 3 worse than 1 in both.
        co2 = {1: 1.0, 2: 2 * design.values["lights.profile"], 3: 1.5}[power]
        return Scored(design, "success", {"total_cost": float(power), "total_co2": co2})

    asked = played(samples, answer)
    lights = [values["lights.profile"] for values in asked]
    assert lights[:20] == lights[20:40] == lights[40:]
    told = {a.uncertainty.target_solution_id: a.uncertainty.metadata for a in samples.analyses()}
    dim = sum(light < 0.5 for light in lights[:20]) / 20
    shares = {run_id: metadata["front_share"] for run_id, metadata in told.items()}
    assert shares == {"front-1": 1, "front-2": pytest.approx(dim), "front-3": 0}
    assert told["front-3"]["on_mean_front"] is False


def test_a_sample_that_leaves_a_design_without_an_answer_takes_it_off_the_front():
    nan = np.nan
    F = np.array([[[1.0, 1.0], [1.0, 1.0], [nan, nan]], [[2.0, 2.0], [nan, nan], [nan, nan]]])
    told = staying(F)
    assert [told[i]["front_share"] for i in (0, 1)] == [1, 0]
    assert [told[i]["on_mean_front"] for i in (0, 1)] == [True, False]
    assert staying(np.full((2, 3, 2), nan))[0] == {"front_share": None, "on_mean_front": None}
