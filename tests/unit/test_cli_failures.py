"""Whatever goes wrong ends in plain words on stderr and the right exit status."""

from __future__ import annotations

import errno
import sys

import pytest
import typer

from ecosystemiser.failures import Interrupted, status_of
from flows.session import ServerStartError
from schema.errors import Finding, InputError
from schema.store.errors import StoreError, StudyAliveError

TWO = InputError(
    [
        Finding("house.yaml", "components.pv.capacity_kw", "-1", "at least 0", "must be at least 0", line=7),
        Finding("", "where", "x", "a filter", "cannot be read"),
    ]
)


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "lines"),
    [
        (
            TWO,
            2,
            [
                "house.yaml:7: components.pv.capacity_kw: must be at least 0",
                "Error: --where: cannot be read",
            ],
        ),
        (StudyAliveError("s", 12, "here"), 2, ["Error: study s is being run by process 12 on here: wait*"]),
        (StoreError("the disk is full"), 1, ["Error: the disk is full"]),
        (ServerStartError("no server"), 1, ["Error: no server"]),
        (Interrupted("go on with --resume"), 130, ["Interrupted: go on with --resume"]),
        (KeyboardInterrupt(), 130, ["Interrupted"]),
        (typer.Abort(), 1, ["Stopped: nothing was changed"]),
        (
            OSError(errno.ENOSPC, "No space left on device", "front.png"),
            1,
            ["Error: front.png: No space left on device: make space on the disk"],
        ),
        (
            ValueError("two\nlines"),
            1,
            ["Error: this should not have happened: ValueError: two lines", "Set ECOSYSTEMISER_TRACEBACK=1*"],
        ),
    ],
)
def test_every_failure_is_told_in_plain_lines(error, status, lines, capsys):
    assert status_of(raising(error)) == status
    screen = capsys.readouterr()
    assert screen.out == ""
    told = screen.err.splitlines()
    assert len(told) == len(lines)
    for line, expected in zip(told, lines, strict=True):
        assert line.startswith(expected[:-1]) if expected.endswith("*") else line == expected


def test_the_traceback_is_shown_to_who_asks_for_it(capsys, monkeypatch):
    monkeypatch.setenv("ECOSYSTEMISER_TRACEBACK", "1")
    assert status_of(raising(ValueError("why"))) == 1
    assert "Traceback" in capsys.readouterr().err


def test_work_that_ends_well_is_status_zero(capsys):
    assert status_of(lambda: None) == 0
    assert status_of(lambda: 1) == 1
    assert capsys.readouterr() == ("", "")


def test_a_sign_that_the_terminal_lacks_is_no_failure(monkeypatch, tmp_path):
    with (tmp_path / "screen").open("w", encoding="ascii") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        assert status_of(lambda: screen.write("5 €\n") and None) == 0
    assert (tmp_path / "screen").read_text() == "5 ?\n"
