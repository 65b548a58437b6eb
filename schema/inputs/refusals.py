"""What cannot be taken, before it is known which entry of which system file asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a profile.

    Attributes:
        field: the profile's field it belongs to, such as `column`; "" for the whole profile.
        found: what stands there, in short.
        expected: what would be right.
        message: one plain sentence that says what to change.
    """

    field: str
    found: str
    expected: str
    message: str


class Refusal(Exception):  # noqa: N818 - no error of the program: the input was refused
    """A profile cannot be worked out, for one or more reasons."""

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))


def did_you_mean(wrong: str, names: Sequence[str], most: int = 1) -> str:
    """`; did you mean 'x'?` where names are near, the nearest first, else which names there are."""
    by_folded = {name.casefold(): name for name in names}
    near = get_close_matches(wrong.casefold(), by_folded, n=most)
    if near:
        return f"; did you mean {' or '.join(repr(by_folded[name]) for name in near)}?"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"; there is {shown}" if names else ""
