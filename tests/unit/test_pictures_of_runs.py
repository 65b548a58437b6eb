"""Pictures of single runs: what flows, what is held, what it costs; runs beside each other."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from ecosystemiser.cli import app
from ecosystemiser.pictures import by_matplotlib, by_plotly, dispatch, files, of_runs
from ecosystemiser.pictures.designs import scatter
from ecosystemiser.pictures.marks import Stack
from ecosystemiser.pictures.running import running
from ecosystemiser.pictures.sankey_layout import laid_out
from schema.loading import load_study
from schema.store.store import Store
from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from tasks.bases import Base
from tasks.bookkeeping import StudyRecord, begin
from tasks.evaluate import Assignment, Design, Evaluator

EVIL = "<img src=x onerror=alert(1)>"
SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 192, "timezone": "Europe/Berlin"},
    "profiles": {
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
        "price": {"time_of_use": {0: 0.2, 7: 0.3}},
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 12,
            "import_price_eur_per_kwh": {"profile": "price"},
            "import_co2_kg_per_kwh": 0.4,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 1000},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4},
        "pump": {"type": "heat_pump", "capacity_kw": 3, "cop": 3},
        "lights": {"type": "power_demand", "profile": "load"},
        "rooms": {"type": "heat_demand", "profile": "load", "scale": 0.5},
    },
}
STUDY = {"study": "sweep", "type": "parametric", "system": "house.yaml", "sweep": {"pv.capacity_kw": [4, 8]}}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two solved runs and an infeasible one; the first kept its files."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
    (folder / "sweep.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    loaded, place = load_study(folder / "sweep.yaml"), folder / "results"
    system = loaded.system
    assignment = Assignment(
        system.system, system.series, system.content_hash, loaded.study.solver, "sweep", place
    )
    designs = [{"pv.capacity_kw": 4.0}, {"pv.capacity_kw": 8.0}, {"grid.import_limit_kw": 0.0}]
    with Store.open(place) as store, store.claim("sweep"):
        begin(store, loaded, resume=False, bases=[Base({})])
        record, evaluator = StudyRecord(store, loaded), Evaluator(assignment)
        asked = [Design(number, values) for number, values in enumerate(designs)]
        record.start(asked)
        for design in asked:
            record.settle(1, evaluator.evaluate([design], keep_series=design.number == 0))
    return place


@pytest.fixture(scope="module")
def run(results):
    with Store.open(results, read_only=True) as store:
        return of_runs.kept(store, "sweep-0000000")


def ask(results, *words, status=0):
    found = CliRunner().invoke(app, ["query", *words, "--results", str(results)])
    assert found.exit_code == status, found.output
    return found


def test_what_comes_into_a_node_is_what_is_taken_from_it(run):
    assert run.nodes == ["electricity", "heat"]
    for node in run.nodes:
        assert sum(port.sign * port.flow for port in run.at(node)) == pytest.approx(np.zeros(192), abs=1e-3)
    assert {port.name for port in run.at("electricity")} == {
        *("grid: import", "grid: export", "pv", "battery: charge", "battery: discharge", "pump", "lights"),
    }
    assert run.prices["€/kWh"]["grid: import price"][[0, 7]].tolist() == [0.2, 0.3]
    assert "grid: export price" not in run.prices["€/kWh"]  # nothing is paid


def test_a_week_stacks_givers_above_takers_below_levels_and_prices_with_units(run):
    picture = of_runs.week(run)
    panels = picture.content.panels
    assert [panel.y for panel in panels] == ["electricity [kW]", "heat [kW]", "held [kWh]", "price [€/kWh]"]
    up, down = (mark for mark in panels[0].marks if isinstance(mark, Stack))
    assert len(up.x) == 169  # beginnings of 168 steps, and the end
    assert all((layer.y >= -1e-6).all() for layer in up.layers)
    assert all((layer.y <= 1e-6).all() for layer in down.layers)
    total = sum(layer.y for layer in (*up.layers, *down.layers))
    assert total == pytest.approx(np.zeros(168), abs=1e-3)
    assert picture.title == "sweep-0000000: dispatch from 2019-01-01 to 2019-01-07"
    assert "Europe/Berlin" in picture.below


def test_a_component_has_its_colour_in_every_panel_and_picture(run):
    layers = [
        layer
        for panel in of_runs.week(run).content.panels
        for mark in panel.marks
        if isinstance(mark, Stack)
        for layer in mark.layers
    ]
    by_component = {}
    for layer in layers:
        by_component.setdefault(layer.name.partition(":")[0], set()).add(layer.colour)
    assert {name: len(colours) for name, colours in by_component.items()} == dict.fromkeys(by_component, 1)
    boxes = {place.name: place.colour for place in of_runs.sankey(run).content.places}
    assert {boxes["pv"]} == by_component["pv"]


def test_the_last_week_ends_with_the_horizon_and_a_day_can_be_named(run):
    assert of_runs.part_of(run, 2).index[0].isoformat() == "2019-01-08T00:00:00+01:00"
    assert len(of_runs.part_of(run, 2).index) == 24
    assert of_runs.part_of(run, begin="2019-01-03").index[0].isoformat() == "2019-01-03T00:00:00+01:00"


def test_load_durations_fall_and_hold_the_same_energy(run):
    picture = of_runs.duration(run, nodes=["electricity"])
    (panel,) = picture.content.panels
    (grid,) = [line for line in panel.marks if line.name == "grid: import"]
    assert (np.diff(grid.y) <= 0).all()
    imported = next(port for port in run.ports if port.key == "import_kw")
    assert grid.y[:-1].sum() == pytest.approx(imported.flow.sum(), rel=1e-6)
    assert panel.x.endswith("[h]")
    (everything,) = [line for line in panel.marks if line.name == "all that is taken"]
    assert everything.y.max() >= grid.y.max()


def test_in_a_sankey_every_converter_gives_what_it_takes(run):
    content = of_runs.sankey(run).content
    names = [place.name for place in content.places]
    for name in ("electricity", "heat", "pump"):
        place = names.index(name)
        come = sum(stream.amount for stream in content.streams if stream.target == place)
        go = sum(stream.amount for stream in content.streams if stream.source == place)
        assert come == pytest.approx(go, rel=1e-3)
    surroundings = names.index("surroundings")
    given = sum(stream.amount for stream in content.streams if stream.source == surroundings)
    heat = sum(port.flow.sum() for port in run.ports if port.key == "heat_kw" and port.component == "pump")
    assert given == pytest.approx(heat * 2 / 3, rel=1e-3)  # at a COP of 3
    assert content.unit == "kWh"


def test_boxes_and_ribbons_of_a_sankey_stay_in_the_picture_and_none_lies_on_another(run):
    boxes, ribbons = laid_out(of_runs.sankey(run).content)
    assert all(box.y >= -1e-9 and box.y + box.height <= 1 + 1e-9 for box in boxes)
    for column in {box.column for box in boxes}:
        here = sorted((box for box in boxes if box.column == column), key=lambda box: box.y)
        assert all(low.y + low.height < high.y for low, high in itertools.pairwise(here))
    assert all(ribbon.start[0] < ribbon.end[0] for ribbon in ribbons)


def solved(components, steps=3, **series):
    horizon = {"start": "2019-01-01T00:00", "steps": steps}
    system = System.model_validate({"system": "small", "horizon": horizon, "components": components})
    arrays = {name: np.array(values, dtype=float) for name, values in series.items()}
    found = Dispatcher(system, arrays, SolverSettings()).dispatch()
    assert found.status.has_solution, found.solution.message
    return running("small", system, arrays, found.flows, found.states)


def test_links_both_ways_between_two_houses_make_no_endless_ring():
    grid = {"type": "grid", "import_price_eur_per_kwh": 0.3, "carriers": {"electricity": "electricity@a"}}
    load = {"type": "power_demand", "profile": "load"}
    small = solved(
        {
            "grid": grid,
            "a": {**load, "carriers": {"electricity": "electricity@a"}},
            "b": {**load, "carriers": {"electricity": "electricity@b"}},
            "pv": {
                "type": "solar_pv",
                "capacity_kw": 4,
                "profile": "sun",
                "carriers": {"electricity": "electricity@b"},
            },
            "line": {
                "type": "link",
                "from_node": "electricity@a",
                "to_node": "electricity@b",
                "capacity_kw": 5,
                "loss_fraction": 0.1,
                "both_ways": True,
            },
        },
        load=[1, 1, 1],
        sun=[0, 1, 0],
    )
    picture = dispatch.sankey(small)
    assert {"line", "electricity@a", "electricity@b", "losses"} <= {p.name for p in picture.content.places}
    assert by_matplotlib.figure(picture).axes
    assert by_plotly.figure(picture).data


def test_a_system_of_water_alone_is_drawn_in_cubic_metres():
    small = solved(
        {
            "mains": {"type": "water_grid", "import_price_eur_per_m3": 4},
            "taps": {"type": "water_demand", "profile": "load"},
        },
        load=[1, 2, 1],
    )
    assert dispatch.sankey(small).content.unit == "m³"
    assert [panel.y for panel in dispatch.week(small).content.panels] == ["water [m³/h]", "price [€/m³]"]


def test_names_that_are_markup_are_shown_as_they_are(tmp_path, run):
    from dataclasses import replace

    odd = replace(run, name=EVIL)
    for number, picture in enumerate((of_runs.week(odd), of_runs.duration(odd), of_runs.sankey(odd))):
        files.save(picture, tmp_path / f"{number}.html")
        assert "<img" not in (tmp_path / f"{number}.html").read_text(encoding="utf-8").split("plotly.js v")[0]
        assert by_plotly.figure(picture).layout.title.text.startswith("<b>&lt;img src=x")


@pytest.mark.parametrize("command", ["dispatch", "duration", "sankey"])
@pytest.mark.parametrize("kind", ["png", "svg", "html"])
def test_a_run_is_drawn_to_a_file(results, tmp_path, command, kind):
    file = tmp_path / f"{command}.{kind}"
    ask(results, command, "sweep-0000000", "--output", str(file))
    assert file.stat().st_size > 10_000


def test_a_week_has_a_row_for_each_step(results):
    rows = json.loads(ask(results, "dispatch", "sweep-0000000", "--week", "2", "--json").stdout)
    assert (len(rows), rows[0]["time"]) == (24, "2019-01-08T00:00:00+01:00")
    assert {"grid.import_kw", "battery.level_kwh", "grid: import price [€/kWh]"} <= set(rows[0])


def test_flows_are_told_with_what_they_carried(results):
    rows = {
        row["flow"]: row for row in json.loads(ask(results, "duration", "sweep-0000000", "--json").stdout)
    }
    lights = rows["lights.electricity_kw"]
    assert (lights["way"], lights["peak"], lights["hours_above_zero"]) == ("out", pytest.approx(3.0), 192)
    assert lights["amount"] == pytest.approx(lights["peak"] * lights["full_load_hours"])
    heat = json.loads(ask(results, "duration", "sweep-0000000", "--node", "heat", "--json").stdout)
    assert {row["node"] for row in heat} == {"heat"}


def test_runs_stand_beside_each_other_with_what_differs(results, tmp_path):
    both = "sweep-0000000,sweep-0000001"
    rows = json.loads(ask(results, "compare-runs", both, "--json").stdout)
    assert [row["parameters"]["pv.capacity_kw"] for row in rows] == [4.0, 8.0]
    told = ask(results, "compare-runs", both).stdout
    assert "sweep-0000001" in told
    assert "pv.capacity_kw" in told
    with Store.open(results, read_only=True) as store:
        _, picture = of_runs.compared(store, both.split(","))
    assert "pv.capacity_kw: A 4.00 kW, B 8.00 kW" in picture.below
    cost = picture.content.panels[0]
    assert cost.y == "total cost [€]"
    assert cost.marks[0].lengths.tolist() == [row["total_cost"] for row in rows]
    ask(results, "compare-runs", both, "--output", str(tmp_path / "both.html"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dispatch", "sweep-0000001"], "ecosystemiser replay sweep-0000001"),
        (["sankey", "sweep-0000009"], "query runs"),
        (["dispatch", "sweep-0000000", "--week", "3"], "there is no week 3: the horizon has 2"),
        (["dispatch", "sweep-0000000", "--from", "yesterweek"], "is no date"),
        (["dispatch", "sweep-0000000", "--from", "2020-01-01"], "outside the horizon"),
        (["dispatch", "sweep-0000000", "--from", "2019-01-02", "--week", "1"], "keep one of them"),
        (["duration", "sweep-0000000", "--node", "heet"], "did you mean heat?"),
        (["dispatch", "sweep-0000000", "--node", "gas", "--output", "x.png"], "electricity"),
        (["compare-runs", "sweep-0000000"], "fewer than two runs"),
        (["compare-runs", "sweep-0000000,sweep-0000002"], "has no answer (infeasible)"),
        (["compare-runs", ",".join(f"sweep-{n:07d}" for n in range(7))], "and 6 can stand beside each other"),
    ],
)
def test_what_cannot_be_drawn_is_told(results, words, told):
    found = ask(results, *words, status=2)
    assert told in found.stderr
    assert found.stdout == ""


# -- evaluations against each other


def test_evaluations_are_points_and_those_without_an_answer_are_counted(results, tmp_path):
    file = tmp_path / "runs.html"
    ask(results, "runs", "--study-id", "sweep", "--output", str(file), "--axes", "pv.capacity_kw,total_cost")
    assert file.stat().st_size > 10_000
    rows = [
        {"run_id": "a", "objectives": {"total_cost": 3.0, "total_co2": 1.0}, "renewable_fraction": 0.2},
        {
            "run_id": "b",
            "objectives": {"total_cost": 2.0, "total_co2": 2.0},
            "renewable_fraction": 0.1,
            "constraint_violations": {"x": 1.0},
        },
        {"run_id": "c", "objectives": None},
    ]
    picture = scatter(rows, colour="renewable_fraction", title="t")
    (panel,) = picture.content.panels
    assert (panel.x, panel.y) == ("total cost [€]", "total CO₂ [kg]")
    broken, kept = panel.marks
    assert (broken.name, broken.ids, kept.ids) == ("breaks a constraint", ["b"], ["a"])
    assert picture.below == "2 evaluations; 1 without an answer is not shown"
    alone = scatter([{"evaluation_number": 4, "objectives": {"total_cost": 1.0}}], title="t")
    assert alone.content.panels[0].x == "evaluation number"


def test_axes_that_nothing_has_are_told(results):
    told = ask(results, "runs", "--axes", "pv.capacity,total_cost", "--output", "x.png", status=2)
    assert "did you mean pv.capacity_kw?" in told.stderr
    told = ask(results, "runs", "--axes", "total_cost", "--output", "x.png", status=2)
    assert "--axes A,B" in told.stderr
    told = ask(results, "runs", "--axes", "total_cost,total_co2,x", "--output", "x.png", status=2)
    assert "two are drawn against each other" in told.stderr
