"""Money that does not depend on the dispatch: annuities and yearly fixed costs."""

from __future__ import annotations

import math

from schema.components import Component, Sized
from schema.system import System


def capital_recovery_factor(discount_rate: float, years: float) -> float:
    """Share of an investment that is paid each year over its lifetime [1/a].

    i (1 + i)^n / ((1 + i)^n - 1), and 1/n without interest; Short, Packey and Holt 1995, NREL/TP-462-5173, 2-26.
    """
    if discount_rate == 0:
        return 1.0 / years
    growth = math.pow(1.0 + discount_rate, years)
    return discount_rate * growth / (growth - 1.0)


def investment_eur(component: Component) -> float:
    """What buying and building the component costs, subsidy apart [€]."""
    return component.size.capacity * component.size.investment_eur if isinstance(component, Sized) else 0.0


def annuity_eur_per_year(component: Component, discount_rate: float) -> float:
    """Yearly cost of the investment, after the subsidy [€/a]."""
    if not isinstance(component, Sized):
        return 0.0
    factor = capital_recovery_factor(discount_rate, component.lifetime_years)
    return (1.0 - component.subsidy_fraction) * investment_eur(component) * factor


def fixed_cost_eur_per_year(component: Component) -> float:
    """Yearly cost of operation that goes with the capacity [€/a]."""
    if not isinstance(component, Sized):
        return 0.0
    return component.size.capacity * component.size.fixed_cost_eur_per_year


def yearly_costs_eur(system: System) -> dict[str, float]:
    """Annuity and fixed cost of each component [€/a]."""
    rate = system.economics.discount_rate
    return {
        name: annuity_eur_per_year(component, rate) + fixed_cost_eur_per_year(component)
        for name, component in system.components.items()
    }
