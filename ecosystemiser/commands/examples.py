"""`ecosystemiser examples`: the systems and studies that are shipped."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

import ecosystemiser
from ecosystemiser import completing
from ecosystemiser.options import JsonOption
from ecosystemiser.options import examples as lines
from ecosystemiser.printing import as_json
from schema.errors import Finding, InputError

examples = typer.Typer(
    help="The shipped examples: list them, copy one to change it.",
    rich_markup_mode="rich",
    epilog=lines("ecosystemiser examples list", "ecosystemiser examples copy microgrid"),
)


def register(app: typer.Typer) -> None:
    app.add_typer(examples, name="examples")


@examples.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """The shipped examples: list them (as without a command), copy one to change it."""
    if context.invoked_subcommand is None:
        list_()


@examples.command("list", epilog=lines("ecosystemiser examples list"))
def list_(json: JsonOption = False) -> None:
    """List the examples, with a line on each."""
    from ecosystemiser.printing import Grid, show

    told = {folder.name: _line(folder) for folder in _folders()}
    if json:
        typer.echo(as_json([{"name": name, "description": line} for name, line in told.items()]))
        return
    show(Grid("Examples", {"name": list(told), "what it is": list(told.values())}))
    typer.echo("\nCopy one: ecosystemiser examples copy NAME [FOLDER]")


@examples.command(
    epilog=lines("ecosystemiser examples copy microgrid", "ecosystemiser examples copy house my_house")
)
def copy(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            autocompletion=completing.example_names,
            help="As `ecosystemiser examples list` has it.",
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="A new folder; one of the example's name here unless told."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Copy an example into a new folder; nothing is overwritten. Its README.md tells what it shows."""
    from schema.findings import nearest

    known = {source.name: source for source in _folders()}
    if name not in known:
        listed = ", ".join(known)
        message = f"there is no example {name}{nearest(name, known) or f'; there are {listed}'}"
        raise InputError(Finding("", "NAME", name, listed, message))
    target = folder or Path(name)
    if target.exists():
        message = "is there already and is not overwritten; name a folder that is not there yet"
        raise InputError(Finding(str(target), "", "a file or folder", "a new folder", message))
    shutil.copytree(known[name], target, ignore=shutil.ignore_patterns("results", "__pycache__"))
    written = sorted(target.iterdir())
    if json:
        typer.echo(as_json({"written": [str(file) for file in written]}))
        return
    for file in written:
        typer.echo(f"Written: {file}")
    system = shlex.quote(str(target / f"{name}.yaml"))
    typer.echo(f"\nNext, and what {target / 'README.md'} tells:\n  ecosystemiser solve {system}")


def names() -> list[str]:
    """The examples' names."""
    return [folder.name for folder in _folders()]


def _folders() -> list[Path]:
    """The examples' folders: within the package where it was installed, beside it in a source tree."""
    package = Path(ecosystemiser.__file__).parent
    shipped = package / "_examples"
    place = shipped if shipped.is_dir() else package.parent / "examples"
    return sorted(folder for folder in place.glob("*") if (folder / "README.md").is_file())


def _line(folder: Path) -> str:
    """The first sentence of its README.md."""
    paragraphs = (folder / "README.md").read_text(encoding="utf-8").split("\n\n")
    return " ".join(paragraphs[1].split()).partition(". ")[0].removesuffix(".")
