"""Prefect without ceremony: a server for a run, whether or not one is there.

`prefect_session` looks for a server in this order:

1. the configured one (`PREFECT_API_URL` or the active profile), if it answers;
2. where none is configured: `prefect server start` on this machine's usual port, if it keeps the same
   `PREFECT_HOME` as we would; two servers on one SQLite database get in each other's way;
3. a server of our own. If one was configured but does not answer, the run goes on with our own and
   `PrefectSession.notice` says so: what Prefect records is a view of a study, not its result, and no
   study should wait for a monitor.

Our own server is one per `PREFECT_HOME` and host, shared by all runs that are open at the same time,
and lives as long as any of them. The operating system keeps the count: every session holds a shared
lock on one file, which is gone with its process however that ends. When the server can lock the file
alone it writes down what it still has in its queues and leaves. So an interrupted or killed run leaves
no process behind, and what it had sent is still recorded. The database is the one of `PREFECT_HOME`:
a later `prefect server start` shows these runs in its UI; our own server has none and keeps no feed of
events.
Hosts that share a home directory each start a server on it: give them `PREFECT_HOME`s of their own or
one configured server, since SQLite cannot be shared over a network.

While a session is open Prefect's own messages stay off the console; they go to the API as ever.
Warnings and errors that a flow of ours logs are shown. One session per process at a time; an inner one
uses the server of the outer one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import http.client
import json
import logging
import os
import platform
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

# Read while prefect is being imported, where it would print a notice and report a first use.
os.environ.setdefault("DO_NOT_TRACK", "1")

START_SECONDS = 180.0  # a first start migrates a database, perhaps on a busy machine
DRAIN_SECONDS = 10.0  # after which a server that takes events slowly is asked whether it is still there
STUCK_SECONDS = 15.0  # the server gives up on a backlog that does not shrink
STOP_SECONDS = 300.0  # for writing down a long backlog; then the server is killed
SETTLE_SECONDS = 2.0  # for the recorder to write a batch on its own; stopping it writes one more, not two
POLL_SECONDS = 0.1
CLIENT_RETRIES = 3  # with Prefect's five, a study whose server is gone would wait for minutes after its end
HEARTBEAT_SECONDS = 30  # the shortest that Prefect allows

SERVER_SETTINGS = {
    # For wherever the user stands, since Prefect reads prefect.toml from there; a user's own settings win.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # One by one, task runs are recorded slower than they end, and a full queue drops them.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1.0",
    # Runs, states, logs and artifacts are recorded without it. The feed of events costs three quarters of
    # the database and half of the recorder's time, and keeping it would also delete a user's old events.
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
}


@dataclass(frozen=True)
class PrefectSession:
    """The server that a run reports to.

    Attributes:
        api_url: the API that flows, tasks and child processes use.
        ui_url: where the run can be watched; None for a server of our own.
        started: whether this session started the server.
        notice: one plain sentence for the user, if something is not as configured.
    """

    api_url: str
    ui_url: str | None
    started: bool
    notice: str | None = None


class ServerError(RuntimeError):
    """Prefect's server failed; the message tells a user how and what to do."""


class ServerStartError(ServerError):
    """It did not come up; nothing was run."""


class ServerLostError(ServerError):
    """It went away during the run.

    Attributes:
        what: that alone, without what to do.
    """

    def __init__(self, api_url: str) -> None:
        self.what = f"Prefect's server at {api_url} went away during the run."
        super().__init__(f"{self.what} What was evaluated is kept: run it again with --resume.")


@contextlib.contextmanager
def prefect_session() -> Iterator[PrefectSession]:
    """Give a run a Prefect server: the configured one if it answers, else one of our own.

    Raises:
        ServerStartError: there was none and none could be started.
        ServerLostError: the flow could not reach it any more.
    """
    import httpx
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_UI_URL,
        temporary_settings,
    )

    # A second thread has the environment of an open session, but not its settings.
    configured = PREFECT_API_URL.value() or os.environ.get("PREFECT_API_URL")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_console())
        if configured and _answers(configured):
            session = PrefectSession(configured, PREFECT_UI_URL.value(), started=False)
        elif not configured and (neighbour := _neighbour()):
            session = PrefectSession(neighbour, neighbour.removesuffix("/api"), started=False)
        else:
            notice = configured and (
                f"The Prefect server at {configured} does not answer: this run is recorded in "
                f"{_prefect_home()} instead. Start that server, or unset PREFECT_API_URL."
            )
            api_url, started = stack.enter_context(_own_server())
            session = PrefectSession(api_url, None, started, notice or None)
        stack.enter_context(_environment(_client_environment(session.api_url)))
        settings: dict[Any, Any] = {
            PREFECT_API_URL: session.api_url,
            PREFECT_CLIENT_MAX_RETRIES: CLIENT_RETRIES,
        }
        if session.ui_url and PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None:
            # A server that outlives the run can tell by them that the run's process was killed.
            settings[PREFECT_FLOWS_HEARTBEAT_FREQUENCY] = HEARTBEAT_SECONDS
        stack.enter_context(temporary_settings(settings))
        stack.callback(_drain, session.api_url)
        _drain(session.api_url)  # a worker left from before would send this run's events to its own server
        try:
            yield session
        except httpx.TransportError as error:
            raise ServerLostError(session.api_url) from error


