"""A community that is open for work: its settings, places, database and log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from schema.community.backend import Backend
from schema.community.job import Job
from schema.community.records import Transfer, last_recorded, record_transfer
from schema.community.settings import FILE_NAME, Settings, load_settings
from schema.community.ticks import TICK, as_text, following, run_id_of, tick_of
from schema.community.weather import weather_factors
from tasks.community.journal import Journal
from tasks.community.places import Places
from tasks.community.webhook import post, webhook_address


@dataclass(frozen=True)
class Due:
    """What a cycle has to do.

    Attributes:
        ticks: in order.
        left: how many missed ticks remain for the cycles after.
    """

    ticks: list[datetime]
    left: int = 0


class Service:
    """What the steps of a community share.

    Attributes:
        settings: how it is run.
        places: where its files lie.
        backend: its database.
        journal: its log.
        webhook: where notifications go, if anywhere.
        config_folder: where paths of the settings begin.
    """

    def __init__(
        self, settings: Settings, places: Places, backend: Backend, journal: Journal, config_folder: Path
    ) -> None:
        self.settings, self.places = settings, places
        self.backend, self.journal = backend, journal
        self.config_folder = config_folder
        self.webhook = webhook_address()

    def due(self, now: datetime) -> Due:
        """The tick of a moment, after those that were missed since the last one recorded.

        Missed ticks are caught up from the oldest on, so that no gap remains, however long it takes.
        """
        current, last, most = tick_of(now), last_recorded(self.backend), self.settings.max_catch_up
        if last is None or last >= current or not most:
            return Due([current])
        count = (current - last) // TICK
        ticks = following(last + TICK, count)
        return Due(ticks) if count <= most + 1 else Due(ticks[:most], count - most)

    def job_at(self, moment: datetime, ticks: int = 1) -> Job:
        """What is to be simulated from the quarter hour of a moment on.

        Raises:
            InputError: the weather file says nothing of these ticks.
        """
        settings, begin = self.settings, tick_of(moment)
        return Job(
            timestamp=begin,
            weather_factors=weather_factors(settings, self.config_folder, following(begin, ticks)),
            seed=settings.seed,
            site=settings.site,
            battery_efficiency_fraction=settings.battery_efficiency_fraction,
            dispatch=settings.dispatch,
            look_ahead_ticks=settings.look_ahead_ticks,
            prices=settings.prices,
        )

    def tell(self, tick: datetime, event: str, status: str, **facts: Any) -> None:
        """Send news to the webhook, if there is one; what fails is logged."""
        if self.webhook is None:
            return
        news = {"event": event, "status": status, "timestamp": as_text(tick), **facts}
        problem = post(self.webhook, news)
        outcome = "ok" if problem is None else "failed"
        file = str(facts.get("file") or event)
        record_transfer(
            self.backend, tick, Transfer("webhook", "out", file, "webhook", outcome, message=problem)
        )
        if problem is not None:
            self.journal.warning(
                run_id_of(tick), f"the webhook did not take the news of '{event}': {problem}"
            )


@contextmanager
def open_service(
    results: Path, config: Path | None = None, listener: Callable[[str], None] | None = None
) -> Iterator[Service]:
    """Open a community.

    Args:
        results: the results folder.
        config: its settings; `community.yaml` in the community's folder unless told.
        listener: told every line of the log.

    Raises:
        InputError: its settings, or the environment, are not valid.
        BackendError: its database cannot be opened.
    """
    places = Places.of(results)
    path = config or places.root / FILE_NAME
    settings = load_settings(path, required=config is not None)
    with Backend.open(places.root, busy_seconds=settings.busy_seconds) as backend:
        yield Service(settings, places, backend, Journal(places.logs, listener), path.parent)


def day_of(moment: datetime, timezone: Any) -> tuple[datetime, datetime]:
    """Beginning and end of a moment's local day, which may have 23 or 25 hours."""
    local = moment.astimezone(timezone)
    begin = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    end = (begin.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=timezone)
    return begin, end
