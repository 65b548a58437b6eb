"""What a community does by rules beside what would be cheapest for it: the same households, weather and needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schema.community.households import Household
from schema.community.job import MAX_TICKS, Dispatch, Job
from schema.community.results_files import MICRO
from tasks.community.agents import Community

WAYS: tuple[Dispatch, ...] = ("rule_based", "milp")


@dataclass(frozen=True)
class Conduct:
    """How a community fares over some ticks.

    Attributes:
        dispatch: who decided about the batteries.
        import_kwh, export_kwh: sums over all households.
        shared_kwh: what neighbours shared: tick by tick the lesser of all export and all import.
        stored_kwh: what all batteries hold at the end.
        cost_eur: imports at their price less exports at theirs.
    """

    dispatch: Dispatch
    import_kwh: float
    export_kwh: float
    shared_kwh: float
    stored_kwh: float
    cost_eur: float


@dataclass(frozen=True)
class Comparison:
    """Practice and optimum.

    Attributes:
        generation_kwh, consumption_kwh: the same for both.
    """

    households: int
    ticks: int
    generation_kwh: float
    consumption_kwh: float
    practice: Conduct
    optimum: Conduct

    @property
    def saving_eur(self) -> float:
        """What practice costs more than the optimum."""
        return self.practice.cost_eur - self.optimum.cost_eur

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: value for name, value in vars(self).items() if not isinstance(value, Conduct)}
        return {
            **told,
            "saving_eur": self.saving_eur,
            "practice": vars(self.practice),
            "optimum": vars(self.optimum),
        }


def compare(households: Sequence[Household], job: Job) -> Comparison:
    """Simulate the same ticks by rules and by plans.

    The optimum looks `job.look_ahead_ticks` beyond the last tick, so that it does not empty its batteries for it.

    Raises:
        SimulationError: a household has no dispatch.
    """
    ahead = min(len(job.ticks) + job.look_ahead_ticks, MAX_TICKS)
    (generation, consumption), practice = _conduct(households, job.with_changes(dispatch="rule_based"))
    _, optimum = _conduct(households, job.with_changes(dispatch="milp", look_ahead_ticks=ahead))
    return Comparison(len(households), len(job.ticks), generation, consumption, practice, optimum)


def _conduct(households: Sequence[Household], job: Job) -> tuple[tuple[float, float], Conduct]:
    community = Community(households, job)
    generated = consumed = imported = exported = shared = 0
    cost_eur = 0.0
    for _ in job.ticks:
        community.step()
        energies = [agent.energies for agent in community.households]
        now_imported, now_exported = sum(e[5] for e in energies), sum(e[6] for e in energies)
        generated += sum(e[0] for e in energies)
        consumed += sum(e[1] for e in energies)
        imported, exported = imported + now_imported, exported + now_exported
        shared += min(now_imported, now_exported)
        price = community.now.import_price
        cost_eur += (now_imported * price - now_exported * job.prices.export_eur_per_kwh) / MICRO
    stored = sum(agent.level for agent in community.households)
    conduct = Conduct(
        job.dispatch, imported / MICRO, exported / MICRO, shared / MICRO, stored / MICRO, cost_eur
    )
    return (generated / MICRO, consumed / MICRO), conduct