# -- finding a server


def _answers(api_url: str) -> bool:
    """Whether a configured server answers, asked with the user's keys, certificates and proxies."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: api_url}),
        get_client(httpx_settings={"timeout": 10.0}, sync_client=True) as client,
    ):
        return client.api_healthcheck() is None


def _neighbour() -> str | None:
    """A `prefect server start` on the usual port which keeps the database that we would use."""
    from prefect.settings import get_current_settings

    api_url = f"http://127.0.0.1:{get_current_settings().server.api.port}/api"
    try:
        home = json.loads(_get(f"{api_url}/admin/settings"))["home"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    return api_url if Path(home) == _prefect_home() else None


def _healthy(api_url: str) -> bool:
    try:
        return _get(f"{api_url}/health") == b"true"
    except (OSError, http.client.HTTPException):
        return False


def _get(url: str) -> bytes:
    """Read from loopback, past any proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _prefect_home() -> Path:
    from prefect.settings import get_current_settings

    return get_current_settings().home.expanduser().absolute()


# -- a server of our own, shared by all sessions of one PREFECT_HOME
#
# users     each session holds it shared, a leaving server or its last user alone
# starting  held while looking for the shared server or starting it
# address   "URL pid", locked by the server for as long as it lives
#
# POSIX record locks belong to the process: forked workers do not inherit them. Their catch is that closing
# any handle of a file gives up the locks on it, so each is opened once.


@contextlib.contextmanager
def _own_server() -> Iterator[tuple[str, bool]]:
    folder = _prefect_home() / "ecosystemiser" / (platform.node() or "localhost")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = (folder / "users").open("a+")
    except OSError as error:
        raise ServerStartError(
            f"Prefect cannot keep its records in {folder}: {error.strerror}. "
            "Set PREFECT_HOME to a writable folder."
        ) from error
    with users:
        fcntl.lockf(users, fcntl.LOCK_SH)
        with (folder / "starting").open("a+") as starting:
            fcntl.lockf(starting, fcntl.LOCK_EX)
            address, started = _join(folder) or _start(folder)
        with address:
            try:
                yield _read(address)[0], started
            finally:
                if _try_lock(users):
                    _stop(folder, address)


def _join(folder: Path) -> tuple[IO[str], bool] | None:
    """The running server's address, once it answers; None if there is none."""
    try:
        address = (folder / "address").open("r+")
    except FileNotFoundError:
        return None
    if _wait_until_healthy(address):
        return address, False
    address.close()
    return None


def _start(folder: Path) -> tuple[IO[str], bool]:
    path = folder / "address"
    path.unlink(missing_ok=True)
    address = path.open("x+")
    log = folder / "server.log"
    with log.open("wb") as output:
        # In a session of its own: a Ctrl-C in the terminal is the run's, which still has records to send.
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", __file__, str(folder)],
            env=_server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    # The server may outlive this session, or end under another one: whenever it does, it is reaped.
    threading.Thread(target=process.wait, name="prefect-server-reaper", daemon=True).start()
    if _wait_until_healthy(address, process):
        return address, True
    address.close()
    path.unlink(missing_ok=True)
    process.kill()
    raise ServerStartError(
        f"Prefect's server did not start: {_last_error(log)} (its log: {log}). If another version of Prefect "
        "keeps its records there, or they are damaged, set PREFECT_HOME to a folder of its own."
    )


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (errors or lines or ["it gave no reason"])[-1]


