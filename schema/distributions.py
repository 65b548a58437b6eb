"""How a number may turn out, as users state it. The mathematics stand in `tasks.sampling`.

μ       mean                 [unit of the number]
σ       standard deviation   [unit of the number]
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from schema.base import Model
from schema.profiles import Positive

_TAIL = 2.326
"""Standard deviations beyond which 1 % of a normal distribution lies."""


class Uniform(Model):
    """Anything between two bounds, all of it as likely."""

    distribution: Literal["uniform"]
    """Kind of distribution."""
    min: float
    """Lowest value."""
    max: float
    """Highest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        if self.min >= self.max:
            raise ValueError(f"min ({self.min:g}) must be below max ({self.max:g})")
        return self

    @property
    def likely(self) -> tuple[float, ...]:
        """Values that must be possible where the number stands."""
        return self.min, self.max


class Normal(Model):
    """The normal distribution; it has no bounds."""

    distribution: Literal["normal"]
    """Kind of distribution."""
    mean: float
    """μ."""
    std: Positive
    """σ."""

    @property
    def likely(self) -> tuple[float, ...]:
        """All but its outermost 2 %."""
        return self.mean - _TAIL * self.std, self.mean + _TAIL * self.std


class TruncatedNormal(Model):
    """The normal distribution between two bounds; what lies beyond them does not occur."""

    distribution: Literal["truncated_normal"]
    """Kind of distribution."""
    mean: float
    """μ before it is truncated."""
    std: Positive
    """σ before it is truncated."""
    min: float
    """Lowest value."""
    max: float
    """Highest value."""

    @model_validator(mode="after")
    def _in_order(self) -> TruncatedNormal:
        if self.min >= self.max:
            raise ValueError(f"min ({self.min:g}) must be below max ({self.max:g})")
        if not self.min - 6 * self.std <= self.mean <= self.max + 6 * self.std:
            raise ValueError(
                f"mean ({self.mean:g}) must be within 6 std of the bounds {self.min:g} and {self.max:g}"
            )
        return self

    @property
    def likely(self) -> tuple[float, ...]:
        """Values that must be possible where the number stands."""
        return self.min, self.max


class Lognormal(Model):
    """Positive, with a long upper tail; its logarithm is normal."""

    distribution: Literal["lognormal"]
    """Kind of distribution."""
    mean: Positive
    """μ of the number itself, not of its logarithm."""
    std: Positive
    """σ of the number itself, not of its logarithm."""

    @property
    def log_std(self) -> float:
        """Standard deviation of the logarithm [-]."""
        return math.sqrt(math.log1p((self.std / self.mean) ** 2))

    @property
    def log_mean(self) -> float:
        """Mean of the logarithm [-]."""
        return math.log(self.mean) - self.log_std**2 / 2

    @property
    def likely(self) -> tuple[float, ...]:
        """All but its outermost 2 %."""
        return tuple(math.exp(self.log_mean + side * _TAIL * self.log_std) for side in (-1, 1))


class Triangular(Model):
    """Between two bounds, most likely at a third value."""

    distribution: Literal["triangular"]
    """Kind of distribution."""
    min: float
    """Lowest value."""
    mode: float
    """Most likely value."""
    max: float
    """Highest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Triangular:
        if not self.min <= self.mode <= self.max or self.min == self.max:
            raise ValueError(
                f"min ({self.min:g}), mode ({self.mode:g}) and max ({self.max:g}) must be in this order"
            )
        return self

    @property
    def likely(self) -> tuple[float, ...]:
        """Values that must be possible where the number stands."""
        return self.min, self.mode, self.max


class Discrete(Model):
    """One of several values."""

    distribution: Literal["discrete"]
    """Kind of distribution."""
    values: list[float] = Field(min_length=2)
    """The values."""
    probabilities: list[Annotated[float, Field(ge=0, le=1)]] | None = None
    """Probability of each value [-], 1 together; all the same unless told."""

    @model_validator(mode="after")
    def _adds_up(self) -> Discrete:
        if len(set(self.values)) != len(self.values):
            raise ValueError("values: one stands twice")
        if self.probabilities is not None:
            if len(self.probabilities) != len(self.values):
                raise ValueError(
                    f"probabilities: {len(self.probabilities)} of them do not fit {len(self.values)} values"
                )
            if abs(sum(self.probabilities) - 1) > 1e-9:
                raise ValueError(f"probabilities: they must be 1 together, not {sum(self.probabilities):g}")
        return self

    @property
    def likely(self) -> tuple[float, ...]:
        """Values that must be possible where the number stands."""
        return tuple(self.values)


KINDS = {
    "uniform": Uniform,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "lognormal": Lognormal,
    "triangular": Triangular,
    "discrete": Discrete,
}


def _kind(value: Any) -> Any:
    return value.get("distribution") if isinstance(value, dict) else getattr(value, "distribution", None)


Distribution = Annotated[
    Annotated[Uniform, Tag("uniform")]
    | Annotated[Normal, Tag("normal")]
    | Annotated[TruncatedNormal, Tag("truncated_normal")]
    | Annotated[Lognormal, Tag("lognormal")]
    | Annotated[Triangular, Tag("triangular")]
    | Annotated[Discrete, Tag("discrete")],
    Discriminator(
        _kind,
        custom_error_type="distribution_kind",
        custom_error_message=(
            "write a distribution, such as {distribution: normal, mean: 1, std: 0.2}, or "
            "{scale: DISTRIBUTION} on a profile; there are " + ", ".join(KINDS)
        ),
    ),
]


class ScaledBy(Model):
    """A factor on what stands there, be it a number or a profile."""

    scale: Distribution
    """How the factor may turn out [-]."""


def _is_scale(value: Any) -> str:
    has_scale = "scale" in value if isinstance(value, dict) else isinstance(value, ScaledBy)
    return "scale" if has_scale else "number"


Uncertain = Annotated[
    Annotated[ScaledBy, Tag("scale")] | Annotated[Distribution, Tag("number")], Discriminator(_is_scale)
]
"""A distribution of the number itself, or of a factor on it."""


def distribution_of(uncertain: Uncertain) -> Distribution:
    """The distribution, whatever it is of."""
    return uncertain.scale if isinstance(uncertain, ScaledBy) else uncertain
