"""The rooms keep their order and their names."""

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ["schema", "solvers", "tasks", "flows", "ecosystemiser"]
"""From the ground up: a room may import those before it."""


def imports_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def files_of(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_downwards_only(room: str) -> None:
    above = set(ROOMS[ROOMS.index(room) + 1 :])
    wrong = {str(file.relative_to(ROOT)): imports_of(file) & above for file in files_of(room)}
    assert {file: names for file, names in wrong.items() if names} == {}
    assert files_of(room)


@pytest.mark.parametrize(
    ("room", "foreign"),
    [("schema", {"cvxpy", "highspy", "prefect"}), ("solvers", {"prefect", "sqlite3", "sqlite_utils"})],
)
def test_a_room_knows_nothing_of_what_lies_outside_it(room: str, foreign: set[str]) -> None:
    assert {
        str(f.relative_to(ROOT)): imports_of(f) & foreign for f in files_of(room) if imports_of(f) & foreign
    } == {}


@pytest.mark.parametrize("room", ROOMS)
def test_the_names_of_the_packages_are_ours_alone(room: str) -> None:
    assert set(packages_distributions().get(room, ["ecosystemiser"])) == {"ecosystemiser"}


def test_no_test_folder_holds_an_init_that_would_shadow_a_room() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_pinned_requirements_name_no_address() -> None:
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [
        line for line in pinned if not re.match(r"^[a-z0-9._-]+(\[[a-z0-9,-]+\])?==[^ ]+( ;.*)?$", line)
    ] == []


def test_every_dependency_has_its_reason_and_is_pinned() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.scripts]")[0]
    stated = re.findall(r'^    "([a-z0-9-]+)[^"\n]*(?:>=[^"\n]*)?",(.*)$', text, re.MULTILINE)
    dependencies = {name: rest for name, rest in stated if name != "ecosystemiser"}
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert len(dependencies) > 30
    assert [name for name, rest in dependencies.items() if "#" not in rest] == []
    # What only a cloud can test is not installed for the tests.
    assert [name for name in dependencies if f"\n{name}==" not in "\n" + pinned] == ["gdrive-fsspec"]
