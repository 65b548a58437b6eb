"""Time stamps of files, and the row of each step by them.

A stamp stands at the beginning of its step. One with a UTC offset is taken as it is; one without is local time
of a stated time zone, and then:

- a time that clocks skip in spring is refused;
- a time that clocks pass twice in autumn must stand there twice, in a file whose rows are in order of time (the
  newest may come first); the order then tells which is which, else it is refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from schema.inputs.refusals import Fault, Refusal
from schema.inputs.steps import Grid, Steps
from schema.inputs.tables import Rows, Table

if TYPE_CHECKING:
    import pandas as pd

_DATE = r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)"
_OFFSET = r"[T ]\d.*(?:[+-]\d{2}(?::?\d{2})?)$|[zZ]$"
_NS_PER_MINUTE = 60_000_000_000


def stamps(table: Table, time_column: str, timezone: str) -> pd.DatetimeIndex:
    """The time stamps of a file, in the time zone; those without an offset are local time of it.

    Raises:
        Refusal: a cell is no ISO 8601 time, offsets stand in some cells only, or a local time does not exist
            or cannot be told from its double because clocks change.
    """
    import pandas as pd
    from pandas.api import types

    table.require(time_column, "time_column")
    cells = table.data[time_column]
    if types.is_datetime64_any_dtype(cells.dtype):
        times = pd.DatetimeIndex(cells)
        _refuse_unread(table, time_column, _is_no_time(times))
        has_offset = times.tz is not None
    else:
        text = cells.astype(str).str.strip()
        times = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True))
        _refuse_unread(
            table, time_column, _is_no_time(times) | ~np.asarray(text.str.contains(_DATE), dtype=bool)
        )
        offsets = np.asarray(text.str.contains(_OFFSET), dtype=bool)
        _refuse_mixture(table, offsets)
        has_offset = bool(offsets.any())
        times = times if has_offset else times.tz_localize(None)
    return times.tz_convert(timezone) if has_offset else _localised(table, times, timezone)


def _is_no_time(times: pd.DatetimeIndex) -> NDArray[np.bool_]:
    """What could not be read, and years that are slips of the pen (and beyond what counts in nanoseconds)."""
    year = np.asarray(times.year)
    return np.asarray(times.isna()) | (year < 1700) | (year > 2250)


def _refuse_unread(table: Table, time_column: str, unread: NDArray[np.bool_]) -> None:
    if unread.any():
        row = int(np.argmax(unread))
        cell = table.data[time_column].iloc[row]
        raise Refusal(
            Fault(
                "time_column",
                f"'{cell}'{_and_more(unread)}",
                "time stamps such as 2019-01-31T13:00",
                f"{table.place(row)}: '{cell}' in column '{time_column}' is not a time stamp"
                f"{_and_more(unread)}; write it like 2019-01-31T13:00",
            )
        )


def _and_more(wrong: NDArray[np.bool_]) -> str:
    others = int(wrong.sum()) - 1
    return f" (and {others} more)" if others else ""


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
    """Local times in absolute time."""
    import pandas as pd

    firsts = np.ones(len(local), dtype=bool)
    skipped = np.asarray(local.tz_localize(timezone, ambiguous=firsts, nonexistent="NaT").isna())
    doubled = np.asarray(local.tz_localize(timezone, ambiguous="NaT", nonexistent="shift_forward").isna())
    count = pd.Series(1, index=local).groupby(level=0).transform("size").to_numpy()
    unsure = doubled & (count != 2)
    if not (skipped.any() or unsure.any()):
        times = _in_order(local, timezone)
        if times is not None or not doubled.any():
            return local.tz_localize(timezone, ambiguous=firsts) if times is None else times
        unsure = doubled
    raise Refusal(
        _clock_change(table, local, np.flatnonzero(rows), problem, timezone)
        for problem, rows in (("does not exist", skipped), ("is ambiguous", unsure))
        if rows.any()
    )


def _in_order(local: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex | None:
    """The times if they run in one direction when each doubled one is taken in turn."""
    is_second = np.asarray(local.duplicated())
    forward = local.tz_localize(timezone, ambiguous=~is_second)
    if forward.is_monotonic_increasing:
        return forward
    backward = local.tz_localize(timezone, ambiguous=is_second)
    return backward if backward.is_monotonic_decreasing else None


def _clock_change(
    table: Table, local: pd.DatetimeIndex, rows: NDArray[Any], problem: str, timezone: str
) -> Fault:
    row = int(rows[0])
    found = f"{local[row]:%Y-%m-%dT%H:%M}, which {problem} in {timezone}"
    more = f" ({rows.size} such rows)" if rows.size > 1 else ""
    return Fault(
        "time_column",
        found,
        "local times that exist, the doubled hour written twice in order of time, or UTC offsets",
        f"{table.place(row)}: {found} because clocks change{more}; write time stamps with their UTC offset "
        "(2019-01-31T13:00+01:00), or say with `timezone` by which clock they are written, such as "
        f"{_without_summer_time(local[row].year, timezone)}",
    )


def _without_summer_time(year: int, timezone: str) -> str:
    """The clock that a meter without summer time keeps, as a time zone, where it is off UTC by whole hours."""
    zone = ZoneInfo(timezone)
    offsets = [datetime(year, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)]
    hours = min(offset for offset in offsets if offset is not None) / timedelta(hours=1)
    named = f"Etc/GMT{-hours:+.0f}" if hours else "UTC"
    return f"{named} (no summer time, all year)" if hours == round(hours) else "UTC"


def grid_of(table: Table, times: pd.DatetimeIndex, steps: Steps, field: str) -> Grid:
    """The grid on which most of a file's rows stand; that of the steps where a lone row cannot tell.

    Raises:
        Refusal: its step is no whole number of minutes.
    """
    import pandas as pd

    moments = np.unique(times.as_unit("ns").asi8)
    if moments.size < 2:
        return Grid(moments[0] if moments.size else steps.begin_ns, steps.minutes)
    step_ns = _most_frequent(np.diff(moments))
    if step_ns % _NS_PER_MINUTE:
        own = pd.Timedelta(step_ns)
        raise Refusal(
            Fault(
                field,
                f"a row every {own.total_seconds():g} s",
                "steps of whole minutes",
                f"{table.name} has a row every {own.total_seconds():g} seconds; bring it to whole minutes",
            )
        )
    return Grid(_most_frequent(moments % step_ns), step_ns // _NS_PER_MINUTE)


def _most_frequent(values: NDArray[np.int64]) -> int:
    """The most frequent, the largest of several."""
    known, counts = np.unique(values, return_counts=True)
    return int(known[counts == counts.max()].max())


def rows_at(table: Table, times: pd.DatetimeIndex, index: pd.DatetimeIndex, field: str) -> Rows:
    """The row of each moment of an index of equal steps.

    Args:
        table: the file.
        times: its time stamps.
        index: the moments, in order.
        field: the profile's field that names the file.

    Raises:
        Refusal: a moment has no row or two, or there are rows between the moments; all of these at once.
    """
    faults: list[Fault] = []
    double = np.asarray(times.duplicated() & times.isin(index))
    if double.any():
        faults.append(_double(table, times, double, field))
    is_first = ~times.duplicated()
    found = times[is_first].get_indexer(index)
    missing = np.flatnonzero(found < 0)
    if missing.size:
        faults.append(_gap(table, times, index, missing, field))
    between = np.asarray((times > index[0]) & (times < index[-1]) & ~times.isin(index))
    if between.any() and missing.size < len(index):
        faults.append(_extra(table, times, between, field))
    if faults:
        raise Refusal(faults)
    return np.flatnonzero(is_first)[found].astype(np.intp)


def _double(table: Table, times: pd.DatetimeIndex, double: NDArray[np.bool_], field: str) -> Fault:
    row = int(np.argmax(double))
    return Fault(
        field,
        f"{int(double.sum())} time stamps that stand twice",
        "each step once",
        f"{table.place(row)}: {times[row].isoformat()} stands there again{_and_more(double)}; "
        "keep one row a step",
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
        f"{table.name} has no row for {missing.size} of {len(index)} steps, "
        f"first {step} ({covers}); fill the gap or change the horizon",
    )


def _extra(table: Table, times: pd.DatetimeIndex, between: NDArray[np.bool_], field: str) -> Fault:
    row = int(np.argmax(between))
    return Fault(
        field,
        f"{int(between.sum())} rows between the steps",
        "rows at the beginning of each step",
        f"{table.place(row)}: {times[row].isoformat()} is not the beginning of a step{_and_more(between)}; "
        "leave out rows between the steps",
    )


def other_grid(name: str, grid: Grid, steps: Steps, field: str) -> Refusal:
    """A file whose rows are not the steps, where resampling was not asked for or cannot be."""
    own = f"a row every {grid.minutes} min" + ("" if grid.minutes != steps.minutes else f" from {grid.first}")
    asked = f"a step every {steps.minutes} min from {steps.index[0]:%H:%M}"
    way_out = (
        "bring the file to whole minutes"
        if steps.common_minutes(grid) is None
        else "state resample: true to have it resampled, or bring it to those steps"
    )
    return Refusal(
        Fault(field, own, f"{asked}, or resample: true", f"{name} has {own}, the horizon {asked}; {way_out}")
    )
