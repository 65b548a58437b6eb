"""What a user sees when something goes wrong: plain words on stderr and an exit status, all told here.

0 done · 1 the work was done and fell short, or something broke · 2 wrong input, nothing was run · 130 interrupted
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup

from schema.errors import Finding, InputError

DONE, FELL_SHORT, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
TRACEBACK_VARIABLE = "ECOSYSTEMISER_TRACEBACK"


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The user stopped the work; the message says how to go on."""


class PlainGroup(TyperGroup):
    """The root of all commands: whatever any of them raises ends here."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        def run() -> Any:
            return super(PlainGroup, self).main(
                args, prog_name, complete_var, False, windows_expand_args, **extra
            )

        if not standalone_mode:
            return run()
        sys.exit(status_of(run))


def status_of(work: Callable[[], Any]) -> int:
    """Do the work; whatever it raises is told on stderr.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a sign such as € shows ? instead of failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = work()
        sys.stdout.flush()
    except BrokenPipeError:
        _close_pipe()
        return FELL_SHORT
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Interrupted as error:
        _tell(f"Interrupted: {error}")
        return INTERRUPTED
    except typer.Abort:
        _tell("Stopped: nothing was changed")
        return FELL_SHORT
    except Exception as error:  # noqa: BLE001 - the last stop before the user
        return _status_of_error(error)
    if status == INTERRUPTED:
        _tell("Interrupted")
    return status if isinstance(status, int) else DONE


def _status_of_error(error: Exception) -> int:
    from flows.session import ServerError
    from schema.store.errors import StoreError, StudyAliveError

    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    if isinstance(error, InputError):
        for finding in error.findings:
            _tell(str(finding) if finding.file else f"Error: {_as_typed(finding)}")
        return WRONG_INPUT
    if hasattr(error, "format_message"):
        return _usage(error)
    if isinstance(error, StudyAliveError):
        _tell(f"Error: {error}")
        return WRONG_INPUT
    # An error of the workers' can only be one where they were imported, which takes long.
    workers = sys.modules.get("tasks.workers")
    if isinstance(error, (StoreError, ServerError, *([workers.WorkersError] if workers else []))):
        _tell(f"Error: {error}")
        return FELL_SHORT
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        _tell(f"Error: {place}{error.strerror}{_remedy(error)}")
        return FELL_SHORT
    words = " ".join(str(error).split()) or "no message"
    _tell(f"Error: this should not have happened: {type(error).__name__}: {words}")
    _tell(f"Set {TRACEBACK_VARIABLE}=1 and repeat the command to see where, and please report it.")
    return FELL_SHORT


_OPTIONS = {
    "where": "--where",
    "order_by": "--order-by",
    "by": "--order-by",
    "since": "--since",
    "type": "--type",
    "objective": "--objective",
}
"""What the options' values are called further down."""


def _as_typed(finding: Finding) -> Finding:
    return replace(finding, path=_OPTIONS.get(finding.path, finding.path))


def _usage(error: Any) -> int:
    """What the command line's parser refuses. Its exceptions change their home from release to release."""
    _tell(f"Error: {_usage_words(error)}")
    context = getattr(error, "ctx", None)
    if context is not None:
        _tell(f"See `{context.command_path} --help`.")
    return int(getattr(error, "exit_code", WRONG_INPUT))


_PARSERS_WORDS = (
    (r"Value error, ", ""),
    (r"Input should be greater than or equal to (\S+)", r"must be at least \1"),
    (r"Input should be less than or equal to (\S+)", r"must be at most \1"),
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
)


def _usage_words(error: Any) -> str:
    """The parser's words as ours, and what may have been meant."""
    possible = getattr(error, "possibilities", None)
    if possible:
        likely = get_close_matches(error.option_name, possible, n=1) or sorted(possible)
        return f"{error.message.rstrip('.')}; did you mean {likely[0]}?"
    words = str(error.format_message())
    for theirs, ours in _PARSERS_WORDS:
        words = re.sub(theirs, ours, words)
    chosen = re.search(r"'([^']*)' is not one of ('.*')\.?$", words)
    if chosen:
        likely = get_close_matches(chosen[1], re.findall(r"'([^']*)'", chosen[2]), n=1)
        return words + (f" Did you mean '{likely[0]}'?" if likely else "")
    return words


def _remedy(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ": make space on the disk"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return ": name a place that you may write to"
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return ": a file stands where a folder is needed; name another place"
    if error.errno == errno.ENOENT:
        return ": check the path"
    return ""


def _tell(line: str) -> None:
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        pass


def _close_pipe() -> None:
    """Whoever read our output has left: nothing more is written, at the interpreter's end neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
