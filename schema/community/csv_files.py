"""CSV from and for others: read as if it were hostile, written whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from schema.errors import Finding
from schema.findings import short

MAX_FIELD_LENGTH = 100
"""Longest text that a cell may hold; identifiers, times and numbers are far below."""
MAX_ROW_BYTES = 1_000
_HEADROOM_BYTES = 10_000


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file whose number of cells is right.

    Attributes:
        columns: the header.
        rows: cells as text, stripped of nothing.
        lines: the line of each row in the file.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def column(self, name: str) -> list[str]:
        position = self.columns.index(name)
        return [row[position] for row in self.rows]


def read_csv(
    path: Path, columns: Sequence[str], *, optional: Sequence[str] = (), max_rows: int
) -> tuple[Table, list[Finding]]:
    """Read a table; whatever is wrong with its form is told, and the rest is still looked at.

    Args:
        path: the file.
        columns: those that must be there, in any order.
        optional: those that may be there.
        max_rows: more rows than this are not read.
    """
    file = path.name
    empty = Table((), (), ())
    text, finding = _text(path, max_rows)
    if finding is not None:
        return empty, [finding]
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    findings: list[Finding] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    header: tuple[str, ...] = ()
    try:
        header = tuple(next(reader, []))
        findings += _header_findings(file, header, columns, optional)
        if findings:
            return empty, findings
        for row in reader:
            wrong = _row_finding(file, row, header, reader.line_num)
            if wrong is not None:
                findings.append(wrong)
            elif len(rows) == max_rows:
                findings.append(_too_many(file, max_rows, reader.line_num))
                break
            else:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        message = f"this is not valid CSV: {error}"
        findings.append(Finding(file, "", str(error), "valid CSV", message, reader.line_num))
    return Table(header, rows, lines), findings


def _text(path: Path, max_rows: int) -> tuple[str, Finding | None]:
    file = path.name
    limit = _HEADROOM_BYTES + (max_rows + 1) * MAX_ROW_BYTES
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        reason = error.strerror or "unreadable"
        return "", Finding(file, "", reason, "a readable file", f"cannot be read: {reason}")
    if len(data) > limit:
        message = f"the file is larger than {limit:,} bytes, which {max_rows:,} rows never need"
        return "", Finding(file, "", "a larger file", f"at most {limit:,} bytes", message)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte {error.start + 1:,} cannot be read; save the file as UTF-8"
        return "", Finding(file, "", "another encoding", "UTF-8", message)
    if "\0" in text:
        return "", Finding(file, "", "a NUL", "text", "holds a NUL character, so it is no text file")
    return text, None


def _header_findings(
    file: str, header: Sequence[str], columns: Sequence[str], optional: Sequence[str]
) -> list[Finding]:
    known = [*columns, *optional]
    missing = [name for name in columns if name not in header]
    unknown = [name for name in dict.fromkeys(header) if name not in known]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    stated = ", ".join(columns)
    told = (
        [(name, "nothing", f"the column {name} is missing") for name in missing]
        + [(shown(name), shown(name), f"unknown column '{shown(name)}'") for name in unknown]
        + [(shown(name), "twice", f"the column '{shown(name)}' stands twice") for name in twice]
    )
    return [Finding(file, name, found, f"the columns {stated}", message, 1) for name, found, message in told]


def _row_finding(file: str, row: Sequence[str], header: Sequence[str], line: int) -> Finding | None:
    if len(row) != len(header):
        message = f"{len(row)} cells where the header has {len(header)}"
        return Finding(file, "", f"{len(row)} cells", f"{len(header)} cells", message, line)
    for name, cell in zip(header, row, strict=True):
        if len(cell) > MAX_FIELD_LENGTH:
            message = (
                f"{name} is {len(cell):,} characters long; nothing here is longer than {MAX_FIELD_LENGTH}"
            )
            return Finding(file, name, shown(cell), f"at most {MAX_FIELD_LENGTH} characters", message, line)
    return None


def _too_many(file: str, max_rows: int, line: int) -> Finding:
    message = f"more than the {max_rows:,} rows that belong here; the rest was not read"
    return Finding(file, "", "more rows", f"at most {max_rows:,} rows", message, line)


def shown(text: str) -> str:
    """Somebody else's text as it may stand in a message or a log: short, on one line, no control signs."""
    return short(text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text)


# -- writing


@contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """A text file that appears under its name when all of it is written, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with half.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def write_csv(path: Path, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Write lines whose cells need no quotes: identifiers, times and numbers."""
    with written_whole(path) as stream:
        stream.write(",".join(columns) + "\n")
        stream.writelines(lines)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that it appears under its name when all of it is there, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(source, half)
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """A file's checksum."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
