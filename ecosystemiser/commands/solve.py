"""`ecosystemiser solve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecosystemiser import completing
from ecosystemiser.failures import FELL_SHORT
from ecosystemiser.options import Format, FormatOption, JsonOption, QuietOption, chosen, examples
from ecosystemiser.printing import Grid, as_csv, as_json, duration, note, number, show, shown_unit_of, unit_of

if TYPE_CHECKING:
    from ecosystemiser.dispatching import Solved
    from solvers.judging import Dispatch


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "ecosystemiser solve examples/house/house.yaml",
            "ecosystemiser solve examples/house/week.yaml --set pv.capacity_kw=12 --set battery.capacity_kwh=0",
            "ecosystemiser solve examples/house/week.yaml --flows week.parquet --json",
            "ecosystemiser solve examples/house/week.yaml --format csv",
            "ecosystemiser solve examples/house/week.yaml --results results",
        )
    )(solve)


def solve(
    system: Annotated[Path, typer.Argument(metavar="SYSTEM.yaml", help="The system.")],
    solver: Annotated[
        str,
        typer.Option(
            "--solver",
            metavar="METHOD",
            autocompletion=completing.words("milp", "rule_based", "rolling_horizon", "hybrid"),
            help="milp, rule_based, rolling_horizon or hybrid.",
        ),
    ] = "milp",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change a number of the system; can be repeated."),
    ] = None,
    flows: Annotated[
        Path | None,
        typer.Option("--flows", metavar="FILE.parquet", help="Write power and storage levels over time."),
    ] = None,
    format_: FormatOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            envvar="ECOSYSTEMISER_RESULTS",
            help="Record the dispatch in this results folder; it is recorded nowhere unless one is told.",
        ),
    ] = None,
) -> None:
    """Dispatch one system: its KPIs, and what every component costs and emits.

    Exit status 1 where no dispatch is possible; what contradicts each other is told.
    """
    from ecosystemiser.dispatching import solve_system
    from ecosystemiser.progress import working

    with working(f"dispatching {system.name} by {solver}", quiet=quiet):
        solved = solve_system(system, set_ or [], method=solver, flows_file=flows)
    if json or format_ is Format.JSON:
        typer.echo(as_json(solved.as_dict()))
    elif solved.dispatch.status.has_solution and format_ is Format.CSV:
        typer.echo(as_csv(_rows(solved.dispatch)), nl=False)
    elif solved.dispatch.status.has_solution:
        _print(solved)
    if not solved.dispatch.status.has_solution:
        for line in _reasons(solved):
            note(line)
    if results is not None:
        _record(solved, results, quiet=quiet or chosen(format_, json) is not None)
    if not solved.dispatch.status.has_solution:
        raise typer.Exit(FELL_SHORT)


def _record(solved: Solved, results: Path, *, quiet: bool) -> None:
    """Record it; what stands against that is a warning, as the answer is there."""
    from ecosystemiser.dispatching import record

    try:
        run_id = record(solved, results)
    except Exception as error:  # noqa: BLE001 - no dispatch fails because its record did
        note(f"Warning: the dispatch was not recorded: {error}")
    else:
        if not quiet:
            note(f"Recorded as {run_id}")


def _print(solved: Solved) -> None:
    dispatch = solved.dispatch
    solution = dispatch.solution
    gap = "" if solution.gap_fraction is None else f", gap {solution.gap_fraction:.2g}"
    typer.echo(
        f"{solved.name}: {dispatch.status} by {solved.method}{gap}, {duration(solved.seconds)}, "
        "checked outside the solver\n"
    )
    if solution.missed:
        typer.echo(f"{solution.message}\n")
    kpis = dispatch.kpis
    columns = {
        "KPI": list(kpis),
        "value": [number(value) for value in kpis.values()],
        "unit": [shown_unit_of(name) for name in kpis],
    }
    if dispatch.sizes:
        show(_sizes(dispatch))
        typer.echo()
    show(Grid(f"KPIs over {solved.horizon}", columns, right=["value"]))
    typer.echo()
    show(_accounts(dispatch))
    if solved.flows_file is not None:
        typer.echo(f"\nWritten: {solved.flows_file}")


def _sizes(dispatch: Dispatch) -> Grid:
    """The capacities that the solver chose."""
    paths = list(dispatch.sizes)
    columns = {
        "capacity": paths,
        "value": [number(size) for size in dispatch.sizes.values()],
        "unit": [unit_of(path) for path in paths],
    }
    return Grid("Chosen by the solver", columns, right=["value"])


def _rows(dispatch: Dispatch) -> list[dict[str, object]]:
    """KPIs of the system, then cost and CO2 of each component, one to a row."""
    kpis = [
        {"of": "system", "quantity": name, "value": value, "unit": unit_of(name) or "-"}
        for name, value in dispatch.kpis.items()
    ]
    accounts = [
        {"of": name, "quantity": quantity, "value": value, "unit": unit}
        for name, account in dispatch.accounts.items()
        for quantity, value, unit in (("cost", account.cost_eur, "€"), ("co2", account.co2_kg, "kg"))
    ]
    return [*kpis, *accounts]


def _accounts(dispatch: Dispatch) -> Grid:
    """Cost and CO2 by component, of those that have any, and their sums."""
    accounts = {name: a for name, a in dispatch.accounts.items() if a.cost_eur or a.co2_kg}
    columns = {
        "investment and fixed [€]": [a.yearly_cost_eur for a in accounts.values()],
        "operation [€]": [a.operation_cost_eur for a in accounts.values()],
        "CO2 price [€]": [a.co2_cost_eur for a in accounts.values()],
        "cost [€]": [a.cost_eur for a in accounts.values()],
        "CO2 [kg]": [a.co2_kg for a in accounts.values()],
    }
    if not any(columns["CO2 price [€]"]):
        del columns["CO2 price [€]"]
    summed = {name: [*values, sum(values)] for name, values in columns.items()}
    return Grid("Cost and CO2 by component", {"component": [*accounts, "total"], **summed})


def _reasons(solved: Solved) -> list[str]:
    solution = solved.dispatch.solution
    if not solution.conflict:
        return [f"Error: {solved.name} has no dispatch ({solution.status}): {solution.message}"]
    first = f"Error: {solved.name} has no dispatch ({solution.status}). These cannot hold together:"
    return [first, *(f"  {line}" for line in solution.conflict)]
