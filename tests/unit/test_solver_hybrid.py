"""`hybrid`: better of scout and windows, with a gap that is certified."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.commitment import chp_house
from schema.study import SolverSettings
from schema.system import System
from solvers import hybrid, whole
from solvers.dispatch import Dispatcher
from solvers.rules import method as rules
from solvers.solution import Solution, Status

NOTHING = hybrid.Rolled(Status.FAILED, "no answer"), hybrid.Answer(Status.FAILED, "no answer")
HYBRID = SolverSettings(method="hybrid", mip_gap_fraction=1e-4)


@pytest.fixture(scope="module")
def flats():
    return chp_house(120)


@pytest.fixture(scope="module")
def run(flats):
    return Dispatcher(*flats, HYBRID).dispatch()


def test_five_days_of_an_engine_are_within_a_hundredth_of_the_best_that_is_possible(run):
    assert run.status is Status.FEASIBLE
    assert run.checks.passed
    assert run.solution.attempts == ("windows",)
    assert 0 < run.solution.gap_fraction < 0.01
    assert "within 0." in run.solution.message


def test_the_gap_that_is_certified_holds(flats, run):
    milp = Dispatcher(*flats, SolverSettings(mip_gap_fraction=2e-3, time_limit_seconds=60)).dispatch()
    least = run.solution.objective_eur * (1 - run.solution.gap_fraction)
    assert milp.solution.objective_eur >= least - 1e-6 * abs(least)
    assert run.solution.objective_eur <= 1.005 * milp.solution.objective_eur


def test_twice_the_same(flats, run):
    one = Dispatcher(*flats, HYBRID)
    one.dispatch({"chp.capacity_kw": 4.0})
    again = one.dispatch()
    assert again.kpis == run.kpis
    assert again.solution.gap_fraction == run.solution.gap_fraction


def test_whether_the_time_limit_was_reached_is_told(flats, run):
    assert not run.solution.reached_time_limit
    assert run.solution.in_time
    short = Dispatcher(*flats, HYBRID.with_changes(time_limit_seconds=0.2)).dispatch()
    assert short.solution.reached_time_limit
    assert not short.solution.in_time
    assert short.status in {Status.FEASIBLE, Status.FAILED}


def test_a_window_that_ends_at_its_share_of_the_time_is_told(flats, monkeypatch):
    from_windows = hybrid._from_windows

    def in_a_hurry(*given):
        rolled, answer = from_windows(*given)
        return replace(rolled, limited=True), answer

    monkeypatch.setattr(hybrid, "_from_windows", in_a_hurry)
    hurried = Dispatcher(*flats, HYBRID).dispatch()
    assert hurried.status is Status.FEASIBLE
    assert hurried.solution.reached_time_limit


def test_where_neither_has_an_answer_the_whole_horizon_is_solved(flats, monkeypatch):
    system, series = flats
    short = system.model_copy(update={"horizon": system.horizon.with_changes(steps=24)})
    series = {name: values[:24] for name, values in series.items()}
    monkeypatch.setattr(hybrid, "_from_windows", lambda *_: NOTHING)
    failed = Solution(Status.FAILED, "short of heat")
    monkeypatch.setattr(rules, "dispatch", lambda case, _: hybrid.Dispatch(case.system, failed))
    run = Dispatcher(short, series, HYBRID).dispatch()
    milp = Dispatcher(short, series).dispatch()
    assert run.status is Status.OPTIMAL
    assert run.kpis == milp.kpis


def battery(sell, steps=96, **grid):
    parts = {
        "grid": {"type": "grid", "import_price_eur_per_kwh": 0.3, "export_price_eur_per_kwh": sell} | grid,
        "pv": {"type": "solar_pv", "capacity_kw": 5, "profile": "sun"},
        "battery": {"type": "battery", "capacity_kwh": 6, "power_kw": 3, "charge_efficiency_fraction": 0.9},
        "load": {"type": "power_demand", "profile": "load"},
    }
    horizon = {"start": "2019-06-01T00:00", "steps": steps}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": parts})
    rng = np.random.default_rng(1)
    day = np.clip(np.sin((np.arange(steps) % 24 - 6) / 12 * np.pi), 0, None)
    return system, {"sun": day, "load": rng.uniform(0.2, 3, steps)}


# Sold above the purchase price, so that the relaxation would buy and sell at once.
BROKEN = {"import_limit_kw": 5, "export_limit_kw": 5, "steps": 30}


def test_it_is_never_worse_than_its_scout():
    house = battery(0.5, **BROKEN)
    scout = Dispatcher(*house, SolverSettings(method="rule_based")).dispatch()
    assert scout.status is Status.FEASIBLE
    run = Dispatcher(*house, HYBRID).dispatch()
    assert run.solution.objective_eur <= scout.solution.objective_eur


def test_it_is_never_worse_than_its_scout_with_a_unit_that_is_on_or_off(flats, run):
    scout = Dispatcher(*flats, SolverSettings(method="rule_based")).dispatch()
    assert scout.status is Status.FEASIBLE
    assert scout.solution.values["chp"]["on"].any()
    assert run.solution.objective_eur <= scout.solution.objective_eur


def test_without_an_answer_from_the_windows_the_scout_s_keeps_the_rules_of_commitment(flats, monkeypatch):
    monkeypatch.setattr(hybrid, "_from_windows", lambda *_: NOTHING)
    by_scout = Dispatcher(*flats, HYBRID).dispatch()
    assert by_scout.solution.attempts == ("rules",)
    assert by_scout.checks.passed
    assert by_scout.solution.gap_fraction < 0.2


def test_where_the_windows_end_without_an_answer_the_scout_s_is_given(monkeypatch):
    monkeypatch.setattr(hybrid, "_from_windows", lambda *_: NOTHING)
    house = battery(0.5, **BROKEN)
    run = Dispatcher(*house, HYBRID).dispatch()
    assert run.status is Status.FEASIBLE
    assert run.solution.attempts == ("rules",)
    assert run.solution.gap_fraction > 0.01


def test_a_relaxation_that_keeps_every_rule_is_the_answer_at_once():
    house = battery(0.08)
    run = Dispatcher(*house, HYBRID).dispatch()
    assert run.status is Status.OPTIMAL
    assert run.solution.attempts == ("relaxation",)
    assert run.solution.gap_fraction == 0
    assert run.solution.objective_eur == pytest.approx(Dispatcher(*house).dispatch().solution.objective_eur)


def test_what_is_infeasible_is_told_as_the_milp_tells_it():
    house = battery(0.08, import_limit_kw=0.1)
    one = Dispatcher(*house, HYBRID)
    run = one.dispatch(explain=True)
    assert run.status is Status.INFEASIBLE
    assert "electricity" in " ".join(run.solution.conflict)


def test_pairs_that_the_relaxation_breaks_are_settled_window_by_window():
    house = battery(0.5, **BROKEN)
    run = Dispatcher(*house, HYBRID).dispatch()
    close = Dispatcher(*house, SolverSettings(mip_gap_fraction=1e-2)).dispatch().solution
    objective, gap = run.solution.objective_eur, run.solution.gap_fraction
    assert run.checks.passed
    assert objective >= close.objective_eur - close.gap_fraction * abs(close.objective_eur) - 1e-6
    assert objective - gap * abs(objective) <= close.objective_eur + 1e-6
    assert gap < 0.1


def test_a_window_s_gap_is_the_one_that_is_asked_for_where_that_is_wider(flats):
    wide = Dispatcher(*flats, HYBRID.with_changes(mip_gap_fraction=0.05)).dispatch()
    assert wide.status is Status.OPTIMAL
    assert wide.solution.gap_fraction <= 0.05


def test_whole_and_hybrid_agree_on_a_short_horizon():
    flats = chp_house(36)
    exact = whole.dispatch(Dispatcher(*flats).case(), Dispatcher(*flats).engine)
    run = Dispatcher(*flats, HYBRID).dispatch()
    assert exact.solution.objective_eur <= run.solution.objective_eur * (1 + 1e-4)
    assert run.solution.objective_eur <= exact.solution.objective_eur * 1.01
