"""Writes the small databases in `databases/`: one of each layout that was ever in use.

    python tests/data/make_databases.py

A file that is there is never written anew: it stands for what users have. After a new migration step, run this
once and commit the file that it adds.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from schema.store import migrations
from schema.store.database import FILE_NAME
from schema.store.records import Evaluation, Front, Generation, Kpis, NewStudy, Reusable, RunStart
from schema.store.store import Store

FOLDER = Path(__file__).parent / "databases"

# The first older layout: two tables and no version.
SIMULATION_RUNS = """
CREATE TABLE simulation_runs (
    run_id TEXT PRIMARY KEY, study_id TEXT NOT NULL, system_id TEXT, timesteps INTEGER, timestamp TEXT,
    solver_type TEXT, simulation_status TEXT DEFAULT 'completed', total_cost REAL, total_co2 REAL,
    self_consumption_rate REAL, self_sufficiency_rate REAL, renewable_fraction REAL,
    total_generation_kwh REAL, total_demand_kwh REAL, net_grid_usage_kwh REAL, results_path TEXT NOT NULL,
    flows_path TEXT, components_path TEXT, created_at TEXT DEFAULT CURRENT_TIMESTAMP,
    updated_at TEXT DEFAULT CURRENT_TIMESTAMP, metadata_json TEXT);
CREATE INDEX idx_simulation_runs_study_id ON simulation_runs (study_id);
CREATE INDEX idx_simulation_runs_timestamp ON simulation_runs (timestamp);
CREATE INDEX idx_simulation_runs_solver_type ON simulation_runs (solver_type);
CREATE INDEX idx_simulation_runs_total_cost ON simulation_runs (total_cost);
CREATE INDEX idx_simulation_runs_renewable_fraction ON simulation_runs (renewable_fraction);
"""
TWO_TABLES = f"""
{SIMULATION_RUNS}
CREATE TABLE studies (
    study_id TEXT PRIMARY KEY, study_name TEXT, description TEXT, created_at TEXT DEFAULT CURRENT_TIMESTAMP,
    run_count INTEGER DEFAULT 0, metadata_json TEXT);
INSERT INTO studies VALUES
    ('default_study', 'default_study', NULL, '2025-09-29 10:00:00', 2, NULL),
    ('winter', 'Winter runs', 'Three cold weeks', '2025-09-30 08:15:00', 1, '{{"tags": ["cold"]}}'),
    ('empty', 'Nothing yet', '', '2025-09-30 09:00:00', 0, '');
INSERT INTO simulation_runs VALUES
    ('run_1', 'default_study', 'house', 168, '2025-09-29T10:00:01.250000', 'milp', 'completed', 41.5, 12.25,
     0.75, 0.5, 0.4, 210.0, 180.0, 60.5, 'results/run_1', 'results/run_1/flows.parquet',
     'results/run_1/components.parquet', '2025-09-29 10:00:02', '2025-09-29T10:00:02.5', '{{"seed": 7}}'),
    ('run_2', 'default_study', 'house', 168, '2025-09-29T10:05:00', 'rule_based', 'completed_with_kpi_errors',
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'results/run_2', NULL, NULL, '2025-09-29 10:05:00',
     '2025-09-29 10:05:00', 'not JSON'),
    ('run_3', 'winter', 'house', 504, '2025-09-30T08:15:00', 'milp', 'error', NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, '', NULL, NULL, '2025-09-30 08:15:00', NULL, NULL),
    ('run_4', 'never_written', 'house', 24, NULL, 'hybrid', 'optimal', 1e3, 2.0, 0.1, 0.2, 0.3, 4, 5, -6,
     'results/run_4', NULL, NULL, NULL, NULL, NULL);
"""

# The second: `study_runs` and the analyses beside, fitness NOT NULL.
WITH_STUDY_RUNS = f"""
{SIMULATION_RUNS}
ALTER TABLE simulation_runs ADD COLUMN study_run_id TEXT;
CREATE TABLE studies (
    study_id TEXT PRIMARY KEY, study_type TEXT NOT NULL, study_name TEXT, description TEXT,
    base_system_config_path TEXT, optimization_objective TEXT, optimization_constraints TEXT,
    population_size INTEGER, max_generations INTEGER, max_evaluations INTEGER, status TEXT DEFAULT 'pending',
    progress_percent REAL, run_count INTEGER DEFAULT 0, best_fitness REAL, best_solution_id TEXT,
    created_at TEXT DEFAULT CURRENT_TIMESTAMP, updated_at TEXT DEFAULT CURRENT_TIMESTAMP, completed_at TEXT,
    execution_time_seconds REAL, metadata_json TEXT);
