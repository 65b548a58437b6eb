"""What can be asked of recorded studies, on numbers that can be checked by eye."""

from __future__ import annotations

import pytest

from schema.errors import InputError
from schema.store import queries
from schema.store.records import Evaluation, Front, Generation, Kpis, NewStudy, RunStart
from schema.store.runs import best_designs, runs
from schema.store.store import Store


def evaluation(study_id, number, *, solver="milp", status="success", violations=None, parameters=None):
    """Cost falls and CO2 rises with the number."""
    values = {"total_cost": 10.0 - number, "total_co2": float(number)} if status == "success" else {}
    return Evaluation(
        study_id,
        number,
        parameters or {"pv.capacity_kw": float(number), "battery.capacity_kwh": 2.0 * number},
        status,
        "house",
        168,
        solver,
        generation_number=number // 2,
        objectives=values,
        fitness=values.get("total_cost"),
        constraint_violations=violations or {},
        kpis=Kpis.of(
            {**values, "renewable_fraction": number / 10, "npv_eur": 100.0 * number} if values else {}
        ),
        evaluation_time_seconds=0.5,
    )


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """house: 0-3 solved, 4 failed, 5 breaks a constraint, 6 in progress; sweep: 0-2, other parameters."""
    objectives = {"total_cost": "minimise", "total_co2": "minimise"}
    with Store.open(tmp_path_factory.mktemp("results")) as store:
        store.create_study(NewStudy("house", "genetic_algorithm", objectives=objectives))
        store.create_study(NewStudy("sweep", "parametric", objectives={"total_co2": "minimise"}))
        store.record([evaluation("house", number) for number in range(4)])
        store.record([evaluation("house", 4, status="failed")])
        store.record([evaluation("house", 5, violations={"self_sufficiency_rate": 0.1})])
        store.start_runs([RunStart("house", 6, "house", 168, "milp")])
        for number in range(3):
            swapped = {"battery.capacity_kwh": 100.0 + number, "load.profile": f"p{number}"}
            store.record([evaluation("sweep", number, solver="hybrid", parameters=swapped)])
        store.finish_study("sweep", "completed")
        ids = ["house-0000000", "house-0000003"]
        store.record_generation(Generation("house", 0, best_fitness=9.0, front=Front(ids[:1], 1.0)))
        store.record_generation(Generation("house", 1, best_fitness=7.0, front=Front(ids, 2.0)))
        yield store.connection


def ids(rows):
    return [row["run_id"].replace("-000000", ":") for row in rows]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("renewable_fraction>0.2", ["house:3", "house:5"]),
        ("renewable_fraction >= 0.2 and total_cost > 5", ["house:2", "house:3", "sweep:2"]),
        ("battery.capacity_kwh<=2", ["house:0", "house:1"]),
        (
            "battery.capacity_kwh>6 AND battery.capacity_kwh<101.5",
            ["house:4", "house:5", "sweep:0", "sweep:1"],
        ),
        ("battery.capacity_kwh!=2 and pv.capacity_kw<3", ["house:0", "house:2"]),
        ("solver_type=hybrid", ["sweep:0", "sweep:1", "sweep:2"]),
        ("load.profile=p1", ["sweep:1"]),
        ("load.profile!='p1'", ["sweep:0", "sweep:2"]),
        ("load.profile>0", []),
        ("battery.capacity_kwh>=abc", []),
        ("total_cost=null and solver_type=milp", ["house:4", "house:6"]),
        ("is_pareto_optimal=true", ["house:0", "house:3"]),
        ("npv_eur>=200 and solver_type=milp", ["house:2", "house:3", "house:5"]),
        ("npv_eur=null", ["house:4"]),
        ("npv_eur>dear", []),
        ("run_id=house-0000002", ["house:2"]),
        ("solver_type='x'' OR 1=1 --'", None),
        ("solver_type=x;DROP TABLE studies", []),
        ('solver_type="1 OR 1"', []),
    ],
)
def test_a_filter_finds_just_what_it_says(connection, where, expected):
    if expected is None:
        with pytest.raises(InputError, match="cannot be read"):
            runs(connection, where=[where])
    else:
        assert sorted(ids(runs(connection, where=[where]))) == expected


@pytest.mark.parametrize(
    "bad", ["", "x", "total_cost >", "> 3", "a>1 and", "a>1 or b<2", "a>1, b<2 <", "a=>1"]
)
def test_a_filter_that_cannot_be_read_is_refused_with_an_example(connection, bad):
    with pytest.raises(InputError, match=r"renewable_fraction>0\.8|there is no"):
        runs(connection, where=[bad])


def test_every_filter_that_cannot_be_read_is_told_at_once(connection):
    with pytest.raises(InputError) as raised:
        runs(connection, where=["x", "total_cost>1", "y"])
    assert [finding.found for finding in raised.value.findings] == ["x", "y"]


