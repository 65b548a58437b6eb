"""The same house in PyPSA: a network built and optimised for each design."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pypsa
from numpy.typing import NDArray

from benchmarks.figures import Design, Timing
from benchmarks.house import CO2_WEIGHT, House
from schema.components import Demand, ElectricBoiler, Grid, HeatPump, SolarPv, Storage
from schema.profiles import ProfileRef
from schema.system import System

Series = Mapping[str, NDArray[np.float64]]

WAYS: dict[str, dict[str, Any]] = {
    "PyPSA": {},
    "PyPSA, its model handed over in memory": {"io_api": "direct"},
}
"""PyPSA as it comes, which writes the model to a file for the solver, and its quickest way."""


def measure(house: House, count: int) -> list[Timing]:
    """Build and optimise some of the study's designs in each way."""
    logging.getLogger("pypsa").setLevel(logging.ERROR)
    logging.getLogger("linopy").setLevel(logging.ERROR)
    timings = [Timing(name, house.hours) for name in WAYS]
    with _silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for options in WAYS.values():  # what only a first call loads is not measured
            _optimum(house, house.designs[0], options)
        for design in house.few(count):
            for timing in timings:
                options = WAYS[timing.name]
                timing.measure(design, lambda design, options=options: _optimum(house, design, options))
    return timings


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on the standard output, to which HiGHS writes before it can be told not to."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _optimum(house: House, design: Design, options: dict[str, Any]) -> float:
    network = network_of(house.system_of(design), house.series, design[CO2_WEIGHT])
    status = network.optimize(
        solver_name="highs", solver_options={"output_flag": False}, progress=False, **options
    )
    if status != ("ok", "optimal"):
        raise RuntimeError(f"PyPSA says {status} for {dict(design)}")
    return float(network.objective)


def network_of(system: System, series: Series, co2_weight_eur_per_kg: float) -> pypsa.Network:
    """A network with the house's own equations."""

    def of(value: float | ProfileRef) -> Any:
        return series[value.profile] * value.scale if isinstance(value, ProfileRef) else value

    network = pypsa.Network()
    network.set_snapshots(system.horizon.index.tz_convert(None))
    network.snapshot_weightings.loc[:, :] = system.horizon.step_hours
    network.add("Bus", ["electricity", "heat"])
    weight = system.economics.co2_price_eur_per_kg + co2_weight_eur_per_kg
    for name, component in system.components.items():
        match component:
            case Grid():
                _add_grid(network, name, component, weight, of)
            case SolarPv():
                network.add(
                    "Generator", name, bus="electricity",
                    p_nom=component.capacity_kw, p_max_pu=of(component.profile),
                )  # fmt: skip
            case Storage():
                _add_storage(network, name, component)
            case HeatPump() | ElectricBoiler():
                # PyPSA limits what a link takes; here it is the heat that has a limit.
                efficiency = of(
                    component.cop if isinstance(component, HeatPump) else component.efficiency_fraction
                )
                network.add(
                    "Link", name, bus0="electricity", bus1="heat",
                    efficiency=efficiency, p_nom=component.capacity_kw, p_max_pu=1 / efficiency,
                )  # fmt: skip
            case Demand():
                bus = component.node(component.own_carriers[0])
                network.add("Load", name, bus=bus, p_set=component.scale * of(component.profile))
            case _:
                raise TypeError(f"{name}: there is no {type(component).__name__} in this comparison")
    return network


def _add_grid(network: pypsa.Network, name: str, grid: Grid, weight: float, of: Any) -> None:
    network.add(
        "Generator", f"{name} import", bus="electricity", p_nom=grid.import_limit_kw,
        marginal_cost=of(grid.import_price_eur_per_kwh) + weight * of(grid.import_co2_kg_per_kwh),
    )  # fmt: skip
    network.add(
        "Generator", f"{name} export", bus="electricity", p_nom=grid.export_limit_kw, sign=-1,
        marginal_cost=-of(grid.export_price_eur_per_kwh) - weight * of(grid.export_co2_credit_kg_per_kwh),
    )  # fmt: skip


def _add_storage(network: pypsa.Network, name: str, store: Storage) -> None:
    """A storage whose level ends where it began, at a given level rather than at any."""
    begin_kwh = store.initial_level_fraction * store.capacity_kwh
    fixed_kwh = np.full(len(network.snapshots), np.nan)
    fixed_kwh[-1] = begin_kwh
    hours = float(network.snapshot_weightings["stores"].iloc[0])
    network.add(
        "StorageUnit", name, bus=store.node(store.own_carriers[0]),
        p_nom=store.max_discharge_kw,
        p_min_pu=-store.max_charge_kw / store.max_discharge_kw,
        max_hours=store.capacity_kwh / store.max_discharge_kw,
        efficiency_store=store.charge_efficiency_fraction,
        efficiency_dispatch=store.discharge_efficiency_fraction,
        standing_loss=store.self_discharge_fraction_per_hour,
        # PyPSA lets the first step's loss out; the level that it begins from is therefore what is left after it.
        state_of_charge_initial=begin_kwh * (1 - store.self_discharge_fraction_per_hour) ** hours,
        state_of_charge_set=fixed_kwh,
        marginal_cost=store.throughput_cost_eur_per_kwh,
    )  # fmt: skip
