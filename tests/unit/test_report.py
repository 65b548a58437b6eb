"""A report tells of each kind of study what was asked and found, of broken ones why, and loads nothing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
import yaml
from typer.testing import CliRunner

from ecosystemiser.cli import app
from ecosystemiser.reporting import page as paging
from ecosystemiser.reporting.contents import report_of
from schema.loading import load_study
from schema.store.records import Evaluation, Kpis, NewStudy
from schema.store.store import Store
from tasks import sweep
from tasks.bases import Base
from tasks.bookkeeping import StudyRecord, begin, files_by_run
from tasks.convergence import Convergence
from tasks.evaluate import Assignment, Design, Evaluator
from tasks.genetic import GeneticSearch
from tasks.monte_carlo import MonteCarlo

EVIL = "<script>alert('x')</script>"
SYSTEM = {
    "system": "house",
    "description": f"A small house {EVIL}",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
    },
    "economics": {"baseline": {"pv.capacity_kw": 0, "battery.capacity_kwh": 0}},
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 12,
            "import_price_eur_per_kwh": 0.3,
            "import_co2_kg_per_kwh": 0.4,
        },
        "pv": {
            "type": "solar_pv",
            "capacity_kw": 4,
            "profile": "sun",
            "investment_eur_per_kw": 1000,
            "lifetime_years": 20,
        },
        "battery": {
            "type": "battery",
            "capacity_kwh": 5,
            "power_kw": 4,
            "investment_eur_per_kwh": 400,
            "lifetime_years": 10,
        },
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
COMMON = {"system": "house.yaml", "description": f"What the house {EVIL} needs"}
STUDIES = {
    "search": {
        "type": "genetic_algorithm",
        "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
        "constraints": {"self_sufficiency_rate": {"min": 0.05}},
        "variables": {
            "pv.capacity_kw": {"min": 0, "max": 10},
            "battery.capacity_kwh": {"choices": [0, 4, 8]},
        },
        "algorithm": {"population_size": 8, "max_generations": 3, "seed": 1},
    },
    "risk": {
        "type": "monte_carlo",
        "design": {"pv.capacity_kw": 6},
        "uncertain": {
            "grid.import_price_eur_per_kwh": {"distribution": "normal", "mean": 0.3, "std": 0.05},
            "lights.profile": {"scale": {"distribution": "uniform", "min": 0.8, "max": 1.2}},
        },
        "sampling": {"method": "sobol", "samples": 16, "seed": 1},
    },
    "sweep": {
        "type": "parametric",
        "sweep": {"pv.capacity_kw": [0, 4, 8], "battery.capacity_kwh": {"start": 0, "stop": 8, "count": 3}},
    },
    "one": {"type": "single", "design": {"pv.capacity_kw": 7}, "timeseries": "all"},
}


class Work:
    """A study run without Prefect, step by step as its flow does."""

    def __init__(self, store, folder, study):
        file = folder / f"{study}.yaml"
        file.write_text(yaml.safe_dump({"study": study, **COMMON, **STUDIES[study]}, sort_keys=False))
        self.loaded = load_study(file)
        self.study, system = self.loaded.study, self.loaded.system
        self.bases = [Base(dict(getattr(self.study, "design", {}) or {}))]
        begin(store, self.loaded, resume=False, bases=self.bases)
        self.record, self.count, self.results = StudyRecord(store, self.loaded), 0, []
        self.evaluator = Evaluator(
            Assignment(
                *(
                    system.system,
                    system.series,
                    system.content_hash,
                    self.study.solver,
                    study,
                    store.results_dir,
                )
            )
        )

    def evaluate(self, designs, generation=1, keep_series=False):
        asked = [Design(self.count + i, values) for i, values in enumerate(designs)]
        self.count += len(asked)
        self.record.start(asked)
        results = self.evaluator.evaluate(asked, keep_series=keep_series)
        self.results += results
        return self.record.settle(generation, results)

    def finish(self, status="completed"):
        self.record.finish(status, files_by_run(self.study.study, self.results), 2.0)


def search(work):
    algorithm, convergence = GeneticSearch(work.study), Convergence(work.study)
    for generation in (1, 2, 3):
        answers = work.evaluate(algorithm.ask(), generation)
        algorithm.tell(answers)
        work.record.generation(convergence.tell(generation, answers, algorithm.population, 0.1))
    work.record.tell(search="NSGA-II", stopped_by="max_generations")
    work.record.front(convergence)


def risk(work):
    samples = MonteCarlo(work.study, work.loaded, work.bases)
    samples.tell(work.evaluate(samples.ask()))
    work.record.analyses(samples.analyses())
    work.record.tell(**samples.summary())


def sweeping(work):
    answers = work.evaluate(sweep.designs_of(work.study, work.loaded, work.bases[0]))
    convergence = Convergence(work.study, measured=False)
    convergence.take_in(answers)
    work.record.front(convergence)
    work.record.analyses(sweep.analyses(work.study, answers))


def one(work):
    work.evaluate([work.bases[0].values], keep_series=True)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A study of every kind, and broken ones."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
    place = folder / "results"
    with Store.open(place) as store:
        for study, run in (("search", search), ("risk", risk), ("sweep", sweeping), ("one", one)):
            with store.claim(study):
                work = Work(store, folder, study)
                run(work)
                work.finish()
        _broken(store)
    return place


def _broken(store):
    """One that failed with hundreds of failures, one that was interrupted, one that never began."""
    aims = {"total_cost": "minimise", "total_co2": "minimise"}
    for study in ("broken", "cut_off", "new"):
        content = {"content": {"solver": {"method": "milp"}}, "study_path": f"{study}.yaml"}
        store.create_study(
            NewStudy(study, "genetic_algorithm", objectives=aims, max_evaluations=500, metadata=content)
        )
    failed = [
        Evaluation(
            *(
                "broken",
                n,
                {"pv.capacity_kw": float(n)},
                "failed" if n % 3 else "infeasible",
                "house",
                24,
                "milp",
            ),
            generation_number=1,
            metadata={"message": f"{EVIL} time limit of {n}.5 s" if n % 3 else "the load cannot be served"},
        )
        for n in range(300)
    ]
    store.record(failed)
    store.finish_study("broken", "failed", execution_time_seconds=9.0)
    values = {"total_cost": 5.0, "total_co2": 2.0}
    store.update_study("cut_off", status="running")
    store.record(
        [
            Evaluation(
                *("cut_off", 0, {"pv.capacity_kw": 1.0}, "success", "house", 24, "milp"),
                objectives=values,
                fitness=5.0,
                kpis=Kpis.of(values),
                constraint_violations={"self_sufficiency_rate": 0.25},
                metadata={"message": "optimal", "solver_status": "feasible", "gap_fraction": 0.02},
            )
        ]
    )


class Read(HTMLParser):
    """A page's text, its tables, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.scripts, self.headings, self.rows, self.words = [], 0, [], [], []
        self._open, self._cell = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._open.append(tag)
        self.scripts += tag == "script"
        self.loads += [
            v for name, v in attrs if name in {"src", "href", "action", "data", "xlink:href"} and v
        ]
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag in {"h2", "h3"}:
            self.headings.append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if {"script", "style"} & set(self._open):
            return
        self.words.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
        if {"h2", "h3"} & set(self._open):
            self.headings[-1] += data

    @property
    def text(self):
        return " ".join("".join(self.words).split())

    def row(self, first):
        return next(row for row in self.rows if row and row[0] == first)


