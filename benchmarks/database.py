"""Build a database of a million evaluations, ask it everything, and write docs/benchmarks_database.md.

    python -m benchmarks.database [FOLDER] [--studies N]

It needs 1 GB of disk in FOLDER (a temporary one unless told) and some minutes.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks import database_peers, database_readers
from benchmarks.database_questions import ROUNDS, Question, asked
from benchmarks.database_readers import READERS, Beside, Readers
from benchmarks.database_rows import CHUNK, EVALUATIONS, STUDIES, study_ids, write_study
from benchmarks.figures import Target
from benchmarks.noise import Noise
from schema.store.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks_database.md"


@dataclass(frozen=True)
class Findings:
    """All that the page tells.

    Attributes:
        evaluations: how many there are.
        chunks: seconds that recording each chunk took, and those of the processor.
        bytes_of: table → what it takes with its indexes.
        optuna: ms a trial, as a study records it and given whole.
    """

    evaluations: int
    chunks: Sequence[tuple[float, float]]
    bytes_of: dict[str, int]
    questions: Sequence[Question]
    optuna: tuple[float, float]
    readers: Sequence[tuple[Readers, Beside]]
    noise: float | None

    @property
    def recording(self) -> float:
        """Mean ms an evaluation."""
        return 1e3 * sum(took for took, _ in self.chunks) / self.evaluations

    @property
    def processor(self) -> float:
        """The processor's part of that."""
        return 1e3 * sum(busy for _, busy in self.chunks) / self.evaluations

    def targets(self) -> list[Target]:
        share = 1e6 / self.evaluations
        megabytes = {name: share * size / 1e6 for name, size in self.bytes_of.items()}
        both = megabytes["study_runs"] + megabytes["simulation_runs"] + megabytes["kpi_zones"]
        return [
            Target("study_runs with its indexes, MB a million", megabytes["study_runs"], 500, "", at_least=False),
            Target("and simulation_runs with theirs, MB a million", both, 750, "", at_least=False),
            Target(
                "beside them, by which dispatches are taken over, MB a million", megabytes["dispatches"], 175, "",
                at_least=False
            ),
            Target(f"recording in chunks of {CHUNK}, ms an evaluation", self.recording, 0.2, "", at_least=False),
            Target(
                "Optuna's SQLite storage over ours, times", self.optuna[0] / self.recording, 100, "", at_least=True
            ),
            *(
                Target(f"{question.name}, ms", question.median, question.limit, "", at_least=False)
                for question in self.questions
                if question.limit is not None
            ),
            *(
                Target(f"{readers.name}: the writer's speed, % of alone", 100 * found.beside / found.alone, 50, "",
                       at_least=True)
                for readers, found in self.readers
            ),
            *(
                Target(f"{readers.name}: evaluations lost, and errors", found.lost + len(found.errors), 1, "",
                       at_least=False)
                for readers, found in self.readers
            ),
        ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.database")
    parser.add_argument("folder", type=Path, nargs="?", help="where to build; a temporary folder unless told")
    parser.add_argument(
        "--studies", type=int, default=STUDIES, help=f"of {EVALUATIONS:,} evaluations; 5 at least"
    )
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="database-") as temporary:
        folder = told.folder or Path(temporary)
        findings = measure(folder, told.studies)
    text = page(findings)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


def measure(folder: Path, studies: int) -> Findings:
    noise, ids = Noise(), study_ids(studies)
    with Store.open(folder) as store:
        seconds = _build(store, ids)
        sizes = bytes_by_table(store.connection)
    print("Asking", flush=True)
    with Store.open(folder, read_only=True) as store:
        questions = asked(store, ids)
    print("Optuna", flush=True)
    optuna = database_peers.optuna_milliseconds(folder)
    print("Readers beside a writer", flush=True)
    beside = [(kind, database_readers.measure(folder, ids, kind)) for kind in database_readers.KINDS]
    return Findings(studies * EVALUATIONS, seconds, sizes, questions, optuna, beside, noise.share())


