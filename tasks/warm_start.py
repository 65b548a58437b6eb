"""The front of an earlier study as the first designs of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from schema.errors import Finding, InputError
from schema.loading import LoadedStudy
from schema.store import queries
from schema.store.store import Store
from schema.study import GeneticStudy
from tasks.search_space import SearchSpace


@dataclass(frozen=True)
class Start:
    """Designs that a search starts from.

    Attributes:
        run_ids: under which the earlier study recorded them.
        designs: possible values at those of the study's paths that the earlier one names as well.
        clipped: how many of them had a value that is not possible here, and have the nearest one instead.
        found: size of the earlier study's front.
    """

    run_ids: Sequence[str] = ()
    designs: Sequence[Mapping[str, float]] = ()
    clipped: int = 0
    found: int = 0

    def recorded(self) -> dict[str, Any]:
        """As a study's record keeps it: the earlier study may change while this one runs."""
        return asdict(self)


def start_of(store: Store, loaded: LoadedStudy) -> Start:
    """Designs that a genetic study starts from, as its record has them or else from the earlier study's front.

    Where that has more designs than a generation, designs evenly spread along it by its first objective.

    Raises:
        InputError: there is no such study, it has no front, or none of its numbers is a variable here.
    """
    study = loaded.study
    if not isinstance(study, GeneticStudy) or study.algorithm.start_from is None:
        return Start()
    row = store.study(study.study)
    if row is not None and "start" in row["metadata_json"]:
        return Start(**row["metadata_json"]["start"])
    front = _front(store, study.algorithm.start_from, str(loaded.path))
    count = min(len(front), study.population_size)
    places = np.linspace(0, len(front) - 1, count).round().astype(int)
    space = SearchSpace(study.variables)
    stated = [_shared(front[place]["parameters"], study) for place in places]
    if not any(stated):
        raise InputError(_nothing_shared(study, str(loaded.path)))
    designs = [space.nearest(values) for values in stated]
    return Start(
        run_ids=[front[place]["run_id"] for place in places],
        designs=designs,
        clipped=sum(nearest != values for nearest, values in zip(designs, stated, strict=True)),
        found=len(front),
    )


def _front(store: Store, other: str, file: str) -> list[dict[str, Any]]:
    place = "algorithm.start_from"
    if store.study(other) is None:
        known = [str(row["study_id"]) for row in queries.list_studies(store.connection, limit=20)]
        message = (
            f"there is no study '{other}' in {store.results_dir}; there are {', '.join(known) or 'none'}"
        )
        raise InputError(Finding(file, place, other, "a recorded study", message))
    front = queries.pareto_front(store.connection, other)
    if not front:
        message = f"study '{other}' has no front to start from: run it first, or leave start_from out"
        raise InputError(Finding(file, place, other, "a study with a front", message))
    return front


def _shared(parameters: Mapping[str, Any], study: GeneticStudy) -> dict[str, float]:
    return {
        path: float(value)
        for path, value in parameters.items()
        if path in study.variables and isinstance(value, int | float)
    }


def _nothing_shared(study: GeneticStudy, file: str) -> Finding:
    other = str(study.algorithm.start_from)
    message = f"no number that study '{other}' varies is a variable of this one: leave start_from out"
    expected = f"a study that varies some of {', '.join(study.variables)}"
    return Finding(file, "algorithm.start_from", other, expected, message)
