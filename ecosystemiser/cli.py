"""The command line: parses, calls one function, prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import atexit
import gc
import os
from typing import Annotated

import typer

from ecosystemiser.commands import (
    community,
    dashboard,
    db,
    doctor,
    examples,
    init,
    query,
    replay,
    report,
    run,
    serve,
    solve,
    studies,
    validate,
)
from ecosystemiser.failures import PlainGroup
from ecosystemiser.options import examples as lines

app = typer.Typer(
    name="ecosystemiser",
    cls=PlainGroup,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=lines(
        "ecosystemiser validate examples/house/study_week.yaml",
        "ecosystemiser solve examples/house/week.yaml",
        "ecosystemiser run examples/house/study_week.yaml",
    ),
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", metavar="URL", help="postgresql://...; the results folder's own unless told."
        ),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option("--series", metavar="URL", help="Where time series go; the results folder unless told."),
    ] = None,
) -> None:
    """Finds good designs for local multi-energy systems and says how sure we can be of them."""
    # Through the environment, so that workers know them too.
    for name, value in (("ECOSYSTEMISER_DATABASE", database), ("ECOSYSTEMISER_SERIES", series)):
        if value is not None:
            os.environ[name] = value
    if version:
        from ecosystemiser.installation import version_of_this

        typer.echo(version_of_this())
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


init.register(app)
examples.register(app)
run.register(app)
solve.register(app)
validate.register(app)
query.register(app)
studies.register(app)
replay.register(app)
report.register(app)
dashboard.register(app)
community.register(app)
db.register(app)
serve.register(app)
doctor.register(app)


def main() -> None:
    """Run the command line."""
    # Else the interpreter looks through all objects once more as it leaves: half a second after a study.
    atexit.register(gc.freeze)
    app(prog_name="ecosystemiser")
