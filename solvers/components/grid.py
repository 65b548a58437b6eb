"""Connections to public grids.

Symbols: i import [kW], x export [kW], a availability of the limits, P_m billed peak of calendar month m [kW],
P peak of the horizon [kW], ρ demand ratchet, Δ step [h], π price [€/kWh], κ CO2 intensity [kg/kWh],
w weight of CO2 [€/kg], ξ weight of what is exchanged [€/kWh].

(G1)  0 ≤ i_t ≤ a_t · import limit,  0 ≤ x_t ≤ a_t · export limit,  i_t · x_t = 0
(G2)  i_t ≤ P_m for every step t of month m            only with a monthly demand charge
(G3)  i_t ≤ P for every step t                         only with a yearly demand charge or a ratchet
(G4)  objective = Σ Δ (π_i + w κ_i + ξ) i_t - Σ Δ (π_x + w κ_x - ξ) x_t
                  + Σ_m monthly charge_m · share_m · P_m + yearly charge · horizon hours / 8,760 · P
(G5)  ρ P ≤ P_m for every month m                      only with a ratchet of the monthly demand charge
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schema.components import EnergyImport, Grid
from solvers.maths import Array, Equations, Ledger, Maths, Numbers, Operations, Port, Setting, Var


def _numbers(grid: Grid, s: Setting) -> dict[str, Any]:
    hours, weight, exchange = s.horizon.step_hours, s.carbon_price_eur_per_kg, s.exchange_price_eur_per_kwh
    import_price, export_price = s.of(grid.import_price_eur_per_kwh), s.of(grid.export_price_eur_per_kwh)
    import_co2, export_co2 = s.of(grid.import_co2_kg_per_kwh), s.of(grid.export_co2_credit_kg_per_kwh)
    numbers: dict[str, Any] = {
        "import_limit_kw": _available(grid, grid.import_limit_kw, s),
        "export_limit_kw": _available(grid, grid.export_limit_kw, s),
        "import_cost_eur_per_kw": hours * import_price,
        "export_revenue_eur_per_kw": hours * export_price,
        "import_co2_kg_per_kw": hours * import_co2,
        "export_co2_kg_per_kw": hours * export_co2,
        "import_weight_eur_per_kw": hours * (import_price + weight * import_co2 + exchange),
        "export_weight_eur_per_kw": hours * (export_price + weight * export_co2 - exchange),
    }
    if grid.demand_charge_eur_per_kw_month:
        monthly_charge = s.months.T @ s.of(grid.demand_charge_eur_per_kw_month) / s.months.sum(axis=0)
        numbers["peak_limit_kw"] = np.full(s.month_shares.size, np.inf)
        numbers["peak_cost_eur_per_kw"] = monthly_charge * s.month_shares
        numbers["months"] = s.months
    if _has_peak_of_all(grid):
        numbers["yearly_peak_limit_kw"] = np.full(1, np.inf)
        numbers["yearly_peak_cost_eur_per_kw"] = [grid.demand_charge_eur_per_kw_year * s.horizon.year_share]
        numbers["all_steps"] = s.ones[:, None]
    if _has_ratchet(grid):
        numbers["ratchet"] = grid.demand_ratchet_fraction
        numbers["all_months"] = np.ones((s.month_shares.size, 1))
    return numbers


def _has_ratchet(grid: Grid) -> bool:
    return bool(grid.demand_charge_eur_per_kw_month) and grid.demand_ratchet_fraction > 0


def _has_peak_of_all(grid: Grid) -> bool:
    return grid.demand_charge_eur_per_kw_year > 0 or _has_ratchet(grid)


def _available(grid: Grid, limit_kw: float | None, s: Setting) -> Array:
    """a_t · limit; without a limit, nothing in an outage and anything else at other times."""
    limit, available = s.limit(limit_kw), s.of(grid.availability_fraction)
    return np.multiply(limit, available, out=np.zeros_like(limit), where=available > 0)


def _variables(grid: Grid) -> tuple[Var, ...]:
    variables = [Var("import_kw", "import_limit_kw"), Var("export_kw", "export_limit_kw")]
    if grid.demand_charge_eur_per_kw_month:
        variables.append(Var("monthly_peak_kw", "peak_limit_kw"))
    if _has_peak_of_all(grid):
        variables.append(Var("yearly_peak_kw", "yearly_peak_limit_kw"))
    return tuple(variables)


def _equations(p: Any, v: Any, m: Operations) -> Equations:
    ports = {
        "import_kw": Port("electricity", +1, v.import_kw),
        "export_kw": Port("electricity", -1, v.export_kw),
    }
    objective = m.total(p.import_weight_eur_per_kw, v.import_kw) - m.total(
        p.export_weight_eur_per_kw, v.export_kw
    )  # (G4)
    at_most = {}
    if hasattr(v, "monthly_peak_kw"):
        at_most["monthly peak"] = v.import_kw - m.spread(v.monthly_peak_kw, p.months)  # (G2)
        objective = objective + m.total(p.peak_cost_eur_per_kw, v.monthly_peak_kw)
    if hasattr(v, "yearly_peak_kw"):
        at_most["yearly peak"] = v.import_kw - m.spread(v.yearly_peak_kw, p.all_steps)  # (G3)
        objective = objective + m.total(p.yearly_peak_cost_eur_per_kw, v.yearly_peak_kw)
    if hasattr(p, "ratchet"):
        least = m.times(p.ratchet, m.spread(v.yearly_peak_kw, p.all_months))
        at_most["demand ratchet"] = least - v.monthly_peak_kw  # (G5)
    return Equations(ports, at_most=at_most, objective=objective)


def _ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    cost = p["import_cost_eur_per_kw"] @ v["import_kw"] - p["export_revenue_eur_per_kw"] @ v["export_kw"]
    if "peak_cost_eur_per_kw" in p:
        monthly_peaks = (p["months"] * v["import_kw"][:, None]).max(axis=0)
        if "ratchet" in p:
            monthly_peaks = np.maximum(monthly_peaks, p["ratchet"] * v["import_kw"].max())
        cost += p["peak_cost_eur_per_kw"] @ monthly_peaks
    if "yearly_peak_cost_eur_per_kw" in p:
        cost += p["yearly_peak_cost_eur_per_kw"][0] * v["import_kw"].max()
    co2 = p["import_co2_kg_per_kw"] @ v["import_kw"] - p["export_co2_kg_per_kw"] @ v["export_kw"]
    return Ledger(float(cost), float(co2))


GRID = Maths(
    _numbers,
    _variables,
    _equations,
    _ledger,
    exclusive=("import_kw", "export_kw"),
    weighted=True,
    optional=("demand_ratchet_fraction",),
)


def _import_numbers(grid: EnergyImport, s: Setting) -> dict[str, Any]:
    hours = s.horizon.step_hours
    price, co2 = s.of(grid.import_price_eur_per_kwh), s.of(grid.import_co2_kg_per_kwh)
    return {
        "import_limit_kw": s.limit(grid.import_limit_kw),
        "import_cost_eur_per_kw": hours * price,
        "import_co2_kg_per_kw": hours * co2,
        "import_weight_eur_per_kw": hours * (price + s.carbon_price_eur_per_kg * co2),
    }


def _import_ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    return Ledger(
        float(p["import_cost_eur_per_kw"] @ v["import_kw"]), float(p["import_co2_kg_per_kw"] @ v["import_kw"])
    )


def import_of(carrier: str) -> Maths:
    """The mathematics of a connection from which `carrier` is bought: (G1) and (G4) without exports."""

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        return Equations(
            {"import_kw": Port(carrier, +1, v.import_kw)},
            objective=m.total(p.import_weight_eur_per_kw, v.import_kw),
        )

    return Maths(
        _import_numbers,
        lambda _grid: (Var("import_kw", "import_limit_kw"),),
        equations,
        _import_ledger,
        weighted=True,
    )
