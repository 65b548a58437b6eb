"""Filters against plain Python, and texts of all kinds, on a real Postgres server."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

# Tests are no package: loaded once by its file, so that all of them share its server.
_spec = importlib.util.spec_from_file_location(
    "postgres_server", Path(__file__).with_name("postgres_server.py")
)
postgres_server = sys.modules.setdefault(_spec.name, importlib.util.module_from_spec(_spec))
if not hasattr(postgres_server, "FIXTURES"):
    _spec.loader.exec_module(postgres_server)

pytestmark = pytest.mark.integration

globals().update(postgres_server.FIXTURES)
globals().update(postgres_server.contract("property/test_store_properties.py"))
