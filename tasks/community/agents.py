"""The community in Mesa: households as agents, the quarter hours as the model's steps."""

from __future__ import annotations

from collections.abc import Sequence

import mesa  # type: ignore[import-untyped]

from schema.community.households import Household
from schema.community.job import Job
from schema.community.results_files import MICRO, Energies
from schema.community.ticks import TICK_HOURS, following
from tasks.community.battery import Limits, by_rules, settled
from tasks.community.optimum import Forecast, plan
from tasks.community.surroundings import Surroundings, chance, mean_load_kw, surroundings_of


class Community(mesa.Model):  # type: ignore[misc]
    """All households of a job.

    Args:
        households: with their state before the first tick.
        job: what to simulate; `job.dispatch` says what kind of agents they are.
    """

    def __init__(self, households: Sequence[Household], job: Job) -> None:
        super().__init__(rng=job.seed)
        self.job = job
        ahead = max(len(job.ticks), job.look_ahead_ticks if job.dispatch == "milp" else 0)
        factors = [*job.weather_factors, *[job.weather_factors[-1]] * ahead]
        self.timeline = [
            surroundings_of(job, tick, factor)
            for tick, factor in zip(following(job.timestamp, ahead), factors, strict=False)
        ]
        self.now = self.timeline[0]
        kind = OptimisingAgent if job.dispatch == "milp" else HouseholdAgent
        self.households = [kind(self, household) for household in households]

    def step(self) -> None:
        """One quarter hour; no agent depends on another, so that their order does not matter."""
        self.now = self.timeline[int(self.steps) - 1]
        self.agents.do("act")


class HouseholdAgent(mesa.Agent):  # type: ignore[misc]
    """A household that lives by rules: surplus first into the battery, then into the grid.

    Attributes:
        level: energy in the battery [10⁻⁶ kWh].
        energies: of the last tick [10⁻⁶ kWh].
    """

    model: Community

    def __init__(self, model: Community, household: Household) -> None:
        super().__init__(model)
        self.household = household
        self.limits = Limits.of(household, model.job.battery_efficiency_fraction)
        self.level = min(round(household.battery_soc_kwh * MICRO), self.limits.capacity)
        self.energies: Energies = (0,) * 8
        self._mean_load_kw = mean_load_kw(household.household_size)

    def act(self) -> None:
        """Live through a tick."""
        generation, consumption = self.needs(self.model.now)
        wish = self.decide(generation, consumption)
        self.energies = settled(self.limits, self.level, generation, consumption, wish)
        self.level = self.energies[2]

    def needs(self, now: Surroundings) -> tuple[int, int]:
        """Generation and consumption; clouds and habits vary them by up to 5 % and 30 %."""
        cloud, habit = chance(self.model.job.seed, self.household.user_id, now.stamp)
        pv_kw = self.household.pv_kw * now.pv_kw_per_kw * (0.95 + 0.1 * cloud)
        load_kw = self._mean_load_kw * now.load_factor * (0.7 + 0.6 * habit)
        generation = min(round(pv_kw * TICK_HOURS * MICRO), self.limits.inverter)
        return generation, round(load_kw * TICK_HOURS * MICRO)

    def decide(self, generation: int, consumption: int) -> tuple[int, int]:
        """What should go into the battery and out of it."""
        return by_rules(generation - consumption)


class OptimisingAgent(HouseholdAgent):
    """A household whose battery follows the cheapest plan for the time ahead, which it knows."""

    def __init__(self, model: Community, household: Household) -> None:
        super().__init__(model, household)
        self._plan = self._planned()

    def decide(self, generation: int, consumption: int) -> tuple[int, int]:
        """The plan's next wish; rules where there is no plan."""
        if self._plan is None:
            return super().decide(generation, consumption)
        charge, discharge = self._plan[int(self.model.steps) - 1]
        return charge, discharge

    def _planned(self) -> Sequence[tuple[int, int]] | None:
        if not self.limits.power or not self.limits.capacity:
            return None
        timeline = self.model.timeline
        needs = [self.needs(now) for now in timeline]
        return plan(self.limits, self.level, Forecast.of(needs, timeline), self.model.job.prices)
