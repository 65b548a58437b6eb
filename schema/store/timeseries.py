"""A run's files: flows and component states over time in Parquet, its configuration and KPIs in JSON.

All of them are written into a temporary folder beside and renamed into place, so a folder that exists is
whole. Any Parquet reader takes the files as they are; pandas restores the time index.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from schema.errors import Finding, InputError
from schema.store.database import RUNS_FOLDER
from schema.store.records import RunFiles, check_run_id, check_study_id
from schema.store.values import compact_json

Series = Literal["flows", "components"]
# Four weeks of hours: one week of a run lies in one or two row groups, the others stay unread.
_ROWS_PER_GROUP: Final = 672


def run_folder(results_dir: Path, study_id: str, run_id: str) -> Path:
    """Where a run's files lie.

    Raises:
        InputError: an id that is no slug, so that nothing leaves the results folder.
    """
    return results_dir / RUNS_FOLDER / check_study_id(study_id) / check_run_id(run_id)


def write_run(
    results_dir: Path,
    study_id: str,
    run_id: str,
    *,
    flows: pd.DataFrame,
    components: pd.DataFrame,
    units: Mapping[str, str],
    system_hash: str,
    profiles: pd.DataFrame | None = None,
    config: Mapping[str, Any],
    kpis: Mapping[str, Any],
) -> RunFiles:
    """Write a run's files, replacing those of the same run.

    Args:
        results_dir: the results folder.
        study_id: the study.
        run_id: the run.
        flows: power by `component.port` [kW], over a DatetimeIndex.
        components: states by `component.state`, over the same index.
        units: column → its unit, kept in the column's metadata.
        system_hash: of the system that was solved, kept in the files' metadata.
        profiles: the system's input series, kept to the last bit, so that the folder alone can be run again.
        config: what it takes to run it again, alone.
        kpis: name → value, and what else tells how the run did.

    Returns:
        The paths to record, relative to the results folder.

    Raises:
        InputError: an id that is no slug, or a folder that cannot be written.
        TypeError: a frame without a DatetimeIndex.
        ValueError: a column without a unit.
    """
    folder = run_folder(results_dir, study_id, run_id)
    tables = {
        "flows.parquet": _table(flows, units, system_hash),
        "components.parquet": _table(components, units, system_hash),
    }
    if profiles is not None:
        tables["profiles.parquet"] = pa.Table.from_pandas(profiles.rename_axis("time"), preserve_index=True)
    texts = {"simulation_config.json": compact_json(config), "kpis.json": compact_json(kpis)}
    # The leading dot cannot begin an id: what a kill leaves behind is never taken for a run.
    half = folder.with_name(f".{run_id}.{secrets.token_hex(4)}")
    try:
        half.mkdir(parents=True)
        for name, table in tables.items():
            pq.write_table(table, half / name, compression="zstd", row_group_size=_ROWS_PER_GROUP)
        for name, text in texts.items():
            (half / name).write_text(text, encoding="utf-8")
        _move_into_place(half, folder)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        reason = error.strerror or str(error)
        message = f"{folder} cannot be written ({reason}): see to its permissions and the disk's space"
        raise InputError(Finding(str(folder), "", reason, "a writable folder", message)) from error
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    place = folder.relative_to(results_dir)
    return RunFiles(str(place), str(place / "flows.parquet"), str(place / "components.parquet"))


def read_series(
    results_dir: Path,
    study_id: str,
    run_id: str,
    series: Series,
    *,
    columns: Sequence[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pd.DataFrame:
    """A run's flows or component states; only the columns and the part of time asked for are read.

    Args:
        results_dir: the results folder.
        study_id: the study.
        run_id: the run.
        series: `flows` or `components`.
        columns: which; None for all.
        start: the first time step.
        end: the time step to stop before.

    Raises:
        InputError: no such file or column, or a file that is damaged.
    """
    file = run_folder(results_dir, study_id, run_id) / f"{series}.parquet"
    bounds = [("time", ">=", start), ("time", "<", end)]
    filters = [(name, sign, pd.Timestamp(bound)) for name, sign, bound in bounds if bound is not None]
    try:
        if columns is not None:
            _require_columns(file, columns)
        return pd.read_parquet(
            file, columns=None if columns is None else list(columns), filters=filters or None
        )
    except FileNotFoundError:
        message = f"{run_id} has no {series} on disk: `ecosystemiser replay {run_id}` solves it again"
        raise InputError(Finding(str(file), "", "no file", "a Parquet file", message)) from None
    except pa.ArrowInvalid as error:
        message = f"{file} is damaged: `ecosystemiser replay {run_id}` writes it anew"
        raise InputError(Finding(str(file), "", str(error), "a Parquet file", message)) from error


def read_units(results_dir: Path, study_id: str, run_id: str, series: Series) -> dict[str, str]:
    """Column → unit, from the file's metadata.

    Raises:
        FileNotFoundError: the run kept no files.
    """
    schema = pq.read_schema(run_folder(results_dir, study_id, run_id) / f"{series}.parquet")
    return {field.name: field.metadata[b"unit"].decode() for field in schema if field.name != "time"}


def read_details(results_dir: Path, study_id: str, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The run's configuration and its KPIs.

    Raises:
        FileNotFoundError: the run kept no files.
    """
    folder = run_folder(results_dir, study_id, run_id)
    config, kpis = (
        json.loads((folder / name).read_text()) for name in ("simulation_config.json", "kpis.json")
    )
    return config, kpis


def _table(frame: pd.DataFrame, units: Mapping[str, str], system_hash: str) -> pa.Table:
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise TypeError("a run's series stand over a DatetimeIndex")
    if missing := [str(name) for name in frame.columns if name not in units]:
        raise ValueError(f"columns without a unit: {', '.join(missing)}")
    table = pa.Table.from_pandas(frame.astype(np.float32).rename_axis("time"), preserve_index=True)
    for position, name in enumerate(table.column_names):
        if name != "time":
            described = table.schema.field(position).with_metadata({"unit": units[name]})
            table = table.set_column(position, described, table.column(position))
    return table.replace_schema_metadata({**table.schema.metadata, b"system_hash": system_hash.encode()})


def _move_into_place(half: Path, folder: Path) -> None:
    for file in [*half.iterdir(), half]:
        _sync(file)
    if folder.exists():
        old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
        folder.rename(old)
        half.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        half.rename(folder)
    _sync(folder.parent)


def _sync(file: Path) -> None:
    """To the disk, so that a name never outlives its content after a power cut."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_columns(file: Path, columns: Sequence[str]) -> None:
    known = [name for name in pq.read_schema(file).names if name != "time"]
    for name in columns:
        if name not in known:
            message = f"{file} has no column {name!r}: there are {', '.join(known)}"
            raise InputError(Finding(str(file), name, name, f"one of: {', '.join(known)}", message))
