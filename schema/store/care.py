"""Looks for what has come apart between the database and the run folders, and mends what can be mended.

Nothing that a study in progress is writing is touched. Mending never deletes a result: what leads nowhere is cut
off and kept in `metadata_json`, a folder without a row gets one, and only half-written folders are removed.
"""
# ruff: noqa: S608

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from schema.errors import Finding, InputError
from schema.store import migrations, rebuild
from schema.store.database import FILE_NAME, RUNS_FOLDER
from schema.store.errors import StudyAliveError
from schema.store.folders import COMMIT_MARK, folder_at
from schema.store.rebuild import require_file
from schema.store.records import RunFiles
from schema.store.statements import CANDIDATE
from schema.store.store import Store
from schema.store.timeseries import place_of
from schema.store.values import compact_json, utc_text

Kind = Literal[
    "damaged database",
    "leads nowhere",
    "left running",
    "half-written",
    "row without files",
    "files without row",
    "broken file",
    "wrong count",
]
_HALF: Final = re.compile(r"\.(?P<run>.+)\.[0-9a-f]{8}")
_LEFT_SECONDS: Final = 60.0
_TEXTS: Final = ("simulation_config.json", COMMIT_MARK)
# References that are no foreign keys: table, its key, the column, and what it names.
_SOFT: Final = (
    ("simulation_runs", "run_id", "study_run_id", "study_runs", "run_id"),
    ("uncertainty_analysis", "analysis_id", "target_solution_id", "study_runs", "run_id"),
)


@dataclass(frozen=True)
class Trouble:
    """One thing that has come apart.

    Attributes:
        subject: the study, run, row or folder.
        message: what is wrong, and what to do where it cannot be mended here.
        mended: whether it is no more.
        mend: what mends it; None where that is not possible here.
    """

    kind: Kind
    subject: str
    message: str
    mended: bool = False
    mend: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("kind", "subject", "message", "mended")}
        return {**plain, "mendable": self.mend is not None}


def check(store: Store, *, mend: bool = False) -> list[Trouble]:
    """Everything that is wrong; with `mend`, what can be mended is.

    Args:
        store: open for writing where something is to be mended.
        mend: whether to.

    Raises:
        InputError: the database is on a server.
    """
    require_file(store)
    care = _Care(store)
    found = []
    for look in (
        care.database,
        care.references,
        care.running,
        care.half_written,
        care.rows_without_files,
        care.files_without_rows,
        care.broken_files,
        care.counts,
    ):
        # One after the other: mending the first may show or settle the next.
        found += [_settled(trouble, mend=mend) for trouble in list(look())]
    return found


def bring_up_to_date(results_dir: Path) -> tuple[Path | None, list[str]]:
    """Migrate a folder's database.

    Returns:
        The copy of what was there before, if anything was to do, and the steps taken.

    Raises:
        InputError: there is no database, or it cannot be migrated.
    """
    file = results_dir / FILE_NAME
    if not file.is_file():
        message = f"there is no database in {results_dir}: name the folder that has one"
        raise InputError(Finding(str(results_dir), "--results", "nothing", FILE_NAME, message))
    before, copies = _steps_of(file), set(results_dir.glob(f"{file.stem}.*{file.suffix}"))
    with Store.open(results_dir) as store:
        taken = migrations.applied(store.connection)
    made = sorted(set(results_dir.glob(f"{file.stem}.*{file.suffix}")) - copies)
    return (made[0] if made else None), [name for name in taken if name not in before]


def _steps_of(file: Path) -> list[str]:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return migrations.applied(connection)
    except sqlite3.Error:
        return []  # opening it to write tells what is wrong


def back_up(store: Store, file: Path) -> Path:
    """Copy the database as it is at one moment, studies in progress or not.

    Raises:
        InputError: the file is there already, or cannot be written.
    """
    require_file(store)
    if file.exists():
        message = "there is such a file already: name another, no backup is written over"
        raise InputError(Finding(str(file), "FILE", "a file", "a new name", message))
    try:
        migrations.back_up(store.connection, file)
    except (OSError, sqlite3.OperationalError) as error:
        message = f"cannot be written ({error}): name a file in a folder that exists, on a disk with space"
        raise InputError(Finding(str(file), "FILE", str(error), "a writable file", message)) from error
    return file


