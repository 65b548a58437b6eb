"""What reaches the screen: tables, JSON and CSV, numbers that can be read, and units."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = Mapping[str, Any]

_PIPE_WIDTH = 10_000  # nothing is cut off in a file
_HEADING_WIDTH = 10
_REDUNDANT = {"parameter_vector", "parameter_names"}


def console(*, stderr: bool = False) -> Console:
    """Where tables go; plain and as wide as need be unless it is a terminal."""
    from rich.console import Console

    shown = Console(stderr=stderr, highlight=False, emoji=False)
    return shown if shown.is_terminal else Console(stderr=stderr, highlight=False, width=_PIPE_WIDTH)


def note(text: str) -> None:
    """A line beside the result, on stderr."""
    typer.echo(text, err=True)


def as_json(value: Any) -> str:
    """Readable JSON; what is no finite number becomes null."""
    from schema.store.values import compact_json

    return json.dumps(json.loads(compact_json(value)), indent=2, ensure_ascii=False)


def as_csv(rows: Sequence[Row]) -> str:
    """One line a row; parameters and objectives in columns of their own, every digit kept."""
    columns, cells = as_cells(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(cells)
    return text.getvalue() if cells else ""


def as_cells(rows: Sequence[Row]) -> tuple[list[str], list[list[Any]]]:
    """The columns' names and each row's cells: numbers, texts and nothing, the nested as JSON."""
    flat = [flat_row(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    return columns, [[_cell(row.get(name)) for name in columns] for row in flat]


def flat_row(row: Row) -> dict[str, Any]:
    """A row whose parameters and objectives have columns of their own."""
    nested = [row.get("parameters") or {}, row.get("objectives") or {}]
    left_out = {"parameters", "objectives"} | (_REDUNDANT if "parameters" in row else set())
    flat = {name: value for name, value in row.items() if name not in left_out}
    for mapping in nested:
        flat |= {name: value for name, value in mapping.items() if flat.get(name) is None}
    return flat


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


# -- numbers and units

_UNITS = {
    "eur": "€",
    "kw": "kW",
    "kwh": "kWh",
    "kg": "kg",
    "m3": "m³",
    "c": "°C",
    "deg": "°",
    "hour": "h",
    "hours": "h",
    "seconds": "s",
    "minutes": "min",
    "year": "a",
    "years": "a",
    "month": "month",
}


def shown_unit_of(name: str) -> str:
    """As `unit_of`; a rate or a fraction is a share of 1."""
    return unit_of(name) or ("share of 1" if name.endswith(("_rate", "_fraction")) else "")


def unit_of(name: str) -> str:
    """The unit of a KPI or of an attribute that ends in one; "" where there is none.

    `battery.investment_eur_per_kwh` is in €/kWh.
    """
    from schema.kpi_units import KPI_UNITS

    if name in KPI_UNITS:
        return "" if KPI_UNITS[name] == "-" else KPI_UNITS[name]
    words = name.rpartition(".")[2].split("_")
    units: list[str] = []
    while len(words) > 1 and (words[-1] in _UNITS or words[-1] == "per"):
        units.insert(0, words.pop())
    if "per" not in units:
        return " ".join(_UNITS[unit] for unit in units)
    over = units.index("per")
    above, below = ([_UNITS[unit] for unit in part] for part in (units[:over], units[over + 1 :]))
    per = " ".join(below)
    return f"{' '.join(above) or '1'}/{per if len(below) == 1 else f'({per})'}"


def heading(name: str) -> str:
    """A column's name, with its unit where the name does not tell it."""
    unit = unit_of(name)
    told = "." in name or name.endswith(("_kwh", "_kw", "_seconds"))
    return name if told or not unit else f"{name} [{unit}]"


def decimals(values: Iterable[float]) -> int:
    """How many decimals the largest of them calls for."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0:
        return 0
    return min(max(3 - math.floor(math.log10(largest)), 0), 6)


def number(value: float | None, places: int | None = None) -> str:
    """A number with thousands told apart; – where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.{decimals([value]) if places is None else places}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text


def quantity(name: str, value: float | None) -> str:
    """A named number with its unit."""
    unit = unit_of(name)
    return f"{number(value)} {unit}".rstrip() if unit else number(value)


def duration(seconds: float) -> str:
    """About how long, in words."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """A number of bytes, in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


# -- tables


@dataclass(frozen=True)
class Grid:
    """A table as it is to be shown; numbers of a column share their decimals.

    Attributes:
        title: what it shows.
        columns: heading → values.
        marks: a last column without a heading, where any is not empty.
        right: headings of columns of text that stands to the right.
    """

    title: str | None
    columns: Mapping[str, Sequence[Any]]
    marks: Sequence[str] = ()
    right: Collection[str] = ()


def show(grid: Grid) -> None:
    """Print a table; where the terminal is too narrow, headings are broken and run ids cut at the front."""
    screen = console()
    if grid.title:
        screen.print(grid.title, style="bold", markup=False)
    made = _table(grid, str)
    if screen.measure(made, options=screen.options.update(width=_PIPE_WIDTH)).maximum > screen.width:
        made = _table(_narrow(grid), broken)
    screen.print(made)


def _narrow(grid: Grid) -> Grid:
    cut = {name: [f"…{v[-8:]}" for v in vs] for name, vs in grid.columns.items() if name == "run_id"}
    return replace(grid, columns={**grid.columns, **cut})


def broken(text: str) -> str:
    """A heading in short lines, broken where its words end."""
    lines = [""]
    for word in re.findall(r"[^\W_]+[._]?|\W+", text):
        if lines[-1] and len(lines[-1] + word) > _HEADING_WIDTH:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.strip() for line in lines)


def _table(grid: Grid, headed: Callable[[str], str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    cells = []
    for name, values in grid.columns.items():
        texts, numeric = _texts(values)
        justify: Literal["left", "right"] = "right" if numeric or name in grid.right else "left"
        made.add_column(escape(headed(name)), justify=justify, overflow="fold")
        cells.append([escape(text) for text in texts])
    if any(grid.marks):
        made.add_column("")
        cells.append([escape(mark) for mark in grid.marks])
    for row in zip(*cells, strict=True):
        made.add_row(*row)
    return made


def _texts(values: Sequence[Any]) -> tuple[list[str], bool]:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    places = 0 if all(isinstance(v, int) for v in numbers) else decimals(numbers)
    texts = []
    for value in values:
        if isinstance(value, bool):
            texts.append("yes" if value else "no")
        elif value is None:
            texts.append("–")
        elif isinstance(value, int | float):
            texts.append(number(value, places))
        elif isinstance(value, dict):
            texts.append(", ".join(f"{name} {item}" for name, item in value.items()))
        else:
            texts.append(str(value))
    return texts, bool(numbers)
