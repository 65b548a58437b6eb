"""Which schedulers may be talked to, and what is told of workers that may not be used."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app
from schema.errors import InputError
from tasks import on_worker
from tasks.dask_workers import TRUSTED_VARIABLE, _difference, checked_address
from tasks.workers import require_dask


@pytest.fixture(autouse=True)
def no_network_is_trusted(monkeypatch):
    monkeypatch.delenv(TRUSTED_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("tcp://127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
        ("tls://10.9.8.7:8786", "tls://10.9.8.7:8786"),
        ("tls://scheduler.example", "tls://scheduler.example"),
    ],
)
def test_this_machine_s_scheduler_and_encrypted_ones_are_taken(given, taken):
    assert checked_address(given) == taken


@pytest.mark.parametrize(
    "given",
    ["", "tcp://", "http://127.0.0.1:8786", "tcp://127.0.0.1:port", "tcp://user@127.0.0.1:8786", "a b"],
)
def test_what_is_no_address_is_refused_with_one_that_is(given):
    with pytest.raises(InputError, match=r"tls://HOST:8786|no host that is known"):
        checked_address(given)


def test_another_machine_s_open_scheduler_is_refused_unless_its_network_is_said_to_be_trusted(monkeypatch):
    with pytest.raises(InputError, match=r"not encrypted.*tls://.*ECOSYSTEMISER_TRUSTED_NETWORK"):
        checked_address("tcp://10.1.2.3:8786")
    monkeypatch.setenv(TRUSTED_VARIABLE, "192.168.7.0/24, 10.1.0.0/16")
    assert checked_address("tcp://10.1.2.3:8786") == "tcp://10.1.2.3:8786"
    with pytest.raises(InputError, match="not encrypted"):
        checked_address("tcp://10.2.2.3:8786")
    monkeypatch.setenv(TRUSTED_VARIABLE, "10.1.0.0/99")
    with pytest.raises(InputError, match="names no network"):
        checked_address("tcp://10.1.2.3:8786")


def test_a_cluster_without_its_runner_is_told():
    with pytest.raises(InputError, match="add --runner dask"):
        require_dask("processes", "tcp://127.0.0.1:8786")
    require_dask("dask", None)
    require_dask("dask", "tcp://127.0.0.1:8786")
    told = CliRunner().invoke(app, ["run", "examples/house/study_week.yaml", "--dask-address", "127.0.0.1:1"])
    assert told.exit_code == 2
    assert "add --runner dask" in told.output


def test_a_worker_is_told_apart_by_what_decides_its_results():
    ours = on_worker.facts()
    assert {"Python", "machine", "highspy", "numpy", "source of ecosystemiser"} <= ours.keys()
    assert "prefect" not in ours
    assert _difference(ours, dict(ours)) == ""
    assert _difference(ours, {**ours, "highspy": "1.14.0"}) == (
        f"highspy 1.14.0 and this process {ours['highspy']}"
    )
    assert _difference(ours, {"missing": "No module named 'tasks'"}) == (
        "no EcoSystemiser installed (No module named 'tasks')"
    )
    assert "no answer" in _difference(ours, OSError("gone"))


def test_a_worker_forgets_the_study_that_it_used_least_recently_and_says_so(tmp_path, monkeypatch):
    import pickle

    monkeypatch.setattr(on_worker, "_studies", type(on_worker._studies)())
    for token in "abcd":
        on_worker.learn(token, pickle.dumps(token))
    on_worker._known("a")
    on_worker.learn("e", pickle.dumps("e"))
    on_worker._known("a")
    with pytest.raises(on_worker.UnknownStudyError):
        on_worker._known("b")
    on_worker.forget("a")
    with pytest.raises(on_worker.UnknownStudyError):
        on_worker._known("a")
    assert on_worker.seconds_at("never asked") is None
