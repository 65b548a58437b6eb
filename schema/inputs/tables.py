"""Columns of CSV and Parquet files as they stand. What is not certain is refused."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schema.inputs.refusals import Fault, Refusal, did_you_mean
from schema.inputs.steps import FloatArray

if TYPE_CHECKING:
    import pandas as pd

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Table:
    """A file's columns as they stand: text for CSV, the file's own types for Parquet.

    Attributes:
        name: the file as the user named it.
        data: the columns.
        first_line: the number by which a user finds the first row.
        titles: what the file itself calls a column, where that is another name.
    """

    name: str
    data: pd.DataFrame
    first_line: int
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        return [str(column) for column in self.data.columns]

    def place(self, row: int) -> str:
        word = "line" if self.first_line > 1 else "row"
        return f"{self.name}, {word} {row + self.first_line}"

    def title(self, column: str) -> str:
        return self.titles.get(column, column)

    def require(self, column: str, field: str) -> None:
        """Raises Refusal unless the file has the column exactly once."""
        times = self.columns.count(column)
        if times == 1:
            return
        title = self.title(column)
        if times:
            message = f"{self.name} has {times} columns called '{title}'; rename all but one"
        else:
            titles = [self.title(known) for known in self.columns]
            message = f"{self.name} has no column '{title}'{did_you_mean(title, titles)}"
        raise Refusal(Fault(field, f"{times} columns '{title}'", "one such column", message))

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
            place = f"{self.place(int(rows[first]))}, column '{self.title(column)}'"
            raise Refusal(
                Fault(
                    field,
                    shown + more,
                    "a finite number in every step",
                    f"{place}: {shown} is not a number{more}; fill it in with a decimal point and no unit",
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
