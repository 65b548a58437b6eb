"""Whole studies, beside the same search in a bare loop over a pool of processes, without Prefect or a database.

`python -m benchmarks.studies` prints the section, with `--quick` of shorter studies. Both sides ask and tell the
same algorithm, evaluate by the same code, and are timed as whole processes, from their first import to their end;
a Prefect server is running. What ours takes longer is Prefect's and the record's share.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil
import yaml

from benchmarks.figures import Section, Target
from benchmarks.report import alone

ROOT = Path(__file__).parents[1]
WORKERS = 2
LONGER_AT_MOST = 1.6
SHARE_AT_3_MS, SHARE_AT_100_MS = 40.0, 10.0
GROWTH_MB = 100.0
FIRST = 1_000
"""Evaluations after which memory is looked at first."""


@dataclass(frozen=True)
class Size:
    """Population and generations of a study."""

    population: int
    generations: int

    @property
    def evaluations(self) -> int:
        return self.population * self.generations


@dataclass(frozen=True)
class Race:
    """One study both ways.

    Attributes:
        hours: of the horizon.
        evaluations: of the study.
        ours_seconds, bare_seconds: wall time of the whole process.
        ours_cpu_seconds, bare_cpu_seconds: the processor's time for it and its workers, without Prefect's server;
            other programs disturb it less.
        each_seconds: of an evaluation, on average.
    """

    hours: int
    evaluations: int
    ours_seconds: float
    bare_seconds: float
    ours_cpu_seconds: float
    bare_cpu_seconds: float
    each_seconds: float

    @property
    def longer(self) -> float:
        return self.ours_seconds / self.bare_seconds

    @property
    def share_percent(self) -> float:
        """Prefect's and the record's share of our wall time."""
        return 100.0 * (1.0 - self.bare_seconds / self.ours_seconds)


@dataclass(frozen=True)
class Memory:
    """Resident memory of the flow's process after the first thousand evaluations and at the end [MB]."""

    evaluations: int
    first_mb: float
    last_mb: float


def section(*, quick: bool = False) -> Section:
    """Two studies both ways, and a long one's memory."""
    week, year, long, rounds = Size(50, 100), Size(40, 50), Size(50, 200), 2
    if quick:
        week, year, long, rounds = Size(50, 12), Size(40, 2), Size(50, 30), 1
    from flows.session import prefect_session

    with tempfile.TemporaryDirectory() as folder, prefect_session():
        races = [_race(Path(folder), 168, week, rounds), _race(Path(folder), 8760, year, rounds)]
        memory = _memory(Path(folder), long)
    rows = [
        (f"{race.evaluations:,} evaluations, {race.hours:,} h, {1e3 * race.each_seconds:,.1f} ms each",
         f"{race.ours_seconds:,.1f} s", f"{race.bare_seconds:,.1f} s", f"{race.longer:.2f}",
         f"{race.share_percent:.0f} %", f"{race.ours_cpu_seconds / race.bare_cpu_seconds:.2f}")
        for race in races
    ]  # fmt: skip
    rows.append(
        (f"memory of the flow's process over {memory.evaluations:,} evaluations",
         f"{memory.first_mb:,.0f} to {memory.last_mb:,.0f} MB", "", "", "", "")
    )  # fmt: skip
    targets = [
        Target(f"a study of {races[0].evaluations:,} evaluations over 168 h against a bare loop",
               races[0].longer, LONGER_AT_MOST, "times", at_least=False),
        Target("Prefect's and the record's share, 168 h",
               races[0].share_percent, SHARE_AT_3_MS, "%", at_least=False),
        Target("Prefect's and the record's share, 8,760 h",
               races[1].share_percent, SHARE_AT_100_MS, "%", at_least=False),
        Target(f"growth of the flow's process from evaluation {FIRST:,} to {memory.evaluations:,}",
               memory.last_mb - memory.first_mb, GROWTH_MB, "MB", at_least=False),
    ]  # fmt: skip
    head = (
        "study",
        "ours",
        "bare loop",
        "ratio",
        "Prefect's and the record's share",
        "processor's time, ratio",
    )
    return Section("Whole studies", _ABOUT, head, rows, targets)


_ABOUT = """\
A genetic study of the house with two worker processes, everything recorded, beside the same algorithm and the same
evaluations in a loop over a pool of two processes, without Prefect and without a database. Both are timed as whole
processes, imports included, in turns, and the quickest of each counts; a Prefect server was running. Both find the
same front."""


