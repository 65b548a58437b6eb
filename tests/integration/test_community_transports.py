"""Ways to a simulation elsewhere, on real servers: a folder, S3 over HTTP, an HTTP endpoint."""

from __future__ import annotations

import email
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")

from schema.community.errors import NoAnswerError, TransferError
from schema.community.households import Household, write_households
from schema.community.job import Job
from schema.community.settings import Endpoint, SharedFolder
from tasks.community.simulation import simulate_file
from tasks.community.transports import way_of
from tasks.community.transports.base import Errand
from tasks.community.transports.endpoint import CHECKSUM_HEADER
from tasks.community.transports.shared_folder import Folder, work

pytestmark = pytest.mark.integration
NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
NAME = "results_20260621_1000.csv"
TOKEN = "not-to-be-told"


@pytest.fixture
def errand(tmp_path):
    """A job of one household, ready to go; `errand.audited` holds what was taken down."""
    household = Household("00000000-0000-4000-8000-000000000001", panel_count=10)
    input_file = tmp_path / "work" / "users_input_20260621_100000.csv"
    write_households(input_file, [household])
    audited = []
    made = Errand(Job(timestamp=NOON, seed=5), input_file, 1, tmp_path / "work", audited.append)
    object.__setattr__(made, "audited", audited)
    return made


def expected(errand) -> bytes:
    path = errand.folder / "expected" / NAME
    simulate_file(errand.input_file, errand.job, path)
    return path.read_bytes()


def there_and_back(way, errand) -> bytes:
    way.hand_over(errand)
    way.simulate(errand)
    return way.bring_back(errand).read_bytes()


# -- a shared folder


def folder_way(url, **options):
    return way_of(SharedFolder(type="folder", url=url, wait_seconds=20, poll_seconds=0.05, **options))


def other_side(url, options=None) -> threading.Thread:
    """Somebody who works on the folder until there was something to do."""

    def until_done() -> None:
        deadline = time.monotonic() + 20
        while not work(url, options) and time.monotonic() < deadline:
            time.sleep(0.05)

    thread = threading.Thread(target=until_done)
    thread.start()
    return thread


def test_results_come_back_through_a_folder_and_nothing_is_left_in_it(errand, tmp_path) -> None:
    shared = tmp_path / "shared"
    way = folder_way(str(shared))
    thread = other_side(str(shared))
    assert there_and_back(way, errand) == expected(errand)
    thread.join()
    assert [(t.direction, t.outcome, t.place) for t in errand.audited] == [
        ("out", "ok", str(shared)),
        ("back", "ok", str(shared)),
    ]
    assert errand.audited[1].sha256 == hashlib.sha256(expected(errand)).hexdigest()
    way.clean_up(errand)
    assert [file for file in shared.rglob("*") if file.is_file()] == []


def test_nobody_answering_is_told_after_the_time_allowed(errand, tmp_path) -> None:
    way = way_of(SharedFolder(type="folder", url=str(tmp_path / "s"), wait_seconds=0.2, poll_seconds=0.05))
    way.hand_over(errand)
    with pytest.raises(NoAnswerError, match=r"within 0.2 s"):
        way.simulate(errand)


def test_results_that_did_not_arrive_whole_are_refused(errand, tmp_path) -> None:
    way = folder_way(str(tmp_path / "s"))
    way.hand_over(errand)
    work(str(tmp_path / "s"))
    with (tmp_path / "s" / "outbox" / NAME).open("ab") as file:
        file.write(b"more")
    with pytest.raises(TransferError, match="did not arrive whole"):
        way.bring_back(errand)


def test_results_that_are_far_too_large_are_not_fetched(errand, tmp_path) -> None:
    way = folder_way(str(tmp_path / "s"))
    way.hand_over(errand)
    work(str(tmp_path / "s"))
    (tmp_path / "s" / "outbox" / NAME).write_bytes(b"x" * 1_000_000)
    with pytest.raises(TransferError, match="is larger than"):
        way.bring_back(errand)


def test_an_old_answer_is_not_taken_for_a_new_one(errand, tmp_path) -> None:
    way = folder_way(str(tmp_path / "s"))
    way.hand_over(errand)
    work(str(tmp_path / "s"))
    way.hand_over(errand)
    assert not (tmp_path / "s" / "outbox" / NAME).exists()


@pytest.mark.parametrize(
    "order",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"timestamp": "2026-06-21T10:00:00Z", "input_sha256": "00"}',
        b'{"timestamp": "2026-06-22T10:00:00Z", "input_sha256": "00"}',
        b'{"timestamp": "2026-06-21T10:00:00Z", "input_sha256": "00", "output": "/etc/passwd"}',
    ],
)
def test_jobs_that_are_none_are_passed_over(tmp_path, order) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "job_20260621_1000.json").write_bytes(order)
    (inbox / "users_input_20260621_100000.csv").write_bytes(b"x")
    (inbox / "..").joinpath("job_20260621_1015.json").write_bytes(b"{}")
    assert work(str(tmp_path)) == []
    assert not (tmp_path / "outbox").exists()


# -- S3


