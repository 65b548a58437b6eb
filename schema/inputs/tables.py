"""Columns of CSV and Parquet files, matched to the horizon's steps. What is not certain is refused."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schema.inputs.refusals import Fault, Refusal, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]

_DATE = r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)"
_OFFSET = r"[T ]\d.*(?:[+-]\d{2}(?::?\d{2})?)$|[zZ]$"


@dataclass(frozen=True, eq=False)
class Table:
    """A file's columns as they stand: text for CSV, the file's own types for Parquet.

    Attributes:
        name: the file as the user named it.
        data: the columns.
        first_line: the number by which a user finds the first row.
    """

    name: str
    data: pd.DataFrame
    first_line: int

    @property
    def columns(self) -> list[str]:
        return [str(column) for column in self.data.columns]

    def place(self, row: int) -> str:
        word = "line" if self.first_line > 1 else "row"
        return f"{self.name}, {word} {row + self.first_line}"

    def require(self, column: str, field: str) -> None:
        """Raises Refusal unless the file has the column exactly once."""
        times = self.columns.count(column)
        if times == 1:
            return
        if times:
            message = f"{self.name} has {times} columns called '{column}'; rename all but one"
        else:
            message = f"{self.name} has no column '{column}'{did_you_mean(column, self.columns)}"
        raise Refusal(Fault(field, f"{times} columns '{column}'", "one such column", message))

    def numbers(self, column: str, rows: Rows, field: str) -> FloatArray:
        """The column's values in the given rows.

        Raises:
            Refusal: no such column, or a cell in those rows is not a finite number.
        """
        self.require(column, field)
        cells = self.data[column].iloc[rows]
        values = _as_numbers(cells)
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            first = int(wrong[0])
            cell = cells.iloc[first]
            shown = "an empty cell" if _is_empty(cell) else f"'{cell}'"
            more = f" (and {wrong.size - 1} more)" if wrong.size > 1 else ""
            raise Refusal(
                Fault(
                    field,
                    shown + more,
                    "a finite number in every step",
                    f"{self.place(int(rows[first]))}, column '{column}': {shown} is not a number{more}; "
                    "fill it in with a decimal point and no unit",
                )
            )
        return values


def _is_empty(cell: Any) -> bool:
    return cell is None or str(cell).strip().lower() in {"", "nan", "none", "nat", "<na>"}


def _as_numbers(cells: pd.Series[Any]) -> FloatArray:
    """Values as floats; NaN for whatever is no number."""
    from pandas.api import types

    if types.is_numeric_dtype(cells.dtype) and not types.is_bool_dtype(cells.dtype):
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    if types.is_bool_dtype(cells.dtype) or types.is_datetime64_any_dtype(cells.dtype):
        return np.full(len(cells), np.nan)
    return np.fromiter((_as_number(cell) for cell in cells), dtype=np.float64, count=len(cells))


def _as_number(cell: Any) -> float:
    try:
        return float("nan") if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def read_table(path: Path, name: str, field: str) -> Table:
    """Read a CSV or Parquet file.

    Raises:
        Refusal: neither a CSV nor a Parquet file, or one that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path, name, field)
    if suffix in {".parquet", ".pq"}:
        return _read_parquet(path, name, field)
    raise Refusal(
        Fault(
            field,
            f"'{path.suffix}'",
            ".csv or .parquet",
            f"{name} is neither a .csv nor a .parquet file; convert it to one of them",
        )
    )


def _unreadable(name: str, kind: str, field: str, error: object) -> Refusal:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Refusal(Fault(field, reason, f"a {kind} file", f"{name} cannot be read as {kind}: {reason}"))


def _read_csv(path: Path, name: str, field: str) -> Table:
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as lines:
            titles = lines.readline()
        if ";" in titles and "," not in titles:
            raise _unreadable(name, "CSV", field, "its columns are separated by ';'; write it with commas")
        with warnings.catch_warnings():
            # Rows longer than the header: pandas would cut them off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            raw = pd.read_csv(
                path,
                header=None,
                dtype=str,
                na_filter=False,
                encoding="utf-8-sig",
                index_col=False,
                skip_blank_lines=False,
            )
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        raise _unreadable(name, "CSV", field, error) from None
    header = [str(title).strip() for title in raw.iloc[0]]
    data = raw.iloc[1:].set_axis(header, axis="columns")
    return Table(name, _without_blank_end(data), first_line=2)


