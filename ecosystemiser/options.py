"""Options that several commands take."""

from __future__ import annotations

import os
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ResultsOption = Annotated[
    Path,
    typer.Option(
        "--results",
        metavar="DIR",
        envvar="ECOSYSTEMISER_RESULTS",
        help="Folder of the results.",
    ),
]
RESULTS_DEFAULT = Path("results")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Tell nothing but the result and errors: no progress, no hints.")
]
MOST = 1_000_000_000
"""The largest number that an option takes where a count is meant."""


def results_flag(results: Path) -> str:
    """What to add to a command so that it finds these results; nothing where it does so anyway."""
    usual = os.environ.get("ECOSYSTEMISER_RESULTS") or RESULTS_DEFAULT
    return "" if results == Path(usual) else f" --results {shlex.quote(str(results))}"


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[Format | None, typer.Option("--format", help="How to print; table unless told.")]


def chosen(format_: Format | None, json: bool) -> Format | None:
    """The format, of which `--json` is the short way to say one."""
    return Format.JSON if json else format_


def examples(*lines: str) -> str:
    """The end of a command's help: lines to copy."""
    return "\n\n".join(["Examples:", *lines])
