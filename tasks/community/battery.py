"""A household's energies within a tick, in whole millionths of a kWh: balances hold to the last digit.

Symbols: g generation, c consumption, s = g - c surplus, b⁺ and b⁻ into and out of the battery, e and e' its level
before and after, E its capacity, P most that goes in or out in a tick, I most that the inverter gives in a tick,
η efficiency each way, i import, x export.

(B1)  b⁺ ≤ min(P, ⌊(E - e) / η⌋)            (B3)  e' = e + ⌊η b⁺⌋ - ⌈b⁻ / η⌉
(B2)  b⁻ ≤ min(P, ⌊η e⌋, I - g)              (B4)  i - x = c + b⁺ - g - b⁻,  i · x = 0
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from schema.community.households import Household
from schema.community.results_files import MICRO, Energies
from schema.community.ticks import TICK_HOURS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a household's devices allow [10⁻⁶ kWh].

    Attributes:
        capacity: E.
        power: P.
        inverter: I.
        efficiency: η.
    """

    capacity: int
    power: int
    inverter: int
    efficiency: float

    @classmethod
    def of(cls, household: Household, efficiency: float) -> Limits:
        return cls(
            floor(household.battery_capacity_kwh * MICRO),
            floor(household.battery_power_kw * TICK_HOURS * MICRO),
            floor(household.inverter_capacity_kw * TICK_HOURS * MICRO),
            efficiency,
        )

    def allowed(self, generation: int, level: int, charge: int, discharge: int) -> tuple[int, int]:
        """What of a wish can be done, by (B1) and (B2)."""
        room = floor((self.capacity - level) / self.efficiency)
        left = min(floor(self.efficiency * level), self.inverter - generation)
        return max(0, min(charge, self.power, room)), max(0, min(discharge, self.power, left))


def by_rules(surplus: int) -> tuple[int, int]:
    """The rules' wish: surplus into the battery, what is missing out of it."""
    return max(surplus, 0), max(-surplus, 0)


def settled(limits: Limits, level: int, generation: int, consumption: int, wish: tuple[int, int]) -> Energies:
    """The tick's energies, once the devices did what they can of a wish."""
    charge, discharge = limits.allowed(generation, level, *wish)
    gained = floor(limits.efficiency * charge)
    spent = min(ceil(discharge / limits.efficiency), level)
    after = min(level + gained, limits.capacity) - spent
    net = generation + discharge - consumption - charge
    return (
        generation, consumption, after, charge, discharge, max(-net, 0), max(net, 0), generation - consumption,
    )  # fmt: skip
