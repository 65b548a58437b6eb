"""`ecosystemiser community`: the solar community: cycle, schedule, health, and a backend to begin with."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecosystemiser.failures import FELL_SHORT, Interrupted
from ecosystemiser.options import RESULTS_DEFAULT, JsonOption, ResultsOption, examples
from ecosystemiser.printing import Grid, as_json, note, number, show

if TYPE_CHECKING:
    from tasks.community.comparison import Comparison
    from tasks.community.cycle import Outcome
    from tasks.community.health import Health

community = typer.Typer(
    help="The solar community: a 15-minute cycle from users' systems to recorded energy.",
    rich_markup_mode="rich",
    epilog=examples(
        "ecosystemiser community init --households 100",
        "ecosystemiser community cycle",
        "ecosystemiser community health",
    ),
)

_MANY = 1_000

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings; community/community.yaml in the results folder unless told.",
    ),
]


def register(app: typer.Typer) -> None:
    app.add_typer(community, name="community")


@community.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """The solar community: a 15-minute cycle from users' systems to recorded energy."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@community.command(
    "init",
    epilog=examples(
        "ecosystemiser community init --households 100",
        "ecosystemiser community init --households 10000 --results /srv/community",
    ),
)
def init(
    households: Annotated[
        int, typer.Option("--households", metavar="N", min=1, max=1_000_000, help="How many households.")
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Makes the same households again.")] = 1,
    results: ResultsOption = RESULTS_DEFAULT,
) -> None:
    """Make a backend with example households, and settings to edit. What is there is not touched."""
    from schema.community import settings
    from schema.community.backend import Backend
    from schema.community.users import add_example_households, count_users
    from schema.errors import Finding, InputError
    from tasks.community.places import Places

    root = Places.of(results).root
    with _plain_errors(), Backend.open(root) as backend:
        there = count_users(backend)
        if there:
            message = f"the backend has {there:,} users already; name another folder with --results"
            raise InputError(Finding("", "--results", f"{there:,} users", "an empty backend", message))
        add_example_households(backend, households, seed)
        place = backend.place
    config = root / settings.FILE_NAME
    if not config.exists():
        config.write_text(settings.EXAMPLE, encoding="utf-8")
    typer.echo(f"{households:,} households in {place}")
    typer.echo(f"settings: {config}")
    typer.echo(f"Next: ecosystemiser community cycle{_where(results)}")


@community.command(
    "cycle",
    epilog=examples(
        "ecosystemiser community cycle",
        "ecosystemiser community cycle --at 2026-06-21T12:00Z --json",
        "ecosystemiser community cycle --input users.csv --output results.csv",
    ),
)
def cycle(
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="The moment whose quarter hour is meant, UTC unless it has an offset; only this one is done.",
        ),
    ] = None,
    input_: Annotated[
        Path | None,
        typer.Option("--input", metavar="CSV", help="Households to take instead of the backend's users."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="CSV", help="Where a copy of the results goes.")
    ] = None,
    config: ConfigOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Simulate the quarter hour that it is and record it; ticks that were missed come first.

    A tick that is recorded is not touched: a cycle that runs twice changes nothing.
    """
    from schema.community.households import read_households

    moment = None if at is None else _moment(at)
    _require_simulation()
    if input_ is not None:
        read_households(input_)  # refused before anything runs
    with _plain_errors():
        from flows.community_session import run_cycle

        outcomes, notice = run_cycle(results, config=config, at=moment, input_file=input_, output_file=output)
    if notice and not json:
        note(notice)
    if json:
        typer.echo(as_json({"cycles": [vars(outcome) for outcome in outcomes]}))
    else:
        _print_outcomes(outcomes, results)


@community.command(
    "serve",
    epilog=examples(
        "ecosystemiser community serve", "ecosystemiser community serve --results /srv/community"
    ),
)
def serve(
    cycles: Annotated[
        int | None,
        typer.Option("--cycles", metavar="N", min=1, help="Stop after so many; never unless told."),
    ] = None,
    config: ConfigOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
) -> None:
    """Run the cycle here, now and every quarter of an hour, until it is stopped.

    What was missed while nothing ran is caught up first.
    """
    _require_simulation()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _plain_errors():
            from flows.community_session import serve as serve_cycles

            serve_cycles(results, config, typer.echo, cycles=cycles)
    except KeyboardInterrupt:
        raise Interrupted("what is due is done when the service starts again") from None


@community.command(
    "health",
    epilog=examples("ecosystemiser community health", "ecosystemiser community health --json"),
)
def health(
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Judge as if it were this moment.")
    ] = None,
    config: ConfigOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Tell whether the community is healthy, and if not, why. Exit status 1 where it is not."""
    from tasks.community.health import check_health
    from tasks.community.service import open_service

    moment = datetime.now(UTC) if at is None else _moment(at)
    with _plain_errors(), open_service(results, config) as service:
        found = check_health(service, moment)
    if json:
        typer.echo(as_json(found.as_dict()))
    else:
        _print_health(found)
    if not found.healthy:
        raise typer.Exit(FELL_SHORT)


