"""Wrong words, completion and quiet: what a user types besides the right thing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app
from schema.store.records import Evaluation, NewStudy, Uncertainty
from schema.store.store import Store

ROOT = Path(__file__).parents[2]
WEEK = str(ROOT / "examples" / "house" / "week.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two studies, a genetic one and a Monte Carlo one, of three designs each."""
    made = tmp_path_factory.mktemp("results")
    with Store.open(made) as store:
        for study_id, kind in {"front": "genetic_algorithm", "risk": "monte_carlo"}.items():
            store.create_study(NewStudy(study_id, kind, objectives={"total_cost": "minimise"}))
            store.record(
                [
                    Evaluation(
                        *(study_id, n, {"a.b": float(n)}, "success", "x", 1, "milp", 1),
                        objectives={"total_cost": float(n)},
                        fitness=float(n),
                    )
                    for n in range(3)
                ]
            )
        store.record_uncertainty([Uncertainty("risk", name) for name in ("total_cost", "total_co2")])
    return made


def ask(*words, status=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["quer"], "Did you mean 'query'?"),
        (["query", "list-studes"], "Did you mean 'list-studies'?"),
        (["run", "x.yaml", "--wokers", "2"], "did you mean --workers?"),
        (["run", "x.yaml", "--runner", "thread"], "Did you mean 'threads'?"),
        (["query", "runs", "--format", "tabel"], "Did you mean 'table'?"),
        (["run", "x.yaml", "--workers", "0"], "must be at least 1"),
        (["run", "x.yaml", "--workers", "many"], "must be a whole number"),
        (["query", "runs", "--limit", "9" * 20], "must be at most 1000000000"),
        (["query", "runs", "--generation", "9" * 20], "must be at most"),
        (["solve", WEEK, "--solver", "mlip"], "did you mean 'milp'?"),
        (["examples", "copy", "hose"], "did you mean 'house'?"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_right_one(words, told):
    result = ask(*words, status=2)
    assert result.stdout == ""
    assert told in result.stderr
    assert "Value error" not in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--where", "total_cos<3"], "--where: there is no 'total_cos': did you mean total_cost?"),
        (["--order-by", "total_cos"], "--order-by: there is no 'total_cos': did you mean total_cost?"),
        (["--type", "gaa"], "--type: there is no 'gaa': did you mean ga?"),
        (["--since", "yesterday"], "--since: 'yesterday' is no date"),
        (["--study-ids", "front,rsik"], "did you mean risk?"),
    ],
)
def test_what_queries_do_not_know_is_told_by_the_option_s_own_name(folder, words, told):
    assert told in ask("query", "runs", *words, "--results", folder, status=2).stderr


def test_files_that_are_no_text_are_told_as_what_they_are(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"a\xff\xfe")
    told = ask("validate", tmp_path, tmp_path / "binary.yaml", status=2).stderr
    assert f"{tmp_path}: cannot be read: this is a folder; name a YAML file in it" in told
    assert "binary.yaml: cannot be read: byte 2 is no UTF-8 text" in told
    assert "Errno" not in told
    told = ask("init", tmp_path / "binary.yaml", status=2).stderr
    assert "binary.yaml: is a file: name a folder" in told


def test_a_file_that_the_message_names_is_not_named_twice(tmp_path):
    (tmp_path / "simulation_index.sqlite").write_bytes(b"no database" * 100)
    told = ask("query", "runs", "--results", tmp_path, status=2).stderr
    assert told.count("simulation_index.sqlite") == 1


# -- which studies

PICKS = {
    "all": ([], {"front", "risk"}),
    "one": (["--study-id", "risk"], {"risk"}),
    "several": (["--study-ids", "front, risk"], {"front", "risk"}),
    "of a type": (["--type", "mc"], {"risk"}),
    "of a type among those named": (["--type", "mc", "--study-ids", "front"], set()),
    "begun since": (["--since", "2000-01-01"], {"front", "risk"}),
    "begun later": (["--since", "2999-01-01"], set()),
}


@pytest.mark.parametrize("query", ["runs", "best-designs"])
@pytest.mark.parametrize(("words", "found"), PICKS.values(), ids=PICKS)
def test_runs_and_designs_are_of_the_studies_that_options_pick_out(folder, query, words, found):
    told = json.loads(ask("query", query, *words, "--results", folder, "--json").stdout)
    assert {row["study_id"] for row in told} == found


def test_statistics_of_several_studies_stand_side_by_side(folder):
    told = json.loads(ask("query", "statistics", "--type", "ga", "--results", folder, "--json").stdout)
    assert [(row["study_id"], row["evaluations"]) for row in told] == [("front", 3)]
    table = ask("query", "statistics", "--study-ids", "front,risk", "--results", folder).stdout
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["front", "risk"]


