"""What a chunk of evaluations costs on a Dask cluster, and how far a study scales by it.

`python -m benchmarks.cluster` prints a table: chunks of one quick evaluation, which a Dask cluster of processes on
this machine answers. The scheduler runs in this process, so that its processor time is counted along.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from schema.study import SolverSettings
from schema.system import System
from tasks.dask_workers import DaskWorkers
from tasks.evaluate import Assignment, Design

CHUNKS = 200
SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "components": {
        "grid": {"type": "grid", "import_limit_kw": 5, "import_price_eur_per_kwh": 0.3},
        "pv": {"type": "solar_pv", "capacity_kw": 2, "profile": "sun"},
        "load": {"type": "power_demand", "profile": "load"},
    },
}


def _assignment() -> Assignment:
    series = {"sun": np.linspace(0, 1, 24), "load": np.ones(24)}
    return Assignment(System.model_validate(SYSTEM), series, "hash", SolverSettings(), "s", Path("results"))


def _row(workers: int) -> str:
    designs = [Design(number, {"pv.capacity_kw": number / 10}) for number in range(CHUNKS)]
    with DaskWorkers(_assignment(), workers) as cluster, ThreadPoolExecutor(workers) as threads:
        list(threads.map(lambda design: cluster.evaluate([design]), designs[: 4 * workers]))
        wall, own = time.perf_counter(), time.process_time()
        results = list(threads.map(lambda design: cluster.evaluate([design])[0], designs))
        wall, own = time.perf_counter() - wall, time.process_time() - own
    evaluating = sum(result.seconds for result in results) / CHUNKS
    overhead = wall * workers / CHUNKS - evaluating
    return (
        f"| {workers} | {CHUNKS / wall:.0f} | {1e3 * evaluating:.1f} ms | {1e3 * overhead:.1f} ms "
        f"| {1e3 * own / CHUNKS:.1f} ms |"
    )


def main() -> None:
    print(
        "| workers | chunks a second | evaluation | beside it, for a chunk | processor time here, for a chunk |"
    )
    print("|---|---|---|---|---|")
    for workers in map(int, sys.argv[1:] or ("1", "2", "4")):
        print(_row(workers), flush=True)


if __name__ == "__main__":
    main()
