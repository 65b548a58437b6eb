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
from time import perf_counter

from benchmarks.figures import Workers
from benchmarks.house import ROOT, House, house
from tasks.evaluate import Assignment, Design, Result
from tasks.workers import ProcessWorkers, chunks_of


def measure() -> Workers:
    """Run this module by itself and read what it prints."""
    command = [sys.executable, "-m", "benchmarks.workers"]
    found = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return Workers(found["peak_mb"], {int(count): rate for count, rate in found["per_second"].items()})


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
    designs = [Design(number, values) for number, values in enumerate(year.designs)]
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
    per_second, peaks = {}, []
    for count in (1, 2):
        per_second[count], peak = _run(year, count)
        peaks.append(peak)
    print(json.dumps({"peak_mb": peaks[0], "per_second": per_second}))


if __name__ == "__main__":
    main()
