"""Worker processes on the year: their peak memory, and what one and two of them get done.

`python -m benchmarks.workers` prints the figures as JSON. It is a program of its own, so that neither it nor its
workers hold what the peers load.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.figures import Workers
from benchmarks.house import ROOT, House, house
from tasks.evaluate import Assignment, Design, Evaluator, Result
from tasks.workers import ProcessWorkers, chunks_of

ROUNDS = 3
BARE_SECONDS = 6.0
REPEATED = 2
"""How often each design is evaluated in a round: the idle end of a short one would count for more."""


def measure() -> Workers:
    """Run this module by itself and read what it prints."""
    command = [sys.executable, "-m", "benchmarks.workers"]
    found = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return Workers(
        found["peak_mb"],
        {int(count): rate for count, rate in found["per_second"].items()},
        {int(count): rate for count, rate in found["bare"].items()},
    )


def _assignment(year: House) -> Assignment:
    loaded = year.loaded
    return Assignment(
        system=loaded.system.system,
        series=year.series,
        system_hash=loaded.system.content_hash,
        solver=loaded.study.solver,
        study_id="benchmark",
        results=Path("results"),
    )


def _run(year: House, count: int) -> tuple[float, float | None]:
    """Evaluations per second of `count` warm processes, and the largest peak memory among them [MB]."""
    designs = [Design(number, values) for number, values in enumerate([*year.designs] * REPEATED)]
    with ProcessWorkers(_assignment(year), count) as workers, ThreadPoolExecutor(count) as threads:

        def evaluate(chunks: list[list[Design]]) -> list[Result]:
            return [result for results in threads.map(workers.evaluate, chunks) for result in results]

        first = evaluate([designs[:2]] * count)  # each process compiles its model
        chunks = chunks_of(designs, count, first[-1].seconds)
        began = perf_counter()
        results = evaluate(chunks)
        seconds = perf_counter() - began
        failed = [result.message for result in results if result.status != "success"]
        if failed:
            raise RuntimeError(f"{len(failed)} designs failed: {failed[0]}")
        return len(results) / seconds, _peak_mb()


def _bare(count: int) -> float:
    """Evaluations per second of `count` processes that know nothing of each other: what the machine gives."""
    context = multiprocessing.get_context("spawn")
    ready, told = context.Barrier(count), context.SimpleQueue()
    loops = [context.Process(target=_loop, args=(ready, told)) for _ in range(count)]
    for loop in loops:
        loop.start()
    rates = [float(told.get()) for _ in loops]
    for loop in loops:
        loop.join()
    return sum(rates)


def _loop(ready: Any, told: Any) -> None:
    year = house(8760)
    evaluator = Evaluator(_assignment(year))
    designs = [Design(number, values) for number, values in enumerate(year.designs)]
    evaluator.evaluate(designs[:2])
    ready.wait()
    done, began = 0, perf_counter()
    while perf_counter() - began < BARE_SECONDS:
        evaluator.evaluate([designs[done % len(designs)]])
        done += 1
    told.put(done / (perf_counter() - began))


def _peak_mb() -> float | None:
    """The largest peak of this process' children, from the kernel's own account; None where it keeps none."""
    # Not ru_maxrss: a child's begins at what its parent held when it was started.
    peaks = []
    for child in multiprocessing.active_children():
        status = Path(f"/proc/{child.pid}/status")
        if not status.is_file():
            return None
        kilobytes = next(
            line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")
        )
        peaks.append(int(kilobytes) * 1024 / 1e6)
    return max(peaks)


def main() -> None:
    year = house(8760)
    rates: dict[int, list[float]] = {1: [], 2: []}
    bare: dict[int, list[float]] = {1: [], 2: []}
    peaks = []
    for _ in range(ROUNDS):  # in turn, so that a machine which slows down slows all
        for count, found in rates.items():
            rate, peak = _run(year, count)
            found.append(rate)
            peaks.append(peak)
            bare[count].append(_bare(count))
    known = [peak for peak in peaks if peak is not None]
    told = {"peak_mb": max(known) if known else None, "per_second": _medians(rates), "bare": _medians(bare)}
    print(json.dumps(told))


def _medians(rates: dict[int, list[float]]) -> dict[int, float]:
    return {count: median(found) for count, found in rates.items()}


if __name__ == "__main__":
    main()
