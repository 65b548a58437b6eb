"""Reports as files."""

from __future__ import annotations

from pathlib import Path

from ecosystemiser.files import write_whole
from schema.errors import Finding, InputError
from schema.store.store import Store

REPORTS_FOLDER = "reports"


def usual_file(results: Path, study_id: str) -> Path:
    """Where a study's report lies unless somebody names another file."""
    return results / REPORTS_FOLDER / f"{study_id}.html"


def check_name(file: Path) -> None:
    """See that a report can have this file's name.

    Raises:
        InputError: it does not end in .html.
    """
    if file.suffix.lower() not in {".html", ".htm"}:
        message = f"a report is an HTML page: its name must end in .html, not in '{file.suffix}'"
        raise InputError(Finding(str(file), "--output", file.suffix, ".html", message))


def write_report(store: Store, study_id: str, file: Path, *, solve_again: bool = True) -> None:
    """Write a study's report, whole or not at all; its folder is made.

    Raises:
        InputError: there is no such study, or the file cannot be written.
    """
    from ecosystemiser.reporting.contents import report_of
    from ecosystemiser.reporting.page import page

    text = page(report_of(store, study_id, solve_again=solve_again))
    write_whole(file, lambda half: half.write_text(text, encoding="utf-8"), makes_folder=True)
