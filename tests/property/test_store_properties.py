"""Filters against plain Python, and texts of all kinds against the statement."""

from __future__ import annotations

import json
import math
import operator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.errors import InputError
from schema.store import queries
from schema.store.records import Evaluation, NewStudy
from schema.store.runs import best_designs, runs
from schema.store.store import Store
from schema.store.values import compact_json, finite

VALUES = [(number * 7919 % 101) / 10 for number in range(60)]
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
SIGNS |= {"=": operator.eq, "==": operator.eq, "!=": operator.ne}
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("results")) as store:
        store.create_study(NewStudy("s", "parametric", objectives={"total_cost": "minimise"}))
        store.record(
            [
                Evaluation(
                    *("s", number, {"pv.capacity_kw": value, "b.kind": f"k{number % 3}"}, "success"),
                    *("x", 1, "milp"),
                    objectives={"total_cost": -value},
                    fitness=-value,
                )
                for number, value in enumerate(VALUES)
            ]
        )
        yield store.connection


@FEW
@given(sign=st.sampled_from(sorted(SIGNS)), bound=st.sampled_from(VALUES) | st.floats(-20, 20))
def test_a_filter_on_a_parameter_does_what_its_operator_says(connection, sign, bound):
    found = {
        row["evaluation_number"]
        for row in runs(connection, where=[f"pv.capacity_kw{sign}{bound!r}"], limit=None)
    }
    assert found == {number for number, value in enumerate(VALUES) if SIGNS[sign](value, bound)}


@FEW
@given(text=st.text(max_size=40) | st.sampled_from(["' OR 1=1 --", '") OR (1=1', "%", "?", "$[0]", "\0"]))
def test_no_text_harms_the_database_or_finds_what_it_should_not(connection, text):
    for where in (f"b.kind={text}", f"b.kind='{text}'", f"{text}=1", text):
        try:
            found = runs(connection, where=[where], limit=None)
        except InputError:
            continue
        assert len(found) < len(VALUES)
    for name in (text, f"b.kind {text}"):
        try:
            runs(connection, order_by=name or "x")
            best_designs(connection, by=name or "x")
        except InputError:
            continue
    assert len(queries.evaluations(connection, "s")) == len(VALUES)


@FEW
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_compact_and_keeps_all_that_json_knows(value):
    def known(item):
        if isinstance(item, dict):
            return {key: known(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [known(inner) for inner in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item

    text = compact_json(value)
    assert json.loads(text, parse_constant=pytest.fail) == known(value)


@given(st.floats())
def test_a_number_is_finite_or_none(number):
    kept = finite(number)
    assert kept is None or (math.isfinite(kept) and kept == number)
