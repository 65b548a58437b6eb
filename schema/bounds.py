"""Whether series are within what their attributes can take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from schema.profiles import ProfileRef, SeriesBound

Series = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class OutOfBounds:
    """A series that leaves its bound.

    Attributes:
        attribute: which takes the series.
        step: the first step at which it does.
        value: there, in the attribute's unit.
        steps: at how many steps.
    """

    attribute: str
    reference: ProfileRef
    bound: SeriesBound
    step: int
    value: float
    steps: int


def references(component: BaseModel) -> dict[str, ProfileRef]:
    """The attributes that hold a profile."""
    values = {name: getattr(component, name) for name in type(component).model_fields}
    return {name: value for name, value in values.items() if isinstance(value, ProfileRef)}


def out_of_bounds(component: BaseModel, series: Series) -> Iterator[OutOfBounds]:
    """Profiles beyond what an attribute can take, such as a negative demand or a COP of 0."""
    for attribute, reference in references(component).items():
        values, bound = series.get(reference.profile), _bound_of(type(component), attribute)
        if values is None or bound is None:
            continue
        wrong = np.flatnonzero(~bound.holds(values * reference.scale))
        if wrong.size:
            step = int(wrong[0])
            value = float(values[step] * reference.scale)
            yield OutOfBounds(attribute, reference, bound, step, value, wrong.size)


def _bound_of(component: type[BaseModel], attribute: str) -> SeriesBound | None:
    metadata = component.model_fields[attribute].metadata
    return next((item for item in metadata if isinstance(item, SeriesBound)), None)
