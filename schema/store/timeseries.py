"""A run's files: flows and component states over time in Parquet, its configuration and KPIs in JSON.

Any Parquet reader takes the files as they are; pandas restores the time index. Columns are float32 where that
tells a watt, a watt-hour; their units and the system's hash stand in the metadata. Where the files lie, and how
they come there whole, is told in `schema.store.folders`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from schema.errors import Finding, InputError
from schema.store.database import RUNS_FOLDER
from schema.store.folders import COMMIT_MARK, Folder, Place, checked_url, folder_at
from schema.store.records import RunFiles, check_run_id, check_study_id
from schema.store.values import compact_json

Series = Literal["flows", "components", "profiles"]
# Four weeks of hours: one week of a run lies in one or two row groups, the others stay unread.
_ROWS_PER_GROUP: Final = 672
# What a column's rounding may cost, in its unit: a watt, a watt-hour.
_ROUNDING: Final = 1e-3


def run_folder(results_dir: Path, study_id: str, run_id: str) -> Path:
    """Where a run's files lie in the results folder.

    Raises:
        InputError: an id that is no slug, so that nothing leaves the results folder.
    """
    return results_dir.joinpath(*_parts(study_id, run_id))


def place_of(results_dir: Path, study_id: str, run_id: str, results_path: str) -> Place:
    """The place whose files the record of a run tells of: what `read_series` and its like take.

    Args:
        results_dir: the results folder.
        study_id: the study.
        run_id: the run.
        results_path: as recorded: relative to the results folder, or a URL.

    Raises:
        InputError: an id that is no slug, or a path that is not this run's.
    """
    way = "/".join(_parts(study_id, run_id))
    if "://" not in results_path:
        if results_path != way:
            raise InputError(_strange(run_id, results_path, way))
        return results_dir
    url = checked_url(results_path)
    if not url.endswith(f"/{way}"):
        raise InputError(_strange(run_id, url, f"a URL that ends in {way}"))
    return url.removesuffix(f"/{way}")


def write_run(
    place: Place,
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
        place: the results folder, or the URL of another place.
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
        The paths to record: relative to the results folder, or URLs.

    Raises:
        InputError: an id that is no slug, or a place that cannot be written to.
        TypeError: a frame without a DatetimeIndex.
        ValueError: a column without a unit.
    """
    _parts(study_id, run_id)
    packed = packed_run(
        flows=flows,
        components=components,
        units=units,
        system_hash=system_hash,
        profiles=profiles,
        kpis=kpis,
    )
    return write_packed(place, study_id, run_id, packed, config=config)


def packed_run(
    *,
    flows: pd.DataFrame,
    components: pd.DataFrame,
    units: Mapping[str, str],
    system_hash: str,
    profiles: pd.DataFrame | None = None,
    kpis: Mapping[str, Any],
) -> dict[str, bytes]:
    """A run's files by name, ready to be written or sent elsewhere; all but its configuration.

    Raises:
        TypeError: a frame without a DatetimeIndex.
        ValueError: a column without a unit.
    """
    files = {
        "flows.parquet": _parquet(_table(flows, units, system_hash)),
        "components.parquet": _parquet(_table(components, units, system_hash)),
    }
    if profiles is not None:
        exact = pa.Table.from_pandas(profiles.rename_axis("time"), preserve_index=True)
        files["profiles.parquet"] = _parquet(exact)
    return {**files, COMMIT_MARK: compact_json(kpis).encode()}


def write_packed(
    place: Place, study_id: str, run_id: str, packed: Mapping[str, bytes], *, config: Mapping[str, Any]
) -> RunFiles:
    """Write what `packed_run` made, and the configuration, as `write_run` does.

    Raises:
        InputError: an id that is no slug, or a place that cannot be written to.
    """
    parts = _parts(study_id, run_id)
    files = {
        **{name: content for name, content in packed.items() if name != COMMIT_MARK},
        "simulation_config.json": compact_json(config).encode(),
        # The last: it is the mark that all is there.
        COMMIT_MARK: packed[COMMIT_MARK],
    }
    folder = folder_at(place, *parts)
    with _told_plainly(folder):
        folder.write(files)
    base = "/".join(parts) if isinstance(place, Path) else "/".join([checked_url(place), *parts])
    return RunFiles(base, f"{base}/flows.parquet", f"{base}/components.parquet")


