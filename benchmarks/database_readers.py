"""One writer beside sixteen readers, all of them processes."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from time import perf_counter, sleep

from benchmarks.database_rows import CHUNK, OBJECTIVES, evaluations
from schema.store import queries
from schema.store.records import NewStudy
from schema.store.runs import best_designs, runs
from schema.store.store import Store

READERS, CHUNKS = 16, 200


@dataclass(frozen=True)
class Readers:
    """How readers ask.

    Attributes:
        niceness: how much they stand back for the processor.
        pause: seconds between an answer and the next question.
        counts: whether the writer must keep half its speed beside them.
    """

    key: str
    niceness: int
    pause: float
    counts: bool

    @property
    def name(self) -> str:
        pause = f"{self.pause * 1e3:.0f} ms between questions" if self.pause else "no pause"
        return f"{READERS} readers, {pause}, {f'nice {self.niceness}' if self.niceness else 'same priority'}"


KINDS = (
    Readers("looking", 0, 0.05, counts=True),
    Readers("behind", 19, 0.0, counts=True),
    Readers("crowding", 0, 0.0, counts=False),
)


@dataclass(frozen=True)
class Beside:
    """What the writer reached alone and beside the readers.

    Attributes:
        alone, beside: evaluations per second.
        answers: how many questions the readers asked meanwhile.
        lost: acknowledged evaluations that are not there.
        errors: of the readers.
    """

    alone: float
    beside: float
    answers: int
    lost: int
    errors: list[str]


def measure(results: Path, study_ids: list[str], kind: Readers) -> Beside:
    """Write alone, then while readers ask about the studies, one question after the other."""
    with Store.open(results) as store:
        alone = _written(store, f"{kind.key}_alone")
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
            told.get()  # it has had its first answer
        study_id = f"{kind.key}_beside"
        beside = _written(store, study_id)
        enough.set()
        ends = [told.get() for _ in readers]
        for reader in readers:
            reader.join()
        there = len(queries.evaluations(store.connection, study_id))
    return Beside(
        alone,
        beside,
        sum(count for count, _ in ends),
        CHUNKS * CHUNK - there,
        [text for _, text in ends if text],
    )


def _written(store: Store, study_id: str) -> float:
    store.create_study(NewStudy(study_id, "parametric", objectives=OBJECTIVES))
    chunks = list(evaluations(study_id, CHUNKS * CHUNK, 7))
    began = perf_counter()
    for chunk in chunks:
        store.record(chunk)
    return CHUNKS * CHUNK / (perf_counter() - began)


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
