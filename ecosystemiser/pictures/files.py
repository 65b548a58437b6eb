"""Pictures written to files, whole or not at all: the file's name tells how."""

from __future__ import annotations

from pathlib import Path

from ecosystemiser.files import write_whole
from ecosystemiser.pictures.marks import Picture
from schema.errors import Finding, InputError

FORMATS = (".png", ".svg", ".html")


def check_format(file: Path) -> None:
    """See that a picture can have this file's name.

    Raises:
        InputError: it ends in something else than .png, .svg or .html, or plotly is missing for a page.
    """
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        expected = ", ".join(FORMATS)
        message = f"pictures are written as {expected}, not as '{file.suffix}'"
        raise InputError(Finding(str(file), "", file.suffix, expected, message))
    if suffix == ".html":
        from ecosystemiser.pictures.by_plotly import require

        require()


def save(picture: Picture, file: Path) -> None:
    """Write a picture; its folder is made.

    Raises:
        InputError: the file's name ends in something else than .png, .svg or .html, or it cannot be written.
    """
    check_format(file)
    write_whole(file, lambda half: _write(picture, half), makes_folder=True)


def _write(picture: Picture, file: Path) -> None:
    if file.suffix.lower() == ".html":
        from ecosystemiser.pictures.by_plotly import page

        file.write_text(page(picture), encoding="utf-8")
    else:
        from ecosystemiser.pictures.by_matplotlib import write

        write(picture, file)
