"""What the shell offers after an option: words, studies of the results folder, shipped examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer

from ecosystemiser.options import RESULTS_DEFAULT

Completer = Callable[[str], list[str]]


def words(*known: str) -> Completer:
    """Offers some of these."""

    def offered(incomplete: str) -> list[str]:
        return _beginning(known, incomplete)

    return offered


def study_ids(context: typer.Context, incomplete: str) -> list[str]:
    """The studies of the results folder that is meant; nothing where it cannot be read."""
    from schema.store import queries

    return _of_results(
        context,
        lambda store: [row["study_id"] for row in queries.list_studies(store.connection)],
        incomplete,
    )


def run_ids(context: typer.Context, incomplete: str) -> list[str]:
    """The best designs' runs, where there is nothing more to go by."""
    from schema.store.runs import best_designs

    return _of_results(
        context, lambda store: [row["run_id"] for row in best_designs(store.connection, n=50)], incomplete
    )


def example_names(incomplete: str) -> list[str]:
    """The shipped examples."""
    from ecosystemiser.commands.examples import names

    return _beginning(names(), incomplete)


def _of_results(context: typer.Context, ask: Callable[[Any], Iterable[str]], incomplete: str) -> list[str]:
    from ecosystemiser.results import opened

    try:
        with opened(Path(context.params.get("results") or RESULTS_DEFAULT)) as store:
            return _beginning(ask(store), incomplete)
    except Exception:  # noqa: BLE001 - a shell that completes has no place for errors
        return []


def _beginning(known: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in known if word.startswith(incomplete)]
