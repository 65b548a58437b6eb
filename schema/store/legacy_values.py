"""Single values of the older layout, fitted to the tables of today; what does not fit exactly is kept beside."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from schema.store.tables import JSON_COLUMNS
from schema.store.values import finite, utc_text

_MOMENTS: Final = frozenset({"timestamp", "created_at", "updated_at", "completed_at"})
_LARGE: Final = 2**53
_TRUE, _FALSE = frozenset({"true", "yes"}), frozenset({"false", "no"})

PENALTY: Final = 1e9
"""A fitness from here on was made up for a design without a solution; no local system costs or emits that."""

STUDY_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(["genetic_algorithm", "genetic", "ga", "nsga2", "optimization"], "genetic_algorithm"),
    **dict.fromkeys(["monte_carlo", "montecarlo", "mc", "uncertainty"], "monte_carlo"),
    **dict.fromkeys(["parametric", "parameter_sweep", "sweep", "fidelity"], "parametric"),
    **dict.fromkeys(["single", "single_simulation", "simulation", "standard"], "single"),
}
STUDY_STATUS: Final[Mapping[str, str]] = {
    **dict.fromkeys(["pending", "created", "queued"], "pending"),
    **dict.fromkeys(["running", "in_progress"], "running"),
    **dict.fromkeys(["completed", "complete", "done", "finished", "success", "optimal"], "completed"),
    **dict.fromkeys(["failed", "error", "timeout"], "failed"),
    **dict.fromkeys(["cancelled", "canceled", "aborted", "stopped"], "cancelled"),
}
EVALUATION_STATUS: Final[Mapping[str, str]] = {
    **dict.fromkeys(["success", "completed", "optimal", "feasible", "completed_with_kpi_errors"], "success"),
    **dict.fromkeys(["failed", "error", "timeout"], "failed"),
    "infeasible": "infeasible",
}
SIMULATION_STATUS: Final[Mapping[str, str]] = {
    "running": "running",
    **{word: "completed" if told == "success" else told for word, told in EVALUATION_STATUS.items()},
}


_SENSES: Final[Mapping[str, str]] = {
    **dict.fromkeys(["minimise", "minimize", "min"], "minimise"),
    **dict.fromkeys(["maximise", "maximize", "max"], "maximise"),
}
_MAXIMISED: Final = ("renewable", "sufficiency", "consumption_rate", "generation")


def word(value: object, words: Mapping[str, str]) -> str | None:
    """What the word is called today; None where it is none that we know."""
    return words.get(re.sub(r"[\s-]+", "_", value.strip().lower())) if isinstance(value, str) else None


def fitted(value: Any, name: str, kind: type) -> tuple[Any, bool]:
    """A value as the column can hold it, and whether nothing of it is lost."""
    if value is None or value == "":
        return None, True
    if name in JSON_COLUMNS:
        return _json(value)
    if kind is str:
        return _moment(value) if name in _MOMENTS else _text(value)
    if isinstance(value, int | float) and type(value) is kind and -_LARGE < value < _LARGE:
        return value, True
    return _number(value, kind)


def kept(value: object) -> object:
    """A value that found no place, as JSON can hold it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


class Ids:
    """New ids for old ones: the same wherever it can be a folder's name and is not taken."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._new: dict[str, str] = {}
        self._taken: set[str] = set()

    def __getitem__(self, told: object) -> str | None:
        return None if told is None else self._new.get(str(told))

    def give(self, told: object, spare: str) -> str:
        """The id of a row; a second row of the same id gets another."""
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", str(told or "")).lstrip("-_")[: self._longest]
        base = slug or spare[: self._longest]
        given, count = base, 1
        while given.lower() in self._taken:
            count += 1
            given = f"{base[: self._longest - 9]}-{count}"
        self._taken.add(given.lower())
        self._new.setdefault(str(spare if told is None else told), given)
        return given


def directions(value: object) -> dict[str, str]:
    """Objectives as the older layout names them (`a,b`, a JSON list or object) → which way is better."""
    told, _ = _json(value) if value else ({}, True)
    if isinstance(told, Mapping):
        return {
            str(name): _SENSES.get(str(sense).lower(), _nature(str(name))) for name, sense in told.items()
        }
    names = told if isinstance(told, list) else re.split(r"[,;\s]+", str(value))
    return {name: _nature(name) for item in names if (name := str(item).strip())}


def parameters(vector: Any, names: Any) -> tuple[list[Any] | None, list[str] | None]:
    """A design's values and names, from a list of each or from one object."""
    if isinstance(vector, Mapping):
        return list(vector.values()), [str(name) for name in vector]
    named_all = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return vector if isinstance(vector, list) else None, names if named_all else None


def named(objectives: Any, names: Sequence[str]) -> dict[str, float | None]:
    """Objectives by name; a list takes the study's names where it has as many."""
    if isinstance(objectives, Mapping):
        return {str(name): number(value) for name, value in objectives.items()}
    if not isinstance(objectives, list):
        return {}
    if len(names) != len(objectives):
        names = [f"objective_{position + 1}" for position in range(len(objectives))]
    return {name: number(value) for name, value in zip(names, objectives, strict=True)}


def violations(value: Any) -> dict[str, float | None]:
    """Broken constraints by name; what is not broken is left out."""
    if isinstance(value, list):
        value = {f"constraint_{position + 1}": amount for position, amount in enumerate(value)}
    if not isinstance(value, Mapping):
        return {} if value is None or value in (0, False) else {"constraint_1": number(value)}
    amounts = {str(name): number(amount) for name, amount in value.items()}
    return {name: amount for name, amount in amounts.items() if amount is None or amount > 0}


def number(value: object) -> float | None:
    """The value where it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return finite(value)
    except OverflowError:  # a whole number that no float holds
        return None


def _nature(name: str) -> str:
    return "maximise" if any(part in name for part in _MAXIMISED) else "minimise"


def _text(value: object) -> tuple[str | None, bool]:
    if isinstance(value, bytes):
        return None, False
    return str(value), True


@lru_cache(maxsize=4096, typed=True)
def _moment(value: str | float | bytes) -> tuple[str | None, bool]:
    """In UTC to the second; the older software wrote local time or UTC without saying which."""
    try:
        moment = datetime.fromisoformat(str(value))
        text = utc_text(moment)
    except (ValueError, OverflowError):
        return _text(value)
    in_utc = moment.tzinfo in {None, UTC}  # another zone is news of its own
    return text, in_utc and datetime.fromisoformat(text).replace(tzinfo=None) == moment.replace(tzinfo=None)


def _number(value: object, kind: type) -> tuple[float | int | None, bool]:
    if isinstance(value, bytes):
        return None, False
    lowered = str(value).strip().lower()
    if kind is int and lowered in _TRUE | _FALSE:
        return int(lowered in _TRUE), True
    try:
        number = float(lowered)
    except ValueError:
        return None, False
    if not math.isfinite(number) or (kind is int and (number != int(number) or abs(number) > _LARGE)):
        return None, False
    if kind is int:
        return int(number), True
    return number, not isinstance(value, int) or int(number) == value


def _json(value: object) -> tuple[Any, bool]:
    """What the JSON says, with numbers that JSON does not know left out."""
    unknown: list[str] = []  # NaN and infinities; `append` gives None, which takes their place
    try:
        return json.loads(str(value), parse_constant=unknown.append), not unknown
    except (ValueError, RecursionError):
        return None, False
