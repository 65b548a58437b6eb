"""`ecosystemiser init`."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from ecosystemiser.options import JsonOption, examples
from ecosystemiser.printing import as_json
from schema.errors import Finding, InputError

_STARTER = ("house.yaml", "study.yaml")


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("ecosystemiser init", "ecosystemiser init my_house"))(init)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where to; made if there is none.")
    ] = Path(),
    json: JsonOption = False,
) -> None:
    """Write a house and a study to start from, with comments on where your load and tariff go.

    Both can be run as they are. No file is overwritten.
    """
    targets = [folder / name for name in _STARTER]
    for target in targets:
        if target.exists():
            message = "is there already and is not overwritten; name another folder, or move it away"
            raise InputError(Finding(str(target), "", "a file", "a new place", message))
    if folder.exists() and not folder.is_dir():
        message = "is a file: name a folder, which is made if there is none"
        raise InputError(Finding(str(folder), "", "a file", "a folder", message))
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets:
        target.write_bytes((files("ecosystemiser") / "starter" / target.name).read_bytes())
    if json:
        typer.echo(as_json({"written": [str(target) for target in targets]}))
        return
    for target in targets:
        typer.echo(f"Written: {target}")
    house, study = (shlex.quote(str(target)) for target in targets)
    typer.echo(f"\nWhat is yours to change is marked YOURS in {house}. Next:")
    for command in (f"validate {house} {study}", f"solve {house}", f"run {study}"):
        typer.echo(f"  ecosystemiser {command}")
