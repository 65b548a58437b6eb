"""`ecosystemiser doctor`."""

from __future__ import annotations

import typer

from ecosystemiser.failures import FELL_SHORT
from ecosystemiser.options import RESULTS_DEFAULT, JsonOption, ResultsOption, examples
from ecosystemiser.printing import as_json


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("ecosystemiser doctor", "ecosystemiser doctor --json"))(doctor)


def doctor(results: ResultsOption = RESULTS_DEFAULT, json: JsonOption = False) -> None:
    """Tell whether this installation is sound, and what to do where it is not.

    Looks at Python, packages, HiGHS, Prefect's server and the results folder, and solves a small problem.
    """
    from ecosystemiser.installation import checks, version_of_this

    done = []
    for check in checks(results):
        done.append(check)
        if not json:
            typer.echo(f"{'ok ' if check.sound else 'NOT'}  {check.name}: {check.found}")
            if not check.sound:
                typer.echo(f"     {check.advice}")
    sound = all(check.sound for check in done)
    if json:
        looked = [check.as_dict() for check in done]
        typer.echo(as_json({"sound": sound, "version": version_of_this(), "checks": looked}))
    if not sound:
        raise typer.Exit(FELL_SHORT)
