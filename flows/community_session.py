"""Runs the community's cycles in this process, with whatever Prefect server there is: once, or on and on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.session import ServerError, prefect_session
from schema.community.errors import BusyError, CommunityError
from schema.community.ticks import TICK, tick_of
from schema.errors import InputError
from tasks.community.cycle import Outcome
from tasks.community.service import open_service

SETTLE_SECONDS = 2.0
"""How long after the quarter hour a cycle begins."""


def run_cycle(results: Path, **options: Any) -> tuple[list[Outcome], str | None]:
    """Run one cycle's flow.

    Args:
        results: the results folder.
        options: of `flows.community.community_cycle`.

    Returns:
        What became of each tick, and what the user should know about the Prefect server, if anything.
    """
    with prefect_session() as session:
        from flows.community import community_cycle

        return community_cycle(results, **options), session.notice


def serve(
    results: Path, config: Path | None, tell: Callable[[str], None], *, cycles: int | None = None
) -> None:
    """Run a cycle now and then every quarter of an hour; one that fails is told, and the next one catches up.

    Args:
        results: the results folder.
        config: the settings.
        tell: told what happens, line by line.
        cycles: stop after so many; never unless told.

    Raises:
        InputError: the settings are not valid to begin with.
    """
    with open_service(results, config):
        pass
    remaining = _countdown(cycles)
    while next(remaining, None) is not None:
        try:
            with prefect_session() as session:
                if session.notice:
                    tell(session.notice)
                _serve_session(results, config, tell, remaining)
                return
        except ServerError as error:
            tell(f"{error} The next cycle tries again.")
            _sleep_until_next()


def _serve_session(
    results: Path, config: Path | None, tell: Callable[[str], None], remaining: Iterator[object]
) -> None:
    from flows.community import community_cycle

    while True:
        try:
            for outcome in community_cycle(results, config=config):
                tell(described(outcome))
        except BusyError as error:
            tell(str(error))
        except (CommunityError, InputError) as error:
            tell(f"Failed: {error}")
        if next(remaining, None) is None:
            return
        _sleep_until_next()


def described(outcome: Outcome) -> str:
    """An outcome in one line."""
    if outcome.status != "recorded":
        return f"{outcome.timestamp}: {outcome.status}"
    left_out = f", {outcome.users_left_out} users left out" if outcome.users_left_out else ""
    return (
        f"{outcome.timestamp}: {outcome.records:,} records by {outcome.transport or 'nobody'} in "
        f"{outcome.seconds:.1f} s{left_out}"
    )


def _countdown(cycles: int | None) -> Iterator[object]:
    """As many items as there are cycles."""
    left = cycles
    while left is None or left > 0:
        yield left or "for ever"
        left = None if left is None else left - 1


def _sleep_until_next() -> None:
    """Wait for the next quarter hour by the clock on the wall, also where that is set meanwhile."""
    due = tick_of(datetime.now(UTC)) + TICK
    while (now := datetime.now(UTC)) < due:
        time.sleep(min(max((due - now).total_seconds(), 0.0), 30.0))
    time.sleep(SETTLE_SECONDS)