def read_series(
    place: Place,
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
        place: the results folder, or the URL of another place; see `place_of`.
        study_id: the study.
        run_id: the run.
        series: `flows` or `components`.
        columns: which; None for all.
        start: the first time step; in the series' own time zone unless it tells another.
        end: the time step to stop before.

    Raises:
        InputError: no such file or column, or a file that is damaged.
    """
    with _opened(place, study_id, run_id, series) as (name, file):
        if columns is not None:
            _require_columns(name, file, columns)
        zone = file.schema_arrow.field("time").type.tz
        first, last = _moment(start, zone), _moment(end, zone)
        groups = [i for i in range(file.num_row_groups) if _overlaps(file, i, first, last)]
        wanted = None if columns is None else [*columns, "time"]
        table = file.read_row_groups(groups, columns=wanted, use_pandas_metadata=True)
        frame: pd.DataFrame = table.to_pandas()
    if columns is not None:
        frame = frame[list(columns)]
    within = np.ones(len(frame), bool)
    if first is not None:
        within &= frame.index >= first
    if last is not None:
        within &= frame.index < last
    return frame[within]


def read_units(place: Place, study_id: str, run_id: str, series: Series) -> dict[str, str]:
    """Column → unit, from the file's metadata.

    Raises:
        InputError: the run kept no files, or they are damaged.
    """
    with _opened(place, study_id, run_id, series) as (_, file):
        return {f.name: f.metadata[b"unit"].decode() for f in file.schema_arrow if f.name != "time"}


def read_details(place: Place, study_id: str, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The run's configuration and its KPIs.

    Raises:
        FileNotFoundError: the run kept no files.
    """
    folder = folder_at(place, *_parts(study_id, run_id))
    config, kpis = (_json(folder, name) for name in ("simulation_config.json", COMMIT_MARK))
    return config, kpis


def remove_series(place: Place, study_id: str) -> None:
    """Remove the files of all of a study's runs at a place.

    Raises:
        InputError: an id that is no slug, or a place that cannot be written to.
    """
    folder = folder_at(place, RUNS_FOLDER, check_study_id(study_id))
    with _told_plainly(folder):
        folder.remove()


def _parts(study_id: str, run_id: str) -> tuple[str, str, str]:
    return RUNS_FOLDER, check_study_id(study_id), check_run_id(run_id)


def _strange(run_id: str, found: str, expected: str) -> Finding:
    message = (
        f"the record of {run_id} leads to {found}, which is not its own folder: see `ecosystemiser db check`"
    )
    return Finding("", "results_path", found, expected, message)


def _json(folder: Folder, name: str) -> dict[str, Any]:
    with folder.open(name) as file:
        found: dict[str, Any] = json.loads(file.read())
    return found


def _table(frame: pd.DataFrame, units: Mapping[str, str], system_hash: str) -> pa.Table:
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise TypeError("a run's series stand over a DatetimeIndex")
    if missing := [str(name) for name in frame.columns if name not in units]:
        raise ValueError(f"columns without a unit: {', '.join(missing)}")
    narrowed = pd.DataFrame({name: _narrowed(frame[name]) for name in frame.columns}, index=frame.index)
    table = pa.Table.from_pandas(narrowed.rename_axis("time"), preserve_index=True)
    for position, name in enumerate(table.column_names):
        if name != "time":
            described = table.schema.field(position).with_metadata({"unit": units[name]})
            table = table.set_column(position, described, table.column(position))
    return table.replace_schema_metadata({**table.schema.metadata, b"system_hash": system_hash.encode()})


def _narrowed(column: pd.Series[Any]) -> pd.Series[Any]:
    """float32 where its rounding costs less than a watt, else float64."""
    exact = column.to_numpy(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = exact.astype(np.float32)
        lost = np.abs(narrow - exact)
    enough = not np.any(lost[np.isfinite(exact)] > _ROUNDING)
    return pd.Series(narrow if enough else exact, index=column.index)


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=_ROWS_PER_GROUP)
    return buffer.getvalue()


@contextmanager
def _opened(place: Place, study_id: str, run_id: str, series: Series) -> Iterator[tuple[str, pq.ParquetFile]]:
    """The file, of which no more than its footer is read, and its name for messages."""
    folder = folder_at(place, *_parts(study_id, run_id))
    name = f"{folder}/{series}.parquet"
    try:
        with folder.open(f"{series}.parquet") as file:
            yield name, pq.ParquetFile(file, pre_buffer=True)
    except FileNotFoundError:
        message = f"{run_id} has no {series} on disk: `ecosystemiser replay {run_id}` solves it again"
        raise InputError(Finding(name, "", "no file", "a Parquet file", message)) from None
    except pa.ArrowInvalid as error:
        message = f"{name} is damaged: `ecosystemiser replay {run_id}` writes it anew"
        raise InputError(Finding(name, "", str(error), "a Parquet file", message)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"{name} cannot be read ({reason}): see to your permissions, and that the place answers"
        raise InputError(Finding(name, "", reason, "a file that can be read", message)) from error


@contextmanager
def _told_plainly(folder: Folder) -> Iterator[None]:
    """What the disk or the storage's own library says, as a finding."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = (
            (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        )
        message = f"{folder} cannot be written ({reason}): see to its permissions and its space"
        raise InputError(Finding(str(folder), "", reason, "a writable folder", message)) from error


def _moment(bound: datetime | None, zone: str | None) -> pd.Timestamp | None:
    """The bound in the series' own terms; a clock's doubled hour is taken as its first."""
    if bound is None:
        return None
    moment = pd.Timestamp(bound)
    if moment.tzinfo is None:
        return (
            moment if zone is None else moment.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        )
    return moment.tz_convert(zone or "UTC") if zone else moment.tz_convert("UTC").tz_localize(None)


def _overlaps(
    file: pq.ParquetFile, group: int, first: pd.Timestamp | None, last: pd.Timestamp | None
) -> bool:
    """Whether a row group holds any of the time asked for, by its statistics."""
    part = file.metadata.row_group(group)
    times = part.column(file.schema_arrow.get_field_index("time")).statistics
    if times is None:
        return True
    begins, ends = pd.Timestamp(times.min), pd.Timestamp(times.max)
    return (last is None or begins < last) and (first is None or ends >= first)


def _require_columns(name: str, file: pq.ParquetFile, columns: Sequence[str]) -> None:
    known = [field for field in file.schema_arrow.names if field != "time"]
    for column in columns:
        if column not in known:
            message = f"{name} has no column {column!r}: there are {', '.join(known)}"
            raise InputError(Finding(name, column, column, f"one of: {', '.join(known)}", message))
