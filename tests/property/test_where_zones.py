"""Filters and bests by way of the blocks' extremes, against plain Python over the same rows."""

from __future__ import annotations

import operator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.errors import InputError
from schema.store import queries
from schema.store.records import Evaluation, Kpis, NewStudy
from schema.store.runs import best_designs, runs
from schema.store.store import Store

STUDIES, EACH = ("a", "a-0", "b"), 150
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
FEW = settings(max_examples=60, deadline=None)


def evaluation(study_id, number, share):
    """Every seventh has failed, every fifth breaks a constraint."""
    if number % 7 == 3:
        return Evaluation(study_id, number, {"p.q": float(number % 4)}, "infeasible", "x", 1, "milp")
    return Evaluation(
        *(study_id, number, {"p.q": float(number % 4)}, "success", "x", 1, "milp"),
        objectives={"total_cost": -share},
        fitness=-share,
        constraint_violations={"k": 1.0} if number % 5 == 1 else {},
        kpis=Kpis(-share, None, share, None, share * 2),
    )


def share(study_id, number):
    """Some values stand often, those at the ends once."""
    return float((number * 37 + STUDIES.index(study_id) * 11) % 61) / 10


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Studies in turns, and some rows recorded again with other numbers: blocks are wider than their rows."""
    with Store.open(tmp_path_factory.mktemp("results")) as opened:
        for study_id in STUDIES:
            opened.create_study(NewStudy(study_id, "parametric", objectives={"total_cost": "minimise"}))
        for number in range(EACH):
            opened.record([evaluation(study_id, number, 99.0) for study_id in STUDIES[: 1 + number % 3]])
        for study_id in STUDIES:
            opened.record([evaluation(study_id, n, share(study_id, n)) for n in range(EACH)])
        yield opened


def expected(study_ids, test):
    return [
        f"{study_id}-{n:07d}"
        for study_id in sorted(study_ids)
        for n in range(EACH)
        if n % 7 != 3 and test(share(study_id, n))
    ]


STUDY_IDS = st.sets(st.sampled_from(STUDIES), min_size=0).map(sorted)
BOUND = st.integers(-1, 63).map(lambda number: number / 10)


@FEW
@given(study_ids=STUDY_IDS, sign=st.sampled_from(sorted(SIGNS)), bound=BOUND, page=st.integers(1, 40))
def test_a_page_filtered_by_a_kpi_is_the_page_that_a_look_at_every_row_gives(
    store, study_ids, sign, bound, page
):
    every = expected(study_ids or STUDIES, lambda value: SIGNS[sign](value, bound))
    for offset in (0, page):
        found = runs(
            store.connection,
            study_ids=study_ids,
            where=[f"self_consumption_rate{sign}{bound}"],
            limit=page,
            offset=offset,
        )
        assert [row["run_id"] for row in found] == every[offset : offset + page]


@FEW
@given(
    study_ids=STUDY_IDS,
    direction=st.sampled_from(["minimise", "maximise", None]),
    n=st.integers(1, 30),
    where=st.sampled_from([[], ["p.q=2"], ["renewable_fraction<6"], ["renewable_fraction>11.9 and p.q<1"]]),
)
def test_the_best_by_a_kpi_are_the_best_of_all_rows(store, study_ids, direction, n, where):
    kept = {"p.q=2": lambda m, _: m % 4 == 2, "renewable_fraction<6": lambda _, v: 2 * v < 6}
    fits = kept.get("".join(where), lambda m, v: not where or (2 * v > 11.9 and m % 4 < 1))
    values = sorted(
        (
            share(study_id, m)
            for study_id in study_ids or STUDIES
            for m in range(EACH)
            if m % 7 != 3 and m % 5 != 1 and fits(m, share(study_id, m))
        ),
        reverse=direction != "minimise",
    )
    found = best_designs(
        store.connection,
        study_ids=study_ids,
        by="self_consumption_rate",
        n=n,
        direction=direction,
        where=where,
    )
    assert [row["self_consumption_rate"] for row in found] == values[:n]


@FEW
@given(study_ids=STUDY_IDS, n=st.integers(1, 30), where=st.sampled_from([[], ["p.q=2"]]))
def test_the_fittest_of_several_studies_are_the_fittest_of_all_rows(store, study_ids, n, where):
    values = sorted(
        -share(study_id, m)
        for study_id in study_ids or STUDIES
        for m in range(EACH)
        if m % 7 != 3 and m % 5 != 1 and (not where or m % 4 == 2)
    )
    found = best_designs(store.connection, study_ids=study_ids, n=n, where=where)
    assert [row["fitness"] for row in found] == values[:n]


HOSTILE = [
    "'; DROP TABLE studies; --",
    "1) OR (1=1",
    "x' OR 'a'='a",
    '"',
    "?",
    ":a",
    "%s",
    "\0",
    "$[0]",
    "--",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["self_consumption_rate", "solver_type", "p.q", "run_id", "total_cost"])
    | st.sampled_from(HOSTILE)
    | st.text(max_size=20),
    sign=st.sampled_from([*SIGNS, "!=", " OR ", ";", "=="]),
    value=st.sampled_from(HOSTILE) | st.text(max_size=30),
)
def test_a_hostile_filter_finds_nothing_it_should_not_and_harms_nothing(store, name, sign, value):
    before = store.connection.total_changes
    for where in (f"{name}{sign}{value}", f"{name}{sign}'{value}'", f"p.q=2 and {name}{sign}{value}"):
        for ask in (runs, best_designs):
            try:
                found = ask(store.connection, where=[where])
            except InputError:
                continue
            assert all(row["run_id"] for row in found)
    assert store.connection.total_changes == before
    assert len(queries.evaluations(store.connection, "a")) == EACH
