"""Money that does not depend on the dispatch: annuities, yearly fixed costs, purchases over a project's years.

Symbols: I investment after subsidy [€], L lifetime [a], N years of the project [a], i discount rate [1/a].

(M1)  annuity = I · CRF(i, L)
(M2)  purchases' present value = I Σ_{k ≥ 0, k L < N} (1 + i)^(-k L) - I · r / L · (1 + i)^(-N)
      with r = ⌈N / L⌉ L - N, the years that the last one bought still has at the end of the project

A replacement costs what the first purchase did, subsidy included, as in the annuity; what is left of it at the end
counts by its years.
"""

from __future__ import annotations

import math

from schema.components import Component, Sized
from schema.system import System


def capital_recovery_factor(discount_rate: float, years: float) -> float:
    """Share of an investment that is paid each year over its lifetime [1/a].

    i (1 + i)^n / ((1 + i)^n - 1), and 1/n without interest; Short, Packey and Holt 1995, NREL/TP-462-5173, 2-26.
    """
    growth = math.pow(1.0 + discount_rate, years)
    if growth == 1.0:  # or so little interest that it is lost beside 1
        return 1.0 / years
    return discount_rate * growth / (growth - 1.0)


def investment_eur(component: Component) -> float:
    """What buying and building the component costs, subsidy apart [€]."""
    if not isinstance(component, Sized):
        return 0.0
    size = component.size
    return size.capacity * size.investment_eur


def net_investment_eur(component: Component) -> float:
    """What the component costs its owner to buy, after the subsidy [€]."""
    if not isinstance(component, Sized):
        return 0.0
    return (1.0 - component.subsidy_fraction) * investment_eur(component)


def purchases_eur(component: Component, discount_rate: float, project_years: float) -> float:
    """Present value of buying the component and its replacements, less what is left in the end (M2) [€]."""
    price = net_investment_eur(component)
    if not isinstance(component, Sized) or price == 0:
        return 0.0
    life, growth = component.lifetime_years, 1.0 + discount_rate
    bought = math.ceil(project_years / life - 1e-9)
    left = (bought * life - project_years) / life
    bought_again = sum(math.pow(growth, -k * life) for k in range(bought))
    return price * (bought_again - left * math.pow(growth, -project_years))


def annuity_eur_per_year(component: Component, discount_rate: float) -> float:
    """Yearly cost of the investment, after the subsidy (M1) [€/a]."""
    if not isinstance(component, Sized):
        return 0.0
    return net_investment_eur(component) * capital_recovery_factor(discount_rate, component.lifetime_years)


def fixed_cost_eur_per_year(component: Component) -> float:
    """Yearly cost of operation that goes with the capacity [€/a]."""
    if not isinstance(component, Sized):
        return 0.0
    size = component.size
    return size.capacity * size.fixed_cost_eur_per_year


def yearly_costs_eur(system: System) -> dict[str, float]:
    """Annuity and fixed cost of each component [€/a]."""
    rate = system.economics.discount_rate
    return {
        name: annuity_eur_per_year(component, rate) + fixed_cost_eur_per_year(component)
        for name, component in system.components.items()
    }
