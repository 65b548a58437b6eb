"""Rows as an Excel workbook, by XlsxWriter."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ecosystemiser.printing import Row, as_cells
from schema.errors import Finding, InputError

_WIDEST = 60


def write_workbook(rows: Sequence[Row], file: Path) -> None:
    """Write one sheet: a heading that stays in sight and can be filtered, numbers as numbers, text as text.

    Raises:
        InputError: XlsxWriter is not installed.
        OSError: the file cannot be written.
    """
    with file.open("wb") as target:
        _fill(target, rows)


def as_workbook(rows: Sequence[Row]) -> bytes:
    """As `write_workbook`, not into a file.

    Raises:
        InputError: XlsxWriter is not installed.
    """
    target = io.BytesIO()
    _fill(target, rows)
    return target.getvalue()


def _fill(target: BinaryIO, rows: Sequence[Row]) -> None:
    xlsxwriter = _library()
    columns, cells = as_cells(rows)
    # What looks like a formula or a link is a text all the same: nothing of a file's content is carried out.
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(target, {**plain, "in_memory": True}) as workbook:
        sheet = workbook.add_worksheet("rows")
        heading = workbook.add_format({"bold": True})
        for place, name in enumerate(columns):
            texts = [name, *(str(line[place]) for line in cells if line[place] is not None)]
            sheet.set_column(place, place, min(max(map(len, texts)) + 2, _WIDEST))
            sheet.write_string(0, place, name, heading)
        for number, line in enumerate(cells, 1):
            for place, value in enumerate(line):
                if value is not None:
                    sheet.write(number, place, value)
        sheet.freeze_panes(1, 0)
        if columns:
            sheet.autofilter(0, 0, len(cells), len(columns) - 1)


def _library() -> Any:
    try:
        return importlib.import_module("xlsxwriter")
    except ImportError:
        message = "Excel files need XlsxWriter: install the extra `excel`, or name a .csv file"
        raise InputError(Finding("", "--output", ".xlsx", "the extra excel", message)) from None
