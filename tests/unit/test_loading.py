"""Whatever is wrong with a system or a study is told at once, where it stands, with what would be right."""

# ruff: noqa: E501 - the tables of what is wrong read by their columns

from __future__ import annotations

import pytest

from schema.errors import InputError
from schema.loading import LoadedStudy, LoadedSystem, load, load_study, load_system

SYSTEM = """\
system: house
horizon: {start: 2019-01-01T00:00, steps: 24}
profiles:
  load: {time_of_use: {0: 0.5, 7: 2.0}}
  sun: 0.5
components:
  grid: {type: grid, import_price_eur_per_kwh: 0.3}
  pv: {type: solar_pv, capacity_kw: 8, profile: sun}
  battery: {type: battery, capacity_kwh: 10, power_kw: 5}
  lights: {type: power_demand, profile: load}
"""
STUDY = """\
study: front
type: genetic_algorithm
system: house.yaml
objectives: {total_cost: minimise, total_co2: minimise}
variables:
  pv.capacity_kw: {min: 0, max: 20}
algorithm: {population_size: 8, max_generations: 4, seed: 1}
"""


@pytest.fixture
def files(tmp_path):
    """Writes the house and its study, one of them with a text replaced."""

    def write(*, system=SYSTEM, study=STUDY):
        (tmp_path / "house.yaml").write_text(system)
        (tmp_path / "study.yaml").write_text(study)
        return tmp_path / "house.yaml", tmp_path / "study.yaml"

    return write


def changed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def findings(read, path):
    with pytest.raises(InputError) as refused:
        read(path)
    for finding in refused.value.findings:
        assert finding.file
        assert finding.found
        assert finding.expected
        assert finding.message
        assert "pydantic" not in str(finding).lower()
    return refused.value.findings


def test_a_house_and_its_study_are_read_whole(files):
    house, study = files()
    loaded = load_study(study)
    assert loaded.study.study == "front"
    assert loaded.system.system.components["pv"].capacity_kw == 8
    assert loaded.system.series["load"].tolist() == [0.5] * 7 + [2.0] * 17
    assert isinstance(load(study), LoadedStudy)
    assert isinstance(load(house), LoadedSystem)


# -- systems: what is written instead of what, where it is told, what was found, what is said

