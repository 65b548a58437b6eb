"""Workers on a Dask cluster: on this machine, or on any number of hosts.

The cluster evaluates, this process alone writes. Each of a worker's threads is a seat which holds one question at
a time, and that question goes to no other worker: so it is known who was at what, whatever the scheduler's own
rules for lost tasks are. A worker is asked for its versions before its first question, and refused where these
differ from ours. It is sent the study once; questions name it by a token. Workers may come and go in mid-study.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import os
import pickle
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from schema.errors import Finding, InputError
from tasks import on_worker
from tasks.crew import Crew, LostError
from tasks.evaluate import Assignment, Design, Result
from tasks.series import with_files
from tasks.workers import (
    START_SECONDS,
    STARTS,
    WorkersError,
    interrupts_kept_from_children,
    main_kept_from_children,
)

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

TRUSTED_VARIABLE = "ECOSYSTEMISER_TRUSTED_NETWORK"
CONNECT_SECONDS = 15.0
STRANDED_SECONDS = 120.0
"""How long a study waits for a cluster that has lost all its workers."""
_SLICE_SECONDS = 0.5
_LOOK_SECONDS = 1.0
_END_SECONDS = 15.0
_log = logging.getLogger(__name__)


def checked_address(address: str) -> str:
    """The address of a scheduler that may be talked to.

    Whoever reaches a cluster without TLS can have it run anything, and so its clients: it must not be reachable
    for others.

    Raises:
        InputError: it is none, or neither encrypted, nor on this machine, nor in a network that is said to be
            trusted.
    """
    expected = "tcp://HOST:8786 or tls://HOST:8786"
    plain = address if "://" in address else f"tcp://{address}"
    try:
        parts = urlsplit(plain)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"tcp", "tls"} or not host or parts.path.strip("/") or "@" in parts.netloc:
        message = f"{address} is no address of a Dask scheduler: write {expected}"
        raise InputError(Finding("", "--dask-address", address, expected, message))
    if parts.scheme == "tcp" and not _is_trusted(host):
        message = (
            f"{address} is on another machine and not encrypted: whoever reaches such a cluster can run anything "
            "on it. Use tls:// with certificates, or name the network that nobody else is in, as in "
            f"{TRUSTED_VARIABLE}=10.1.0.0/16"
        )
        raise InputError(Finding("", "--dask-address", address, "tls://, or a trusted network", message))
    return plain


def _is_trusted(host: str) -> bool:
    networks = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
    told = os.environ.get(TRUSTED_VARIABLE, "").replace(",", " ").split()
    try:
        networks += [ipaddress.ip_network(one) for one in told]
    except ValueError as error:
        message = f"{TRUSTED_VARIABLE} names no network: {error}"
        raise InputError(
            Finding("", TRUSTED_VARIABLE, " ".join(told), "networks such as 10.1.0.0/16", message)
        ) from error
    try:
        found = {ipaddress.ip_address(str(one[4][0])) for one in socket.getaddrinfo(host, None)}
    except OSError:
        message = f"{host} is no host that is known here: is it spelled right?"
        raise InputError(Finding("", "--dask-address", host, "a host", message)) from None
    return all(any(one in network for network in networks) for one in found)


def cluster_size(address: str) -> int:
    """How many a cluster evaluates at once, as things stand.

    Raises:
        InputError: the address is none, or not to be trusted.
        WorkersError: no scheduler answers there, or it has no workers.
    """
    with _quiet(), _connected(checked_address(address)) as client:
        return sum(_wait_for_workers(client, address).values())


class DaskWorkers(Crew):
    """A Dask cluster's threads.

    Args:
        assignment: what to evaluate.
        count: how many evaluate at once, at most; as many as the cluster has if None.
        address: of the scheduler; None for a cluster of `count` processes on this machine.
    """

    # A chunk is one task: to be told of every design would double what a quick one costs.
    answers_whole_chunks = True

    def __init__(self, assignment: Assignment, count: int | None = None, address: str | None = None) -> None:
        super().__init__(assignment)
        self._address = None if address is None else checked_address(address)
        self._most = count
        self._pickled = pickle.dumps(assignment)
        self._token = hashlib.sha256(self._pickled).hexdigest()
        self._leaving = threading.Event()
        self._lock = threading.RLock()
        self._idle: queue.LifoQueue[_Seat] = queue.LifoQueue()
        self._hosts: dict[str, _Host] = {}
        self._refused: dict[str, str] = {}
        self._asked: dict[str, tuple[Any, _Seat]] = {}
        self._looked = float("-inf")
        self._stack = ExitStack()
        self._client: Client

    @property
    def count(self) -> int:
        seats = sum(host.threads for host in list(self._hosts.values()))
        return max(1, min(seats, self._most or seats))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_quiet())
            place: str | LocalCluster
            place = self._address or stack.enter_context(_local_cluster(self._most or 1))
            self._client = stack.enter_context(_connected(place))
            self._address = self._address or str(getattr(place, "scheduler_address", place))
            _wait_for_workers(self._client, self._address)
            self._look_around()
            if not self._hosts:
                raise WorkersError(f"no worker can be used: {'; '.join(self._refused.values())}")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        """Leave the cluster; where the study was broken off, its workers are ended at what they do."""
        with self._lock:
            self._leaving.set()
            asked = list(self._asked.values())
        with self._stack:
            if self._client.status != "running":
                return
            with suppress(Exception):  # whatever the cluster says to it, we leave
                if kind is not None:
                    self._client.cancel([future for future, _ in asked], force=True)
                    self._end({seat.host for _, seat in asked})
                self._client.run(on_worker.forget, self._token, on_error="ignore")

    # -- questions

    def _answers(self, groups: Sequence[list[Design]], *, keep_series: bool) -> Iterator[list[Result]]:
        for group in groups:
            with self._taken() as seat:
                patience = self._patience(group)
                results: list[Result] = self._ask(seat, patience, on_worker.evaluate, group, keep_series)
            yield [with_files(self._assignment, result) for result in results]

    def _explained(self, design: Design) -> tuple[str, ...]:
        with self._taken() as seat:
            lines: tuple[str, ...] = self._ask(seat, self._patience([design]), on_worker.explain, design)
            return lines

    def _ask(self, seat: _Seat, patience: float, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function gives on a seat's worker.

        Raises:
            LostError: the worker died, or did not answer in time and was ended.
            WorkersError: the scheduler is gone, or the study was broken off.
        """
        try:
            return self._answer(seat, patience, function, *arguments)
        except on_worker.UnknownStudyError:
            # It was started anew at the same address, or has had many other studies since.
            self._teach([seat.host.address])
            return self._answer(seat, patience, function, *arguments)

    def _answer(self, seat: _Seat, patience: float, function: Callable[..., Any], *arguments: Any) -> Any:
        question = f"{self._assignment.study_id}-{uuid.uuid4().hex}"
        with self._lock:
            if self._leaving.is_set():
                raise WorkersError("the study was broken off")
            future = self._client.submit(
                function, self._token, question, *arguments,
                key=question, workers=[seat.host.address], allow_other_workers=False, pure=False,
            )  # fmt: skip
            self._asked[question] = future, seat
        try:
            return self._waited(future, seat, patience, question)
        finally:
            with self._lock:
                self._asked.pop(question, None)
            with suppress(Exception):
                future.release()

    def _waited(self, future: Any, seat: _Seat, patience: float, question: str) -> Any:
        left, fetch = patience, self._fetch(future)
        while True:
            answered = bool(wait([fetch], timeout=_SLICE_SECONDS).done)
            if answered:
                try:
                    return fetch.result()
                except Exception as error:  # noqa: BLE001 - each is judged
                    self._judge(error, seat, future)
            if self._leaving.is_set():
                raise WorkersError("the study was broken off")
            self._look_around()
            # It may have died with an answer that it had not handed over: Dask would wait for another one.
            if seat.host.gone:
                self._lose(seat, hung=False)
            if answered:
                time.sleep(_SLICE_SECONDS)
                fetch = self._fetch(future)
            left -= _SLICE_SECONDS
            if left <= 0:
                left = patience - self._seconds_at(question, seat)
                if left <= 0:
                    self._lose(seat, hung=True)

    def _fetch(self, future: Any) -> Future[Any]:
        """What will be a question's answer; it comes in the client's thread.

        It is never cancelled, as others' answers may come by the same message: it ends as `future` is released.
        """
        loop: Any = self._client.loop
        return asyncio.run_coroutine_threadsafe(
            self._client.gather(future, asynchronous=True), loop.asyncio_loop
        )

    def _judge(self, error: Exception, seat: _Seat, future: Any) -> None:
        """What it means for a seat that a question has no answer; nothing, where the scheduler was not reached."""
        from distributed import KilledWorker

        if isinstance(error, (KilledWorker, CancelledError)):
            seat.host.gone = True
        elif isinstance(error, on_worker.UnknownStudyError):
            raise error
        elif future.status == "error" or not isinstance(error, OSError):
            # An evaluation never raises: it could not even begin, or its answer could not be read.
            raise WorkersError(self._cannot(seat, error)) from error

    def _seconds_at(self, question: str, seat: _Seat) -> float:
        """How long the worker has been at a question [s]; it may have waited behind those of another study."""
        with suppress(Exception):
            found = self._client.sync(
                self._client._run,  # noqa: SLF001 - `run` itself takes no time limit
                on_worker.seconds_at,
                question,
                workers=[seat.host.address],
                callback_timeout=_END_SECONDS,
            )
            return float(found[seat.host.address] or 0.0)
        return float("inf")  # it does not even say that

    def _lose(self, seat: _Seat, *, hung: bool) -> None:
        seat.host.gone = True
        if hung:
            self._end({seat.host})
        raise LostError(hung=hung)

    def _end(self, hosts: set[_Host]) -> None:
        """End workers' processes; their nannies start them anew. One without a nanny cannot be ended from here."""
        for host in hosts:
            host.gone = True
        with suppress(Exception):
            nannies = self._client.scheduler_info(n_workers=-1)["workers"]
            ended = [host.address for host in hosts if nannies.get(host.address, {}).get("nanny")]
            if ended:
                self._client.restart_workers(ended, timeout=_END_SECONDS, raise_for_error=False)

    # -- seats

    @contextmanager
    def _taken(self) -> Iterator[_Seat]:
        """A seat whose worker is ready."""
        seat = self._free_seat()
        try:
            yield seat
        finally:
            if not seat.host.gone:
                self._idle.put(seat)

    def _free_seat(self) -> _Seat:
        starts, stranded = 0, 0.0
        while not self._leaving.is_set():
            self._look_around()
            try:
                seat = self._idle.get(timeout=_SLICE_SECONDS)
            except queue.Empty:
                stranded = 0.0 if self._hosts else stranded + _SLICE_SECONDS
                if stranded > STRANDED_SECONDS:
                    raise WorkersError(self._without_workers()) from None
                continue
            if seat.host.gone:
                continue
            if seat.ready:
                return seat
            try:
                self._ask(seat, START_SECONDS, on_worker.make_ready)
            except LostError:
                starts += 1
                if starts == STARTS:
                    raise WorkersError("workers die as they start: is there memory left?") from None
                continue
            seat.ready = True
            return seat
        raise WorkersError("the study was broken off")

    def _without_workers(self) -> str:
        refused = f" that can be used ({'; '.join(self._refused.values())})" if self._refused else ""
        return (
            f"the Dask cluster at {self._address} has had no workers{refused} for {STRANDED_SECONDS:g} s. What "
            "was evaluated is recorded: start workers and run the study again with --resume"
        )

    def _look_around(self) -> None:
        """Take in workers that came, and let go of those that are gone."""
        with self._lock:
            if self._client.status != "running":
                raise WorkersError(self._lost_scheduler())
            if time.monotonic() - self._looked < _LOOK_SECONDS:
                return
            try:
                threads: Mapping[str, int] = self._client.nthreads()
                for address in self._hosts.keys() - threads.keys():
                    self._hosts.pop(address).gone = True
                new = [a for a in threads if a not in self._hosts or self._hosts[a].gone]
                new = [a for a in new if a not in self._refused]
                for address in self._fit(new):
                    self._hosts[address] = host = _Host(address, threads[address])
                    self._seat(host)
            except (OSError, TimeoutError) as error:
                raise WorkersError(self._lost_scheduler()) from error
            self._looked = time.monotonic()

    def _seat(self, host: _Host) -> None:
        taken = sum(one.threads for one in self._hosts.values() if one is not host)
        room = host.threads if self._most is None else min(host.threads, self._most - taken)
        for _ in range(room):
            self._idle.put(_Seat(host))

    def _fit(self, addresses: Sequence[str]) -> list[str]:
        """Those of some workers that evaluate as this process would; they are sent the study."""
        if not addresses:
            return []
        ours, fit = on_worker.facts(), []
        found = self._client.run(_facts_of_a_worker(), workers=list(addresses), on_error="return")
        for address, theirs in found.items():
            told = _difference(ours, theirs)
            if told:
                self._refused[address] = f"the worker {address} has {told}"
                _log.warning("The worker %s is not used, as results would depend on it: %s", address, told)
            else:
                fit.append(address)
        return self._teach(fit)

    def _teach(self, addresses: Sequence[str]) -> list[str]:
        if not addresses:
            return []
        told = self._client.run(
            on_worker.learn, self._token, self._pickled, workers=list(addresses), on_error="return"
        )
        return [address for address, answer in told.items() if answer is None]

    def _cannot(self, seat: _Seat, error: BaseException) -> str:
        return f"the worker {seat.host.address} cannot evaluate: {type(error).__name__}: {error}"

    def _lost_scheduler(self) -> str:
        return (
            f"the Dask scheduler at {self._address} went away. What was evaluated is recorded: see to the "
            "scheduler and run the study again with --resume"
        )


