"""Dask schedulers and workers as processes of their own, as a user starts them; and a small study for them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

from schema.store import queries
from schema.store.store import Store

ROOT = Path(__file__).parents[2]
DASK = Path(sys.executable).with_name("dask")
PATIENCE = 120
SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "price": {"time_of_use": {0: 0.18, 7: 0.34, 21: 0.22}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
        "load": 1.0,
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 9,
            "import_price_eur_per_kwh": {"profile": "price"},
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 6000},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 1500},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
SEARCH = {
    "type": "genetic_algorithm",
    "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
    "variables": {"pv.capacity_kw": {"min": 0, "max": 20}, "battery.capacity_kwh": {"min": 0, "max": 12}},
    "algorithm": {"population_size": 12, "max_generations": 4, "seed": 5},
}


class Cluster:
    """A scheduler and the workers that were started for it."""

    def __init__(self, folder: Path, host: str, *, scheme: str = "tcp", settings: Mapping[str, str]) -> None:
        self.folder, self.scheme = folder, scheme
        self.log = folder / "log"
        self.settings = {"DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0", **settings}
        self.processes: list[subprocess.Popen[bytes]] = []
        port = free_port(host)
        self.address = f"{scheme}://{host}:{port}"
        self.scheduler = self.start(
            "scheduler", "--host", host, "--port", str(port), "--protocol", scheme, "--no-dashboard"
        )

    def start(self, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*before, str(DASK), *arguments],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": f"{ROOT}:{self.folder}"} | self.settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def add_worker(self, *more: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """One worker of one thread, with a nanny."""
        return self.start(
            "worker", self.address, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard",
            "--local-directory", str(self.folder), *more, before=before,
        )  # fmt: skip

    def workers(self) -> list[psutil.Process]:
        """The processes that evaluate, below their nannies."""
        found = []
        for process in self.processes:
            if process.poll() is None and process is not self.scheduler:
                found += psutil.Process(process.pid).children(recursive=True)
        return [p for p in found if "spawn_main" in " ".join(command_of(p))]

    def wait(self, count: int) -> None:
        """Until so many workers are known to the scheduler."""
        from distributed import Client

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with Client(self.address, timeout=5, set_as_default=False) as client:
                    while len(client.nthreads()) != count:
                        assert time.monotonic() < deadline, self.log.read_text(errors="replace")
                        time.sleep(0.2)
                    return
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text(errors="replace")

    def close(self) -> None:
        for process in reversed(self.processes):
            family = []
            if process.poll() is None:
                family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for one in family:
                if one.is_running():
                    one.kill()
        for process in self.processes:
            process.wait(PATIENCE)


@contextmanager
def cluster(folder: Path, workers: int, *, host: str = "127.0.0.1", scheme: str = "tcp", **settings: str):
    """A scheduler with so many workers, all ended at the end."""
    made = Cluster(folder, host, scheme=scheme, settings=settings)
    try:
        for _ in range(workers):
            made.add_worker()
        if workers:
            made.wait(workers)
        yield made
    finally:
        made.close()


def free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def write_study(folder: Path, **stated) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"study": "s", "system": "house.yaml", **stated}, sort_keys=False))
    return path


def front(path: Path) -> list[tuple]:
    """The front of a study, each design with its exact answers."""
    with Store.open(path.parent / "results", read_only=True) as store:
        rows = queries.evaluations(store.connection, "s")
    return [
        (
            row["run_id"],
            row["parameters"],
            row["objectives"],
            row["simulation_status"],
            row["is_pareto_optimal"],
        )
        for row in rows
    ]


def settled(path: Path) -> int:
    import sqlite3
    from contextlib import closing

    from schema.store.database import FILE_NAME

    file = path.parent / "results" / FILE_NAME
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM study_runs").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