def _settled(trouble: Trouble, *, mend: bool) -> Trouble:
    if not mend or trouble.mend is None:
        return trouble
    try:
        trouble.mend()
    except StudyAliveError:
        return trouble  # it has come to life: its own process sees to it
    return Trouble(trouble.kind, trouble.subject, trouble.message, mended=True, mend=trouble.mend)


class _Care:
    """What is looked for, one method each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection = store.connection
        self._broken: set[Path] = set()

    # -- the database in itself

    def database(self) -> Iterator[Trouble]:
        told = [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check(20)")]
        if told != ["ok"]:
            advice = "put a backup in its place, or make the index anew with `ecosystemiser db rebuild`"
            yield Trouble("damaged database", FILE_NAME, f"{'; '.join(told)}: {advice}")

    def references(self) -> Iterator[Trouble]:
        for table, rowid, parent, number in self._connection.execute("PRAGMA foreign_key_check").fetchall():
            keys = self._connection.execute("SELECT * FROM pragma_foreign_key_list(?)", [table]).fetchall()
            column = next(str(key["from"]) for key in keys if key["id"] == number)
            yield self._dangling(str(table), "rowid", rowid, column, str(parent))
        for table, key, column, parent, parents_key in _SOFT:
            rows = self._connection.execute(
                f"SELECT {key} FROM {table} t WHERE {column} IS NOT NULL "
                f"AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{parents_key} = t.{column})"
            )
            for row in rows.fetchall():
                yield self._dangling(table, key, row[0], column, parent)

    def _dangling(self, table: str, key: str, value: object, column: str, parent: str) -> Trouble:
        told = self._connection.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", [value]).fetchone()[
            0
        ]
        message = f"{column} {told} is not in {parent}"

        def mend() -> None:
            if parent == "studies":
                self._recover_study(str(told))
            else:
                self._cut(table, key, value, column)

        return Trouble("leads nowhere", f"{table} {value}", message, mend=mend)

    def _recover_study(self, study_id: str) -> None:
        """A row for the study that others speak of: they would be lost without."""
        with self._store._writing() as connection:  # noqa: SLF001 - the store's own care
            connection.execute(
                "INSERT OR IGNORE INTO studies (study_id, study_type, study_name, status, run_count, "
                "created_at, updated_at, optimization_objective, optimization_constraints, metadata_json) "
                "SELECT ?, 'single', ?, 'failed', (SELECT count(*) FROM study_runs WHERE study_id = ?), "
                "?, ?, '{}', '{}', ?",
                [study_id, study_id, study_id, utc_text(), utc_text(), compact_json({"recovered": True})],
            )

    def _cut(self, table: str, key: str, value: object, column: str) -> None:
        columns = {str(row["name"]) for row in self._connection.execute(f"PRAGMA table_info({table})")}
        kept = (
            f", metadata_json = json_patch(coalesce(metadata_json, '{{}}'), json_object('lost', "
            f"json_object('{column}', {column})))"
        )
        with self._store._writing() as connection:  # noqa: SLF001
            connection.execute(
                f"UPDATE {table} SET {column} = NULL{kept if 'metadata_json' in columns else ''} WHERE {key} = ?",
                [value],
            )

    # -- what was left running

    def running(self) -> Iterator[Trouble]:
        rows = self._connection.execute(
            "SELECT study_id, sum(n) AS runs FROM (SELECT study_id, count(*) AS n FROM simulation_runs "
            "WHERE simulation_status = 'running' GROUP BY study_id UNION ALL "
            "SELECT study_id, 0 FROM studies WHERE status = 'running') GROUP BY study_id"
        ).fetchall()
        for row in rows:
            study_id = row["study_id"]
            if study_id is not None and not self._alive(study_id):
                yield self._interrupted(study_id, row["runs"])

    def _interrupted(self, study_id: str, runs: int) -> Trouble:
        def mend() -> None:
            with self._store.claim(study_id):
                self._store.settle_interrupted(study_id)
                study = self._store.study(study_id)
                if study is not None and study["status"] == "running":
                    self._store.update_study(study_id, status="failed", metadata={"interrupted": True})

        what = f"{runs} runs are" if runs else "it is"
        return Trouble("left running", study_id, f"{what} marked running, and no process runs it", mend=mend)

    def _alive(self, study_id: str) -> bool:
        try:
            return self._store.holder(study_id) is not None
        except InputError:  # no name of ours: nothing can be running under it
            return False

    # -- rows and folders

    def half_written(self) -> Iterator[Trouble]:
        root = self._store.results_dir
        for study in sorted(path for path in (root / RUNS_FOLDER).glob("*") if path.is_dir()):
            if self._alive(study.name):
                continue
            for folder in sorted(study.glob(".*")):
                match = _HALF.fullmatch(folder.name)
                if match and folder.is_dir() and not folder.is_symlink() and _is_left(folder):
                    yield self._half(folder, folder.with_name(match["run"]))
        for file in [*root.glob(f".{Path(FILE_NAME).stem}.*"), *root.glob(".rebuilding.*")]:
            if _is_left(file):
                yield self._half(file, None)

    def _half(self, folder: Path, place: Path | None) -> Trouble:
        # A kill between two renamings leaves a whole run under its half-written name.
        whole = place is not None and not place.exists() and not _faults(folder)
        message = "a kill left it behind" + (", whole" if whole else "")

        def mend() -> None:
            if whole and place is not None and not place.exists():
                folder.rename(place)
            elif folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
            else:
                folder.unlink(missing_ok=True)

        return Trouble("half-written", self._shown(folder), message, mend=mend)

    def rows_without_files(self) -> Iterator[Trouble]:
        rows = self._connection.execute(
            "SELECT run_id, study_id, results_path FROM simulation_runs WHERE results_path IS NOT NULL"
        )
        for row in rows.fetchall():
            if not self._has_files(row["study_id"], row["run_id"], row["results_path"]):
                yield self._without_files(row["run_id"], row["results_path"])

    def _has_files(self, study_id: str, run_id: str, results_path: str) -> bool:
        try:
            place = place_of(self._store.results_dir, study_id, run_id, results_path)
            folder_at(place, RUNS_FOLDER, study_id, run_id).open(COMMIT_MARK).close()
        except (InputError, OSError):
            return False
        return True

    def _without_files(self, run_id: str, results_path: str) -> Trouble:
        def mend() -> None:
            with self._store._writing() as connection:  # noqa: SLF001
                connection.execute(
                    "UPDATE simulation_runs SET results_path = NULL, flows_path = NULL, components_path = NULL, "
                    "metadata_json = json_patch(coalesce(metadata_json, '{}'), ?) WHERE run_id = ?",
                    [compact_json({"lost": {"results_path": results_path}}), run_id],
                )

        message = f"there are no files at {results_path}; `ecosystemiser replay {run_id}` solves it again"
        return Trouble("row without files", run_id, message, mend=mend)

    def files_without_rows(self) -> Iterator[Trouble]:
        for folder in rebuild.run_folders(self._store.results_dir):
            study_id, run_id = folder.parent.name, folder.name
            row = self._connection.execute(
                "SELECT results_path FROM simulation_runs WHERE run_id = ?", [run_id]
            ).fetchone()
            if (row is None or row["results_path"] is None) and not self._alive(study_id):
                yield self._without_row(folder, known=row is not None)

    def _without_row(self, folder: Path, *, known: bool) -> Trouble:
        shown = self._shown(folder)
        message = "its run tells of no files" if known else "the database has no such run"
        if faults := _faults(folder):
            return Trouble("files without row", shown, f"{message}, and {faults[0]}: move it away")

        def mend() -> None:
            with self._store.claim(folder.parent.name):
                if known:
                    files = RunFiles(shown, *(f"{shown}/{name}" for name in rebuild.SERIES_FILES))
                    self._store.attach_files({folder.name: files})
                else:
                    rebuild.adopt(self._store, folder)

        return Trouble("files without row", shown, message, mend=mend)

    def broken_files(self) -> Iterator[Trouble]:
        for folder in rebuild.run_folders(self._store.results_dir):
            row = self._connection.execute(
                "SELECT timesteps FROM simulation_runs WHERE run_id = ? AND results_path IS NOT NULL",
                [folder.name],
            ).fetchone()
            if row is None or self._alive(folder.parent.name):
                continue
            for fault in _faults(folder, row["timesteps"]):
                advice = f"`ecosystemiser replay {folder.name}` writes it anew"
                yield Trouble("broken file", self._shown(folder), f"{fault}: {advice}")

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._store.results_dir).as_posix()

    # -- numbers that stand twice

    def counts(self) -> Iterator[Trouble]:
        rows = self._connection.execute(
            "SELECT s.study_id, s.run_count, s.best_fitness, s.best_solution_id, "
            "(SELECT count(*) FROM study_runs r WHERE r.study_id = s.study_id) AS evaluations, "
            "(SELECT count(*) FROM simulation_runs r WHERE r.study_id = s.study_id) AS simulations, "
            f"(SELECT min(e.fitness) FROM study_runs e WHERE e.study_id = s.study_id AND {CANDIDATE}) AS best "
            "FROM studies s"
        )
        for row in rows.fetchall():
            # An older study may have runs and no evaluations: then its count is of them.
            evaluations = row["evaluations"]
            counted = evaluations or (row["simulations"] if row["run_count"] == row["simulations"] else 0)
            best = row["best"] if evaluations else row["best_fitness"]
            if (row["run_count"], row["best_fitness"]) != (counted, best):
                yield self._miscounted(dict(row), counted, best)

    def _miscounted(self, row: dict[str, Any], counted: int, best: float | None) -> Trouble:
        message = (
            f"it says {row['run_count']} evaluations, the best {row['best_fitness']}; "
            f"there are {counted}, the best {best}"
        )

        def mend() -> None:
            with self._store._writing() as connection:  # noqa: SLF001
                connection.execute(
                    f"UPDATE studies SET run_count = ?, best_fitness = ?, best_solution_id = (SELECT run_id FROM "
                    f"study_runs e WHERE e.study_id = studies.study_id AND {CANDIDATE} "
                    "ORDER BY e.fitness, e.run_id LIMIT 1) WHERE study_id = ?",
                    [counted, best, row["study_id"]],
                )

        return Trouble("wrong count", str(row["study_id"]), message, mend=mend)


def _is_left(path: Path) -> bool:
    """Whether nobody has written to it for a while: what is younger may be in the making, by a replay say."""
    try:
        last = max(file.stat().st_mtime for file in [path, *path.glob("*")])
    except FileNotFoundError:
        return False  # it was, and is done
    return time.time() - last > _LEFT_SECONDS


def _faults(folder: Path, timesteps: int | None = None) -> list[str]:
    """What is wrong with a run's files; all of their content is read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    faults = []
    extra = ["profiles.parquet"] if (folder / "profiles.parquet").exists() else []
    for name in [*rebuild.SERIES_FILES, *extra]:
        try:
            rows = pq.read_table(folder / name).num_rows
        except FileNotFoundError:
            faults.append(f"{name} is missing")
        except (OSError, pa.ArrowException, ValueError) as error:
            faults.append(f"{name} is damaged ({str(error).splitlines()[0][:100]})")
        else:
            if timesteps is not None and rows != timesteps:
                faults.append(f"{name} has {rows} steps instead of {timesteps}")
    for name in _TEXTS:
        try:
            json.loads((folder / name).read_bytes())
        except FileNotFoundError:
            faults.append(f"{name} is missing")
        except (OSError, ValueError, RecursionError):
            faults.append(f"{name} is damaged")
    return faults
