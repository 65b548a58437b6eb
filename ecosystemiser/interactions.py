"""Which two parameters of a sweep to show against each other, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schema.errors import Finding, InputError
from schema.findings import nearest
from schema.store import queries
from schema.store.store import Store
from tasks.sweep import interaction_table


def interaction_rows(
    store: Store, study_id: str, objective: str | None, pair: Sequence[str] | None
) -> list[dict[str, Any]]:
    """The mean of an output in every pair of values of two parameters; none where there are no two.

    Args:
        store: open for reading.
        study_id: the study.
        objective: the output; the first unless told.
        pair: the two parameters; those whose interaction has the largest share unless told.

    Raises:
        InputError: the study has not this output, or does not sweep these parameters.
    """
    effects = [
        row
        for row in queries.sensitivity(store.connection, study_id, objective)
        if (row["metadata_json"] or {}).get("interactions")
    ]
    if not effects:
        return []
    outputs = queries.required_study(store.connection, study_id)["optimization_objective"]
    output = objective or next(iter(outputs))
    effects = [row for row in effects if row["objective_name"] == output]
    names = [row["parameter_name"] for row in sorted(effects, key=lambda row: row["parameter_index"])]
    one, other = _strongest(effects) if pair is None else _known(pair, names)
    return interaction_table(queries.evaluations(store.connection, study_id), output, one, other)


def _strongest(effects: Sequence[dict[str, Any]]) -> tuple[str, str]:
    shares = {
        (row["parameter_name"], other): share
        for row in effects
        for other, share in row["metadata_json"]["interactions"].items()
    }
    one, other = max(shares, key=lambda names: shares[names])
    return one, other


def _known(pair: Sequence[str], names: Sequence[str]) -> tuple[str, str]:
    expected = ", ".join(names)
    if len(pair) != 2:
        message = f"{len(pair)} parameters were named, and two are shown: write --parameters A,B"
        raise InputError(Finding("", "--parameters", ",".join(pair), "two parameters", message))
    for name in pair:
        if name not in names:
            hint = nearest(name, names) or f"; there are {expected}"
            message = f"the study does not sweep '{name}'{hint}"
            raise InputError(Finding("", "--parameters", name, f"two of {expected}", message))
    return pair[0], pair[1]
