"""By what dispatches are told apart: a hash of all that decides a dispatch, and of nothing else.

To a dispatch belong the design as the model sees it, the numbers of the profiles that it names, the reference
design (where the simplex method starts), the solver's settings, and what it is worked out with: versions, this
program's own equations, the kind of machine. Investments, lifetimes, subsidies, yearly fixed costs, the discount
rate and the project's years enter no equation; where the solver chooses capacities they do, and belong to it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from schema.base import Value
from schema.bounds import Series, references
from schema.components import Component
from schema.study import SolverSettings
from schema.system import System
from tasks.versions import deciding

_BYTES = 12
"""Of a million dispatches two have the same key with a chance of 1 in 10^17."""


def is_money(attribute: str) -> bool:
    """Whether a component's attribute says what it costs to have it, and enters no equation of the dispatch."""
    return attribute in {"lifetime_years", "subsidy_fraction"} or attribute.startswith(
        ("investment_eur_per_", "fixed_cost_eur_per_")
    )


class DispatchKeys:
    """The keys of a study's designs.

    Args:
        system: the reference design.
        series: its profiles, each (T,).
        solver: settings; `solver.*` among a design's values overrides them.
        made_with: what dispatches are worked out with.
    """

    def __init__(
        self,
        system: System,
        series: Series,
        solver: SolverSettings,
        made_with: Mapping[str, str] | None = None,
    ) -> None:
        self._system, self._solver = system, solver
        self._profiles = {
            name: hashlib.sha256(values.tobytes()).hexdigest() for name, values in series.items()
        }
        self._known = {name: self._component(component) for name, component in system.components.items()}
        told = {
            "reference": self._told(system),
            "made_with": dict(deciding() if made_with is None else made_with),
        }
        self._common = hashlib.blake2b(_canonical(told))

    def key(self, values: Mapping[str, Value]) -> str | None:
        """The key of the design that has these values at these dotted paths; None where they are not valid."""
        changes = {path.partition(".")[2]: v for path, v in values.items() if path.startswith("solver.")}
        try:
            solver = self._solver.with_changes(**changes) if changes else self._solver
            told = self._told(self._system.with_values(values))
        except (ValidationError, ValueError, KeyError):
            return None  # it fails as it is evaluated, and is told then
        digest = self._common.copy()
        digest.update(_canonical({"design": told, "solver": _settings(solver)}))
        return base64.urlsafe_b64encode(digest.digest()[:_BYTES]).decode()

    def _told(self, system: System) -> dict[str, Any]:
        """What the model sees of a system; lists where the order decides that of rows and columns."""
        economics: dict[str, Any] = {
            "co2_price_eur_per_kg": system.economics.co2_price_eur_per_kg,
            "baseline": system.economics.baseline,
        }
        if system.sizing:
            economics = system.economics.model_dump(mode="json")
        return {
            "horizon": system.horizon.model_dump(mode="json"),
            "economics": economics,
            "sizing": [[path, range_.model_dump(mode="json")] for path, range_ in system.sizing.items()],
            "components": [
                [name, self._known[name] if component is known else self._component(component)]
                for (name, component), known in zip(
                    system.components.items(), self._system.components.values(), strict=True
                )
            ],
        }

    def _component(self, component: Component) -> str:
        """A hash of what the model sees of it: most components are the reference's, which are hashed once."""
        told = component.model_dump(mode="json")
        if not self._system.sizing:
            told = {attribute: value for attribute, value in told.items() if not is_money(attribute)}
        profiles = {attribute: self._profiles[r.profile] for attribute, r in references(component).items()}
        return hashlib.sha256(_canonical({"told": told, "profiles": profiles})).hexdigest()


@lru_cache(maxsize=16)
def _settings(solver: SolverSettings) -> Mapping[str, Any]:
    return solver.model_dump(mode="json")


def _canonical(told: Mapping[str, Any]) -> bytes:
    """One text for one content: keys sorted, numbers with every digit that tells them apart."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
