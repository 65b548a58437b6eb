"""What Prefect is told of a study: failures that stand out, events for automations, runs that were killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path

import pytest
import yaml

from flows.run import run_study
from schema.errors import InputError
from schema.store.store import Store

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PATIENCE = 120

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {"sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}}, "load": 1.0},
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 9,
            "import_price_eur_per_kwh": 0.3,
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 6000},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 1500},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
SEARCH = {
    "type": "genetic_algorithm",
    "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
    "variables": {"pv.capacity_kw": {"min": 0, "max": 20}},
    "algorithm": {"population_size": 4, "max_generations": 2, "seed": 5},
}
FAILING = {
    # A level that must end below its floor is not valid; each value is fine alone.
    "type": "parametric",
    "sweep": {"battery.min_level_fraction": [0.1, 0.4], "battery.initial_level_fraction": [0.3, 0.9]},
}


def write(folder, name, **stated):
    (folder / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"study": name, "system": "house.yaml", **stated}, sort_keys=False))
    return path


def run(path, **how):
    return run_study(path, path.parent / "results", **{"workers": 1, "runner": "threads", **how})


def runs_named(name):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name])))


def flow_run(name):
    (found,) = runs_named(name)
    return found


def artifact(key):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    with get_client(sync_client=True) as client:
        (found,) = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return found


def settled_tasks(name, count):
    """The study's task runs, once the server has recorded them."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

    deadline = time.monotonic() + PATIENCE
    with get_client(sync_client=True) as client:
        while time.monotonic() < deadline:
            named = TaskRunFilter(name=TaskRunFilterName(like_=f"{name} "))
            found = [t for t in client.read_task_runs(task_run_filter=named) if t.state.is_final()]
            if len(found) == count:
                return found
            time.sleep(0.2)
    raise AssertionError(f"{len(found)} task runs in vain")


class Events:
    """Events about a study as they leave the server, until it has ended."""

    def __init__(self, study_id):
        self.found = []
        self._study_id = study_id
        self._ready = threading.Event()
        context = copy_context()  # which server is in use
        self._thread = threading.Thread(target=lambda: context.run(asyncio.run, self._listen()), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), self.found

    async def _listen(self):
        from prefect.events.clients import get_events_subscriber
        from prefect.events.filters import EventFilter, EventNameFilter

        about = EventFilter(event=EventNameFilter(prefix=["ecosystemiser."]))
        async with get_events_subscriber(filter=about) as subscriber:
            self._ready.set()
            async for event in subscriber:
                if event.resource.id == f"ecosystemiser.study.{self._study_id}":
                    self.found.append(event)
                    if event.event.startswith("ecosystemiser.study.") and not event.event.endswith("started"):
                        return


def test_a_failed_evaluation_stands_out_by_its_name_its_reason_and_the_values_that_it_had(prefect, tmp_path):
    path = write(tmp_path, "failing", **FAILING)
    with Events("failing") as events:
        assert run(path).status == "completed"
    reason = "initial_level_fraction is below min_level_fraction"
    tasks = {task.name: task.state for task in settled_tasks("failing", 5)}
    failed = tasks["failing evaluation 2 failed"]
    assert failed.is_failed()
    assert reason in failed.message
    assert "(battery.min_level_fraction = 0.4, battery.initial_level_fraction = 0.3)" in failed.message
    # The chunk that held it went well as a task: its name tells, and the colours of the others are their own.
    assert [state.name for name, state in tasks.items() if name == "failing sweep 1, 2"] == ["With failures"]
    assert sum(state.name == "Completed" for state in tasks.values()) == 3
    (row,) = json.loads(artifact("failing-failures").data)
    assert row["run_id"] == "failing-0000002"
    assert reason in row["reason"]
    assert row["battery.min_level_fraction"] == 0.4
    assert "**1 failed**" in artifact("failing-progress").description
    assert flow_run("failing").state.message == "sweep 1 of 1, 4 of 4 evaluations, 1 failed"
    (told,) = [event for event in events.found if event.event == "ecosystemiser.evaluation.failed"]
    assert (told.payload["count"], told.payload["run_ids"]) == (1, ["failing-0000002"])
    assert reason in told.payload["reason"]


