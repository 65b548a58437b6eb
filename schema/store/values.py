"""What may stand in a cell: finite numbers, compact JSON, UTC times."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def finite(number: float | None) -> float | None:
    """The number, or None where it is NaN, infinite or absent."""
    if number is None:
        return None
    number = float(number)
    return number if -math.inf < number < math.inf else None


def compact_json(value: Any) -> str:
    """JSON without blanks; floats keep every digit, NaN and infinities become null.

    Raises:
        TypeError: something in the value has no JSON form.
    """
    if value == {}:
        return "{}"
    try:
        return _dumps(value)
    except (TypeError, ValueError):
        # Rare: numpy values, mappings that are no dict, numbers that JSON does not know.
        return _dumps(_plain(value))


def utc_text(moment: datetime | None = None) -> str:
    """ISO-8601 in UTC to the second; now unless told. A time without a zone is taken as UTC."""
    moment = moment or datetime.now(UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# Made once: `json.dumps` would make one for every cell.
_dumps = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, datetime):
        return utc_text(value)
    return value
