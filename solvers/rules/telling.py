"""What the rules leave short: where, when and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from schema.system import System
from solvers.checks import TOLERANCE, stated
from solvers.maths import Array, Numbers
from solvers.rules.network import Network


def shortages(
    system: System,
    numbers: Mapping[str, Numbers],
    values: Mapping[str, Mapping[str, Array]],
    network: Network,
) -> list[str]:
    """A line for each unit that breaks a rule, node that is short, and level that is not where it must be."""
    return [
        *_units(system, numbers, values, network),
        *_nodes(system, numbers, values),
        *_levels(system, numbers, values, network),
    ]


def _units(
    system: System,
    numbers: Mapping[str, Numbers],
    values: Mapping[str, Mapping[str, Array]],
    network: Network,
) -> Iterator[str]:
    equations = stated(system, numbers, values)
    for switch in network.switches:
        rules = equations[switch.component].at_most
        # One broken rule breaks others with it: the worst is told, of equals the first.
        label = max(rules, key=lambda rule: round(float(rules[rule].max()), 9), default=None)
        if label is not None and rules[label].max() > TOLERANCE:
            yield (
                f"{switch.component} must run and finds no use or no energy for it: its {label} is not kept "
                f"{_when(system, rules[label], 'kW')}"
            )


def _nodes(
    system: System, numbers: Mapping[str, Numbers], values: Mapping[str, Mapping[str, Array]]
) -> Iterator[str]:
    missing: dict[str, Array] = {}
    for name, equations in stated(system, numbers, values).items():
        for port in equations.ports.values():
            node = system.components[name].node(port.carrier)
            missing[node] = missing.get(node, 0.0) - port.sign * port.flow
    for node, short in missing.items():
        unit = "m³/h" if node.partition("@")[0] == "water" else "kW"
        for sign, word in ((1.0, "is short"), (-1.0, "has too much")):
            if (sign * short).max() > TOLERANCE:
                yield f"the balance of {node} {word} {_when(system, sign * short, unit)}"


def _levels(
    system: System,
    numbers: Mapping[str, Numbers],
    values: Mapping[str, Mapping[str, Array]],
    network: Network,
) -> Iterator[str]:
    for store in network.stores:
        own, level = numbers[store.component], values[store.component][store.level]
        unit = "m³" if store.level.endswith("_m3") else "kWh"
        name = store.level.rpartition("_")[0]
        for short, word in ((own[store.lowest] - level, "below"), (level - own[store.highest], "above")):
            if short.max() > TOLERANCE:
                yield f"the {name} of {store.component} is {word} its limit {_when(system, short, unit)}"


def _when(system: System, short: Array, unit: str) -> str:
    steps, worst = int((short > TOLERANCE).sum()), int(np.argmax(short))
    at = f"{system.horizon.index[worst]:%Y-%m-%d %H:%M}"
    count = "1 step" if steps == 1 else f"{steps} steps"
    return f"in {count}, by up to {short[worst]:.3g} {unit}, worst at {at}"
