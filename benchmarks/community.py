"""Whole cycles of the solar community by its command, and what of them is simulation and insertion.

    python -m benchmarks.community [--households 10000,100000]

It prints the figures and writes docs/benchmarks_community.md. A cycle is measured as a user runs it: the command,
which starts Prefect's server for itself, from its first import to its end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Self

import psutil

from benchmarks.figures import Section, Target
from benchmarks.house import ROOT
from benchmarks.noise import Noise
from benchmarks.report import alone, machine

PAGE = ROOT / "docs/benchmarks_community.md"
TICK = datetime(2026, 6, 21, 12, 0, tzinfo=UTC)
MOST_SECONDS = {10_000: 20.0, 100_000: 180.0}
MOST_MB = 1_000.0
ROWS_PER_SECOND = 50_000.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Cycle:
    """One tick of so many households.

    Attributes:
        seconds: the whole cycle by the command.
        peak_mb: the most resident memory of the command and of the server that it started, together.
        simulation_seconds: reading, simulating and writing the results, by themselves.
        rows_per_second: inserted into SQLite, by themselves.
    """

    households: int
    seconds: float
    peak_mb: float
    simulation_seconds: float
    rows_per_second: float


def measure(households: int) -> Cycle:
    """A cycle in an empty folder, then its simulation and its insertion once more by themselves."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        environment = os.environ | {"PREFECT_HOME": str(Path(folder) / "prefect")}
        environment.pop("PREFECT_API_URL", None)
        command = [sys.executable, "-m", "ecosystemiser", "community"]
        where = ["--results", str(results)]
        subprocess.run(
            [*command, "init", "--households", str(households), *where],
            cwd=ROOT, env=environment, check=True, capture_output=True,
        )  # fmt: skip
        with _Memory(environment["PREFECT_HOME"]) as memory:
            began = perf_counter()
            subprocess.run(
                [*command, "cycle", "--at", f"{TICK:%Y-%m-%dT%H:%MZ}", *where],
                cwd=ROOT, env=environment, check=True, capture_output=True,
            )  # fmt: skip
            seconds = perf_counter() - began
        simulation_seconds, rows_per_second = _alone(results)
    return Cycle(households, seconds, memory.peak_mb, simulation_seconds, rows_per_second)


def _alone(results: Path) -> tuple[float, float]:
    """Seconds of the simulation of the next tick, and rows a second of its insertion."""
    from schema.community.households import write_households
    from schema.community.records import begin_cycle, record_results
    from schema.community.rules import judge_file
    from schema.community.ticks import TICK as QUARTER
    from schema.community.users import export
    from tasks.community.service import open_service
    from tasks.community.simulation import simulate_file

    with open_service(results) as service:
        job = service.job_at(TICK + QUARTER)
        exported = export(service.backend, job.timestamp)
        users, file = results / "users.csv", results / "results.csv"
        write_households(users, exported.households)
        began = perf_counter()
        simulate_file(users, job, file)
        simulation_seconds = perf_counter() - began
        verdict = judge_file(file, job, exported.households)
        begin_cycle(service.backend, job.timestamp)
        began = perf_counter()
        inserted = record_results(service.backend, job.timestamp, verdict.results, exported.previous, {})
        return simulation_seconds, inserted / (perf_counter() - began)


class _Memory:
    """Watches all processes that have this PREFECT_HOME: the command, and the server that it starts."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._done = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self.peak_mb = 0.0

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watching.join()

    def _watch(self) -> None:
        known: dict[int, bool] = {}
        while not self._done.wait(_LOOK_SECONDS):
            total = 0
            for process in psutil.process_iter():
                try:
                    if process.pid not in known:
                        known[process.pid] = process.environ().get("PREFECT_HOME") == self._home
                    if known[process.pid]:
                        total += process.memory_info().rss
                except (psutil.Error, OSError):
                    continue
            self.peak_mb = max(self.peak_mb, total / 1e6)


_ABOUT = """\
One quarter hour by `ecosystemiser community cycle`, which starts Prefect's server for itself: export, hand-over on
the same machine, simulation with Mesa, validation, insertion into SQLite, backup. Memory is the command's and the
server's together. Simulation and insertion are measured by themselves on the quarter hour after it."""


def section(sizes: list[int]) -> Section:
    """A cycle of each size."""
    found = [measure(households) for households in sizes]
    rows = [
        (f"{cycle.households:,}", f"{cycle.seconds:,.1f} s", f"{cycle.peak_mb:,.0f} MB",
         f"{cycle.simulation_seconds:,.1f} s", f"{cycle.rows_per_second:,.0f}")
        for cycle in found
    ]  # fmt: skip
    targets = []
    for cycle in found:
        if cycle.households in MOST_SECONDS:
            limit = MOST_SECONDS[cycle.households]
            name = f"a whole cycle of {cycle.households:,} households"
            targets.append(Target(name, cycle.seconds, limit, "s", at_least=False))
        if cycle.households == min(MOST_SECONDS):
            name = f"memory of a cycle of {cycle.households:,} households"
            targets.append(Target(name, cycle.peak_mb, MOST_MB, "MB", at_least=False))
    slowest = min(cycle.rows_per_second for cycle in found)
    targets.append(Target("insertion, rows a second", slowest, ROWS_PER_SECOND, "", at_least=True))
    head = ("households", "whole cycle", "memory", "simulation alone", "insertion alone, rows a second")
    return Section("The solar community", _ABOUT, head, rows, targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--households", default="10000,100000")
    sizes = [int(size) for size in parser.parse_args().households.split(",")]
    noise = Noise()
    text = f"{alone(section(sizes))}\n{machine(noise.share(), ('mesa', 'sqlalchemy', 'prefect'))}"
    PAGE.write_text(
        text.replace("## The solar community", "# The solar community, measured", 1), encoding="utf-8"
    )
    print(text)


if __name__ == "__main__":
    main()
