"""Wrong input, told all at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with what a user wrote.

    Attributes:
        file: the file it stands in, as the user named it ("" where there is none, such as a flag).
        path: where in it, dotted, such as `components.battery.capacity_kwh`.
        found: what stands there, in short.
        expected: what would be right.
        message: one plain sentence that says what to change.
        line: the line in the file, where it is known.
    """

    file: str
    path: str
    found: str
    expected: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        if self.file and self.message.startswith(f"{self.file} "):
            return self.message  # it names the file itself
        place = self.file + (f":{self.line}" if self.line else "")
        return ": ".join(part for part in (place, self.path, self.message) if part)

    def as_dict(self) -> dict[str, str | int | None]:
        return asdict(self)


class InputError(Exception):
    """What the user gave cannot be taken; nothing was run.

    Carries every finding, so that all can be mended in one go.
    """

    def __init__(self, findings: Finding | Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = (findings,) if isinstance(findings, Finding) else tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))