@community.command(
    "compare",
    epilog=examples(
        "ecosystemiser community compare",
        "ecosystemiser community compare --at 2026-06-21T00:00Z --ticks 96 --json",
    ),
)
def compare(
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="The first quarter hour; the one that it is unless told."),
    ] = None,
    ticks: Annotated[
        int,
        typer.Option(
            "--ticks", metavar="N", min=1, max=576, help="How many quarter hours; a day unless told."
        ),
    ] = 96,
    input_: Annotated[
        Path | None,
        typer.Option("--input", metavar="CSV", help="Households to take instead of the backend's users."),
    ] = None,
    config: ConfigOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Set what the community does by rules beside what would be cheapest for it. Nothing is recorded."""
    from schema.community.households import read_households

    moment = datetime.now(UTC) if at is None else _moment(at)
    _require_simulation()
    instead = None if input_ is None else read_households(input_)
    with _plain_errors():
        from schema.community.users import export
        from tasks.community.comparison import compare as compared
        from tasks.community.service import open_service

        with open_service(results, config) as service:
            job = service.job_at(moment, ticks)
            households = export(service.backend, job.timestamp, instead, to_record=False).households
        if not json and len(households) > _MANY:
            note(f"{len(households):,} households, each with a plan of its own: this takes some minutes")
        found = compared(households, job)
    if json:
        typer.echo(as_json(found.as_dict()))
    else:
        _print_comparison(found, job.timestamp)


# -- what they share


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What goes wrong in a cycle, on stderr and as exit status 1."""
    from schema.community.errors import CommunityError

    try:
        yield
    except CommunityError as error:
        note(f"Error: {error}")
        raise typer.Exit(FELL_SHORT) from None


def _require_simulation() -> None:
    from schema.errors import Finding, InputError

    if importlib.util.find_spec("mesa") is None:
        message = "the simulation needs Mesa: install the project with its extra, '.[community]'"
        raise InputError(Finding("", "", "no Mesa", "Mesa", message))


def _moment(text: str) -> datetime:
    from schema.errors import Finding, InputError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        expected = "an ISO time such as 2026-06-21T12:00Z"
        raise InputError(Finding("", "--at", text, expected, f"'{text}' is not {expected}")) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _where(results: Path) -> str:
    return f" --results {results}" if results != RESULTS_DEFAULT else ""


def _print_outcomes(outcomes: list[Outcome], results: Path) -> None:
    from flows.community_session import described
    from tasks.community.places import Places

    for outcome in outcomes:
        typer.echo(described(outcome))
    last = outcomes[-1]
    if last.totals_kwh:
        show(Grid(None, _columns({**last.totals_kwh, "shared_kwh": last.shared_kwh})))
    if last.file:
        typer.echo(f"results: {Places.of(results).results / last.file}")


def _columns(values: dict[str, float]) -> dict[str, list[Any]]:
    return {
        "energy": [name.removesuffix("_kwh").replace("_", " ") for name in values],
        "kWh": list(values.values()),
    }


def _print_comparison(found: Comparison, begin: datetime) -> None:
    both = (found.practice, found.optimum)
    rows = {
        "cost [€]": [conduct.cost_eur for conduct in both],
        "import [kWh]": [conduct.import_kwh for conduct in both],
        "export [kWh]": [conduct.export_kwh for conduct in both],
        "shared [kWh]": [conduct.shared_kwh for conduct in both],
        "stored at the end [kWh]": [conduct.stored_kwh for conduct in both],
    }
    columns: dict[str, list[Any]] = {
        "": list(rows),
        "by rules": [values[0] for values in rows.values()],
        "cheapest": [values[1] for values in rows.values()],
        "difference": [values[1] - values[0] for values in rows.values()],
    }
    show(
        Grid(f"{found.households:,} households, {found.ticks} ticks from {begin:%Y-%m-%d %H:%M} UTC", columns)
    )
    typer.echo(
        f"\nBoth generate {number(found.generation_kwh)} kWh and consume {number(found.consumption_kwh)} kWh."
    )


def _print_health(found: Health) -> None:
    typer.echo(f"{'healthy' if found.healthy else 'UNHEALTHY'} at {found.at}")
    for reason in found.reasons:
        typer.echo(f"  {reason}")
    last = found.last_simulation
    told = f"{last['timestamp']}, {last['status']}" if last else "none"
    if last and last["seconds"] is not None:
        told += f", {number(last['seconds'], 1)} s, {last['records'] or 0:,} records"
    facts = {
        "active users": f"{found.active_users:,}",
        "users without data": f"{found.users_without_data:,}",
        "newest data": found.newest_data or "none",
        "last simulation": told,
        "database": f"{found.database_seconds:.3f} s",
    }
    show(Grid(None, {"": list(facts), " ": list(facts.values())}))
    energies = {name: value for name, value in found.day.items() if name.endswith("_kwh")}
    typer.echo()
    show(Grid(f"{found.day['date']}: {found.day['ticks']} ticks", _columns(energies)))
