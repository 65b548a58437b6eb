"""Rows and pictures written to files, whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ecosystemiser.pictures.marks import Picture
from ecosystemiser.printing import Row, as_csv, as_json
from schema.errors import Finding, InputError

_TEXTS: dict[str, Callable[[Sequence[Row]], str]] = {
    ".csv": as_csv,
    ".json": lambda rows: as_json(rows) + "\n",
}
_WORKBOOK = ".xlsx"
_PICTURES = (".png", ".svg", ".html")


def write_rows(
    rows: Sequence[Row], file: Path, nothing: str, picture: Callable[[], Picture | None] | None = None
) -> None:
    """Write rows in the format that the file's name tells.

    Args:
        rows: of the store.
        file: where to.
        nothing: what to tell where there is nothing to draw.
        picture: makes the picture, if these rows can be drawn; None where there is nothing to draw.

    Raises:
        InputError: the name tells no format that these rows have, or the file cannot be written.
    """
    suffix = file.suffix.lower()
    if suffix in _TEXTS:
        text = _TEXTS[suffix](rows)
        write_whole(file, lambda half: half.write_text(text, encoding="utf-8"))
        return
    if suffix == _WORKBOOK:
        from ecosystemiser.workbook import write_workbook

        write_whole(file, lambda half: write_workbook(rows, half))
        return
    known = [*_TEXTS, _WORKBOOK, *(_PICTURES if picture else ())]
    if picture is None or suffix not in _PICTURES:
        listed = ", ".join(known)
        message = f"cannot be written as '{suffix}'; the file's name must end in {listed}"
        raise InputError(Finding(str(file), "--output", suffix, f"one of {listed}", message))
    from ecosystemiser.pictures.files import check_format, save

    check_format(file)
    made = picture()
    if made is None:
        message = f"nothing to draw: {nothing or 'there are no such designs'}"
        raise InputError(Finding(str(file), "--output", "nothing", "something to draw", message))
    save(made, file)


def write_whole(file: Path, write: Callable[[Path], object], *, makes_folder: bool = False) -> None:
    """Write a file, whole or not at all.

    Args:
        file: where to.
        write: writes to the path that it is given.
        makes_folder: whether the file's folder is made where there is none.

    Raises:
        InputError: the file cannot be written.
    """
    half = file.with_name(f".{secrets.token_hex(4)}{file.suffix}")
    try:
        if makes_folder:
            file.parent.mkdir(parents=True, exist_ok=True)
        write(half)
        half.replace(file)
    except OSError as error:
        reason = error.strerror or str(error)
        there = "" if makes_folder else "exists and that "
        message = f"cannot be written ({reason}); name a file in a folder that {there}you may write to"
        raise InputError(Finding(str(file), "--output", reason, "a writable file", message)) from error
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