def test_a_study_that_finds_nothing_is_a_flow_run_that_failed_and_says_why(prefect, tmp_path):
    path = write(tmp_path, "hopeless", type="parametric", sweep={"grid.import_limit_kw": [0.1]})
    with Events("hopeless") as events:
        assert run(path).status == "failed"
    state = flow_run("hopeless").state
    assert state.is_failed()
    assert "1 infeasible" in state.message
    assert "the balance of electricity is short" in state.message
    assert [event.event for event in events.found][-1] == "ecosystemiser.study.failed"


def test_events_tell_of_start_generations_and_end_with_numbers_and_the_flow_run(prefect, tmp_path):
    path = write(tmp_path, "seeking", **SEARCH)
    with Events("seeking") as events:
        run(path)
    assert [event.event for event in events.found] == [
        "ecosystemiser.study.started",
        "ecosystemiser.generation.finished",
        "ecosystemiser.generation.finished",
        "ecosystemiser.study.completed",
    ]
    start, first, second, end = (event.payload for event in events.found)
    assert (start["planned"], start["evaluations"], start["resumed"]) == (8, 0, False)
    assert [told["evaluations"] for told in (first, second, end)] == [4, 8, 8]
    assert end["best"].keys() == {"total_cost", "total_co2"}
    run_id = f"prefect.flow-run.{flow_run('seeking').id}"
    assert all(run_id in {related.id for related in event.related} for event in events.found)
    assert max(event.size_bytes for event in events.found) < 2_000


LONG = {**SEARCH, "algorithm": {"population_size": 20, "max_generations": 40, "seed": 5}}


def started_elsewhere(path, prefect_home, stderr=subprocess.DEVNULL):
    """The study in a process of its own, once it has recorded evaluations."""
    names = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ecosystemiser",
            "run",
            path,
            "--workers",
            "1",
            "--results",
            path.parent / "results",
        ],
        env={**names, "PREFECT_HOME": str(prefect_home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(InputError), Store.open(path.parent / "results", read_only=True) as store:
            row = store.study(path.stem)
            if row is not None and row["run_count"] > 20:
                return process
        time.sleep(0.1)
    raise AssertionError("it recorded nothing")


def test_a_run_whose_process_was_killed_is_settled_when_the_study_goes_on_and_no_other_is(
    prefect, prefect_home, tmp_path
):
    """Another study of the same name, in another folder and killed as well, is none of ours."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        path = write(folder, "killed", **LONG)
        process = started_elsewhere(path, prefect_home)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = {one.parameters["results"]: one for one in runs_named("killed")}
    assert [one.state.name for one in left.values()] == ["Running", "Running"]
    with Store.open(here / "results", read_only=True) as store:
        assert store.study("killed")["metadata_json"]["flow_runs"] == [str(left[str(here / "results")].id)]
    with Events("killed") as events:
        assert run(here / "killed.yaml", resume=True).status == "completed"
    after = {one.id: one for one in runs_named("killed")}
    assert len(after) == 3
    settled = after[left[str(here / "results")].id].state
    assert settled.is_crashed()
    assert "ended without a word" in settled.message
    assert after[left[str(there / "results")].id].state.name == "Running"
    assert events.found[0].payload["resumed"]


def test_a_run_from_the_command_line_that_is_cancelled_in_prefect_ends_as_by_ctrl_c(
    prefect, prefect_home, tmp_path
):
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelling

    path = write(
        tmp_path, "cancelled", **SEARCH | {"algorithm": {"population_size": 20, "max_generations": 5000}}
    )
    process = started_elsewhere(path, prefect_home)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run("cancelled").id, Cancelling())
    assert process.wait(PATIENCE) not in {0, 1, 2}
    with Store.open(path.parent / "results", read_only=True) as store:
        assert store.study("cancelled")["status"] == "cancelled"
    assert flow_run("cancelled").state.is_cancelled()


@pytest.mark.slow
def test_a_study_whose_server_is_killed_is_complete_all_the_same_and_says_so(tmp_path):
    own = tmp_path / "prefect"
    path = write(tmp_path, "alone", **LONG)
    process = started_elsewhere(path, own, stderr=subprocess.PIPE)
    (address,) = own.glob("ecosystemiser/*/address")
    os.kill(int(address.read_text().split()[1]), signal.SIGKILL)
    told = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == 0, told
    assert "went away during the run. The study is complete." in told
    assert "Traceback" not in told
    with Store.open(path.parent / "results", read_only=True) as store:
        row = store.study("alone")
    assert (row["status"], row["run_count"]) == ("completed", 800)