@dataclass(eq=False)
class _Host:
    """A worker's process; one that comes back at the same address is another."""

    address: str
    threads: int
    gone: bool = False


@dataclass(eq=False)
class _Seat:
    """One thread of a worker.

    Attributes:
        ready: whether the study's model was compiled for it.
    """

    host: _Host
    ready: bool = False


def _facts_of_a_worker() -> Callable[[], Mapping[str, str]]:
    """A function that is sent with its code, so that a worker which has none of ours can answer too."""

    def facts() -> Mapping[str, str]:
        try:
            from tasks import on_worker
        except ImportError as error:
            return {"missing": str(error)}
        return on_worker.facts()

    return facts


def _difference(ours: Mapping[str, str], theirs: Any) -> str:
    """How a worker differs from us; empty where it does not."""
    if not isinstance(theirs, Mapping):
        return f"no answer to which versions it has ({type(theirs).__name__}: {theirs})"
    if "missing" in theirs:
        return f"no EcoSystemiser installed ({theirs['missing']})"
    return ", ".join(
        f"{name} {theirs.get(name, 'none')} and this process {value}"
        for name, value in ours.items()
        if theirs.get(name) != value
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """What befalls a cluster is told by us, not by Dask's own loggers."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        message = f"Dask is not installed ({error}): install the extra `dask`"
        raise InputError(
            Finding("", "--runner", "dask", "an installation with the extra dask", message)
        ) from error
    loggers = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _local_cluster(count: int) -> Iterator[LocalCluster]:
    """Processes on this machine, which nobody else can reach."""
    from distributed import LocalCluster

    # All the time: a worker that dies is started anew.
    with main_kept_from_children():
        try:
            with interrupts_kept_from_children():
                cluster = LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    memory_limit=None,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
        except (OSError, RuntimeError) as error:
            told = error.__cause__ or error
            raise WorkersError(f"a Dask cluster cannot be started on this machine: {told}") from error
        with cluster:
            yield cluster


@contextmanager
def _connected(place: str | LocalCluster) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(place, timeout=CONNECT_SECONDS, set_as_default=False, name="ecosystemiser")
    except (OSError, TimeoutError) as error:
        raise WorkersError(
            f"no Dask scheduler answers at {place}: start one with `dask scheduler`, or see to the address"
        ) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise WorkersError(
            f"the Dask scheduler at {place} cannot be reached ({error}); tls:// needs certificates, which Dask "
            "takes from its own settings, distributed.comm.tls"
        ) from error
    with client:
        yield client


def _wait_for_workers(client: Client, address: str) -> dict[str, int]:
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        threads: dict[str, int] = client.nthreads()
        if threads:
            return threads
        if time.monotonic() > deadline:
            raise WorkersError(
                f"the Dask cluster at {address} has no workers: start some with `dask worker {address}`"
            )
        time.sleep(_SLICE_SECONDS)
