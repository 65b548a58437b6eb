"""The store: what a study writes, one transaction a verb."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from schema.errors import Finding, InputError
from schema.store import locks, queries, statements, zones
from schema.store.claims import Claims
from schema.store.database import RUNS_FOLDER, open_database
from schema.store.errors import StoreError
from schema.store.records import (
    Evaluation,
    Front,
    Generation,
    NewStudy,
    RunFiles,
    RunStart,
    Sensitivity,
    SingleRun,
    StudyStatus,
    Uncertainty,
    check_study_id,
)
from schema.store.statements import Row
from schema.store.values import compact_json, finite, utc_text

# What a flow may change of its study while it runs.
_CHANGEABLE = frozenset(
    {"study_name", "description", "population_size", "max_generations", "max_evaluations", "status"}
    | {"progress_percent", "metadata"}
)


class Store:
    """A results folder's database: its own, or one on a server.

    Threads may share a store: its transactions wait for each other. Processes open their own; it is
    neither forked nor pickled. Reading is done by `schema.store.queries` on `store.connection`.
    Every verb raises `StoreError` where the database cannot take it (disk full, locked for too long).
    """

    def __init__(self, results_dir: Path, connection: sqlite3.Connection, claims: Claims) -> None:
        self.results_dir = results_dir
        self.connection = connection
        self._claims = claims
        self._turn = threading.RLock()

    @classmethod
    def open(cls, results_dir: str | Path, *, read_only: bool = False) -> Self:
        """Open the folder's database, or the one that is set; unless only read, it is made or brought up to date.

        Raises:
            InputError: the folder or the database cannot be used.
        """
        folder = Path(results_dir)
        return cls(folder, *open_database(folder, read_only=read_only))

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- who writes a study

    @contextmanager
    def claim(self, study_id: str) -> Iterator[None]:
        """Be the study's one writer.

        Raises:
            StudyAliveError: another process, or another part of this one, already is.
            InputError: the id is no slug.
        """
        with self._claims.claimed(check_study_id(study_id)):
            yield

    def holder(self, study_id: str) -> locks.Holder | None:
        """Who writes the study now; None where it is not alive."""
        return self._claims.holder(check_study_id(study_id))

    # -- studies

    def create_study(self, study: NewStudy) -> None:
        """Record a new study as `pending`.

        Raises:
            InputError: the id is no slug, or taken (upper and lower case count as the same).
        """
        row = study.row()
        with self._writing() as connection:
            taken = statements.taken_id(connection, study.study_id)
            if taken is not None:
                message = f"study {taken} exists already: give the new one another name"
                raise InputError(Finding("", "study", study.study_id, "an id that is not taken", message))
            connection.execute(statements.insert("studies", row), row)

    def study(self, study_id: str) -> Row | None:
        """The study's row, None where there is none."""
        with self._turn:
            return statements.study(self.connection, study_id)

    def update_study(self, study_id: str, **changes: Any) -> None:
        """Change some of a study's columns; `metadata` (a mapping) is merged into what is there.

        Raises:
            InputError: there is no such study.
            ValueError: a column that is not the caller's to change.
        """
        if unknown := changes.keys() - _CHANGEABLE:
            raise ValueError(f"not to be changed here: {', '.join(sorted(unknown))}")
        with self._writing() as connection:
            study = queries.required_study(connection, study_id)
            if "metadata" in changes:
                metadata: Mapping[str, Any] = changes.pop("metadata")
                changes["metadata_json"] = compact_json({**(study["metadata_json"] or {}), **metadata})
            statements.update_study(connection, study_id, {**changes, "updated_at": utc_text()})

    def set_progress(self, study_id: str, progress_percent: float) -> None:
        """How far the study has come [0-100].

        Raises:
            InputError: there is no such study.
        """
        self.update_study(study_id, progress_percent=min(max(float(progress_percent), 0.0), 100.0))

    def finish_study(
        self, study_id: str, status: StudyStatus, *, execution_time_seconds: float | None = None
    ) -> None:
        """Settle a study as `completed`, `failed` or `cancelled`.

        Args:
            study_id: the study.
            status: how it ended.
            execution_time_seconds: this run's time; it is added to that of the runs before.

        Raises:
            InputError: there is no such study.
        """
        now = utc_text()
        with self._writing() as connection:
            study = queries.required_study(connection, study_id)
            spent = (study["execution_time_seconds"] or 0.0) + (finite(execution_time_seconds) or 0.0)
            changes: Row = {"status": status, "completed_at": now, "updated_at": now}
            if status == "completed":
                changes["progress_percent"] = 100.0
            statements.update_study(connection, study_id, {**changes, "execution_time_seconds": spent})

    def delete_study(self, study_id: str) -> None:
        """Delete a study, its rows and its files.

        Raises:
            InputError: there is no such study; or, the rows being gone, its time series cannot be removed.
            StudyAliveError: it is being run.
        """
        with self.claim(study_id), self._turn:
            queries.required_study(self.connection, study_id)
            places = statements.places_of_series(self.connection, study_id)
            self.connection.execute("PRAGMA foreign_keys=OFF")  # not possible within the transaction
            try:
                with self._writing() as connection:
                    statements.delete_study(connection, study_id)
            finally:
                self.connection.execute("PRAGMA foreign_keys=ON")
            shutil.rmtree(self.results_dir / RUNS_FOLDER / study_id, ignore_errors=True)
            _remove_elsewhere(places, study_id)
            self._claims.forget(study_id)

    # -- evaluations

    def start_runs(self, chunk: Sequence[RunStart]) -> None:
        """Log evaluations as `running` before they are solved; once more where they are tried again.

        Raises:
            InputError: a study does not exist.
        """
        rows = [start.row() for start in chunk]
        with self._writing() as connection:
            _require_studies(connection, chunk)
            statements.take_up(connection, rows)
            connection.executemany(statements.START_RUN, rows)

    def record(self, chunk: Sequence[Evaluation]) -> None:
        """Settle evaluations, all or none; recording one again replaces it.

        Raises:
            InputError: a study does not exist.
        """
        now = utc_text()
        simulation_runs = [evaluation.simulation_run_row(now) for evaluation in chunk]
        study_runs = [evaluation.study_run_row(now) for evaluation in chunk]
        dispatches = [row for evaluation in chunk if (row := evaluation.dispatch_row())]
        with self._writing() as connection:
            _require_studies(connection, chunk)
            for study_id in {evaluation.study_id for evaluation in chunk}:
                _count_and_rank(connection, study_id, [e for e in chunk if e.study_id == study_id], now)
            _leave_out_common_names(connection, study_runs)
            statements.take_up(connection, simulation_runs)
            zones.widen(connection, chunk)
            connection.executemany(statements.SETTLE_SIMULATION_RUN, simulation_runs)
            connection.executemany(statements.SETTLE_STUDY_RUN, study_runs)
            connection.executemany(statements.OFFER_DISPATCH, dispatches)

    def record_single(self, run: SingleRun) -> None:
        """Record a dispatch that belongs to no study; recording it again replaces it."""
        row = run.row(utc_text())
        with self._writing() as connection:
            connection.execute(statements.SETTLE_SIMULATION_RUN, row)

    def dispatches(self, keys: Sequence[str]) -> dict[str, Row]:
        """Evaluations whose dispatch others may take over, as `queries.dispatches` gives them."""
        with self._turn:
            try:
                return queries.dispatches(self.connection, keys)
            except sqlite3.Error as error:
                raise StoreError(
                    f"the database in {self.results_dir} cannot be read now ({error})"
                ) from error

    def attach_files(self, files: Mapping[str, RunFiles]) -> None:
        """Record where the time series of settled runs lie, by run id."""
        now = utc_text()
        with self._writing() as connection:
            connection.executemany(
                statements.ATTACH_FILES,
                [{"run_id": run_id, "updated_at": now, **asdict(place)} for run_id, place in files.items()],
            )

    def settle_interrupted(self, study_id: str) -> list[str]:
        """Settle what a killed process left `running` as failed; call it only under the study's claim.

        Returns:
            The runs' ids.
        """
        with self._writing() as connection:
            return statements.settle_interrupted(connection, study_id, utc_text())

    def reopen_failed(self, study_id: str, *, forget: bool) -> list[str]:
        """Make a study's failed evaluations ready to be evaluated again; call it only under the study's claim.

        Why they failed stays in their runs' history.

        Args:
            study_id: the study.
            forget: remove the evaluations and mark the study as one to go on with, so that it asks for them anew.

        Returns:
            The runs' ids.

        Raises:
            InputError: there is no such study.
        """
        with self._writing() as connection:
            study = queries.required_study(connection, study_id)
            run_ids = statements.keep_reasons(connection, study_id)
            if forget:
                connection.execute(
                    "DELETE FROM study_runs WHERE study_id = ? AND simulation_status = 'failed'", [study_id]
                )
                changes: Row = {"run_count": study["run_count"] - len(run_ids), "status": "cancelled"}
                statements.update_study(connection, study_id, {**changes, "updated_at": utc_text()})
            return run_ids

    # -- generations and fronts

    def record_generation(self, generation: Generation) -> None:
        """Record a generation's convergence and front; the evaluations' marks follow it.

        Raises:
            InputError: the study does not exist.
        """
        now = utc_text()
        with self._writing() as connection:
            queries.required_study(connection, generation.study_id)
            statements.replace_convergence(connection, generation.row(now))
            if generation.front is not None:
                statements.replace_front(
                    connection, generation.study_id, generation.generation_number, generation.front, now
                )
            statements.set_domination(connection, generation.domination_counts)

    def record_final_front(
        self, study_id: str, front: Front, domination_counts: Mapping[str, int] | None = None
    ) -> None:
        """Record the study's final front (its generation is NULL).

        Raises:
            InputError: the study does not exist.
        """
        with self._writing() as connection:
            queries.required_study(connection, study_id)
            statements.replace_front(connection, study_id, None, front, utc_text())
            statements.set_domination(connection, domination_counts or {})

    # -- analyses

    def record_uncertainty(self, analyses: Sequence[Uncertainty]) -> list[int]:
        """Record how outputs spread; recording the same output and design again replaces it.

        Returns:
            The analyses' ids.

        Raises:
            InputError: a study does not exist.
        """
        now = utc_text()
        with self._writing() as connection:
            _require_studies(connection, analyses)
            return [statements.replace_uncertainty(connection, analysis.row(now)) for analysis in analyses]

    def record_sensitivity(self, sensitivities: Sequence[Sensitivity]) -> None:
        """Record what parameters do to outputs; recording the same again replaces it.

        Raises:
            InputError: a study does not exist.
        """
        now = utc_text()
        with self._writing() as connection:
            _require_studies(connection, sensitivities)
            for sensitivity in sensitivities:
                statements.replace_sensitivity(connection, sensitivity.row(now))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction. IMMEDIATE, as a read that turns into a write would not wait its turn."""
        connection = self.connection
        with self._turn:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                connection.rollback()
                raise StoreError(
                    f"the database in {self.results_dir} did not take it ({error}); nothing of it was "
                    "recorded: see that the disk has space and that no other program holds the file"
                ) from error
            except BaseException:
                connection.rollback()
                raise


def _remove_elsewhere(places: Sequence[str], study_id: str) -> None:
    if places:
        from schema.store.timeseries import remove_series  # it loads pandas

        for place in places:
            remove_series(place, study_id)


def _require_studies(
    connection: sqlite3.Connection, chunk: Iterable[RunStart | Evaluation | Uncertainty | Sensitivity]
) -> None:
    for study_id in {item.study_id for item in chunk}:
        queries.required_study(connection, study_id)


def _leave_out_common_names(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Parameter names stand in the study once; an evaluation has its own only where they differ."""
    common: dict[str, str] = {}
    for row in rows:
        study_id = row["study_id"]
        if study_id not in common:
            common[study_id] = statements.common_names(connection, study_id, row["parameter_names"])
        if row["parameter_names"] == common[study_id]:
            row["parameter_names"] = None


def _count_and_rank(
    connection: sqlite3.Connection, study_id: str, chunk: Sequence[Evaluation], now: str
) -> None:
    """Bring the study's count and best design up to date, before the chunk is written."""
    study = queries.required_study(connection, study_id)
    ids = {evaluation.run_id for evaluation in chunk}
    known = statements.count_study_runs(connection, ids)
    changes: dict[str, Any] = {"run_count": study["run_count"] + len(ids) - known, "updated_at": now}
    best = (study["best_fitness"], study["best_solution_id"])
    if best[1] in ids:  # it is being replaced: the best of the others takes its place
        best = statements.best_of_others(connection, study_id, ids)
    for evaluation in chunk:
        fitness = finite(evaluation.fitness)
        # Of equals the lowest id, whichever was recorded first.
        if evaluation.is_candidate and fitness is not None:
            found = (fitness, evaluation.run_id)
            best = found if best[0] is None or found < (best[0], best[1] or "") else best
    changes["best_fitness"], changes["best_solution_id"] = best
    statements.update_study(connection, study_id, changes)