def test_an_unknown_name_is_told_with_the_nearest_and_all_there_are(connection):
    with pytest.raises(InputError, match=r"did you mean battery\.capacity_kwh\?.*renewable_fraction"):
        runs(connection, where=["battery.capacity_kw>1"])
    with pytest.raises(InputError, match="did you mean total_cost"):
        best_designs(connection, by="total_costs")
    with pytest.raises(InputError):
        runs(connection, order_by="run_id; DROP TABLE studies")
    with pytest.raises(InputError, match="total_cost is a number"):
        runs(connection, where=["total_cost<cheap"])


def test_a_kpi_without_a_column_orders_runs_and_designs(connection):
    assert ids(runs(connection, study_ids=["house"], order_by="npv_eur desc", limit=2)) == [
        "house:5",
        "house:3",
    ]
    assert ids(best_designs(connection, study_ids=["house"], by="npv_eur", n=2)) == ["house:3", "house:2"]
    cheapest = best_designs(connection, study_ids=["house"], by="npv_eur", n=1, direction="minimise")
    assert ids(cheapest) == ["house:0"]
    with pytest.raises(InputError, match="did you mean npv_eur"):
        runs(connection, where=["npv_eu>1"])


def test_runs_are_paged_in_the_order_of_their_evaluation(connection):
    every = ids(runs(connection, study_ids=["house"]))
    assert every == ["house:6", "house:0", "house:1", "house:2", "house:3", "house:4", "house:5"]
    assert ids(runs(connection, study_ids=["house"], limit=2, offset=3)) == every[3:5]


def test_runs_are_filtered_by_status_in_either_table_s_words(connection):
    assert ids(runs(connection, status="running")) == ["house:6"]
    assert ids(runs(connection, status="failed")) == ["house:4"]
    assert ids(runs(connection, status="success")) == ids(runs(connection, status="completed"))
    assert ids(runs(connection, study_ids=["house"], generation=1)) == ["house:2", "house:3"]
    assert ids(runs(connection, status="running", generation=1)) == []


def test_runs_are_ordered_by_any_name_with_those_that_lack_it_last(connection):
    ordered = ids(runs(connection, study_ids=["house"], order_by="renewable_fraction desc"))
    assert ordered == ["house:5", "house:3", "house:2", "house:1", "house:0", "house:6", "house:4"]
    by_parameter = runs(connection, order_by="battery.capacity_kwh desc", limit=2)
    assert ids(by_parameter) == ["sweep:2", "sweep:1"]


def test_rows_have_their_parameters_and_objectives_by_name(connection):
    row = runs(connection, study_ids=["house"], where=["run_id=house-0000001"])[0]
    assert row["parameters"] == {"pv.capacity_kw": 1.0, "battery.capacity_kwh": 2.0}
    assert row["objectives"] == {"total_cost": 9.0, "total_co2": 1.0}
    assert (row["simulation_status"], row["renewable_fraction"]) == ("success", 0.1)
    assert "sort_key" not in row


def test_the_best_designs_are_solved_and_keep_the_constraints(connection):
    def best(**asked):
        return ids(best_designs(connection, **asked))

    assert best(study_ids=["house"], n=2) == ["house:3", "house:2"]
    assert best(study_ids=["house"], by="total_co2", n=2) == ["house:0", "house:1"]
    assert best(study_ids=["house"], by="renewable_fraction", n=1) == ["house:3"]
    assert best(study_ids=["house"], by="renewable_fraction", n=1, direction="minimise") == ["house:0"]
    assert best(study_ids=["house"], by="total_cost", n=1, direction="maximise") == ["house:0"]
    assert best(by="total_cost", n=2) == ["house:3", "house:2"]
    assert best(by="battery.capacity_kwh", n=1) == ["house:0"]
    assert best(study_ids=["house"], where=["pv.capacity_kw<2"], n=1) == ["house:1"]


def test_a_maximised_objective_is_best_where_it_is_largest(tmp_path):
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("s", "parametric", objectives={"total_co2": "maximise"}))
        for number, value in enumerate([1.0, 3.0, 2.0]):
            store.record(
                [
                    Evaluation(
                        "s", number, {}, "success", "x", 1, "milp", None, {"total_co2": value}, fitness=-value
                    )
                ]
            )
        for direction, by in [(None, None), (None, "total_co2"), ("maximise", "total_co2")]:
            found = best_designs(store.connection, study_ids=["s"], by=by, direction=direction)
            assert ids(found) == ["s:1", "s:2", "s:0"]


def test_the_front_is_the_final_one_or_the_latest_so_far(connection, tmp_path):
    assert ids(queries.pareto_front(connection, "house")) == ["house:3", "house:0"]
    assert ids(queries.pareto_front(connection, "house", 0)) == ["house:0"]
    assert queries.pareto_front(connection, "house", 9) == queries.pareto_front(connection, "sweep") == []
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("house", "genetic_algorithm"))
        store.record([evaluation("house", number) for number in range(2)])
        store.record_final_front("house", Front(["house-0000001"]))
        store.record_generation(Generation("house", 5, front=Front(["house-0000000"])))
        assert ids(queries.pareto_front(store.connection, "house")) == ["house:1"]