CREATE INDEX idx_studies_type ON studies (study_type);
CREATE TABLE study_runs (
    run_id TEXT PRIMARY KEY, study_id TEXT NOT NULL, evaluation_number INTEGER, generation_number INTEGER,
    parameter_vector TEXT NOT NULL, parameter_names TEXT, fitness REAL NOT NULL, objectives TEXT,
    constraint_violations TEXT, simulation_run_id TEXT, simulation_status TEXT DEFAULT 'success',
    evaluation_time_seconds REAL, solver_time_seconds REAL, is_pareto_optimal BOOLEAN DEFAULT 0,
    domination_count INTEGER DEFAULT 0, created_at TEXT DEFAULT CURRENT_TIMESTAMP, metadata_json TEXT,
    FOREIGN KEY (study_id) REFERENCES studies (study_id) ON DELETE CASCADE,
    FOREIGN KEY (simulation_run_id) REFERENCES simulation_runs (run_id) ON DELETE SET NULL);
CREATE INDEX idx_study_runs_fitness ON study_runs (fitness);
CREATE TABLE pareto_fronts (
    pareto_id INTEGER PRIMARY KEY AUTOINCREMENT, study_id TEXT NOT NULL, generation_number INTEGER,
    front_size INTEGER, hypervolume REAL, run_ids TEXT NOT NULL, created_at TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE convergence_metrics (
    metric_id INTEGER PRIMARY KEY AUTOINCREMENT, study_id TEXT NOT NULL, generation_number INTEGER NOT NULL,
    best_fitness REAL, average_fitness REAL, worst_fitness REAL, fitness_std_dev REAL,
    population_diversity REAL, stagnation_count INTEGER, generation_time_seconds REAL,
    evaluations_in_generation INTEGER, created_at TEXT DEFAULT CURRENT_TIMESTAMP);
INSERT INTO studies VALUES
    ('ga_001', 'genetic', 'Front', NULL, 'systems/house.yml', 'total_cost,co2_emissions', NULL, 4, 2, NULL,
     'done', 100, 9, 990.0, 'ga_001_1', '2025-10-01 10:00:00', '2025-10-01 11:00:00', '2025-10-01 11:00:00',
     61.5, '{{"seed": 1}}'),
    ('one', 'single_simulation', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'paused', NULL, NULL, NULL, NULL,
     '2025-10-02 10:00:00', NULL, NULL, NULL, NULL);
INSERT INTO simulation_runs (run_id, study_id, system_id, timesteps, timestamp, solver_type, total_cost,
    results_path, study_run_id) VALUES
    ('sim_0', 'ga_001', 'house', 168, '2025-10-01T10:00:00', 'milp', 1000.0, 'results/sim_0', 'ga_001_0'),
    ('sim_1', 'ga_001', 'house', 168, '2025-10-01T10:01:00', 'milp', 990.0, 'results/sim_1', 'gone');
INSERT INTO study_runs (run_id, study_id, evaluation_number, generation_number, parameter_vector,
    parameter_names, fitness, objectives, constraint_violations, simulation_run_id, simulation_status,
    is_pareto_optimal, domination_count, created_at) VALUES
    ('ga_001_0', 'ga_001', 0, 0, '[5.0, 10]', '["pv.capacity_kw", "battery.capacity_kwh"]', 1000.0,
     '[1000.0, 200.0]', NULL, 'sim_0', 'success', 0, 1, '2025-10-01 10:00:00'),
    ('ga_001_1', 'ga_001', 1, 0, '[8.0, 12]', '["pv.capacity_kw", "battery.capacity_kwh"]', 990.0,
     '{{"total_cost": 990.0, "total_co2": 150.0}}', '{{}}', 'sim_1', 'success', 'true', 0, '2025-10-01 10:01:00'),
    ('ga_001_2', 'ga_001', 2, 1, '[0, 0]', NULL, 1e9, '[1e9, 1e9]', NULL, 'lost', 'failed', 0, NULL,
     '2025-10-01 10:02:00'),
    ('ga_001_3', 'ga_001', NULL, 1, '{{"pv.capacity_kw": 1.5}}', NULL, 980.0, NULL, '[0, 2.5]', NULL, 'success',
     0, NULL, '2025-10-01 10:03:00.5');
INSERT INTO pareto_fronts (study_id, generation_number, front_size, hypervolume, run_ids) VALUES
    ('ga_001', NULL, 1, 12.5, '["ga_001_1"]');
INSERT INTO convergence_metrics (study_id, generation_number, best_fitness, average_fitness) VALUES
    ('ga_001', 0, 990.0, 995.0), ('ga_001', 1, 980.0, 980.0);
"""

# The third, as it is found in the wild: text keys, other names, no status, extra columns, odd values, a view,
# a trigger and a table of somebody else's.
ODD = f"""
{SIMULATION_RUNS}
ALTER TABLE simulation_runs ADD COLUMN study_run_id TEXT;
ALTER TABLE simulation_runs ADD COLUMN operator TEXT;
CREATE TABLE studies (
    study_id TEXT PRIMARY KEY, study_name TEXT, description TEXT, created_at TEXT DEFAULT CURRENT_TIMESTAMP,
    run_count INTEGER DEFAULT 0, metadata_json TEXT, study_type TEXT DEFAULT 'single_simulation',
    optimization_objective TEXT, population_size INTEGER, max_generations INTEGER, convergence_threshold REAL,
    status TEXT DEFAULT 'pending', best_fitness REAL, best_solution_id TEXT, completed_at TEXT,
    config_json TEXT);
CREATE TABLE study_runs (
    run_id TEXT PRIMARY KEY, study_id TEXT NOT NULL, evaluation_number INTEGER NOT NULL,
    generation_number INTEGER, parameter_vector TEXT NOT NULL, fitness REAL NOT NULL, objectives TEXT,
    is_pareto_optimal BOOLEAN DEFAULT 0, simulation_run_id TEXT, timestamp TEXT DEFAULT CURRENT_TIMESTAMP,
    metadata_json TEXT);
CREATE INDEX idx_study_runs_generation ON study_runs (study_id, generation_number);
CREATE TABLE pareto_fronts (
    pareto_id TEXT PRIMARY KEY, study_id TEXT NOT NULL, generation_number INTEGER, run_ids TEXT NOT NULL,
    objectives TEXT NOT NULL, hypervolume REAL, timestamp TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE convergence_metrics (
    metric_id TEXT PRIMARY KEY, study_id TEXT NOT NULL, generation_number INTEGER NOT NULL,
    best_fitness REAL NOT NULL, average_fitness REAL, worst_fitness REAL, fitness_std REAL,
    diversity_metric REAL, timestamp TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE uncertainty_analysis (
    analysis_id TEXT PRIMARY KEY, study_id TEXT NOT NULL, parameter_name TEXT NOT NULL,
    metric_name TEXT NOT NULL, mean_value REAL, median_value REAL, std_dev REAL, min_value REAL,
    max_value REAL, percentile_5 REAL, percentile_95 REAL, sample_count INTEGER, timestamp TEXT);
CREATE TABLE sensitivity_analysis (
    sensitivity_id TEXT PRIMARY KEY, study_id TEXT NOT NULL, parameter_name TEXT NOT NULL,
    metric_name TEXT NOT NULL, correlation_coefficient REAL, importance_rank INTEGER,
    variance_contribution REAL, timestamp TEXT);
CREATE TABLE notes (run_id TEXT, text TEXT);
CREATE VIEW cheap AS SELECT run_id FROM simulation_runs WHERE total_cost < 100;
CREATE TRIGGER touched AFTER UPDATE ON studies BEGIN SELECT 1; END;
INSERT INTO studies VALUES
    ('Berlin study/2025', 'Berlin', NULL, '2025-10-03T09:00:00+02:00', 'many', '{{"a": NaN}}', 'annealing',
     '["total_cost", "renewable_fraction"]', 3.0, 'ten', 1e-4, 'running', 9e99, 'x', NULL, '{{"pop": 3}}'),
    (NULL, NULL, NULL, NULL, NULL, '[1, 2]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO simulation_runs (run_id, study_id, system_id, timesteps, solver_type, total_cost, total_co2,
    results_path, operator) VALUES
    ('../run', 'Berlin study/2025', 'house', '168.5', 'milp', 'n/a', 9e999, 'C:\\results', 'Ada'),
    (NULL, 'Berlin study/2025', x'00ff', 24, 'milp', 50, x'0102', 'results', NULL),
    (NULL, 'Berlin study/2025', 'house', 24, 'milp', 60, NULL, 'results', CAST(x'41ff42' AS TEXT));
INSERT INTO study_runs VALUES
    ('eval 0', 'Berlin study/2025', 0, 0, '[1, 2]', 9e999, '[Infinity, 1]', 0, '../run', '2025-10-03', NULL),
    ('eval 1', 'Berlin study/2025', 1, 0, 'broken', 50.0, '[50.0, 0.9]', 1, NULL, '2025-10-03 10:00:00',
     '{{"why": null}}'),
    ('eval-1', 'Berlin study/2025', 2, 0, '[3, 4]', 60.0, '[60.0, 0.5, 1]', 0, NULL, 'yesterday', NULL);
INSERT INTO pareto_fronts VALUES
    ('p0', 'Berlin study/2025', 0, '["eval 1", "lost"]', '[[50.0, 0.9]]', 1.5, '2025-10-03 10:00:00');
INSERT INTO convergence_metrics VALUES
    ('c0', 'Berlin study/2025', 0, 50.0, 55.0, 60.0, 5.0, 0.25, '2025-10-03 10:00:00');
INSERT INTO uncertainty_analysis VALUES
    ('u0', 'Berlin study/2025', 'pv', 'total_cost', 50, 49, 3, 40, 60, 42, 58, 100, '2025-10-03 10:00:00');
INSERT INTO sensitivity_analysis VALUES
    ('s0', 'Berlin study/2025', 'pv', 'total_cost', 0.8, 1, 0.64, '2025-10-03 10:00:00');
INSERT INTO notes VALUES ('../run', 'looks odd');
"""
OLDER = {"older_two_tables": TWO_TABLES, "older_with_study_runs": WITH_STUDY_RUNS, "older_odd": ODD}


def make_older(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA page_size=1024")
        connection.executescript(script)
        connection.commit()


def make_latest(file: Path) -> None:
    """A study of the layout that this version writes: every table has a row."""
    with tempfile.TemporaryDirectory() as folder:
        with Store.open(folder) as store:
            fill(store)
            store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            store.connection.execute("PRAGMA journal_mode=DELETE")
            store.connection.execute("PRAGMA page_size=1024")
            store.connection.execute("VACUUM")
        shutil.copy(Path(folder) / FILE_NAME, file)


def fill(store: Store) -> None:
    objectives = {"total_cost": "minimise", "renewable_fraction": "maximise"}
    store.create_study(NewStudy("house", "genetic_algorithm", objectives=objectives, population_size=3))
    store.start_runs([RunStart("house", number, "house", 168, "milp") for number in range(4)])
    solved = [
        Evaluation(
            "house",
            number,
            {"pv.capacity_kw": 1.5 * number},
            "success",
            "house",
            168,
            "milp",
            generation_number=1,
            objectives={"total_cost": cost, "renewable_fraction": share},
            fitness=cost,
            kpis=Kpis(total_cost=cost, renewable_fraction=share),
            metadata={"message": "Optimal"},
            reusable=Reusable(f"key_of_dispatch{number}", f"[0,{cost},0]"),
        )
        for number, (cost, share) in enumerate([(100.0, 0.25), (90.0, 0.125)])
    ]
    failed = Evaluation("house", 2, {"pv.capacity_kw": 9.0}, "infeasible", "house", 168, "milp")
    store.record([*solved, failed])  # the fourth stays `running`
    store.record_generation(Generation("house", 1, best_fitness=90.0, front=Front(["house-0000001"], 2.5)))
    store.record_final_front("house", Front(["house-0000000", "house-0000001"], 3.5), {"house-0000001": 0})
    store.connection.execute(
        "INSERT INTO uncertainty_analysis (study_id, objective_name, mean_value) "
        "VALUES ('house', 'total_cost', 95.0)"
    )
    store.connection.execute(
        "INSERT INTO sensitivity_analysis (study_id, analysis_id, parameter_name, sobol_total) "
        "VALUES ('house', 1, 'pv.capacity_kw', 0.5)"
    )
    store.finish_study("house", "completed", execution_time_seconds=4.5)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in [*OLDER, migrations.names()[-1]]:
        file = FOLDER / f"{name}.sqlite"
        if not file.exists():
            make_older(file, OLDER[name]) if name in OLDER else make_latest(file)
            sys.stdout.write(f"{file.name}: {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