def _without_blank_end(data: pd.DataFrame) -> pd.DataFrame:
    """Without empty lines at the end; one in the middle is a row with nothing in it."""
    rows = len(data)
    while rows and all(_is_empty(cell) for cell in data.iloc[rows - 1]):
        rows -= 1
    return data.iloc[:rows]


def _read_parquet(path: Path, name: str, field: str) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        data = parquet.ParquetFile(path).read().to_pandas(ignore_metadata=True)
    except (OSError, ValueError, NotImplementedError, pa.ArrowException) as error:
        raise _unreadable(name, "Parquet", field, error) from None
    return Table(name, data, first_line=1)


def rows_of_steps(
    table: Table, index: pd.DatetimeIndex, time_column: str, *, asked_for: bool, field: str
) -> Rows:
    """The row of each step: by its time stamp, or in order where the file has no time column.

    Args:
        table: the file.
        index: beginnings of the steps.
        time_column: the column of time stamps.
        asked_for: whether the user named the column, which then must be there.
        field: the profile's field that names the file.

    Raises:
        Refusal: the file's rows are not the horizon's steps.
    """
    if asked_for or time_column in table.columns:
        table.require(time_column, "time_column")
        times = stamps(table, time_column, str(index.tz))
        return _matched(table, times, index, field)
    if len(table.data) != len(index):
        raise Refusal(
            Fault(
                field,
                f"{len(table.data)} rows and no column '{time_column}'",
                f"{len(index)} rows, one for each step",
                f"{table.name} has {len(table.data)} rows for {len(index)} steps and no "
                f"column '{time_column}'; add time stamps, name their column, or give exactly one row a step",
            )
        )
    return np.arange(len(index), dtype=np.intp)


def stamps(table: Table, time_column: str, timezone: str) -> pd.DatetimeIndex:
    """The time stamps of a file, in the time zone; those without an offset are local time of it.

    Raises:
        Refusal: a cell is no ISO 8601 time, offsets stand in some cells only, or a local time does not exist
            or cannot be told from its double because clocks change.
    """
    import pandas as pd
    from pandas.api import types

    cells = table.data[time_column]
    if types.is_datetime64_any_dtype(cells.dtype):
        times = pd.DatetimeIndex(cells)
        _refuse_unread(table, time_column, np.asarray(times.isna()))
        has_offset = times.tz is not None
    else:
        text = cells.astype(str).str.strip()
        times = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True))
        _refuse_unread(
            table, time_column, np.asarray(times.isna()) | ~np.asarray(text.str.contains(_DATE), dtype=bool)
        )
        offsets = np.asarray(text.str.contains(_OFFSET), dtype=bool)
        _refuse_mixture(table, offsets)
        has_offset = bool(offsets.any())
        times = times if has_offset else times.tz_localize(None)
    return times.tz_convert(timezone) if has_offset else _localised(table, times, timezone)


def _refuse_unread(table: Table, time_column: str, unread: NDArray[np.bool_]) -> None:
    if unread.any():
        row = int(np.argmax(unread))
        cell = table.data[time_column].iloc[row]
        raise Refusal(
            Fault(
                "time_column",
                f"'{cell}'",
                "time stamps such as 2019-01-31T13:00",
                f"{table.place(row)}: '{cell}' in column '{time_column}' is not a time stamp; "
                "write it like 2019-01-31T13:00",
            )
        )


def _refuse_mixture(table: Table, offsets: NDArray[np.bool_]) -> None:
    if offsets.any() and not offsets.all():
        row = int(np.argmin(offsets))
        raise Refusal(
            Fault(
                "time_column",
                "a UTC offset in some cells only",
                "an offset in all or in none",
                f"{table.place(row)}: this time stamp has no UTC offset, others have one; write it in all",
            )
        )


