"""`ecosystemiser validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecosystemiser.failures import WRONG_INPUT
from ecosystemiser.options import JsonOption, QuietOption, examples
from ecosystemiser.printing import as_json, note
from schema.errors import Finding, InputError

if TYPE_CHECKING:
    from schema.loading import LoadedStudy, LoadedSystem
    from schema.studies import Study


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "ecosystemiser validate examples/house/study.yaml",
            "ecosystemiser validate examples/house/*.yaml --json",
        )
    )(validate)


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Systems and studies.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Tell every error of systems and studies; nothing is run.

    A study is checked together with the system that it names.
    """
    findings: dict[Finding, None] = {}
    for file in files:
        try:
            described = _checked(file)
        except InputError as error:
            findings |= dict.fromkeys(error.findings)
        else:
            if not (json or quiet):
                typer.echo(f"{file}: OK: {described}")
    if json:
        errors = [finding.as_dict() for finding in findings]
        typer.echo(as_json({"valid": not findings, "errors": errors}))
    else:
        for finding in findings:
            note(str(finding))
    if findings:
        raise typer.Exit(WRONG_INPUT)


def _checked(file: Path) -> str:
    """What the file holds, in words."""
    from schema.loading import LoadedStudy, load

    loaded = load(file)
    return _of_study(loaded) if isinstance(loaded, LoadedStudy) else _of_system(loaded)


def _of_system(loaded: LoadedSystem) -> str:
    system = loaded.system
    steps = f"{system.horizon.steps:,} steps of {system.horizon.step_minutes} min"
    return f"system {system.system}, {len(system.components)} components, {steps}"


def _of_study(loaded: LoadedStudy) -> str:
    study = loaded.study
    kind = study.type.replace("_", " ")
    return f"study {study.study}, {kind}, {_size(study)}, {_of_system(loaded.system)}"


def _size(study: Study) -> str:
    if study.type == "genetic_algorithm":
        fitted = f" in generations of {study.population_size:,}" if study.partitions else ""
        return (
            f"{len(study.variables)} variables, up to {study.planned:,} evaluations by {study.search}{fitted}"
        )
    most = "up to " if study.type == "monte_carlo" and study.sampling.samples == "auto" else ""
    each = " for each design of a front" if getattr(study.design, "pick", "") == "front" else ""
    return f"{most}{study.planned:,} evaluation{'s' if study.planned != 1 else ''}{each}"