def _race(folder: Path, hours: int, size: Size, rounds: int) -> Race:
    path = _study(folder, hours, size)
    both = [(_measured("bare", path), _measured("ours", path)) for _ in range(rounds)]
    if any(ours["front"] != bare["front"] for bare, ours in both):
        raise RuntimeError(f"the front over {hours} h is another one: {both}")
    bare, ours = (min(runs, key=lambda run: run["wall_seconds"]) for runs in zip(*both, strict=True))
    return Race(
        hours, size.evaluations, ours["wall_seconds"], bare["wall_seconds"],
        ours["cpu_seconds"], bare["cpu_seconds"], bare["each_seconds"],
    )  # fmt: skip


def _memory(folder: Path, size: Size) -> Memory:
    told = _measured("ours", _study(folder, 168, size))
    return Memory(size.evaluations, told["first_mb"], told["last_mb"])


def _study(folder: Path, hours: int, size: Size) -> Path:
    """The example's study with another size, every evaluation a dispatch of its own."""
    source = ROOT / "examples/house" / ("study_week.yaml" if hours == 168 else "study.yaml")
    asked = yaml.safe_load(source.read_text(encoding="utf-8"))
    asked |= {
        "study": f"bench_{hours}_{size.evaluations}",
        "cache": False,  # the bare loop has none
        "system": str(source.parent / asked["system"]),
        "algorithm": {"population_size": size.population, "max_generations": size.generations, "seed": 1},
        "timeseries": "none",
    }
    path = folder / f"{asked['study']}.yaml"
    path.write_text(yaml.safe_dump(asked, sort_keys=False), encoding="utf-8")
    return path


def _measured(side: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.studies", side, str(path)]
    began, cpu = perf_counter(), _cpu_seconds()
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    times = {"wall_seconds": perf_counter() - began, "cpu_seconds": _cpu_seconds() - cpu}
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told | times


def _cpu_seconds() -> float:
    """The processor's time of all processes that have ended, workers of workers included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -- in a process of its own


def _ours(path: Path) -> dict[str, Any]:
    from flows.run import run_study
    from schema.store import queries
    from schema.store.store import Store
    from tasks.progress import Progress, listening

    seen: list[float] = []

    def look(progress: Progress) -> None:
        if progress.evaluations >= FIRST and not seen:
            seen.append(_resident_mb())

    results = Path(tempfile.mkdtemp(dir=path.parent))
    with listening(look):
        outcome = run_study(path, results, workers=WORKERS)
    with Store.open(results, read_only=True) as store:
        front = [row["objectives"] for row in queries.pareto_front(store.connection, outcome.study_id)]
    return {"front": _told(front), "first_mb": (seen or [_resident_mb()])[0], "last_mb": _resident_mb()}


def _bare(path: Path) -> dict[str, Any]:
    from schema.loading import load_study
    from tasks.evaluate import Assignment, Design, Evaluator
    from tasks.fronts import non_dominated
    from tasks.genetic import GeneticSearch
    from tasks.scoring import minimised, score

    loaded = load_study(path)
    study, assignment = loaded.study, Assignment.of(loaded, path.parent)
    search, scored, seconds = GeneticSearch(study), [], 0.0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, context, _make_ready, (Evaluator, assignment)) as pool:
        for _ in range(study.algorithm.max_generations):
            designs = [Design(len(scored) + i, values) for i, values in enumerate(search.ask())]
            results = list(pool.map(_evaluate, designs, chunksize=max(1, len(designs) // (4 * WORKERS))))
            answers = [score(study, result) for result in results]
            search.tell(answers)
            scored += answers
            seconds += sum(result.seconds for result in results)
    kept = [one for one in scored if one.satisfying]
    best = non_dominated(np.array([minimised(study, one.objectives) for one in kept]))
    front = [dict(kept[place].objectives) for place in best]
    return {"front": _told(front), "each_seconds": seconds / len(scored)}


_evaluator: Any = None


def _make_ready(kind: Any, assignment: Any) -> None:
    global _evaluator  # noqa: PLW0603 - a pool's processes have no other place for it
    _evaluator = kind(assignment)
    _evaluator.make_ready()


def _evaluate(design: Any) -> Any:
    return _evaluator.evaluate([design])[0]


def _told(front: list[dict[str, float]]) -> list[list[float]]:
    """Each point once, in order."""
    return [list(point) for point in sorted({tuple(point.values()) for point in front})]


def _resident_mb() -> float:
    return psutil.Process(os.getpid()).memory_info().rss / 1e6


def main() -> None:
    match sys.argv[1:]:
        case ["ours", path]:
            print(json.dumps(_ours(Path(path))))
        case ["bare", path]:
            print(json.dumps(_bare(Path(path))))
        case rest:
            print(alone(section(quick="--quick" in rest)))


if __name__ == "__main__":
    main()