WRONG_SYSTEMS = {
    "unknown key": ("steps: 24", "steps: 24, step: 3", 2, "horizon.step", "3", "did you mean 'steps'?"),
    "unknown attribute": ("capacity_kw: 8", "capacity_kw: 8, capcity_kw: 9", 8, "components.pv.capcity_kw", "9", "did you mean 'capacity_kw'?"),
    "unknown key of a profile": ("7: 2.0}}", "7: 2.0}, unit: kW}", 4, "profiles.load.unit", "kW", "there are time_of_use"),
    "unknown key of a reference": ("0.3", "{profil: sun}", 7, "components.grid.import_price_eur_per_kwh.profil", "sun", "did you mean 'profile'?"),
    "unknown type": ("type: battery", "type: batery", 9, "components.battery.type", "batery", "did you mean 'battery'?"),
    "no type": ("type: battery, ", "", 9, "components.battery.type", "nothing", "type is missing"),
    "no component": ("{type: grid, import_price_eur_per_kwh: 0.3}", "", 7, "components.grid", "nothing", "a mapping of keys"),
    "missing attribute": ("capacity_kw: 8, ", "", 8, "components.pv.capacity_kw", "nothing", "capacity_kw is missing"),
    "negative capacity": ("capacity_kw: 8", "capacity_kw: -8", 8, "components.pv.capacity_kw", "-8", "at least 0, not -8"),
    "text for a number": ("capacity_kw: 8", "capacity_kw: eight", 8, "components.pv.capacity_kw", "eight", "must be a number"),
    "true for a number": ("capacity_kw: 8", "capacity_kw: true", 8, "components.pv.capacity_kw", "true", "must be a number"),
    "yes for a number": ("capacity_kw: 8", "capacity_kw: yes", 8, "components.pv.capacity_kw", "yes", "must be a number"),
    "NaN": ("capacity_kw: 8", "capacity_kw: .nan", 8, "components.pv.capacity_kw", "nan", "a finite number"),
    "more than a float holds": ("capacity_kw: 8", "capacity_kw: 1e400", 8, "components.pv.capacity_kw", "inf", "a finite number"),
    "a list for a number": ("capacity_kw: 8", "capacity_kw: [8]", 8, "components.pv.capacity_kw", "[8]", "must be a number"),
    "a profile for a number": ("capacity_kw: 8", "capacity_kw: {profile: sun}", 8, "components.pv.capacity_kw", "{'profile': 'sun'}", "must be a number"),
    "text for a series": ("0.3", "dear", 7, "components.grid.import_price_eur_per_kwh", "dear", "a number or {profile: NAME}"),
    "negative number in a union": ("0.3", "0.3, import_co2_kg_per_kwh: -1", 7, "components.grid.import_co2_kg_per_kwh", "-1", "at least 0, not -1"),
    "wrong scale of a reference": ("0.3", "0.3, import_co2_kg_per_kwh: {profile: sun, scale: x}", 7, "components.grid.import_co2_kg_per_kwh.scale", "x", "must be a number"),
    "a profile that is not there": ("profile: sun", "profile: sunn", 8, "components.pv.profile", "sunn", "did you mean 'sun'?"),
    "a percentage": ("power_kw: 5", "power_kw: 5, charge_efficiency_fraction: 95", 9, "components.battery.charge_efficiency_fraction", "95", "at most 1, not 95"),
    "a rule of the whole component": (", power_kw: 5", "", 9, "components.battery", None, "power_kw (or charge_power_kw) is missing"),
    "a name with a dot": ("  pv:", "  p.v:", 8, "components.p.v", "p.v", "must be a name"),
    "a reserved name": ("  pv:", "  solver:", 6, "components", None, "'solver' cannot name a component"),
    "a carrier it has not": ("capacity_kw: 8", "capacity_kw: 8, carriers: {heat: heat@x}", 8, "components.pv.carriers", None, "'heat' is not a carrier of this type"),
    "nothing supplies it": ("type: power_demand", "type: heat_demand", 10, "components.lights", None, "takes heat, and no component supplies it"),
    "a date that is none": ("2019-01-01T00:00", "yesterday", 2, "horizon.start", "yesterday", "a date and time such as"),
    "an offset": ("2019-01-01T00:00", "2019-01-01T00:00+01:00", 2, "horizon.start", None, "without an offset"),
    "no steps": ("steps: 24", "steps: 0", 2, "horizon.steps", "0", "at least 1, not 0"),
    "half a step": ("steps: 24", "steps: 1.5", 2, "horizon.steps", "1.5", "a whole number"),
    "minutes by colons": ("steps: 24", "steps: 1:30", 2, "horizon.steps", "1:30", "a whole number"),
    "a zone that is none": ("steps: 24", "steps: 24, timezone: Europe/Belin", 2, "horizon.timezone", "Europe/Belin", "IANA"),
    "a negative demand": ("0: 0.5", "0: -0.5", 10, "components.lights.profile", None, "-0.5 at 2019-01-01 00:00 (7 such steps)"),
    "a 25th hour": ("0: 0.5", "24: 0.5", 4, "profiles.load.time_of_use.24", "24", "at most 23"),
    "an empty profile": ("{0: 0.5, 7: 2.0}", "{}", 4, "profiles.load.time_of_use", "{}", "at least 1, and has 0"),
    "a profile of no kind": ("sun: 0.5", "sun: [1, 2]", 5, "profiles.sun", "[1, 2]", "a profile is a number, {file, column}"),
    "a missing file": ("sun: 0.5", "sun: {file: sun.csv, column: a}", 5, "profiles.sun.file", "sun.csv", "there is no file sun.csv"),
    "a file without its column": ("sun: 0.5", "sun: {file: sun.csv}", 5, "profiles.sun.column", "nothing", "column is missing"),
    "a key twice": ("  sun: 0.5", "  sun: 0.5\n  sun: 0.6", 6, "profiles.sun", None, "stands twice (first in line 5)"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_SYSTEMS)
def test_a_wrong_system_is_told_where_it_is_wrong(files, case):
    old, new, line, path, found, words = WRONG_SYSTEMS[case]
    house, study = files(system=changed(SYSTEM, old, new))
    told = [f for f in findings(load_system, house) if f.path == path]
    assert len(told) == 1, findings(load_system, house)
    (finding,) = told
    assert finding.file == str(house)
    assert finding.line == line
    assert words in finding.message
    assert found is None or finding.found == found
    # the same where the study is read
    assert finding in findings(load_study, study)


def test_all_that_is_wrong_is_told_at_once(files):
    wrong = changed(SYSTEM, "steps: 24", "steps: 24, timezone: Mars")
    for old, new in (("capacity_kw: 8", "capacity_kw: -8, wrong: 1"), ("battery,", "bat,"), ("0.3", "x")):
        wrong = changed(wrong, old, new)
    house, study = files(system=wrong, study=changed(STUDY, "seed: 1", "seed: x, more: 1"))
    expected = {
        *("horizon.timezone", "components.pv.capacity_kw", "components.pv.wrong"),
        *("components.battery.type", "components.grid.import_price_eur_per_kwh"),
    }
    assert {f.path for f in findings(load_system, house)} == expected
    told = findings(load_study, study)
    assert {f.path for f in told} == expected | {"algorithm.seed", "algorithm.more"}
    assert {f.file for f in told} == {str(house), str(study)}


def test_a_wrong_component_does_not_hide_a_missing_file(files):
    wrong = changed(SYSTEM, "sun: 0.5", "sun: {file: sun.csv, column: a}")
    house, _ = files(system=changed(wrong, "capacity_kwh: 10", "capacity_kwh: -10"))
    assert {f.path for f in findings(load_system, house)} == {
        "profiles.sun.file",
        "components.battery.capacity_kwh",
    }


def test_a_key_that_stands_twice_hides_nothing_else(files):
    twice = SYSTEM + "  pv: {type: solar_pv, capacity_kw: -1, profile: sun}\n"
    house, _ = files(system=twice)
    assert [(f.path, f.line) for f in findings(load_system, house)] == [
        ("components.pv", 11),
        ("components.pv.capacity_kw", 11),
    ]


# -- studies

PV = "pv.capacity_kw: {min: 0, max: 20}"
WRONG_STUDIES = {
    "unknown key": ("system:", "solvr: {}\nsystem:", 3, "solvr", "{}", "did you mean 'solver'?"),
    "unknown setting": ("seed: 1", "seed: 1, sed: 2", 7, "algorithm.sed", "2", "did you mean 'seed'?"),
    "unknown type": ("genetic_algorithm", "genetic", 2, "type", "genetic", "there is genetic_algorithm"),
    "a type that is a list": ("genetic_algorithm", "[ga]", 2, "type", "['ga']", "unknown type of study"),
    "no type": ("type: genetic_algorithm\n", "", None, "type", "nothing", "type is missing"),
    "an id that is no slug": ("front", "../front", 1, "study", "../front", "must be a slug"),
    "an id that is a number": ("front", "2024", 1, "study", "2024", "must be text"),
    "a system that is not there": ("house.yaml", "hut.yaml", 3, "system", "hut.yaml", "there is no file hut.yaml"),
    "a folder as system": ("house.yaml", ".", 3, "system", ".", "there is no file"),
    "no system": ("system: house.yaml\n", "", None, "system", "nothing", "system is missing"),
    "an objective that is no KPI": ("total_cost: ", "total_costs: ", 4, "objectives.total_costs", "total_costs", "did you mean 'total_cost'?"),
    "a direction that is none": ("total_cost: minimise", "total_cost: down", 4, "objectives.total_cost", "down", "'minimise' or 'maximise'"),
    "no objectives": ("{total_cost: minimise, total_co2: minimise}", "{}", 4, "objectives", "{}", "at least 1"),
    "objectives as a list": ("{total_cost: minimise, total_co2: minimise}", "[total_cost]", 4, "objectives", "['total_cost']", "a mapping of keys"),
    "an empty constraint": ("variables:", "constraints: {total_co2: {}}\nvariables:", 5, "constraints.total_co2", "{}", "a min, a max or both"),
    "a constraint upside down": ("variables:", "constraints: {total_co2: {min: 2, max: 1}}\nvariables:", 5, "constraints.total_co2", None, "min (2) is above max (1)"),
    "a constraint on no KPI": ("variables:", "constraints: {co2: {min: 2}}\nvariables:", 5, "constraints.co2", "co2", "there is no KPI 'co2'"),
    "a constraint's unknown key": ("variables:", "constraints: {total_co2: {minimum: 2}}\nvariables:", 5, "constraints.total_co2.minimum", "2", "did you mean 'min'?"),
    "min above max": ("min: 0, max: 20", "min: 20, max: 0", 6, "variables.pv.capacity_kw", None, "min (20) is above max (0)"),
    "no max": (", max: 20", "", 6, "variables.pv.capacity_kw.max", "nothing", "max is missing"),
    "a number for a variable": ("{min: 0, max: 20}", "5", 6, "variables.pv.capacity_kw", "5", "a mapping of keys"),
    "no choices": ("min: 0, max: 20", "choices: []", 6, "variables.pv.capacity_kw.choices", "[]", "at least 1"),
    "a choice twice": ("min: 0, max: 20", "choices: [1, 1]", 6, "variables.pv.capacity_kw.choices", "[1, 1]", "stands twice"),
    "a choice that is text": ("min: 0, max: 20", "choices: [1, two]", 6, "variables.pv.capacity_kw.choices.1", "two", "a number"),
    "choices with a min": ("min: 0, max: 20", "choices: [1, 2], min: 0", 6, "variables.pv.capacity_kw.min", "0", "there are choices"),
    "a choice out of range": ("min: 0, max: 20", "choices: [1, -2]", 6, "variables.pv.capacity_kw", "-2.0", "at least 0"),
    "a min out of range": ("min: 0", "min: -5", 6, "variables.pv.capacity_kw", "-5.0", "at least 0"),
    "halves of an integer": ("min: 0", "integer: true, min: 0.5", 6, "variables.pv.capacity_kw", None, "whole numbers"),
    "no variables": (f"\n  {PV}", " {}", 5, "variables", "{}", "at least 1"),
    "a path that is none": ("pv.capacity_kw", "pv", 6, "variables.pv", "pv", "write component.attribute"),
    "a component that is not there": ("pv.cap", "pvv.cap", 6, "variables.pvv.capacity_kw", None, "did you mean 'pv'?"),
    "an attribute that is not there": ("capacity_kw", "capacity", 6, "variables.pv.capacity", None, "did you mean 'capacity_kw'?"),
    "an attribute that is no number": ("pv.capacity_kw", "pv.profile", 6, "variables.pv.profile", None, "is not a number"),
    "a switch": ("pv.capacity_kw", "battery.cyclic", 6, "variables.battery.cyclic", None, "is not a number"),
    "a rate above one": (PV, "economics.discount_rate: {min: 0, max: 2}", 6, "variables.economics.discount_rate", "2.0", "below 1"),
    "the horizon": ("pv.capacity_kw", "horizon.steps", 6, "variables.horizon.steps", None, "no component 'horizon'"),
    "a reference point that lacks one": ("seed: 1", "seed: 1, reference_point: {total_cost: 5}", 7, "algorithm.reference_point", "{'total_cost': 5}", "each objective once"),
    "a population too small": ("population_size: 8", "population_size: 2", 7, "algorithm.population_size", "2", "at least 4"),
    "half a design": ("population_size: 8", "population_size: 8.5", 7, "algorithm.population_size", "8.5", "a whole number"),
    "no generations": ("max_generations: 4", "max_generations: 0", 7, "algorithm.max_generations", "0", "at least 1"),
    "a negative seed": ("seed: 1", "seed: -1", 7, "algorithm.seed", "-1", "at least 0"),
    "an unknown solver": ("objectives:", "solver: {method: gurobi}\nobjectives:", 4, "solver.method", "gurobi", "must be"),
    "no time": ("objectives:", "solver: {time_limit_seconds: 0}\nobjectives:", 4, "solver.time_limit_seconds", "0", "above 0"),
    "some series": ("objectives:", "timeseries: some\nobjectives:", 4, "timeseries", "some", "'all', 'front' or 'none'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_STUDIES)
def test_a_wrong_study_is_told_where_it_is_wrong(files, case):
    old, new, line, path, found, words = WRONG_STUDIES[case]
    _, study = files(study=changed(STUDY, old, new))
    told = [f for f in findings(load_study, study) if f.path == path]
    assert len(told) == 1, findings(load_study, study)
    (finding,) = told
    assert finding.file == str(study)
    assert finding.line == line
    assert words in finding.message
    assert found is None or finding.found == found


def test_a_path_onto_a_profile_is_refused(files):
    priced = changed(SYSTEM, "0.3", "{profile: load}")
    _, study = files(system=priced, study=changed(STUDY, "pv.capacity_kw", "grid.import_price_eur_per_kwh"))
    (finding,) = findings(load_study, study)
    assert "is a profile" in finding.message


def test_a_wrong_setting_does_not_hide_a_wrong_path(files):
    wrong = changed(changed(STUDY, "seed: 1", "seed: x"), "pv.cap", "pvv.cap")
    _, study = files(study=wrong)
    assert {f.path for f in findings(load_study, study)} == {"algorithm.seed", "variables.pvv.capacity_kw"}


def test_several_values_of_a_variable_that_are_wrong_are_each_told(files):
    _, study = files(study=changed(STUDY, "min: 0, max: 20", "choices: [-1, 3, -2]"))
    assert [f.found for f in findings(load_study, study)] == ["-1.0", "-2.0"]


def test_a_study_where_a_system_is_needed_and_the_other_way_round(files):
    house, study = files()
    (told,) = findings(load_system, study)
    assert (told.found, told.expected) == ("a study", "a system")
    (told,) = findings(load_study, house)
    assert (told.found, told.expected) == ("a system", "a study")
    _, study = files(study=changed(STUDY, "house.yaml", "study.yaml"))
    assert "this is a study" in findings(load_study, study)[0].message


def test_numbers_may_be_written_as_people_write_them(files):
    written = changed(SYSTEM, "capacity_kw: 8", "capacity_kw: 8e0, lifetime_years: 1_0")
    _, study = files(
        system=changed(written, "power_kw: 5", "power_kw: 5., self_discharge_fraction_per_hour: 1e-4"),
        study=STUDY + "solver: {mip_gap_fraction: 1e-4}\n",
    )
    loaded = load_study(study)
    assert loaded.study.solver.mip_gap_fraction == 1e-4
    battery = loaded.system.system.components["battery"]
    assert (battery.power_kw, battery.self_discharge_fraction_per_hour) == (5.0, 1e-4)
    assert loaded.system.system.components["pv"].lifetime_years == 10


def test_either_spelling_of_a_direction_is_taken(files):
    _, study = files(study=changed(STUDY, "minimise, total_co2: minimise", "minimize, total_co2: max"))
    assert load_study(study).study.objectives == {"total_cost": "minimise", "total_co2": "maximise"}


def test_words_that_older_yaml_takes_for_truth_may_name_a_component(files):
    house, _ = files(system=changed(SYSTEM, "  pv:", "  on:"))
    assert "on" in load_system(house).system.components


def test_the_content_of_a_study_is_not_its_wording(files):
    _, study = files()
    content = load_study(study).content
    _, study = files(
        system="# a house\n" + changed(SYSTEM, "capacity_kw: 8", "capacity_kw: 8.0"),
        study=STUDY + "description: x\n",
    )
    assert load_study(study).content == content
    _, study = files(system=changed(SYSTEM, "0: 0.5", "0: 0.51"))
    assert load_study(study).content != content


# -- files that are not even YAML

NOT_YAML = {
    "empty": ("", None, "must hold `key: value` lines"),
    "a list": ("- a\n", None, "must hold `key: value` lines"),
    "a word": ("hello", None, "must hold `key: value` lines"),
    "an open bracket": ("a: [1, 2\nb: 3", 2, "not valid YAML"),
    "a tab": ("a:\n\tb: 3", 2, "not valid YAML"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
    "an object of Python's": ("a: !!python/object/apply:os.system ['true']", 1, "not valid YAML"),
    "control characters": ("\x00\x01", None, "not valid YAML"),
    "a list as a key": ("? [a, b]\n: 1\n", 1, "not valid YAML"),
    "nested without end": ("[" * 5000 + "]" * 5000, None, "nested too deeply"),
    "an alias of itself": ("a: &a [*a]", None, "nested too deeply"),
    "a number without end": ("a: " + "9" * 5000, None, "not valid YAML"),
    "a bomb of aliases": (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        None,
        "more than a million values",
    ),
}  # fmt: skip


LINES = """\
system: cellar
horizon: {start: 2019-01-01T00:00, steps: 2}
components:
  gas: {type: gas_grid, import_price_eur_per_kwh: 0.1}
  boiler:
    {type: gas_boiler, capacity_kw: 5, part_load: {load_fraction: 0.5, relative_efficiency: [.nan, yes]}}
economics: {baseline: {pv.capacity_kw: 0, boiler.capacity_kw: -1}}
"""


def test_values_of_a_list_are_told_by_their_place_in_it_and_those_that_are_wrong_are_not_missed(tmp_path):
    (tmp_path / "cellar.yaml").write_text(LINES)
    told = {f.path: f.message for f in findings(load_system, tmp_path / "cellar.yaml")}
    line = "components.boiler.part_load."
    assert told == {
        f"{line}load_fraction": "load_fraction must be a list, not 0.5",
        f"{line}relative_efficiency.0": "relative_efficiency, value 1, must be a finite number, not nan",
        f"{line}relative_efficiency.1": "relative_efficiency, value 2, must be a number, not yes",
    }


def test_every_wrong_value_of_a_baseline_is_told(tmp_path):
    text = LINES.replace("0.5, relative_efficiency: [.nan, yes]", "[0.5, 1], relative_efficiency: [1, 1]")
    text = text.replace("part_load:", "min_load_fraction: 0.5, part_load:")
    (tmp_path / "cellar.yaml").write_text(text)
    (finding,) = findings(load_system, tmp_path / "cellar.yaml")
    assert finding.path == "economics.baseline"
    assert "no component 'pv'" in finding.message
    assert "capacity_kw must be at least 0" in finding.message


@pytest.mark.parametrize("case", NOT_YAML)
@pytest.mark.parametrize("read", [load_system, load_study, load])
def test_a_file_that_cannot_be_read_as_yaml_is_told_in_a_line(tmp_path, case, read):
    text, line, words = NOT_YAML[case]
    (tmp_path / "file.yaml").write_text(text)
    (finding,) = findings(read, tmp_path / "file.yaml")
    assert finding.file == str(tmp_path / "file.yaml")
    assert finding.line == line
    assert words in finding.message
    assert "\n" not in str(finding)


def test_a_file_that_is_missing_a_folder_or_no_text_is_told(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("system: Häuser".encode("latin-1"))
    for name, words in {
        "none.yaml": "no such file",
        ".": "cannot be read",
        "latin.yaml": "cannot be read",
    }.items():
        (finding,) = findings(load, tmp_path / name)
        assert words in finding.message
