"""`ecosystemiser dashboard`."""

from __future__ import annotations

from typing import Annotated

import typer

from ecosystemiser.options import RESULTS_DEFAULT, ResultsOption, examples
from ecosystemiser.printing import note


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples("ecosystemiser dashboard", "ecosystemiser dashboard --results other --port 8600")
    )(dashboard)


def dashboard(
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            help="The port; 8501 or the next free one unless told, 0 for any free one.",
        ),
    ] = None,
    results: ResultsOption = RESULTS_DEFAULT,
) -> None:
    """Explore the results in a browser: studies, runs, fronts, dispatches, comparisons, the community.

    It only reads, and this machine alone can reach it.
    """
    from ecosystemiser.dashboard import serving

    serving.serve(results, port, lambda url: note(f"Dashboard of {results} at {url}; Ctrl-C ends it"))
