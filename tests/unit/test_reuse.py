"""What a study takes over from earlier dispatches, what it leaves, and what it offers to others."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from schema.loading import load_study
from schema.store.store import Store
from tasks.bookkeeping import StudyRecord, begin
from tasks.evaluate import Assignment, Design, Evaluator
from tasks.reuse import Reuse
from tasks.scoring import score

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 6},
    "profiles": {"load": {"time_of_use": {0: 1.0, 3: 3.0}}, "sun": {"time_of_use": {0: 0.0, 2: 0.5}}},
    "components": {
        "grid": {"type": "grid", "import_limit_kw": 4, "import_price_eur_per_kwh": 0.3},
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 1000},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
STUDY = {"study": "one", "type": "parametric", "system": "house.yaml", "sweep": {"pv.capacity_kw": [1, 2]}}


class Recorded:
    """A study of a results folder, with a real evaluator and a real record."""

    def __init__(self, store, path, **changes):
        loaded = load_study(path)
        self.study = loaded.study.model_copy(update=changes)
        self.loaded = replace(loaded, study=self.study)
        begin(store, self.loaded, resume=True)
        self.record = StudyRecord(store, self.loaded)
        self.reuse = Reuse(self.record.dispatches, self.loaded)
        system = self.loaded.system
        self.evaluator = Evaluator(
            Assignment(
                system.system, system.series, system.content_hash, self.study.solver, "one", store.results_dir
            )
        )

    def solve(self, *designs):
        return self.evaluator.evaluate([Design(number, values) for number, values in enumerate(designs)])

    def settle(self, results):
        self.record.settle(1, self.reuse.offered(results))

    def sort_out(self, *designs, first=100):
        return self.reuse.sort_out([Design(first + number, values) for number, values in enumerate(designs)])


@pytest.fixture
def path(tmp_path):
    for name, content in {"house.yaml": SYSTEM, "study.yaml": STUDY}.items():
        (tmp_path / name).write_text(yaml.safe_dump(content, sort_keys=False))
    return tmp_path / "study.yaml"


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "results") as opened:
        yield opened


@pytest.fixture
def recorded(store, path):
    return Recorded(store, path)


def test_what_was_solved_is_taken_over_with_all_that_was_told_of_it(recorded):
    (solved,) = recorded.solve({"pv.capacity_kw": 2.0})
    recorded.settle([solved])
    told = recorded.sort_out({"pv.capacity_kw": 2.0})
    (found,) = told.found
    assert (told.first, told.waiting) == ([], [])
    assert (found.status, found.message, found.kpis) == ("success", solved.message, solved.kpis)
    assert found.details == solved.details
    assert (found.cached_from, found.solver_seconds) == ("one-0000000", 0.0)
    assert found.seconds > 0
    assert score(recorded.study, found).objectives == score(recorded.study, solved).objectives


def test_other_money_takes_the_dispatch_over_and_is_counted(recorded):
    dear = {"pv.capacity_kw": 2.0, "pv.investment_eur_per_kw": 3000.0}
    solved, expected = recorded.solve({"pv.capacity_kw": 2.0}, dear)
    recorded.settle([solved])
    (found,) = recorded.sort_out(dear).found
    assert found.kpis == expected.kpis
    assert found.kpis["total_cost"] > solved.kpis["total_cost"]


def test_of_designs_with_one_dispatch_one_is_solved_and_the_others_wait(recorded):
    same = [{"pv.capacity_kw": 2.0}, {"pv.capacity_kw": 2.0, "economics.discount_rate": 0.1}]
    told = recorded.sort_out(same[0], {"pv.capacity_kw": 1.0}, same[1])
    assert told.found == []
    assert [design.number for design in told.first] == [100, 101]
    assert [design.number for design in told.waiting] == [102]


def test_what_is_infeasible_is_so_again(recorded):
    no_grid = {"grid.import_limit_kw": 0.0}
    (solved,) = recorded.solve(no_grid)
    assert solved.status == "infeasible"
    recorded.settle([solved])
    (found,) = recorded.sort_out(no_grid).found
    assert (found.status, found.kpis, found.cached_from) == ("infeasible", {}, "one-0000000")


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed", "kpis": {}},
        {"limited": True},
        {"in_time": False},
        {"details": {"earlier_attempts": [{"status": "failed"}]}},
        {"cached_from": "other-0000000"},
        {"kpis": {"total_cost": float("inf")}},
    ],
)
def test_what_another_solve_may_not_find_again_is_not_offered(change, recorded):
    (solved,) = recorded.solve({"pv.capacity_kw": 2.0})
    (offered,) = recorded.reuse.offered([solved])
    assert offered.reusable is not None
    assert recorded.reuse.offered([replace(solved, **change)])[0].reusable is None


def test_designs_that_cannot_be_are_each_evaluated_to_tell_why(recorded):
    wrong = {"pv.capacity_kw": -1.0}
    told = recorded.sort_out(wrong, wrong)
    assert [design.number for design in told.first] == [100, 101]
    recorded.settle(recorded.solve(wrong))
    assert recorded.sort_out(wrong).found == []


def test_money_that_cannot_be_worked_out_is_left_to_a_solve_that_tells_why(recorded):
    recorded.settle(recorded.solve({"pv.capacity_kw": 2.0}))
    endless = {"pv.capacity_kw": 2.0, "pv.lifetime_years": 1e9}
    told = recorded.sort_out(endless)
    assert (told.found, [design.number for design in told.first]) == ([], [100])
    assert recorded.solve(endless)[0].status == "failed"


def test_a_study_without_a_cache_neither_takes_nor_offers(store, path):
    recorded = Recorded(store, path, cache=False)
    (solved,) = recorded.solve({"pv.capacity_kw": 2.0})
    recorded.settle([solved])
    assert store.connection.execute("SELECT count(*) FROM dispatches").fetchone()[0] == 0
    told = recorded.sort_out({"pv.capacity_kw": 2.0}, {"pv.capacity_kw": 2.0})
    assert [design.number for design in told.first] == [100, 101]
    assert (told.found, told.waiting) == ([], [])


def test_a_study_is_the_same_with_and_without_a_cache(path):
    loaded = load_study(path)
    without = replace(loaded, study=loaded.study.model_copy(update={"cache": False}))
    assert loaded.content == without.content
    assert "cache" not in loaded.content