def test_one_output_s_uncertainty_is_shown(folder):
    words = ["query", "uncertainty", "--study-ids", "front,risk", "--results", folder, "--json"]
    assert len(json.loads(ask(*words).stdout)) == 2
    assert json.loads(ask(*words, "--limit", "1").stdout)[0]["objective_name"] == "total_cost"
    told = ask(
        "query", "uncertainty", "--study-id", "risk", "--objective", "cost", "--results", folder, status=2
    )
    assert "There is total_cost, total_co2" in told.stderr


# -- quiet, colours, JSON


def test_quiet_leaves_the_result_and_the_errors(tmp_path):
    assert ask("validate", WEEK, "--quiet").output == ""
    assert "no such file" in ask("validate", tmp_path / "none.yaml", "-q", status=2).stderr
    solved = ask("solve", WEEK, "--solver", "rule_based", "--quiet")
    assert "total_cost" in solved.stdout
    assert solved.stderr == ""


def test_what_writes_files_tells_them_as_json(tmp_path):
    written = json.loads(ask("init", tmp_path / "mine", "--json").stdout)["written"]
    assert [Path(file).name for file in written] == ["house.yaml", "study.yaml"]
    copied = json.loads(ask("examples", "copy", "water", tmp_path / "water", "--json").stdout)["written"]
    assert all(Path(file).exists() for file in copied)


def test_colours_are_off_when_piped_or_unwanted(folder):
    words = [sys.executable, "-m", "ecosystemiser", "query", "statistics", "--results", str(folder)]
    piped = subprocess.run(words, capture_output=True, check=True, timeout=60)
    assert b"\x1b" not in piped.stdout + piped.stderr
    environment = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "", "TERM": "xterm-256color"}
    script = shutil.which("script")
    if script is None:
        pytest.skip("needs `script`, which gives a program a terminal")
    seen = subprocess.run(
        [script, "-qec", " ".join(words), "/dev/null"],
        env=environment, capture_output=True, check=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert b"\x1b[3" not in seen.stdout  # bold may be


# -- what is imported

HEAVY = {
    *("numpy", "pandas", "pyarrow", "scipy", "matplotlib", "cvxpy", "highspy", "pymoo", "SALib"),
    *("prefect", "fastapi", "sqlalchemy", "httpx", "plotly", "streamlit", "distributed", "fsspec"),
}
LIGHT = [
    ["--help"],
    ["--version"],
    ["run", "--help"],
    ["query", "runs", "--help"],
    ["examples", "list"],
    ["status", "front"],
    ["query", "list-studies"],
    ["query", "statistics"],
    ["query", "runs"],
    ["query", "best-designs"],
    ["query", "convergence", "--study-id", "front"],
    ["query", "uncertainty", "--study-id", "risk"],
    ["status", "frnt"],  # refused
    ["quer"],
]


@pytest.mark.parametrize("words", LIGHT, ids=" ".join)
def test_what_only_looks_imports_nothing_heavy(folder, words):
    code = (
        "import sys\nfrom ecosystemiser.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code in {0, 2}\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "ECOSYSTEMISER_RESULTS": str(folder)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert HEAVY & set(ran.stderr.split()) == set()


# -- completion in a real shell


@pytest.fixture(scope="module")
def complete(tmp_path_factory, folder):
    """Installs completion into a home of its own, and asks bash what it offers."""
    bash, program = shutil.which("bash"), Path(sys.executable).with_name("ecosystemiser")
    if bash is None or not program.exists():
        pytest.skip("needs bash and the installed program")
    home = tmp_path_factory.mktemp("home")
    environment = {
        **os.environ,
        "HOME": str(home),
        "SHELL": bash,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "ECOSYSTEMISER_RESULTS": str(folder),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    subprocess.run([program, "--install-completion", "bash"], env=environment, check=True, timeout=60)
    asking = (
        'source "$HOME/.bashrc"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_ecosystemiser_completion ecosystemiser; echo "${COMPREPLY[@]}"'
    )

    def offered(*words):
        command = [bash, "--norc", "-c", asking, "bash", "ecosystemiser", *words]
        told = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        return told.stdout.split()

    return offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["que"], {"query"}),
        (["run", "--wor"], {"--workers"}),
        (["query", "runs", "--format", ""], {"table", "json", "csv"}),
        (["query", "runs", "--status", "f"], {"failed"}),
        (["solve", "--solver", "r"], {"rule_based", "rolling_horizon"}),
        (["query", "pareto-front", "--study-id", ""], {"front", "risk"}),
        (["status", "r"], {"risk"}),
        (["examples", "copy", "h"], {"house"}),
    ],
    # Named by the words alone: a set is written otherwise in each process, and the suite runs in several.
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bash_completes_commands_options_values_and_what_was_recorded(complete, words, offered):
    assert set(complete(*words)) == offered
