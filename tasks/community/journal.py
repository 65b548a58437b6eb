"""The community's log: a file a day, a line an event, no personal data beyond ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from schema.community.ticks import as_text

_MAX_LENGTH = 2_000


def log_name(moment: datetime) -> str:
    return f"simulation_log_{moment:%Y%m%d}.log"


class Journal:
    """Appends to the day's file.

    Args:
        folder: where the files lie.
        listener: told every line too, such as a terminal.
    """

    def __init__(self, folder: Path, listener: Callable[[str], None] | None = None) -> None:
        self._folder = folder
        self._listener = listener

    def info(self, subject: str, message: str) -> None:
        self._append("INFO", subject, message)

    def warning(self, subject: str, message: str) -> None:
        self._append("WARNING", subject, message)

    def error(self, subject: str, message: str) -> None:
        self._append("ERROR", subject, message)

    def _append(self, level: str, subject: str, message: str) -> None:
        now = datetime.now(UTC)
        line = f"{as_text(now)} {level} {subject}: {_one_line(message)}"
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / log_name(now)).open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        if self._listener is not None:
            self._listener(line)


def _one_line(message: str) -> str:
    """Nobody's file may write lines of its own into the log."""
    text = "; ".join(message.splitlines())
    printable = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
    return printable if len(printable) <= _MAX_LENGTH else printable[: _MAX_LENGTH - 3] + "..."
