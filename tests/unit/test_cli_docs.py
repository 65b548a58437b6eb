"""Every command has help with examples, is documented, and what the documentation shows can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from ecosystemiser.cli import app

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
COMMAND = get_command(app)


def leaves(command, path):
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from leaves(child, [*path, name])
    else:
        yield path, command


LEAVES = {" ".join(path): command for path, command in leaves(COMMAND, ["ecosystemiser"])}
SECTIONS = dict(re.findall(r"^## (ecosystemiser [^\n]*?)\n(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL))
EXAMPLES = sorted(
    {
        line.strip()
        for text in [DOCS, *(command.epilog or "" for command in LEAVES.values())]
        for line in text.splitlines()
        if line.strip().startswith("ecosystemiser ")
    }
)


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_has_help_with_an_example_of_itself(path):
    command = LEAVES[path]
    assert command.help
    assert f"\n{path}" in command.epilog
    assert [p.name for p in command.params if not getattr(p, "help", None)] == []


def test_all_commands_and_no_others_are_documented():
    assert set(SECTIONS) == set(LEAVES)


@pytest.mark.parametrize("path", LEAVES)
def test_every_option_is_documented_and_every_documented_option_exists(path):
    section = SECTIONS[path]
    real = {option for p in LEAVES[path].params for option in p.opts if option.startswith("--")} - {"--help"}
    table = set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))
    assert table == real


@pytest.mark.parametrize("path", LEAVES)
def test_every_section_tells_the_exit_status(path):
    assert "Exit status" in SECTIONS[path]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_typed(example):
    words = shlex.split(example.split(" | ")[0].split("  #")[0])[1:]
    command, context = COMMAND, None
    while True:
        context = command.make_context(words[0] if words else "ecosystemiser", list(words), parent=context)
        if not hasattr(command, "commands"):
            break
        rest = (
            [*context._protected_args, *context.args] if hasattr(context, "_protected_args") else context.args
        )
        if not rest:
            break
        _, command, words = command.resolve_command(context, rest)
    assert isinstance(context.command, typer.core.TyperCommand | typer.core.TyperGroup)
