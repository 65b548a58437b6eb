"""`ecosystemiser serve`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ecosystemiser.options import RESULTS_DEFAULT, ResultsOption, examples
from ecosystemiser.printing import note


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "ecosystemiser serve",
            "ECOSYSTEMISER_TOKEN=$(openssl rand -hex 16) ecosystemiser serve --host 0.0.0.0 --port 8000",
        )
    )(serve)


def serve(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="The port; 0 for a free one.")
    ] = 8321,
    results: ResultsOption = RESULTS_DEFAULT,
) -> None:
    """Serve the results over HTTP: read-only, as JSON, with /docs and /openapi.json.

    Callers must show the token in ECOSYSTEMISER_TOKEN where it is set, and it must be set for any address that
    other machines can reach.
    """
    from ecosystemiser.rest import serving

    token = os.environ.get(serving.TOKEN_VARIABLE) or None
    serving.serve(
        results, host, port, token, lambda url: note(f"Serving {results} at {url}/docs; Ctrl-C ends it")
    )