def _localised(table: Table, local: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex:
    """Local times in absolute time. The doubled hour is told by its order where it stands twice."""
    try:
        return local.tz_localize(timezone, ambiguous="infer", nonexistent="raise")
    except ValueError:
        existing = local.tz_localize(timezone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="NaT")
        unsure = local.tz_localize(timezone, ambiguous="NaT", nonexistent="shift_forward").isna()
    missing = np.asarray(existing.isna())
    row = int(np.argmax(missing if missing.any() else unsure))
    problem = "does not exist" if missing.any() else "is ambiguous"
    found = f"{local[row]:%Y-%m-%dT%H:%M}, which {problem} in {timezone}"
    raise Refusal(
        Fault(
            "time_column",
            found,
            "local times that exist, the doubled hour written twice, or UTC offsets",
            f"{table.place(row)}: {found} because clocks change; write time stamps with their UTC offset "
            "(2019-01-31T13:00+01:00), or give the horizon the time zone in which the file is written",
        )
    ) from None


def _matched(table: Table, times: pd.DatetimeIndex, index: pd.DatetimeIndex, field: str) -> Rows:
    """The row of each step by its time."""
    step = _step_of(index)
    own = _step_of(times)
    if own is not None and step is not None and own != step:
        raise Refusal(
            Fault(
                field,
                f"a step of {own:g} min",
                f"a step of {step:g} min",
                f"{table.name} has a row every {own:g} minutes and the horizon a step every {step:g}; "
                "bring the file to the horizon's step",
            )
        )
    _refuse_doubles(table, times, index, field)
    first_rows = ~times.duplicated()
    positions = np.flatnonzero(first_rows)
    found = times[first_rows].get_indexer(index)
    missing = np.flatnonzero(found < 0)
    if missing.size:
        raise Refusal(_gap(table, times, index, missing, field))
    _refuse_extras(table, times, index, field)
    return positions[found].astype(np.intp)


def _step_of(times: pd.DatetimeIndex) -> float | None:
    """The most frequent distance between stamps, the longest of several [min]; None for a single stamp."""
    if len(times) < 2:
        return None
    distances = np.diff(np.unique(times.as_unit("ns").asi8)) / 60e9
    values, counts = np.unique(distances, return_counts=True)
    return float(values[counts == counts.max()].max()) if values.size else None


def _refuse_doubles(table: Table, times: pd.DatetimeIndex, index: pd.DatetimeIndex, field: str) -> None:
    double = np.flatnonzero(times.duplicated() & times.isin(index))
    if double.size:
        row = int(double[0])
        raise Refusal(
            Fault(
                field,
                f"{double.size} time stamps that stand twice",
                "each step once",
                f"{table.place(row)}: {times[row].isoformat()} stands there again; keep one row a step",
            )
        )


def _gap(table: Table, times: pd.DatetimeIndex, index: pd.DatetimeIndex, missing: Rows, field: str) -> Fault:
    first, last = index[0].isoformat(), index[-1].isoformat()
    step = index[missing[0]].isoformat()
    covers = (
        f"it covers {times.min().isoformat()} to {times.max().isoformat()}" if len(times) else "it is empty"
    )
    return Fault(
        field,
        f"{missing.size} of {len(index)} steps missing, first {step}",
        f"a row for each step from {first} to {last}",
        f"{table.name} has no row for {missing.size} of the horizon's {len(index)} steps, "
        f"first {step} ({covers}); fill the gap or change the horizon",
    )


def _refuse_extras(table: Table, times: pd.DatetimeIndex, index: pd.DatetimeIndex, field: str) -> None:
    between = (times > index[0]) & (times < index[-1]) & ~times.isin(index)
    if between.any():
        row = int(np.argmax(between))
        raise Refusal(
            Fault(
                field,
                f"{int(between.sum())} rows between the horizon's steps",
                "rows at the beginning of each step",
                f"{table.place(row)}: {times[row].isoformat()} is not the beginning of a step; "
                "leave out rows between the steps",
            )
        )