def test_convergence_is_told_by_generation(connection):
    rows = queries.convergence(connection, "house")
    assert [(r["generation_number"], r["best_fitness"], r["hypervolume"]) for r in rows] == [
        (0, 9.0, 1.0),
        (1, 7.0, 2.0),
    ]


def test_studies_are_listed_by_type_status_and_date(connection):
    def listed(**asked):
        return [row["study_id"] for row in queries.list_studies(connection, **asked)]

    assert listed() == ["sweep", "house"]
    assert listed(study_type="ga") == listed(study_type="genetic_algorithm") == ["house"]
    assert listed(status="completed") == listed(limit=1) == ["sweep"]
    assert listed(since="2020-01-01") == ["sweep", "house"]
    assert listed(since="2999-01-01T00:00+02:00") == []
    assert listed(limit=1, offset=1) == listed(containing="OUS") == ["house"]
    assert listed(containing="%") == listed(containing="h_use") == listed(offset=2) == []
    with pytest.raises(InputError, match="is no date"):
        listed(since="yesterday")
    with pytest.raises(InputError, match="genetic_algorithm"):
        listed(study_type="genetic")


def test_recorded_runs_are_told_by_the_studies_own_counts(connection):
    assert queries.recorded_runs(connection) == 9
    assert queries.recorded_runs(connection, ["house"]) == 6
    assert queries.recorded_runs(connection, ["house", "sweep"]) == 9


def test_statistics_count_what_was_recorded(connection):
    study = queries.statistics(connection, "house")[0]
    counted = ("evaluations", "successful", "failed", "infeasible", "breaking_constraints", "pareto_optimal")
    assert [study[name] for name in counted] == [6, 5, 1, 0, 1, 2]
    assert (study["best_fitness"], study["worst_fitness"], study["evaluation_time_seconds"]) == (
        7.0,
        10.0,
        3.0,
    )
    whole = queries.statistics(connection)[0]
    assert (whole["studies"], whole["evaluations"], whole["simulation_runs"]) == (2, 9, 10)
    assert whole["studies_by_type"] == {"genetic_algorithm": 1, "parametric": 1}


def test_an_unknown_study_is_told_with_the_nearest(connection):
    for ask in (queries.convergence, queries.pareto_front, queries.statistics, queries.evaluations):
        with pytest.raises(InputError, match="did you mean house"):
            ask(connection, "hous")
    with pytest.raises(InputError, match="did you mean house"):
        runs(connection, study_ids=["sweep", "hous"])


@pytest.mark.parametrize(("by", "study_ids"), [(None, []), (None, ["s"]), ("total_cost", [])])
def test_the_best_are_found_at_once_though_many_cheaper_ones_break_a_constraint(tmp_path, by, study_ids):
    """How much SQLite does, in thousands of its steps: looking at all 2,000 would be several hundred."""
    looks = []
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("s", "parametric", objectives={"total_cost": "minimise"}))
        for first in range(0, 2000, 500):
            store.record(
                [
                    Evaluation(
                        *("s", number, {"a.b": 1.0}, "success", "x", 1, "milp"),
                        objectives={"total_cost": float(number * 7 % 2000)},
                        fitness=float(number * 7 % 2000),
                        constraint_violations={} if number * 7 % 2000 > 1500 else {"k": 1.0},
                        kpis=Kpis(total_cost=float(number * 7 % 2000)),
                    )
                    for number in range(first, first + 500)
                ]
            )
        store.connection.set_progress_handler(lambda: looks.append(1), 1000)
        found = best_designs(store.connection, study_ids=study_ids, by=by, n=3)
        store.connection.set_progress_handler(None, 0)
    assert [row["total_cost"] for row in found] == [1501, 1502, 1503]
    assert len(looks) < 30


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda c: best_designs(c, study_ids=["house"]), "idx_study_runs_study_id_fitness"),
        (lambda c: best_designs(c, by="total_cost"), "idx_kpi_zones_best_total_cost"),
        (runs, "idx_study_runs_study_id_evaluation_number"),
        (lambda c: runs(c, study_ids=["house"]), "idx_study_runs_study_id_evaluation_number"),
    ],
)
def test_common_questions_are_answered_by_their_index(connection, ask, index):
    asked = []
    connection.set_trace_callback(asked.append)
    ask(connection)
    connection.set_trace_callback(None)
    of_rows = [sql for sql in asked if sql.startswith("SELECT") and (" e " in sql or " z " in sql)]
    plan = [row["detail"] for sql in of_rows for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any(index in step for step in plan), plan
