"""One writer beside sixteen readers, all of them processes.

What the machine leaves a writer beside so many readers is told by a bare one: the same rows, made ready before,
given to the same tables by sqlite3 alone.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from time import perf_counter, sleep
from typing import TypeVar

from benchmarks.database_rows import CHUNK, OBJECTIVES, evaluations
from schema.store import queries
from schema.store.records import NewStudy
from schema.store.runs import best_designs, runs
from schema.store.statements import Row, insert
from schema.store.store import Store
from schema.store.values import utc_text

READERS, CHUNKS = 16, 200
LONGEST_SECONDS = 10.0  # that a writer goes on, where it is slow
PATIENCE_SECONDS = 120.0  # a reader that has died tells nothing
T = TypeVar("T")


@dataclass(frozen=True)
class Readers:
    """How readers ask.

    Attributes:
        niceness: how much they stand back for the processor.
        pause: seconds between an answer and the next question.
    """

    key: str
    niceness: int
    pause: float

    @property
    def name(self) -> str:
        pause = f"{self.pause * 1e3:.0f} ms between questions" if self.pause else "no pause"
        return f"{READERS} readers, {pause}, {f'nice {self.niceness}' if self.niceness else 'same priority'}"


KINDS = (
    Readers("looking", 0, 0.05),
    Readers("behind", 19, 0.0),
    Readers("crowding", 0, 0.0),
)


@dataclass(frozen=True)
class Beside:
    """What the writer reached alone and beside the readers.

    Attributes:
        alone, beside: evaluations per second.
        bare_alone, bare_beside: the same of a bare writer.
        answers: how many questions the readers asked meanwhile.
        lost: acknowledged evaluations that are not there.
        errors: of the readers.
    """

    alone: float
    beside: float
    bare_alone: float
    bare_beside: float
    answers: int
    lost: int
    errors: list[str]


def measure(results: Path, study_ids: list[str], kind: Readers) -> Beside:
    """Write alone, then while readers ask about the studies, one question after the other."""
    with Store.open(results) as store:
        _, alone = _written(store, f"{kind.key}_alone")
        _, bare_alone = _barely_written(store, f"{kind.key}_bare")
        fresh = multiprocessing.get_context("spawn")  # a store is not to be forked
        told: Queue[tuple[int, str]] = fresh.Queue()
        enough = fresh.Event()
        readers = [
            fresh.Process(target=_read, args=(results, study_ids, seed, kind, enough, told))
            for seed in range(READERS)
        ]
        for reader in readers:
            reader.start()
        for _ in readers:
            told.get(timeout=PATIENCE_SECONDS)  # it has had its first answer
        study_id = f"{kind.key}_beside"
        written, beside = _written(store, study_id)
        _, bare_beside = _barely_written(store, f"{kind.key}_bare_beside")
        enough.set()
        ends = [told.get(timeout=PATIENCE_SECONDS) for _ in readers]
        for reader in readers:
            reader.join()
        there = len(queries.evaluations(store.connection, study_id))
    return Beside(
        alone,
        beside,
        bare_alone,
        bare_beside,
        sum(count for count, _ in ends),
        written - there,
        [text for _, text in ends if text],
    )


def _written(store: Store, study_id: str) -> tuple[int, float]:
    """How many evaluations the store took, and how many a second."""
    store.create_study(NewStudy(study_id, "parametric", objectives=OBJECTIVES))
    return _timed(list(evaluations(study_id, CHUNKS * CHUNK, 7)), store.record)


def _barely_written(store: Store, study_id: str) -> tuple[int, float]:
    """The same of sqlite3 alone, just as durable."""
    store.create_study(NewStudy(study_id, "parametric", objectives=OBJECTIVES))
    now, connection = utc_text(), store.connection
    chunks = [
        [(one.simulation_run_row(now), one.study_run_row(now)) for one in chunk]
        for chunk in evaluations(study_id, CHUNKS * CHUNK, 7)
    ]
    into = [
        insert(table, row) for table, row in zip(("simulation_runs", "study_runs"), chunks[0][0], strict=True)
    ]

    def write(chunk: list[tuple[Row, Row]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for sql, rows in zip(into, zip(*chunk, strict=True), strict=True):
            connection.executemany(sql, rows)
        connection.execute("COMMIT")

    return _timed(chunks, write)


def _timed(chunks: Sequence[list[T]], write: Callable[[list[T]], None]) -> tuple[int, float]:
    began, written = perf_counter(), 0
    for chunk in chunks:
        write(chunk)
        written += len(chunk)
        if perf_counter() - began > LONGEST_SECONDS:
            break
    return written, written / (perf_counter() - began)


def _read(
    results: Path,
    study_ids: list[str],
    seed: int,
    kind: Readers,
    enough: Event,
    told: Queue[tuple[int, str]],
) -> None:
    os.nice(kind.niceness)
    rng, count, error = Random(seed), 0, ""
    try:
        with Store.open(results, read_only=True) as store:
            while not enough.is_set():
                _ask(store, rng.choice(study_ids), count)
                count += 1
                if count == 1:
                    told.put((0, ""))
                sleep(kind.pause)
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is told
        error = f"{type(failure).__name__}: {failure}"
        if not count:
            told.put((0, ""))
    told.put((count, error))


def _ask(store: Store, study_id: str, number: int) -> None:
    if number % 3 == 0:
        best_designs(store.connection, study_ids=[study_id])
    elif number % 3 == 1:
        queries.pareto_front(store.connection, study_id)
    else:
        runs(store.connection, where=["renewable_fraction>0.8"], limit=100)
