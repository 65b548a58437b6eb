"""Pictures written to files, whole or not at all: the file's name tells how."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

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
    half = file.with_name(f".{secrets.token_hex(4)}{file.suffix}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix.lower() == ".html":
            from ecosystemiser.pictures.by_plotly import page

            half.write_text(page(picture), encoding="utf-8")
        else:
            from ecosystemiser.pictures.by_matplotlib import write

            write(picture, half)
        half.replace(file)
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        message = f"cannot be written ({reason}); name a file in a folder that you may write to"
        raise InputError(Finding(str(file), "", reason, "a writable file", message)) from error
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
