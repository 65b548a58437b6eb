"""What two studies of one id differ in, and whether the later one only goes on for longer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LIMITS = ("max_generations", "max_evaluations", "max_hours")


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """What differs between two nested records: `algorithm.seed (1, now 2)`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if old == new and list(old) != list(new):
            # The first objective is the fitness, and the search draws its numbers variable by variable.
            return [f"the order of {path}"]
        return [
            difference
            for key in dict.fromkeys([*old, *new])
            for difference in differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
        ]
    if old == new:
        return []
    if path == "system_hash":
        return ["the system or its profiles"]
    return [f"{path} ({old}, now {new})"]


def prolongs(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a genetic study differs from its record in limits alone, of which none is tighter.

    The generations that are recorded are then the first ones of the longer study.
    """
    before, now = old.get("algorithm"), new.get("algorithm")
    if (
        old.get("type") != "genetic_algorithm"
        or not isinstance(before, Mapping)
        or not isinstance(now, Mapping)
    ):
        return False
    if differences(_without_limits(old, before), _without_limits(new, now)):
        return False
    looser = [_is_looser(before.get(name), now.get(name)) for name in _LIMITS]
    return all(looser) and _stands_still_later(before.get("stagnation"), now.get("stagnation"))


def _without_limits(content: Mapping[str, Any], algorithm: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in algorithm.items() if name not in {*_LIMITS, "stagnation"}}
    return {**content, "algorithm": rest}


def _is_looser(before: float | None, now: float | None) -> bool:
    return now is None or (before is not None and now >= before)


def _stands_still_later(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    if before is None or now is None:
        return now is None
    return bool(
        now["generations"] >= before["generations"]
        and now["tolerance_fraction"] <= before["tolerance_fraction"]
    )
