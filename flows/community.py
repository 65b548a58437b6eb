"""The flow of the solar community: every due tick, step by step, one transport after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from schema.community.errors import CommunityError
from schema.community.settings import Settings
from schema.community.ticks import as_text, tick_of
from schema.errors import InputError
from tasks.community.cycle import Outcome, TickCycle
from tasks.community.health import Health, check_health
from tasks.community.service import Service, open_service
from tasks.community.steps import Steps
from tasks.community.transports.base import Way


class UnhealthyError(CommunityError):
    """The community is not healthy; raised so that a scheduled check fails and Prefect's automations see it."""


def _cycle_name() -> str:
    at = flow_run.parameters.get("at") or datetime.now(UTC)
    return f"community {at if isinstance(at, str) else as_text(tick_of(at))}"


@flow(name="community-cycle", flow_run_name=_cycle_name)
def community_cycle(
    results: Path,
    config: Path | None = None,
    at: datetime | None = None,
    input_file: Path | None = None,
    output_file: Path | None = None,
    catch_up: bool | None = None,
    listener: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Simulate and record the quarter hour that it is, after those that were missed.

    Args:
        results: the results folder.
        config: the settings; `community.yaml` in the community's folder unless told.
        at: the moment whose quarter hour is meant; now unless told.
        input_file: households to take instead of the backend's.
        output_file: where a copy of the last results goes.
        catch_up: whether missed ticks come first; unless told, they do where no moment is named.
        listener: told every line of the log.

    Raises:
        InputError: the settings or the households are not valid.
        BusyError: another process is in a cycle.
        CommunityError: a tick could not be recorded; those after it were not tried.
    """
    return in_order(
        results,
        config,
        at,
        input_file,
        output_file,
        catch_up=catch_up,
        listener=listener,
        steps_of=Steps.patient,
    )


def in_order(
    results: Path,
    config: Path | None = None,
    at: datetime | None = None,
    input_file: Path | None = None,
    output_file: Path | None = None,
    *,
    catch_up: bool | None = None,
    listener: Callable[[str], None] | None = None,
    steps_of: Callable[[Settings], Steps],
) -> list[Outcome]:
    """The order of a cycle's steps, whoever runs them; see `community_cycle`."""
    moment = _aware(at)
    catching_up = at is None if catch_up is None else catch_up
    with open_service(results, config, listener) as service, service.places.alone():
        due = service.due(moment)
        ticks = due.ticks if catching_up else [tick_of(moment)]
        if catching_up and due.left:
            service.journal.warning(
                "catch-up", f"{due.left} missed ticks are left for the cycles after this one"
            )
        steps = steps_of(service.settings)
        try:
            return [_run_tick(steps, TickCycle(service, tick, input_file, output_file)) for tick in ticks]
        finally:
            _look_after(service, moment)


@flow(name="community-health")
def community_health(results: Path, config: Path | None = None) -> Health:
    """Look at the community's health; alerts when it changed.

    Raises:
        UnhealthyError: it is not healthy, so that the run fails.
    """
    with open_service(results, config) as service:
        health = check_health(service, datetime.now(UTC))
    if not health.healthy:
        raise UnhealthyError("; ".join(health.reasons))
    return health


def _aware(at: datetime | None) -> datetime:
    moment = at or datetime.now(UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _look_after(service: Service, moment: datetime) -> None:
    """Alert where the health changed; what this meets is no reason for a cycle to fail."""
    try:
        check_health(service, moment)
    except CommunityError as error:
        service.journal.warning("health", f"could not be told: {error}")


def _run_tick(steps: Steps, cycle: TickCycle) -> Outcome:
    """The steps of one tick, in order."""
    service = cycle.service
    if not cycle.begin():
        service.journal.info(cycle.run_id, "recorded before: nothing is left to do")
        return Outcome(as_text(cycle.tick), "recorded before")
    try:
        steps.export(cycle)
        way = None if cycle.is_empty else _fetch(steps, cycle)
        outcome: Outcome = steps.insert(cycle, way)
    except BaseException as error:
        cycle.fail(error)
        raise
    _tidy(steps, cycle, way, service)
    return outcome


def _fetch(steps: Steps, cycle: TickCycle) -> Way:
    """Valid results by the first transport that brings them.

    Raises:
        CommunityError: none does.
    """
    reasons = []
    for way in cycle.ways:
        try:
            steps.hand_over(cycle, way)
            steps.simulate(cycle, way)
            steps.bring_back(cycle, way)
            steps.validate(cycle)
        except (CommunityError, InputError, OSError) as error:
            reasons.append(f"{way.name}: {error}")
        else:
            return way
    raise CommunityError(f"{as_text(cycle.tick)} could not be simulated: {'; '.join(reasons)}")


def _tidy(steps: Steps, cycle: TickCycle, way: Way | None, service: Service) -> None:
    """The tick is recorded: what fails from here on is told, and undoes nothing."""
    try:
        steps.clean_up(cycle, way)
    except (CommunityError, OSError) as error:
        service.journal.warning(cycle.run_id, f"the clean-up failed: {error}")
