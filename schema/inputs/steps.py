"""Equal steps of time, their common parts, and means over them: how a series of one step serves another.

    Δ   a series' own step, T the step asked for, g = gcd(Δ, T, offset between their beginnings)   [min]

    (T1)   mean over T = mean over its parts of length g, each with the value of the Δ in which it lies

Whatever the steps, T1 keeps the energy of a power that is constant over each Δ: a longer step is the mean of
its parts, a shorter one holds the value of the step in which it lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True)
class Grid:
    """Steps of one length without beginning or end, in absolute time.

    Attributes:
        origin_ns: the beginning of one of them [ns since 1970 in UTC].
        minutes: their length [min].
    """

    origin_ns: int
    minutes: int

    @property
    def first(self) -> str:
        """The first beginning of a day in UTC."""
        minute = self.origin_ns // _NS_PER_MINUTE % min(self.minutes, 1440)
        return f"{minute // 60:02d}:{minute % 60:02d} UTC"

    def before(self, index: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """The beginning of the step in which each moment lies."""
        import pandas as pd

        moments = index.as_unit("ns").asi8
        past = (moments - self.origin_ns) % (self.minutes * _NS_PER_MINUTE)
        return pd.DatetimeIndex(moments - past, tz="UTC").tz_convert(index.tz)


@dataclass(frozen=True, eq=False)
class Steps:
    """Equal steps in absolute time.

    Attributes:
        index: the beginning of each, shape (T,), in a time zone.
        minutes: their length [min].
    """

    index: pd.DatetimeIndex
    minutes: int

    def __len__(self) -> int:
        return len(self.index)

    @property
    def begin_ns(self) -> int:
        return int(self.index.as_unit("ns").asi8[0])

    def shifted(self, minutes: float) -> pd.DatetimeIndex:
        """The moments so many minutes after the beginnings."""
        import pandas as pd

        return self.index + pd.Timedelta(minutes=minutes)

    def neighbours(self) -> pd.DatetimeIndex:
        """The beginnings of the step before and the step after."""
        import pandas as pd

        length = pd.Timedelta(minutes=self.minutes)
        return pd.DatetimeIndex([self.index[0] - length, self.index[-1] + length])

    def parts(self, minutes: int) -> Steps:
        """The steps cut into parts of a length that divides theirs."""
        import pandas as pd

        count = len(self) * (self.minutes // minutes)
        freq = pd.Timedelta(minutes=minutes)
        return Steps(pd.date_range(self.index[0], periods=count, freq=freq), minutes)

    def means(self, of_parts: FloatArray) -> FloatArray:
        """Mean over each step of the values of its equal parts."""
        values: FloatArray = of_parts.reshape(len(self), -1).mean(axis=1)  # T1
        return values

    def is_on(self, grid: Grid) -> bool:
        """Whether these are steps of the grid."""
        return self.minutes == grid.minutes and self._offset_ns(grid) == 0

    def common_minutes(self, grid: Grid) -> int | None:
        """g, the longest part common to these steps and the grid's [min]; None if it is no whole minute."""
        minutes, rest = divmod(self._offset_ns(grid), _NS_PER_MINUTE)
        return None if rest else math.gcd(self.minutes, grid.minutes, minutes)

    def _offset_ns(self, grid: Grid) -> int:
        return (self.begin_ns - grid.origin_ns) % (grid.minutes * _NS_PER_MINUTE)