def _wait_until_healthy(address: IO[str], process: subprocess.Popen[bytes] | None = None) -> bool:
    """Wait for the server behind an address, as long as it lives."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        api_url, pid = _read(address)
        if pid and _healthy(api_url):
            return True
        if process.poll() is not None if process else not _is_locked(address):
            return False
        time.sleep(POLL_SECONDS)
    return False


def _stop(folder: Path, address: IO[str]) -> None:
    """Let the server write down what it holds and leave; newcomers wait for the lock that we have."""
    (folder / "address").unlink(missing_ok=True)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_locked(address):
        if time.monotonic() > deadline:
            # Whoever holds the lock wrote this number, so it is still that process's.
            with contextlib.suppress(ProcessLookupError):
                os.kill(_read(address)[1], signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _read(address: IO[str]) -> tuple[str, int]:
    address.seek(0)
    api_url, _, pid = address.read().partition(" ")
    return api_url, int(pid or 0)


def _is_locked(file: IO[str]) -> bool:
    if not _try_lock(file):
        return True
    fcntl.lockf(file, fcntl.LOCK_UN)
    return False


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _server_environment() -> dict[str, str]:
    from prefect.settings import get_current_settings

    # As Prefect's own SubprocessASGIServer, which however shares our console and our Ctrl-C, picks its port
    # before it binds it, and stops with its queues full.
    return {
        **os.environ,
        **SERVER_SETTINGS,
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
        **get_current_settings().to_environment_variables(exclude_unset=True),
        "PREFECT_HOME": str(_prefect_home()),
    }


# -- this process while a session is open


def _client_environment(api_url: str) -> dict[str, str]:
    environment = {"PREFECT_API_URL": api_url, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING"}
    host = urlsplit(api_url).hostname or ""
    if host == "127.0.0.1":
        for name in ("NO_PROXY", "no_proxy"):
            environment[name] = ",".join(filter(None, (os.environ.get(name), host)))
    return environment


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _quiet_console() -> Iterator[None]:
    """Keep what Prefect says of itself off the console; what flows log as a warning passes."""
    import prefect.main

    package = str(Path(prefect.__file__).parent)

    def is_ours(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING and not record.pathname.startswith(package)

    handlers = [h for name in (None, "prefect._internal") for h in logging.getLogger(name).handlers]
    quietened = [h for h in handlers if type(h).__module__.startswith("prefect.")]
    raise_exceptions, logging.raiseExceptions = logging.raiseExceptions, False
    for handler in quietened:
        handler.addFilter(is_ours)
    try:
        yield
    finally:
        logging.raiseExceptions = raise_exceptions
        for handler in quietened:
            handler.removeFilter(is_ours)


def _drain(api_url: str) -> None:
    """Send the events and log lines which Prefect's workers in this process still hold."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        services: list[Any] = list(worker._instances.values())  # type: ignore[misc] # noqa: SLF001
        # In a thread, since under a running event loop, as in a notebook, it would only hand out a coroutine.
        draining = threading.Thread(target=worker.drain_all, daemon=True)
        draining.start()
        draining.join(DRAIN_SECONDS)
        while draining.is_alive() and _answers(api_url):
            draining.join(DRAIN_SECONDS)
        if draining.is_alive():
            for service in services:
                _discard(service._queue)  # noqa: SLF001
            draining.join(3 * DRAIN_SECONDS)


def _discard(pending: queue.Queue[Any]) -> None:
    """Drop what a server that is gone can no longer take.

    Prefect tries each event for seven seconds, also while the interpreter exits: hours for a study.
    """
    with contextlib.suppress(queue.Empty):
        while True:
            pending.get_nowait()
    pending.put_nowait(None)  # its end, as Prefect marks it


# -- the server's process


def _serve(folder: Path) -> None:
    with (
        socket.socket() as listener,
        (folder / "address").open("r+") as address,
        (folder / "users").open("a+") as users,
    ):
        fcntl.lockf(address, fcntl.LOCK_EX)
        listener.bind(("127.0.0.1", 0))
        api_url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        os.environ["PREFECT_API_URL"] = api_url  # else its services would call the one that is configured
        address.write(f"{api_url} {os.getpid()}")
        address.flush()
        asyncio.run(_serve_users(listener, address, users))
        os._exit(0)  # the locks go with the process, not before it


async def _serve_users(listener: socket.socket, address: IO[str], users: IO[str]) -> None:
    import uvicorn

    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)

    async def leave_when_alone() -> None:
        while _is_wanted(address) and not _try_lock(users):
            _keep_all_events()
            await asyncio.sleep(POLL_SECONDS)
        await _queues_are_empty()
        last_resort = threading.Timer(STUCK_SECONDS, os._exit, [1])
        last_resort.daemon = True
        last_resort.start()
        server.should_exit = True

    leaving = asyncio.create_task(leave_when_alone())
    await server.serve(sockets=[listener])
    leaving.cancel()


def _is_wanted(address: IO[str]) -> bool:
    """Whether the address is still in its place; opening it again would give up the lock."""
    try:
        return os.path.samestat(Path(address.name).stat(), os.fstat(address.fileno()))
    except FileNotFoundError:
        return False


def _keep_all_events() -> None:
    """Take the limit off the queues, which drop what comes after 10,000 events, about 3,300 tasks."""
    from prefect.server.utilities.messaging.memory import Topic

    for topic in Topic._topics.values():  # noqa: SLF001
        for subscription in topic._subscriptions:  # noqa: SLF001
            subscription._queue._maxsize = 0  # type: ignore[attr-defined] # noqa: SLF001


async def _queues_are_empty() -> None:
    """Wait until all events are with the services that record them, which flush when they stop."""
    from prefect.server.utilities.messaging.memory import METRICS

    seen: tuple[int, int] | None = None
    pause = 3 * POLL_SECONDS  # for what is still in the sockets
    deadline = time.monotonic() + STUCK_SECONDS
    while time.monotonic() < deadline:
        published, consumed = (
            sum(topic[what] for topic in METRICS.values()) for what in ("published", "consumed")
        )
        if published != consumed:
            pause = SETTLE_SECONDS
        elif seen == (published, consumed):
            return
        if seen != (published, consumed):
            deadline = time.monotonic() + STUCK_SECONDS
        seen = published, consumed
        await asyncio.sleep(pause)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