def _build(store: Store, ids: Sequence[str]) -> list[tuple[float, float]]:
    there = {row["study_id"] for row in store.connection.execute("SELECT study_id FROM studies")}
    if there & set(ids):
        raise SystemExit("the folder has such a database already: name an empty one")
    chunks: list[tuple[float, float]] = []
    for seed, study_id in enumerate(ids):
        chunks += write_study(store, study_id, seed=seed)
        if seed % 10 == 9:
            last = median(took for took, _ in chunks[-EVALUATIONS // CHUNK :])
            print(f"{seed + 1} studies: {1e3 * last / CHUNK:.3f} ms an evaluation", flush=True)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return chunks


def bytes_by_table(connection: sqlite3.Connection) -> dict[str, int]:
    """What each table takes with its indexes."""
    rows = connection.execute(
        "SELECT coalesce(m.tbl_name, d.name) AS name, sum(d.pgsize) AS size FROM dbstat d "
        "LEFT JOIN sqlite_master m ON m.name = d.name GROUP BY 1 ORDER BY 2 DESC"
    )
    return {str(row["name"]): int(row["size"]) for row in rows}


# -- the page

_ABOUT = """\
# Benchmark of the results database

A generated database: {studies:,} studies with {each:,} evaluations each, recorded through the store as flows do
it (a dispatch with its KPIs for every evaluation, fronts and convergence for every generation), then asked in the
same process. Two in a hundred evaluations are infeasible, some break a constraint; every number has all its
digits, ids of studies have 9 to 13 characters, and studies come in no order of the alphabet.
`python -m benchmarks.database` builds it anew, measures, and writes this page; it needs 1 GB of disk and some
minutes.
"""

_HOW = """\
## How it is measured

- **Size**: the pages of the table and of all its indexes, of `dbstat`. `simulation_runs` is counted with the
  table of its blocks' extremes (`kpi_zones`). A byte more in each evaluation is a megabyte more: each character
  of a study's id counts 13 times, and what a flow adds to `metadata_json` (the solver's words, about 100 bytes)
  comes on top. `dispatches` has a row for each dispatch that was solved and may be taken over, here for all of
  them, and can be emptied.
- **Recording**: `Store.record` alone, the mean over all chunks, each one durable (WAL, `synchronous=FULL`) when
  the call returns.
- **Questions**: the median of {rounds} answers, the rows decoded, each time about another study; the first answer
  is not counted. Whole-database questions are the same each time.
- **Optuna**: {trials} trials with as many parameters and objectives, asked for and told in its SQLite storage
  with the random sampler, as its studies record them. Finished trials given to it whole are quicker.
- **Readers**: {readers} processes that ask for best designs, fronts and filtered runs of the whole database,
  beside one process that records {written:,} evaluations, or as many as {seconds:.0f} s allow. Readers neither
  block the writer nor are blocked; what they share is the processor. Those that ask without a pause take all of
  its time that they are given: at nice 19 that is what the writer leaves, at the same priority the writer gets
  one share among {shares}. What that leaves any writer is told by the bare one: the same rows, made ready before,
  inserted by sqlite3 alone into the same tables, a transaction for each chunk, just as durable.
"""


def page(findings: Findings) -> str:
    """The whole page."""
    targets = [
        (target.name, _figure(target.value), f"{'at least' if target.at_least else 'below'} {target.limit:g}",
         "yes" if target.met else "no")
        for target in findings.targets()
    ]  # fmt: skip
    times = [
        (question.name, f"{question.median:.2f}", f"{min(question.milliseconds):.2f}",
         f"{max(question.milliseconds):.2f}", f"{question.rows:,}")
        for question in findings.questions
    ]  # fmt: skip
    sizes = [(name, f"{size / 1e6:,.1f}", f"{size / findings.evaluations:,.0f}")
             for name, size in findings.bytes_of.items() if size >= 1e5]  # fmt: skip
    readers = [
        (kind.name, f"{found.alone:,.0f}", f"{found.beside:,.0f}", f"{found.bare_alone:,.0f}",
         f"{found.bare_beside:,.0f}", f"{100 * found.bare_beside / found.bare_alone:.0f} %",
         f"{found.answers:,}", str(found.lost), str(len(found.errors)))
        for kind, found in findings.readers
    ]  # fmt: skip
    return "\n".join(
        [
            _ABOUT.format(studies=findings.evaluations // EVALUATIONS, each=EVALUATIONS),
            "## Targets\n",
            _table(("figure", "measured", "target", "met"), targets),
            "## Answers\n",
            _table(("question", "median ms", "least", "most", "rows"), times),
            "## Size\n",
            _table(("table with its indexes", "MB", "bytes an evaluation"), sizes),
            "## Readers beside a writer\n",
            _table(
                (
                    "readers",
                    "alone, evaluations/s",
                    "beside",
                    "bare, alone",
                    "bare, beside",
                    "bare's share",
                    "their answers",
                    "lost",
                    "errors",
                ),
                readers,
            ),
            _HOW.format(
                rounds=ROUNDS,
                trials=database_peers.TRIALS,
                readers=READERS,
                shares=READERS + 1,
                seconds=database_readers.LONGEST_SECONDS,
                written=database_readers.CHUNKS * CHUNK,
            ),
            _conditions(findings),
        ]
    )


def _conditions(findings: Findings) -> str:
    noise = "unknown" if findings.noise is None else f"{findings.noise:.0%} of the cores' time"
    return (
        f"## Conditions\n\n- {datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores; other programs took {noise}\n"
        f"- {platform.system()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"Optuna {version('optuna')}\n"
        f"- Optuna {findings.optuna[0]:.1f} ms a trial, {findings.optuna[1]:.1f} ms given whole\n"
        f"- Ours {findings.recording:.3f} ms an evaluation, {findings.processor:.3f} ms of it the processor's; "
        f"median chunk {1e3 * median(took for took, _ in findings.chunks):.1f} ms\n"
    )


def _figure(value: float) -> str:
    return f"{value:,.3f}" if value < 1 else f"{value:,.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
