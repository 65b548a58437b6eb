"""Households in a tick, checked by hand; chance that depends on nobody else; balances to the last digit."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from math import isclose
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")

from schema.community.households import Household
from schema.community.job import Job, Prices, Site
from schema.community.results_files import ENERGY_COLUMNS, MICRO, Results
from schema.community.ticks import TICK, as_text, parse_tick, tick_of
from tasks.community.battery import Limits, by_rules, settled
from tasks.community.comparison import compare
from tasks.community.simulation import simulate
from tasks.community.surroundings import (
    HOURLY_SHAPE,
    chance,
    mean_load_kw,
    price_at,
    sun_height,
    surroundings_of,
)

NOON = datetime(2026, 6, 21, 11, 0, tzinfo=UTC)
ALICE = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"


def kwh(value: float) -> int:
    return round(value * MICRO)


def limits(capacity=10.0, power=5.0, inverter=5.0, efficiency=0.95):
    return Limits(kwh(capacity), kwh(power / 4), kwh(inverter / 4), efficiency)


def tick(limits, level, generation, consumption, wish=None):
    """The energies of a tick in kWh, by name."""
    wish = wish or by_rules(kwh(generation) - kwh(consumption))
    energies = settled(limits, kwh(level), kwh(generation), kwh(consumption), wish)
    return {name: value / MICRO for name, value in zip(ENERGY_COLUMNS, energies, strict=True)}


def rows(households, job):
    return {(user, stamp): energies for user, stamp, energies in simulate(households, job)}


# -- a tick by hand


def test_surplus_goes_into_the_battery_first_and_arrives_less_its_losses() -> None:
    told = tick(limits(), level=4.0, generation=1.0, consumption=0.4)
    assert told["surplus_kwh"] == 0.6
    assert told["battery_charge_kwh"] == 0.6
    assert told["battery_soc_kwh"] == 4.0 + 0.95 * 0.6
    assert told["grid_export_kwh"] == told["grid_import_kwh"] == 0


def test_what_a_full_battery_cannot_take_goes_into_the_grid() -> None:
    told = tick(limits(), level=9.905, generation=1.0, consumption=0.4)
    assert told["battery_charge_kwh"] == 0.1
    assert told["battery_soc_kwh"] == 10.0
    assert told["grid_export_kwh"] == 0.5


def test_the_batterys_power_limits_what_goes_in() -> None:
    told = tick(limits(power=1.0), level=0.0, generation=1.0, consumption=0.0)
    assert told["battery_charge_kwh"] == 0.25
    assert told["grid_export_kwh"] == 0.75


def test_what_is_missing_comes_out_of_the_battery_first() -> None:
    told = tick(limits(), level=4.0, generation=0.0, consumption=0.38)
    assert told["battery_discharge_kwh"] == 0.38
    assert told["battery_soc_kwh"] == 4.0 - 0.4
    assert told["grid_import_kwh"] == 0


def test_an_empty_battery_leaves_the_rest_to_the_grid() -> None:
    told = tick(limits(), level=0.1, generation=0.0, consumption=0.5)
    assert told["battery_discharge_kwh"] == 0.095
    assert told["battery_soc_kwh"] == 0
    assert told["grid_import_kwh"] == 0.405


def test_panels_and_battery_share_the_inverter() -> None:
    told = tick(limits(inverter=2.0), level=5.0, generation=0.4, consumption=1.0)
    assert told["battery_discharge_kwh"] == 0.1
    assert told["grid_import_kwh"] == 0.5


def test_without_a_battery_all_surplus_is_exported() -> None:
    told = tick(limits(capacity=0.0, power=0.0), level=0.0, generation=1.0, consumption=0.3)
    assert told["grid_export_kwh"] == 0.7
    assert told["battery_soc_kwh"] == 0


@settings(max_examples=300, deadline=None)
@given(
    capacity=st.floats(0, 50),
    fill=st.floats(0, 1),
    power=st.floats(0, 50),
    inverter=st.floats(0, 50),
    efficiency=st.floats(0.3, 1),
    generation=st.floats(0, 1),
    consumption=st.floats(0, 5),
    wish=st.none()
    | st.tuples(st.integers(-10, 10**8), st.just(0))
    | st.tuples(st.just(0), st.integers(-10, 10**8)),
)
def test_whatever_is_wished_balances_hold_and_limits_are_kept(
    capacity, fill, power, inverter, efficiency, generation, consumption, wish
) -> None:
    held = limits(capacity, power, inverter, efficiency)
    level, g, c = int(held.capacity * fill), int(held.inverter * generation), kwh(consumption)
    g, c, after, charge, discharge, imported, exported, surplus = settled(
        held, level, g, c, wish or by_rules(g - c)
    )
    assert g + imported + discharge == c + exported + charge
    assert surplus == g - c
    assert 0 <= after <= held.capacity
    assert 0 <= charge <= held.power
    assert 0 <= discharge <= held.power
    assert g + discharge <= held.inverter or discharge == 0
    assert imported * exported == 0
    assert abs(after - (level + efficiency * charge - discharge / efficiency)) <= 2


# -- sun, season, hour


def test_the_sun_stands_highest_at_solar_noon_and_as_high_as_latitude_and_season_say() -> None:
    site = Site(latitude_deg=52.5, longitude_deg=0.0)
    noons = [sun_height(datetime(2026, 6, 21, 12, minute, tzinfo=UTC), site) for minute in range(10)]
    assert isclose(max(noons), np.sin(np.radians(90 - 52.5 + 23.45)), abs_tol=1e-4)
    winter = sun_height(datetime(2026, 12, 21, 12, 0, tzinfo=UTC), site)
    assert isclose(winter, np.sin(np.radians(90 - 52.5 - 23.45)), abs_tol=1e-3)


def test_the_sun_rises_in_the_east_first() -> None:
    morning = datetime(2026, 3, 21, 7, 0, tzinfo=UTC)
    assert sun_height(morning, Site(longitude_deg=30)) > sun_height(morning, Site(longitude_deg=0))


def test_at_night_there_is_no_generation() -> None:
    (energies,) = rows([Household(ALICE, panel_count=20)], Job(timestamp=NOON.replace(hour=23))).values()
    assert energies[0] == 0


def test_the_weather_factor_scales_generation() -> None:
    house = [Household(ALICE, panel_count=5)]
    (clear,) = rows(house, Job(timestamp=NOON)).values()
    (dull,) = rows(house, Job(timestamp=NOON, weather_factors=(0.5,))).values()
    assert abs(dull[0] - clear[0] / 2) <= 1


def test_a_households_numbers_can_be_worked_out_by_hand() -> None:
    job = Job(timestamp=NOON, seed=7)
    (energies,) = rows([Household(ALICE, panel_wattage=400, panel_count=5, household_size=2)], job).values()
    cloud, habit = chance(7, ALICE, as_text(NOON))
    height = sun_height(NOON + timedelta(minutes=7.5), job.site)
    season = 1 + 0.15 * np.cos(2 * np.pi * (172 - 15) / 365)
    assert energies[0] == round(2.0 * 0.85 * height * (0.95 + 0.1 * cloud) * 0.25 * 1e6)
    load_kw = 2800 / 8760 * HOURLY_SHAPE[13] * season * (0.7 + 0.6 * habit)
    assert energies[1] == round(load_kw * 0.25 * 1e6)


def test_larger_households_consume_more_and_the_hours_keep_the_yearly_mean() -> None:
    assert mean_load_kw(4) > mean_load_kw(1)
    assert isclose(sum(HOURLY_SHAPE) / 24, 1.0, abs_tol=1e-9)


@pytest.mark.parametrize(("day", "ticks"), [((2026, 3, 29), 92), ((2026, 10, 25), 100), ((2026, 6, 21), 96)])
def test_people_live_by_the_local_clock_on_days_of_23_24_and_25_hours(day, ticks) -> None:
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(*day, tzinfo=zone).astimezone(UTC)
    end = (datetime(*day, tzinfo=zone) + timedelta(days=1)).astimezone(UTC)  # a day by the wall's clock
    assert (end - begin) // TICK == ticks
    job = Job(timestamp=begin, ticks=ticks)
    hours = [tick.astimezone(zone).hour for tick in job.ticks]
    factors = [surroundings_of(job, tick, 1.0).load_factor for tick in job.ticks]
    season = [factor / HOURLY_SHAPE[hour] for factor, hour in zip(factors, hours, strict=True)]
    assert max(season) - min(season) < 0.01
    assert hours.count(2) == {92: 0, 96: 4, 100: 8}[ticks]


def test_prices_last_over_midnight() -> None:
    prices = Prices(import_eur_per_kwh={7: 0.4, 22: 0.2})
    assert [price_at(prices, hour) for hour in (3, 7, 21, 23)] == [0.2, 0.4, 0.4, 0.2]


# -- determinism


def many(count: int) -> list[Household]:
    chooser = random.Random(3)
    return [
        Household(
            f"00000000-0000-4000-8000-{number:012x}",
            panel_count=chooser.randint(1, 30),
            battery_capacity_kwh=capacity,
            battery_soc_kwh=capacity / 2,
            battery_power_kw=capacity / 2,
            household_size=chooser.randint(1, 5),
        )
        for number in range(count)
        for capacity in [chooser.choice([0.0, 5.0, 10.0])]
    ]


def test_the_same_input_time_and_seed_give_the_same_output_and_another_seed_another() -> None:
    job = Job(timestamp=NOON, seed=1)
    assert rows(many(20), job) == rows(many(20), job)
    assert rows(many(20), job) != rows(many(20), job.with_changes(seed=2))


def test_a_households_numbers_depend_neither_on_order_nor_on_who_else_is_there() -> None:
    job = Job(timestamp=NOON, ticks=3)
    all_of_them = rows(many(30), job)
    shuffled = many(30)
    random.Random(1).shuffle(shuffled)
    assert rows(shuffled, job) == all_of_them
    alone = rows([many(30)[11]], job)
    assert alone == {key: all_of_them[key] for key in alone}


def test_several_ticks_at_once_are_the_ticks_one_by_one() -> None:
    from dataclasses import replace

    households = many(10)
    together = rows(households, Job(timestamp=NOON, ticks=4))
    apart = {}
    for position in range(4):
        told = rows(households, Job(timestamp=NOON + position * TICK))
        apart |= told
        households = [
            replace(h, battery_soc_kwh=told[h.user_id, as_text(NOON + position * TICK)][2] / MICRO)
            for h in households
        ]
    assert together == apart


def test_the_community_shares_the_lesser_of_export_and_import_tick_by_tick() -> None:
    energies = {name: np.zeros(4) for name in ENERGY_COLUMNS}
    energies["grid_export_kwh"] = np.array([0.5, 0.0, 0.0, 0.4])
    energies["grid_import_kwh"] = np.array([0.0, 0.2, 0.3, 0.0])
    first, second = as_text(NOON), as_text(NOON + TICK)
    results = Results([ALICE, BOB, ALICE, BOB], [first, first, second, second], energies)
    assert results.shared_kwh == 0.2 + 0.3


# -- ticks


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 6, 21, 12, 14, 59, tzinfo=UTC), "2026-06-21T12:00:00Z"),
        (datetime.fromisoformat("2026-06-21T12:45"), "2026-06-21T12:45:00Z"),
        (datetime(2026, 10, 25, 2, 40, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-25T00:30:00Z"),
        (datetime(2026, 10, 25, 2, 40, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-25T01:30:00Z"),
        (datetime(2026, 1, 1, 5, 50, tzinfo=ZoneInfo("Asia/Kathmandu")), "2026-01-01T00:00:00Z"),
    ],
)
def test_a_moment_belongs_to_one_quarter_hour_in_utc(moment, expected) -> None:
    assert as_text(tick_of(moment)) == expected


@pytest.mark.parametrize(
    "text",
    ["2026-06-21T12:05:00Z", "2026-06-21T12:00:00", "2026-06-21 12:00:00Z", "2026-06-21T12:00:00+00:00", "x"],
)
def test_only_quarter_hours_in_utc_are_ticks(text) -> None:
    with pytest.raises(ValueError, match="quarter hour"):
        parse_tick(text)


# -- the optimum


def by_dispatch(dispatch, ticks=32, prices=None):
    job = Job(
        timestamp=NOON.replace(hour=4),
        ticks=ticks,
        dispatch=dispatch,
        look_ahead_ticks=ticks,
        prices=prices or Prices(),
    )
    house = Household(ALICE, panel_count=12, battery_capacity_kwh=8, battery_soc_kwh=2, battery_power_kw=4)
    told = rows([house], job)
    local = [tick.astimezone(ZoneInfo(job.site.timezone)).hour for tick in job.ticks]
    cost = sum(
        (e[5] * price_at(job.prices, hour) - e[6] * job.prices.export_eur_per_kwh) / MICRO
        for e, hour in zip(told.values(), local, strict=True)
    )
    return cost, list(told.values())


def test_with_flat_prices_the_rules_are_as_good_as_the_optimum() -> None:
    practice, _ = by_dispatch("rule_based")
    optimum, _ = by_dispatch("milp")
    # What is left in the battery at the end is worth nothing to the optimum, which therefore may be cheaper.
    assert optimum <= practice + 1e-4


def test_with_prices_that_change_the_optimum_buys_when_it_is_cheap_and_its_balances_hold() -> None:
    prices = Prices(import_eur_per_kwh={0: 0.10, 7: 0.50}, export_eur_per_kwh=0.02)
    practice, _ = by_dispatch("rule_based", ticks=24, prices=prices)
    optimum, energies = by_dispatch("milp", ticks=24, prices=prices)
    assert optimum < practice - 0.01
    for g, c, after, charge, discharge, imported, exported, _ in energies:
        assert g + imported + discharge == c + exported + charge
        assert 0 <= after <= 8 * MICRO


# -- practice beside optimum


def test_without_batteries_practice_and_optimum_are_the_same_and_can_be_added_up_by_hand() -> None:
    house = Household(ALICE, panel_count=12, household_size=3)
    job = Job(timestamp=NOON, ticks=4)
    found = compare([house], job)
    told = [e for _, e in sorted(rows([house], job).items())]
    assert found.practice.import_kwh == sum(e[5] for e in told) / MICRO
    assert found.practice.export_kwh == sum(e[6] for e in told) / MICRO
    cost = found.practice.import_kwh * 0.30 - found.practice.export_kwh * 0.08
    assert found.practice.cost_eur == pytest.approx(cost)
    assert (found.saving_eur, found.households, found.ticks) == (0, 1, 4)
    assert vars(found.optimum) == vars(found.practice) | {"dispatch": "milp"}


def test_in_winter_the_optimum_saves_more_than_what_it_holds_less_is_worth() -> None:
    prices = Prices(import_eur_per_kwh={0: 0.10, 7: 0.50}, export_eur_per_kwh=0.02)
    found = compare(many(10), Job(timestamp=NOON.replace(month=1, hour=0), ticks=96, prices=prices))
    less = max(0.0, found.practice.stored_kwh - found.optimum.stored_kwh)
    assert found.saving_eur > 0.50 * less
    for conduct in (found.practice, found.optimum):
        assert conduct.shared_kwh <= min(conduct.import_kwh, conduct.export_kwh)


def test_a_comparison_is_of_the_ticks_asked_for_however_far_the_optimum_looks_ahead() -> None:
    short, long = (compare(many(5), Job(timestamp=NOON, ticks=8, look_ahead_ticks=n)) for n in (1, 96))
    assert short.practice == long.practice
    assert (short.ticks, short.consumption_kwh) == (long.ticks, long.consumption_kwh)