@pytest.fixture(scope="module")
def s3():
    """moto's S3 server in a process of its own; its address."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto.server", reason="moto's server is not installed; it comes with the extra dev")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{url}/moto-api/"):
                break
            time.sleep(0.1)
        yield url
        process.terminate()


def test_results_come_back_through_s3(errand, s3, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TOKEN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    options = {"endpoint_url": s3}
    folder = Folder("s3://community/shared", options)
    folder._fs.mkdir("community")
    way = folder_way("s3://community/shared", options=options)
    way.hand_over(errand)
    assert work("s3://community/shared", options) == [NAME]
    way.simulate(errand)
    assert way.bring_back(errand).read_bytes() == expected(errand)
    way.clean_up(errand)
    assert folder.names("inbox") == folder.names("outbox") == []
    assert [(t.transport, t.place) for t in errand.audited] == [("folder", "s3://community/shared")] * 2


def test_a_bucket_that_is_not_there_is_told_without_keys(errand, s3, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TOKEN)
    with pytest.raises(TransferError, match="s3://nowhere") as told:
        folder_way("s3://nowhere/x", options={"endpoint_url": s3}).bring_back(errand)
    assert TOKEN not in str(told.value)


# -- Google Cloud Storage


@pytest.fixture(scope="module")
def google():
    """An emulator of Google Cloud Storage that answers over HTTP in this process, and its address."""
    # Read while gcsfs is imported: by gRPC it would ask what kind of bucket it is, and the emulator has none.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    pytest.importorskip("gcsfs", reason="gcsfs is not installed; it comes with the extra gcs")
    emulator = pytest.importorskip(
        "gcp_storage_emulator.server", reason="the emulator comes with the extra dev"
    )
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = emulator.create_server("127.0.0.1", port, in_memory=True)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def test_results_come_back_through_google_cloud_storage(errand, google, monkeypatch) -> None:
    # What the environment's FSSPEC_GS_TOKEN sets where fsspec is imported: secrets stand in no file.
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
    options = {"endpoint_url": google, "project": "community"}
    folder = Folder("gs://community/shared", options)
    folder._fs.mkdir("community")
    way = folder_way("gs://community/shared", options=options)
    way.hand_over(errand)
    assert work("gs://community/shared", options) == [NAME]
    way.simulate(errand)
    assert way.bring_back(errand).read_bytes() == expected(errand)
    way.clean_up(errand)
    assert folder.names("inbox") == folder.names("outbox") == []
    assert [(t.transport, t.place) for t in errand.audited] == [("folder", "gs://community/shared")] * 2


# -- an endpoint


class Simulator:
    """A real HTTP endpoint that simulates what is posted to it, unless it is told to misbehave."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[tuple[dict, dict]] = []
        self.respond = None
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
                message = email.message_from_bytes(head + body, policy=HTTP)
                fields = {
                    part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                    for part in message.iter_parts()
                }
                simulator.requests.append((dict(self.headers), fields))
                if simulator.respond:
                    simulator.respond(self)
                    return
                (folder / "posted.csv").write_bytes(fields["file"])
                checksum = simulate_file(
                    folder / "posted.csv", Job(**json.loads(fields["job"])), folder / "answer.csv"
                )
                self.send_response(200)
                self.send_header(CHECKSUM_HEADER, checksum)
                self.end_headers()
                self.wfile.write((folder / "answer.csv").read_bytes())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/simulate"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()


@pytest.fixture
def simulator(tmp_path):
    made = Simulator(tmp_path)
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def endpoint(simulator, **options):
    return way_of(Endpoint(type="http", url=simulator.url, **options))


def test_results_come_back_from_an_endpoint(errand, simulator, monkeypatch) -> None:
    monkeypatch.setenv("ECOSYSTEMISER_COMMUNITY_TOKEN", TOKEN)
    assert there_and_back(endpoint(simulator), errand) == expected(errand)
    ((headers, fields),) = simulator.requests
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert fields["timestamp"] == b"2026-06-21T10:00:00Z"
    assert (fields["weather_factor"], fields["seed"], fields["ticks"]) == (b"1", b"5", b"1")
    assert fields["file"] == errand.input_file.read_bytes()


def test_without_a_token_none_is_sent(errand, simulator, monkeypatch) -> None:
    monkeypatch.delenv("ECOSYSTEMISER_COMMUNITY_TOKEN", raising=False)
    there_and_back(endpoint(simulator), errand)
    assert "Authorization" not in simulator.requests[0][0]


def refuse(handler) -> None:
    handler.send_response(500)
    handler.end_headers()


def redirect(handler) -> None:
    handler.send_response(307)
    handler.send_header("Location", "http://example.org/")
    handler.end_headers()


def flood(handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):
        for _ in range(100):
            handler.wfile.write(b"x" * 10_000)


def cut(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"user_id")


def stall(handler) -> None:
    time.sleep(1)


@pytest.mark.parametrize(
    ("respond", "message"),
    [
        (refuse, "answered 500"),
        (redirect, "answered 307"),
        (flood, "more than"),
        (cut, "RemoteProtocolError"),
        (stall, "ReadTimeout"),
    ],
)
def test_an_endpoint_that_misbehaves_is_a_transfer_that_failed(errand, simulator, respond, message) -> None:
    simulator.respond = respond
    with pytest.raises(TransferError, match=message) as told:
        endpoint(simulator, timeout_seconds=0.5).hand_over(errand)
    assert "?" not in str(told.value)


def test_an_answer_with_another_checksum_is_refused(errand, simulator) -> None:
    def lie(handler) -> None:
        handler.send_response(200)
        handler.send_header(CHECKSUM_HEADER, "0" * 64)
        handler.end_headers()
        handler.wfile.write(b"user_id\n")

    simulator.respond = lie
    with pytest.raises(TransferError, match="did not arrive whole"):
        there_and_back(endpoint(simulator), errand)


# -- the notebook


def test_the_notebook_simulates_what_lies_in_a_shared_folder(errand, tmp_path) -> None:
    shared = tmp_path / "drive"
    way = folder_way(str(shared))
    way.hand_over(errand)
    notebook = json.loads((Path(__file__).parents[2] / "deployments" / "community_colab.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(cells)],
        env=os.environ | {"COMMUNITY_FOLDER": str(shared), "COMMUNITY_MINUTES": "0"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert NAME in ran.stdout
    way.simulate(errand)
    assert way.bring_back(errand).read_bytes() == expected(errand)
