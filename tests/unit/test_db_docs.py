"""The page on the database names every table, column and step that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schema.store import migrations
from schema.store.store import Store
from schema.store.tables import DISPATCHES, FIRST_TABLES

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("table", [table.name for table in (*FIRST_TABLES, DISPATCHES)])
def test_every_column_is_documented_and_no_other(table, tmp_path):
    with Store.open(tmp_path) as store:
        real = {row["name"] for row in store.connection.execute(f"PRAGMA table_info({table})")}
    cells = re.findall(r"^\| (`.*?) \|", SECTIONS[table], re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == real


def test_every_step_is_documented():
    assert [name for name in migrations.names() if f"`{name}`" not in PAGE] == []
