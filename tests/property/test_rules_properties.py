"""Whatever the system: rules keep its books, and are never better than the optimum."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solvers.dispatch import Dispatcher
from solvers.solution import Status


def _neighbour(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


streets, houses = _neighbour("test_dispatch_streets"), _neighbour("test_dispatch_properties")
SYSTEMS = st.one_of(streets.streets(), houses.houses())
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
RULES = {"solver.method": "rule_based"}


@FEW
@given(SYSTEMS)
def test_whatever_can_be_served_is_served_by_rules_and_never_for_less_than_the_optimum(system: Dispatcher):
    best, run = system.dispatch(), system.dispatch(RULES)
    assert best.status is Status.OPTIMAL
    assert run.status is Status.FEASIBLE, run.solution.message
    assert run.checks.passed
    slack = 1e-6 * (1 + abs(best.solution.objective_eur))
    assert run.solution.missed or run.solution.objective_eur >= best.solution.objective_eur - slack


@FEW
@given(streets.streets())
def test_nodes_pairs_and_stores_keep_their_books(street):
    run = street.dispatch(RULES)
    assert run.status is Status.FEASIBLE, run.solution.message
    streets.check_nodes(run)
    streets.check_pairs(run)
    streets.check_stores(run, street)


@FEW
@given(SYSTEMS, st.lists(st.floats(0.5, 1.0), min_size=2, max_size=5))
def test_a_population_gets_what_each_of_its_designs_gets_alone(system, scales):
    designs = [RULES | {"load.scale": scale} for scale in scales]
    for design, run in zip(designs, system.dispatch_all(designs), strict=True):
        alone = system.dispatch(design)
        assert run.kpis == alone.kpis
        assert run.solution.missed == alone.solution.missed
        assert all(np.array_equal(run.flows[port], alone.flows[port]) for port in alone.flows)
