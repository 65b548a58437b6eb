"""Pictures for notebooks, as matplotlib figures: `eco.plot.front(study).savefig("front.png")`.

Each takes a study (of `eco.run` or `results.study`), or a results folder and the study's id.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ecosystemiser.analysis_pictures import distribution_picture, sensitivity_picture, sweep_picture
from ecosystemiser.api import Results, Study
from ecosystemiser.results import chosen_study
from ecosystemiser.study_results import convergence_picture, front_picture
from schema.errors import Finding, InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from schema.store.store import Store

if "ipykernel" in sys.modules:
    # Jupyter shows figures as a cell's result from then on.
    import matplotlib.pyplot as plt  # noqa: F401


def front(of: Results | Study, study: str | None = None, *, generation: int | None = None) -> Figure:
    """The front over the designs that it dominates; a third objective or self-sufficiency as colour.

    Raises:
        InputError: there is no front of two objectives.
    """
    return _drawn(of, study, "front", lambda store, one: front_picture(store, one, generation))


def convergence(of: Results | Study, study: str | None = None) -> Figure:
    """The objectives and the hypervolume over the generations."""
    return _drawn(of, study, "convergence", convergence_picture)


def distribution(of: Results | Study, study: str | None = None) -> Figure:
    """How the outputs of a Monte Carlo study spread."""
    return _drawn(of, study, "distribution", distribution_picture)


def sensitivity(of: Results | Study, study: str | None = None) -> Figure:
    """What the parameters do to the outputs."""
    return _drawn(of, study, "sensitivity", sensitivity_picture)


def sweep(of: Results | Study, study: str | None = None) -> Figure:
    """The outputs over the values of a parametric study."""
    return _drawn(of, study, "sweep", sweep_picture)


def _drawn(of: Results | Study, study: str | None, what: str, picture: Callable[[Store, str], Any]) -> Figure:
    results, named = (of.results, of.id) if isinstance(of, Study) else (of, study)
    with results.store() as store:
        one = chosen_study(store, named)
        figure = picture(store, one)
    if figure is None:
        message = f"study {one} has no {what} to draw"
        raise InputError(Finding("", what, "nothing", f"a study that has a {what}", message))
    return figure  # type: ignore[no-any-return]