@pytest.fixture(scope="module")
def pages(results):
    """Every study's report, written by the command."""
    made = {}
    for study in ("search", "risk", "sweep", "one", "broken", "cut_off", "new"):
        found = CliRunner().invoke(app, ["report", study, "--results", str(results)])
        assert found.exit_code == 0, found.output
        assert found.stdout == f"Written: {results / 'reports' / f'{study}.html'}\n"
        made[study] = (results / "reports" / f"{study}.html").read_text(encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def read(pages):
    return {study: Read(text) for study, text in pages.items()}


ALL = ["What was asked", "What was found", "Best designs", "Failures", "Solver and gaps", "To reproduce it"]


def main_headings(page):
    return [
        heading
        for heading in page.headings
        if heading in {*ALL, "The design", "How sure that is", "What matters"}
    ]


def test_a_search_tells_its_front_its_knee_and_its_best_designs(read):
    page = read["search"]
    assert main_headings(page) == ALL
    assert "24 evaluations have an answer" in page.text.replace(
        "Of 24 evaluations, 24 have", "24 evaluations have"
    )
    assert "Sought by NSGA-II with 8 designs in a generation" in page.text
    assert page.row("pv.capacity_kw [kW]") == ["pv.capacity_kw [kW]", "0 to 10"]
    assert page.row("battery.capacity_kwh [kWh]") == ["battery.capacity_kwh [kWh]", "one of 0, 4, 8"]
    assert page.row("constraints")[1] == "self-sufficiency rate at least 0.05000"
    assert {"The front", "Figures", "Savings against the baseline"} <= set(page.headings)
    assert "lowest total cost" in page.text


def test_cost_by_component_adds_up_to_the_total_cost_also_without_files(read, results):
    """The search keeps no files: its best designs are dispatched again on the spot."""
    page = read["search"]
    with Store.open(results, read_only=True) as store:
        report = report_of(store, "search")
    best = next(section for section in report.sections if section.title == "Best designs")
    tables = {table.title: table for table in best.tables}
    costs = tables["total cost [€] by component"]
    figures = {row[0]: row[1:] for row in tables["Figures"].rows}
    for column in range(1, len(costs.columns)):
        parts = [float(row[column].replace(",", "")) for row in costs.rows]
        assert sum(parts[:-1]) == pytest.approx(parts[-1], abs=0.01)
        assert float(figures["total cost [€]"][column - 1]) == pytest.approx(parts[-1], abs=0.01)
    assert "grid" in [row[0] for row in costs.rows]
    saved = {row[0]: row[1:] for row in tables["Savings against the baseline"].rows}
    for base, now, told in zip(
        *(saved["total CO₂ [kg] of the baseline"], figures["total CO₂ [kg]"], saved["total CO₂ saved [kg]"]),
        strict=True,
    ):
        assert float(base) - float(now) == pytest.approx(float(told), abs=0.02)
    assert "the same but for pv.capacity_kw 0, battery.capacity_kwh 0" in page.text


def test_nothing_is_solved_again_where_that_is_not_wanted(results, tmp_path):
    file = tmp_path / "quick.html"
    found = CliRunner().invoke(
        app, ["report", "search", "--quick", "--json", "--output", str(file), "--results", str(results)]
    )
    assert json.loads(found.stdout) == {"study_id": "search", "path": str(file)}
    page = Read(file.read_text(encoding="utf-8"))
    assert "Savings against the baseline" not in page.headings
    assert "nothing was solved again, as was asked for" in page.text


def test_a_monte_carlo_study_tells_how_sure_and_what_matters(read):
    page = read["risk"]
    assert {"The design", "How sure that is", "What matters"} <= set(main_headings(page))
    assert "times uniform: min 0.8, max 1.2" in page.text
    assert len(page.row("total cost [€]")) >= 2
    ranked = [row[:3] for row in page.rows if row[0] == "total cost"]
    assert [row[1] for row in ranked] == ["1", "2"]
    assert "lights.profile [factor on the profile]" in {row[2] for row in ranked}
    assert "cvar 95" in page.text


def test_a_sweep_tells_its_evaluations_and_what_moves_the_outputs(read):
    page = read["sweep"]
    assert {"Evaluations", "The front", "What matters"} <= set(page.headings)
    assert page.row("battery.capacity_kwh [kWh]")[1] == "3 from 0 to 8"
    assert sum(bool(row) and row[0].startswith("sweep-") for row in page.rows) >= 9


def test_a_single_study_tells_its_design(read):
    page = read["one"]
    assert page.row("pv.capacity_kw [kW]")[1] == "7.000"
    assert "one, a single design" in page.text


def test_hundreds_of_failures_are_told_by_reason_with_their_first_ten(read):
    page = read["broken"]
    assert main_headings(page) == ["What was asked", "Failures", "To reproduce it"]
    assert "The study failed" in page.text
    assert "No evaluation has an answer" in page.text
    failed, infeasible = (
        next(row for row in page.rows if row[0] == status) for status in ("failed", "infeasible")
    )
    assert failed[:3] == ["failed", "200", f"{EVIL} time limit of 1.5 s"]
    assert failed[3].count("broken-") == 10
    assert infeasible[1:3] == ["100", "the load cannot be served"]


def test_a_study_that_was_cut_off_says_so_at_the_top_and_how_to_go_on(read):
    page = read["cut_off"]
    assert "The study was interrupted" in page.text
    assert "ecosystemiser run cut_off.yaml --resume goes on with it" in page.text
    assert page.text.index("interrupted:") < page.text.index("What was asked", 200)
    assert page.row("self-sufficiency rate [share]")[1] == "1"  # one evaluation breaks it
    assert page.row("feasible")[1:5] == ["1", "1", "0.02", "0.02"]


def test_a_study_that_never_began_has_a_report_too(read):
    assert "Nothing has been evaluated yet." in read["new"].text


def test_a_report_tells_what_it_takes_to_reproduce_it(read, results):
    page = read["search"]
    with Store.open(results, read_only=True) as store:
        metadata = store.study("search")["metadata_json"]
    assert page.row("hash of system and profiles")[1] == metadata["content"]["system_hash"]
    for package, version in metadata["versions"].items():
        assert page.row(package) == [package, version]
    assert "population_size: 8" in page.text  # the study as it was recorded
    assert page.row("seed")[1] == "1"


def test_reports_load_nothing_and_run_nothing_that_users_wrote(pages, read):
    for study, page in read.items():
        assert [load for load in page.loads if not load.startswith("#")] == [], study
        assert EVIL not in pages[study]
    assert EVIL in read["search"].text
    assert pages["search"].count("plotly.js v") == 1
    assert len(pages["search"].encode()) < 5_100_000
    assert len(pages["broken"].encode()) < 100_000


def test_every_link_of_the_page_has_its_place(pages):
    for text in pages.values():
        targets = set(re.findall(r'id="([^"]+)"', text))
        assert {link[1:] for link in Read(text).loads} <= targets


def test_without_plotly_the_pictures_are_drawn_into_the_page(results, monkeypatch):
    monkeypatch.setattr(paging, "find_spec", lambda _name: None)
    with Store.open(results, read_only=True) as store:
        text = paging.page(report_of(store, "search"))
    page = Read(text)
    assert page.scripts == 0
    assert text.count("<svg") == 6
    assert "<?xml" not in text
    # A colour bar is a picture in the picture.
    assert {load[:15] for load in page.loads if not load.startswith("#")} == {"data:image/png;"}
    assert "total cost [€]" in page.text


def test_a_design_whose_system_is_gone_is_told_of_as_far_as_the_record_goes(results):
    system = results.parent / "house.yaml"
    system.rename(results.parent / "elsewhere.yaml")
    try:
        with Store.open(results, read_only=True) as store:
            report = report_of(store, "search")
    finally:
        (results.parent / "elsewhere.yaml").rename(system)
    best = next(section for section in report.sections if section.title == "Best designs")
    assert any("put that system back" in line for line in best.sentences)
    assert [table.title for table in best.tables] == ["Figures"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["report", "serch"], "did you mean search?"),
        (["report", "search", "--output", "report.pdf"], "must end in .html"),
    ],
)
def test_wrong_input_is_told(results, words, told):
    found = CliRunner().invoke(app, [*words, "--results", str(results)])
    assert (found.exit_code, found.stdout) == (2, "")
    assert told in found.stderr


def test_a_report_that_cannot_be_written_leaves_nothing(results, tmp_path):
    (tmp_path / "file").touch()
    words = ["report", "new", "--output", str(tmp_path / "file" / "r.html"), "--results", str(results)]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 2
    assert "cannot be written" in found.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_study_is_deleted_with_its_report(tmp_path):
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("gone", "genetic_algorithm"))
    assert CliRunner().invoke(app, ["report", "gone", "--results", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "reports" / "gone.html").exists()
    assert CliRunner().invoke(app, ["delete", "gone", "--yes", "--results", str(tmp_path)]).exit_code == 0
    assert not (tmp_path / "reports" / "gone.html").exists()
