"""The solar community: its health now, and its energy over the day by quarter hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import streamlit as st

from ecosystemiser.dashboard.drawings import day_picture
from ecosystemiser.dashboard.pictured import draw
from ecosystemiser.dashboard.sources import results_folder
from ecosystemiser.dashboard.wording import guarded, plain, table
from ecosystemiser.printing import number
from schema.community.backend import Backend
from schema.community.facts import quarter_hours
from schema.community.settings import FILE_NAME, Settings, load_settings
from tasks.community.health import Health, health_of
from tasks.community.places import Places
from tasks.community.service import day_of

SECONDS_BETWEEN_LOOKS: Final = 30
ENERGIES: Final = {
    "generation_kwh": "generation",
    "consumption_kwh": "consumption",
    "grid_import_kwh": "import",
    "grid_export_kwh": "export",
    "shared_kwh": "shared",
}


def show() -> None:
    st.title("Community")
    root = Places.of(results_folder()).root
    settings = load_settings(root / FILE_NAME)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        today = datetime.now(UTC).astimezone(ZoneInfo(settings.site.timezone)).date()
        chosen = st.date_input(
            "Day", None, max_value=today, key="day", width=180, help="The last day with data unless told."
        )
    backend = Backend.open_to_read(root, busy_seconds=2)
    if backend is None:
        st.info(
            f"There is no community in {plain(root)} yet. `ecosystemiser community init --households 20` makes "
            "one with example households, `ecosystemiser community cycle` simulates its first quarter hour."
        )
        return
    backend.close()
    st.fragment(guarded(_community), run_every=SECONDS_BETWEEN_LOOKS)(settings, chosen)


def _community(settings: Settings, chosen: Any) -> None:
    zone = ZoneInfo(settings.site.timezone)
    backend = Backend.open_to_read(Places.of(results_folder()).root, busy_seconds=2)
    if backend is None:
        return
    with backend:
        health = health_of(backend, settings, datetime.now(UTC))
        moment = _moment(chosen, health, zone)
        ticks = quarter_hours(backend, day_of(moment, zone))
    _state(health, zone)
    st.subheader(f"{moment.astimezone(zone):%A, %d %B %Y}")
    if not ticks:
        st.info("Nothing is recorded of this day.")
        return
    _totals(ticks)
    draw(day_picture(ticks, ENERGIES, zone), "community day")
    with st.expander("The quarter hours in numbers"):
        table([_told(tick, zone) for tick in reversed(ticks)], key="community table", height=400)


def _moment(chosen: Any, health: Health, zone: ZoneInfo) -> datetime:
    """A moment of the day that is shown."""
    if chosen is not None:
        return datetime(chosen.year, chosen.month, chosen.day, 12, tzinfo=zone)
    newest = health.newest_data
    return datetime.now(UTC) if newest is None else datetime.fromisoformat(newest)


def _state(health: Health, zone: ZoneInfo) -> None:
    if health.healthy:
        st.success("Healthy", icon=":material/check_circle:")
    else:
        reasons = "\n".join(f"- {plain(reason)}" for reason in health.reasons)
        st.error(f"Unhealthy:\n\n{reasons}", icon=":material/error:")
    last = health.last_simulation
    figures = st.columns(4)
    figures[0].metric("Active users", f"{health.active_users:,}", border=True, height="stretch")
    figures[1].metric("Users without data", f"{health.users_without_data:,}", border=True, height="stretch")
    figures[2].metric("Newest data", _clock(health.newest_data, zone), border=True, height="stretch")
    figures[3].metric(
        "Last simulation",
        _clock(last["timestamp"] if last else None, zone),
        _how_it_went(last) if last else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )
    st.caption(
        f"Times of {plain(zone.key)}; looked at {_clock(health.at, zone)}, again every {SECONDS_BETWEEN_LOOKS} s."
    )


def _how_it_went(last: dict[str, Any]) -> str:
    seconds = last["seconds"]
    return (
        plain(last["status"]) if seconds is None else f"{plain(last['status'])} in {max(seconds, 0.1):.1f} s"
    )


def _clock(moment: str | None, zone: ZoneInfo) -> str:
    if moment is None:
        return "–"
    local = datetime.fromisoformat(moment).astimezone(zone)
    today = datetime.now(UTC).astimezone(zone).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%d %b %H:%M}"


def _totals(ticks: Sequence[dict[str, Any]]) -> None:
    for figure, (name, words) in zip(st.columns(len(ENERGIES)), ENERGIES.items(), strict=True):
        total = sum(tick[name] or 0.0 for tick in ticks)
        figure.metric(words.capitalize(), f"{number(total)} kWh", border=True)


def _told(tick: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    local = tick["timestamp"].astimezone(zone)
    return {
        "from": f"{local:%H:%M}",
        "to": f"{local + timedelta(minutes=15):%H:%M}",
        "users": tick["users"],
        **{f"{words} [kWh]": tick[name] for name, words in ENERGIES.items()},
    }
