"""What the benchmark page says of its figures; no time is asserted."""

from __future__ import annotations

import pytest

from benchmarks import hybrid
from benchmarks.commitment import chp_house
from benchmarks.figures import Section, Target, Timing, Workers
from benchmarks.house import house
from benchmarks.report import Findings, page


def _timing(name, optimum):
    timing = Timing(name, 168)
    timing.measure({"pv.capacity_kw": 4.0}, lambda _design: optimum)
    timing.measure({"pv.capacity_kw": 8.0}, lambda _design: 50.0)
    return timing


def test_the_worst_difference_between_optima_counts():
    assert _timing("peer", 100.01).difference(_timing("ours", 100.0)) == pytest.approx(1e-4)
    assert _timing("peer", 100.0).difference(_timing("ours", 100.0)) == 0.0


def test_optima_of_different_designs_are_not_compared():
    other = Timing("peer", 168)
    other.measure({"pv.capacity_kw": 5.0}, lambda _design: 100.0)
    with pytest.raises(ValueError, match="empty"):
        other.difference(_timing("ours", 100.0))


def test_a_target_is_met_from_its_own_side():
    assert Target("speed", 200.0, 200.0, "times", at_least=True).met
    assert not Target("speed", 199.9, 200.0, "times", at_least=True).met
    assert Target("memory", 599.0, 600.0, "MB", at_least=False).met
    assert not Target("memory", 600.0, 600.0, "MB", at_least=False).met


def test_the_page_tells_what_was_met_and_what_not(monkeypatch):
    monkeypatch.setattr("benchmarks.report.PACKAGES", ("numpy",))
    ours, peer = Timing("ours", 8760, [0.1, 0.2, 0.3]), Timing("peer", 8760, [2.0])
    targets = [
        Target("speed", 10.0, 15.0, "times", at_least=True),
        Target("memory", 371.2, 600.0, "MB", at_least=False),
    ]
    section = Section("A year", "Both ways.", ("method", "cost"), [("`hybrid`", "11.5 €")])
    workers = Workers(371.2, {1: 5.0, 2: 9.5}, {1: 5.1, 2: 9.8})
    findings = Findings(targets, [[ours, peer]], {8760: [0.05]}, 2e-9, workers, [section], 0.25)
    text = page(findings)
    assert "| speed | 10.0 times | at least 15.0 times | no |" in text
    assert "| memory | 371 MB | below 600 MB | yes |" in text
    assert "| ours | 8,760 h | 3 | 200 ms | 100 ms | 300 ms | 1.0 |" in text
    assert "| peer | 8,760 h | 1 | 2,000 ms | 2,000 ms | 2,000 ms | 10.0 |" in text
    assert "2.0e-09" in text
    assert "## A year\n\nBoth ways.\n\n| method | cost |" in text
    assert "| `hybrid` | 11.5 € |" in text
    assert "other programs took 25 % of them" in text


def test_few_designs_are_spread_over_the_study():
    week = house(168)
    assert week.hours == 168
    few = week.few(3)
    assert [week.designs.index(design) for design in few] == [0, 10, 19]
    assert week.few(1000) == list(week.designs)


def test_the_block_of_flats_over_some_hours_is_a_part_of_its_year():
    (year, whole), (day, part) = chp_house(8760), chp_house(24, first_hour=100)
    assert day.horizon.index[0] == year.horizon.index[100]
    assert {name: values.size for name, values in part.items()} == dict.fromkeys(whole, 24)
    assert all((values == whole[name][100:124]).all() for name, values in part.items())
    chp = year.components["chp"]
    assert (chp.min_load_fraction, chp.start_up_cost_eur, chp.min_up_time_hours) == (0.5, 1.0, 4.0)


def test_hybrid_and_the_whole_horizon_are_told_side_by_side():
    section = hybrid.section(hours=48)
    (name, _, cost, gap), (other, _, exact, _) = section.rows
    assert (name, other) == ("`hybrid`", "`milp`")
    assert float(cost.removesuffix(" €")) >= float(exact.removesuffix(" €")) - 0.1
    assert float(gap.removesuffix(" %")) >= 0
    assert section.targets[0].met
