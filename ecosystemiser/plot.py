"""Pictures for notebooks, as matplotlib figures: `eco.plot.front(study).savefig("front.png")`.

Each takes a study (of `eco.run` or `results.study`), or a results folder and the study's id; those of a single
dispatch (`week`, `duration`, `sankey`) take what `eco.solve` returned, or a results folder and a run's id. With
`interactive=True` they are figures of plotly's, which the extra `plots` brings.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ecosystemiser.api import Results, SolvedSystem, Study
from ecosystemiser.pictures import of_runs, of_studies
from ecosystemiser.pictures.marks import Picture
from ecosystemiser.pictures.running import Running, running_of
from ecosystemiser.results import chosen_study
from schema.errors import Finding, InputError

if TYPE_CHECKING:
    from schema.store.store import Store

if "ipykernel" in sys.modules:
    # Jupyter shows figures as a cell's result from then on.
    import matplotlib.pyplot as plt  # noqa: F401


def front(
    of: Results | Study,
    study: str | None = None,
    *,
    generation: int | None = None,
    colour: str | None = None,
    interactive: bool = False,
) -> Any:
    """The front over the designs that it dominates; any KPI or parameter as colour.

    Raises:
        InputError: there is no front of two objectives, or nothing of that name.
    """

    def picture(store: Store, one: str) -> Picture | None:
        return of_studies.front(store, one, generation, colour=colour)

    return _drawn(of, study, "front", picture, interactive=interactive)


def parallel(
    of: Results | Study, study: str | None = None, *, colour: str | None = None, interactive: bool = False
) -> Any:
    """The front's designs as lines across objectives and parameters."""

    def picture(store: Store, one: str) -> Picture | None:
        return of_studies.parallel(store, one, colour=colour)

    return _drawn(of, study, "front", picture, interactive=interactive)


def convergence(of: Results | Study, study: str | None = None, *, interactive: bool = False) -> Any:
    """The objectives and the hypervolume over the generations."""
    return _drawn(of, study, "convergence", of_studies.convergence, interactive=interactive)


def distribution(of: Results | Study, study: str | None = None, *, interactive: bool = False) -> Any:
    """How the outputs of a Monte Carlo study spread."""
    return _drawn(of, study, "distribution", of_studies.distribution, interactive=interactive)


def sensitivity(of: Results | Study, study: str | None = None, *, interactive: bool = False) -> Any:
    """What the parameters do to the outputs."""
    return _drawn(of, study, "sensitivity", of_studies.sensitivities, interactive=interactive)


def morris(of: Results | Study, study: str | None = None, *, interactive: bool = False) -> Any:
    """Morris' plane: how much each parameter does, and how unevenly."""
    return _drawn(of, study, "Morris plane", of_studies.morris, interactive=interactive)


def sweep(of: Results | Study, study: str | None = None, *, interactive: bool = False) -> Any:
    """The outputs over the values of a parametric study."""
    return _drawn(of, study, "sweep", of_studies.sweep, interactive=interactive)


def tornado(of: Results | Study, study: str | None = None, *, interactive: bool = False) -> Any:
    """How far each parameter of a parametric study moves the outputs."""
    return _drawn(of, study, "sweep", of_studies.tornado, interactive=interactive)


def interactions(of: Results | Study, study: str | None = None, *, interactive: bool = False) -> Any:
    """An output over two swept parameters."""
    return _drawn(of, study, "sweep of two parameters", of_studies.interactions, interactive=interactive)


def week(
    of: SolvedSystem | Results,
    run_id: str | None = None,
    *,
    number: int | None = None,
    begin: str | None = None,
    nodes: Sequence[str] = (),
    interactive: bool = False,
) -> Any:
    """A week of a dispatch: who gives and takes, what is held, what energy costs.

    Args:
        of: what `eco.solve` returned, or a results folder.
        run_id: in a results folder, the run; one that kept its time series.
        number: which week of the horizon, from 1; the first unless told.
        begin: or its first day, such as `2019-07-01`.
        nodes: which to show, such as `electricity`; those with the largest flows unless told.
        interactive: a figure of plotly's.

    Raises:
        InputError: there is no such run, week or node, or no dispatch to draw.
    """
    return _figure(of_runs.week(_running(of, run_id), number, begin, nodes=nodes), interactive=interactive)


def duration(
    of: SolvedSystem | Results,
    run_id: str | None = None,
    *,
    nodes: Sequence[str] = (),
    interactive: bool = False,
) -> Any:
    """Load-duration curves of a dispatch, as `week` takes it."""
    return _figure(of_runs.duration(_running(of, run_id), nodes=nodes), interactive=interactive)


def sankey(of: SolvedSystem | Results, run_id: str | None = None, *, interactive: bool = False) -> Any:
    """Where a dispatch's energy comes from and goes to, as `week` takes it."""
    picture = of_runs.sankey(_running(of, run_id))
    if picture is None:
        raise InputError(Finding("", "sankey", "nothing", "a dispatch with flows", "nothing flows"))
    return _figure(picture, interactive=interactive)


def _running(of: SolvedSystem | Results, run_id: str | None) -> Running:
    if isinstance(of, SolvedSystem):
        solved = of.solved
        if not solved.dispatch.flows:
            message = f"{solved.name} has no dispatch to draw: it is {of.status}"
            raise InputError(Finding("", "of", of.status, "a dispatch", message))
        return running_of(solved.name, solved.dispatch, solved.profiles)
    if run_id is None:
        message = "say which run of the results folder, such as eco.plot.week(results, run_id)"
        raise InputError(Finding("", "run_id", "nothing", "the id of a run", message))
    with of.store() as store:
        return of_runs.kept(store, run_id)


def _drawn(
    of: Results | Study,
    study: str | None,
    what: str,
    picture: Callable[[Store, str], Picture | None],
    *,
    interactive: bool,
) -> Any:
    results, named = (of.results, of.id) if isinstance(of, Study) else (of, study)
    with results.store() as store:
        one = chosen_study(store, named)
        made = picture(store, one)
    if made is None:
        message = f"study {one} has no {what} to draw"
        raise InputError(Finding("", what, "nothing", f"a study that has a {what}", message))
    return _figure(made, interactive=interactive)


def _figure(made: Picture, *, interactive: bool) -> Any:
    if interactive:
        from ecosystemiser.pictures import by_plotly

        return by_plotly.figure(made)
    from ecosystemiser.pictures import by_matplotlib

    return by_matplotlib.figure(made)
