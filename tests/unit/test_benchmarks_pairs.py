"""The bench of exclusive pairs: its cases do break the relaxation, and its ways agree; no time is asserted."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import pairs
from benchmarks.pairs import CASES, CLEAN, GAP, Row, Solved, measure, section_of, system_of
from schema.study import SolverSettings
from solvers.dispatch import Dispatcher


@pytest.mark.parametrize("case", [CASES[3], pytest.param(CASES[1], marks=pytest.mark.slow)])
def test_both_ways_through_a_week_find_one_optimum(case, monkeypatch):
    monkeypatch.setattr(pairs, "TIMES_AS_LONG", 1000.0)
    row = measure(case, 168)
    assert row.ours.gap_fraction <= GAP
    assert row.plain.gap_fraction <= GAP
    assert row.ours.cost_eur == pytest.approx(row.plain.cost_eur, rel=1e-6)
    assert row.lp.cost_eur < row.plain.cost_eur - 0.01


def test_import_and_export_are_kept_apart_over_a_week():
    settings = SolverSettings(time_limit_seconds=10)
    for case in (CASES[1], CASES[3], CASES[4]):
        run = Dispatcher(*system_of(case, 168), settings).dispatch()
        assert run.status.has_solution, case
        both = np.minimum(run.flows["grid.import_kw"], run.flows["grid.export_kw"])
        assert both.max() <= 1e-6, case


def test_a_case_that_was_not_closed_does_not_meet_its_target():
    lp, plain = Solved(1.0, 90.0, 0.0), Solved(60.0, 100.0, 0.1)
    rows = [
        Row(CLEAN, lp, Solved(1.2, 90.0, 0.0), plain),
        Row("closed", lp, Solved(10.0, 95.0, 1e-8), plain),
        Row("open", lp, Solved(10.0, 96.0, 1e-3), Solved(10.0, None, np.inf)),
    ]
    section = section_of(rows)
    assert [target.met for target in section.targets] == [True, True, False]
    assert section.rows[1][-1] == "6.0"
    assert section.rows[2][5] == "none found"
