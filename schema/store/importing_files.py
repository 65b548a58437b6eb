"""Older result files as JSON: read with suspicion, and refused with everything that is wrong with them.

    {"system_id", "timesteps", "timestamp",
     "components": {name: {"type", "medium", "E", "E_max", "profile", "economic"}},
     "flows": {name: {"source", "target", "type", "value": [...]}}, "metadata": {...}}

A flow is the power from one component to another in each step; `E` is a storage's level after each step, or one
number more where the level before the first step leads.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from schema.errors import Finding, InputError

MAX_BYTES: Final = 256 * 1024 * 1024
_MAX_STEPS: Final = 1_000_000
_MAX_NUMBERS: Final = 50_000_000
_MAX_FINDINGS: Final = 50
_MAX_DEPTH: Final = 20
_MIN_POWER_KW: Final = -1e-6  # below is more than a solver's rounding
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,119}")
_SYSTEM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,119}")
_KINDS: Final = ("generation", "consumption", "storage", "transmission")
_PROFILE: Final = "profile"


@dataclass(frozen=True)
class Flow:
    """Power from one component to another [kW], step by step."""

    source: str
    target: str
    kind: str
    power_kw: list[float]


@dataclass(frozen=True)
class Component:
    """A component; `level_kwh` after each step for a storage, and its profile if the file has one."""

    kind: str
    medium: str
    level_kwh: list[float] | None = None
    profile: list[float] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultFile:
    """What an older result file holds.

    Attributes:
        sha256: of the file's bytes.
        timestamp: when it was written, as it says; without a zone it is taken as UTC.
    """

    name: str
    sha256: str
    system_id: str
    timesteps: int
    timestamp: datetime | None
    components: Mapping[str, Component]
    flows: Mapping[str, Flow]
    metadata: Mapping[str, Any]


def read_result(path: Path) -> ResultFile:
    """Read and check one file.

    Raises:
        InputError: with everything that is wrong with it.
    """
    content = _bytes_of(path)
    return _Checker(path).result(_parsed(path, content), hashlib.sha256(content).hexdigest())


def _bytes_of(path: Path) -> bytes:
    try:
        told = path.stat()
        if not stat.S_ISREG(told.st_mode):
            raise _refused(path, "", "no plain file", "a JSON file", "this is no file: name one")
        if told.st_size > MAX_BYTES:
            size, most = f"{told.st_size / 1e6:,.0f} MB", f"{MAX_BYTES / 1e6:,.0f} MB"
            raise _refused(
                path, "", size, f"{most} at most", f"the file is too large ({size}; {most} at most)"
            )
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # it may have grown, or its size may be a lie
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(path, "", reason, "a file that can be read", f"cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise _refused(path, "", "a file that grows", "a JSON file", "the file is too large")
    return content


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            repeated.extend(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        return made

    try:
        data = json.loads(content, object_pairs_hook=unique)
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise _refused(path, "", reason, "JSON", f"this is no JSON that can be read: {reason}") from None
    if repeated:
        message = f"the key {repeated[0]!r} stands twice in one object; keep one"
        raise _refused(path, repeated[0][:80], "a key twice", "each key once", message)
    if not isinstance(data, dict):
        message = "an older result file holds one object with system_id, timesteps, components and flows"
        raise _refused(path, "", type(data).__name__, "an object", message)
    if _depth(data) > _MAX_DEPTH:
        raise _refused(
            path, "", "nested too deeply", "plain JSON", "this is nested too deeply to be a result"
        )
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _refused(
            path, "", "half a character", "Unicode", "there is text in it that no file can hold"
        ) from None
    return data


def _depth(value: object) -> int:
    """How deep objects and lists lie in each other, as far as it matters."""
    depth, layer = 0, [value]
    while layer and depth <= _MAX_DEPTH:
        inner = [
            item.values() if isinstance(item, dict) else item
            for item in layer
            if isinstance(item, dict | list)
        ]
        layer = [item for items in inner for item in items if isinstance(item, dict | list)]
        depth += 1
    return depth


def _refused(path: Path, place: str, found: str, expected: str, message: str) -> InputError:
    return InputError(Finding(str(path), place, found, expected, message))


class _Checker:
    """Collects what is wrong with one file while it is taken apart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._findings: list[Finding] = []
        self._steps = 0
        self._numbers = 0

    def result(self, data: dict[str, Any], sha256: str) -> ResultFile:
        system_id = self._name("system_id", data.get("system_id"), _SYSTEM)
        self._steps = self._timesteps(data.get("timesteps"))
        timestamp = self._timestamp(data.get("timestamp"))
        components = {
            name: self._component(f"components.{name}", told)
            for name, told in self._objects("components", data.get("components")).items()
        }
        flows = {
            name: self._flow(f"flows.{name}", told, components)
            for name, told in self._objects("flows", data.get("flows")).items()
        }
        if not flows and not self._findings:
            self._wrong("flows", "nothing", "at least one flow", "there are no flows to import")
        metadata = {} if data.get("metadata") is None else data["metadata"]
        if not isinstance(metadata, dict):
            self._wrong("metadata", type(metadata).__name__, "an object", "metadata must be an object")
        if self._findings:
            raise InputError(self._findings)
        return ResultFile(
            self._path.name, sha256, system_id, self._steps, timestamp, components, flows, metadata
        )

    # -- parts

    def _timesteps(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_STEPS:
            return value
        expected = f"a whole number from 1 to {_MAX_STEPS:,}"
        self._wrong("timesteps", _short(value), expected, f"timesteps must be {expected}")
        return 0

    def _timestamp(self, value: object) -> datetime | None:
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value if isinstance(value, str) else "")
            moment.astimezone()  # years that no clock has
        except (ValueError, OverflowError, OSError):
            self._wrong(
                "timestamp", _short(value), "a moment such as 2025-01-31T12:00:00", "this is no moment"
            )
            return None
        return moment

    def _component(self, place: str, told: Mapping[str, Any]) -> Component:
        kind = told.get("type")
        if kind not in _KINDS:
            expected = f"one of {', '.join(_KINDS)}"
            self._wrong(f"{place}.type", _short(kind), expected, f"the type must be {expected}")
        medium = self._name(f"{place}.medium", told.get("medium"), _NAME)
        level = profile = None
        if told.get("E") is not None:
            level = self._series(f"{place}.E", told["E"], extra=1)
        if told.get(_PROFILE) is not None:
            profile = self._series(f"{place}.profile", told[_PROFILE])
        most = told.get("E_max")
        if most is not None and not (_is_number(most) and most >= 0):
            self._wrong(f"{place}.E_max", _short(most), "a number of 0 or more", "E_max must be a number")
        economic = told.get("economic")
        if economic is not None and not isinstance(economic, dict):
            self._wrong(f"{place}.economic", _short(economic), "an object", "economic must be an object")
        rest = {key: value for key, value in told.items() if key not in {"E", _PROFILE}}
        return Component(str(kind), medium, level, profile, rest)

    def _flow(self, place: str, told: Mapping[str, Any], components: Mapping[str, Component]) -> Flow:
        ends = []
        for end in ("source", "target"):
            name = told.get(end)
            if not isinstance(name, str) or name not in components:
                expected = "the name of a component"
                self._wrong(f"{place}.{end}", _short(name), expected, f"{_short(name)} is no component")
            ends.append(str(name))
        kind = self._name(f"{place}.type", told.get("type"), _NAME)
        power = self._series(f"{place}.value", told.get("value"))
        if power and min(power) < _MIN_POWER_KW:
            step = next(index for index, number in enumerate(power) if number < _MIN_POWER_KW)
            message = "a flow goes from its source to its target: it cannot be negative"
            self._wrong(f"{place}.value[{step}]", f"{power[step]:g}", "0 or more", message)
        return Flow(ends[0], ends[1], kind, power)

    # -- values

    def _objects(self, place: str, value: object) -> dict[str, dict[str, Any]]:
        if not isinstance(value, dict):
            self._wrong(place, _short(value), "an object", f"{place} must be an object, each with its name")
            return {}
        kept = {}
        for name, told in value.items():
            if not _NAME.fullmatch(name):
                expected = "letters, digits, blanks, _ and -, 120 characters at most"
                self._wrong(place, _short(name), expected, f"{_short(name)} cannot be a name: use {expected}")
            elif not isinstance(told, dict):
                self._wrong(f"{place}.{name}", _short(told), "an object", "must be an object")
            else:
                kept[name] = told
        return kept

    def _name(self, place: str, value: object, pattern: re.Pattern[str]) -> str:
        if isinstance(value, str) and pattern.fullmatch(value) and ".." not in value:
            return value
        expected = "a name of letters, digits, blanks, _ and -, 120 characters at most"
        self._wrong(place, _short(value), expected, f"{place.rpartition('.')[2]} must be {expected}")
        return ""

    def _series(self, place: str, value: object, extra: int = 0) -> list[float]:
        if not isinstance(value, list):
            self._wrong(place, _short(value), f"{self._steps} numbers", "must be a list of numbers")
            return []
        self._numbers += len(value)
        if self._numbers > _MAX_NUMBERS:
            message = f"the file has more than {_MAX_NUMBERS:,} numbers"
            raise _refused(self._path, place, "too many", f"{_MAX_NUMBERS:,} at most", message)
        wrong = next((index for index, number in enumerate(value) if not _is_number(number)), None)
        if wrong is not None:
            found = _short(value[wrong])
            self._wrong(f"{place}[{wrong}]", found, "a finite number", f"{found} is no finite number")
            return []
        if self._steps and len(value) not in {self._steps, self._steps + extra}:
            message = f"there are {len(value)} values for {self._steps} steps"
            self._wrong(place, f"{len(value)} values", f"{self._steps} values", message)
            return []
        return [float(number) for number in value[-self._steps :]] if self._steps else []

    def _wrong(self, place: str, found: str, expected: str, message: str) -> None:
        self._findings.append(Finding(str(self._path), place, found, expected, message))
        if len(self._findings) >= _MAX_FINDINGS:
            raise InputError(self._findings)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge number"
    text = repr(value[:60] if isinstance(value, str) else value) if not isinstance(value, list | dict) else ""
    return text[:80] or type(value).__name__
