"""A system: components joined by carriers over a horizon of equal steps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from schema.base import Model, Value, allows
from schema.components import AnyComponent
from schema.errors import Finding
from schema.names import COMPONENT_PATTERN
from schema.profiles import NonNegative, Positive, ProfileRef, ProfileSpec, Timezone
from schema.sizing import CAPACITIES, ON_OFF, Sizing, told_apart

if TYPE_CHECKING:
    import pandas as pd

HOURS_PER_YEAR = 8760.0
"""Hours over which annuities and yearly fixed costs are spread."""

SIZING_METHOD = "milp"
"""The method that can choose capacities: the others never see the whole horizon."""

RESERVED_NAMES = ("economics", "solver")
"""First words of dotted paths that name no component."""

ComponentName = Annotated[str, StringConstraints(pattern=COMPONENT_PATTERN, max_length=64)]


class Horizon(Model):
    """Equal time steps from a start, in a time zone."""

    start: datetime
    """First step's beginning, as local time of the time zone: one that clocks neither skip nor pass twice."""
    steps: Annotated[int, Field(ge=1, le=1_000_000)]
    """Number of steps."""
    step_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    """Length of a step [min]."""
    timezone: Timezone = "UTC"
    """IANA name of the time zone, such as Europe/Berlin."""

    @field_validator("start")
    @classmethod
    def _is_local(cls, start: datetime) -> datetime:
        if start.tzinfo is not None:
            raise ValueError("write the local time without an offset; `timezone` says where it holds")
        if start.second or start.microsecond:
            raise ValueError("steps begin on a full minute; leave the seconds out")
        return start

    @model_validator(mode="after")
    def _start_happens_once(self) -> Horizon:
        zone = ZoneInfo(self.timezone)
        first, second = (self.start.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != self.start:
            raise ValueError(f"horizon.start does not exist in {self.timezone}: clocks skip it; start later")
        if first.utcoffset() != second.utcoffset():
            raise ValueError(
                f"horizon.start is ambiguous in {self.timezone}: clocks pass it twice; start earlier"
            )
        return self

    @property
    def step_hours(self) -> float:
        """Δ, the length of a step [h]."""
        return self.step_minutes / 60.0

    @property
    def hours(self) -> float:
        """Length of the whole horizon [h]."""
        return self.steps * self.step_hours

    @property
    def year_share(self) -> float:
        """Weight of yearly costs: horizon hours / 8,760 [-]."""
        return self.hours / HOURS_PER_YEAR

    @property
    def index(self) -> pd.DatetimeIndex:
        """Beginning of each step, in the time zone; equal steps in absolute time across clock changes."""
        import pandas as pd

        first = pd.Timestamp(self.start).tz_localize(self.timezone)
        return pd.date_range(
            first, periods=self.steps, freq=pd.Timedelta(minutes=self.step_minutes), name="time"
        )


class Economics(Model):
    """How money and CO2 are weighed."""

    discount_rate: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Real rate at which investments are discounted [1/a]."""
    co2_price_eur_per_kg: NonNegative = 0.0
    """Price of CO2, part of the total cost [€/kg]."""
    project_years: Positive = 20.0
    """Years over which NPV and payback are told [a]."""
    baseline: dict[str, float] = Field(default_factory=dict)
    """What NPV and payback compare with: the same system with these values at these dotted paths, such as
    `{pv.capacity_kw: 0, battery.capacity_kwh: 0}`. Without it neither is told."""


class System(Model):
    """A local multi-energy system."""

    system: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    """Name of the system."""
    description: str = ""
    """What it is, in the user's words."""
    horizon: Horizon
    """The time steps."""
    profiles: dict[str, ProfileSpec] = Field(default_factory=dict)
    """Time series by name."""
    economics: Economics = Economics()
    """How money and CO2 are weighed."""
    components: dict[ComponentName, AnyComponent] = Field(min_length=1)
    """The components by name."""
    sizing: dict[str, Sizing] = Field(default_factory=dict)
    """Capacities that the solver chooses, by dotted path; written in the component, as
    `capacity_kw: {optimise: {min: 0, max: 20}}`, which has the largest in its place meanwhile."""

    @model_validator(mode="before")
    @classmethod
    def _sizing_stands_apart(cls, raw: Any) -> Any:
        return told_apart(raw) if isinstance(raw, dict) else raw

    @field_validator("components")
    @classmethod
    def _names_are_free(cls, components: dict[str, Any]) -> dict[str, Any]:
        taken = [name for name in components if name in RESERVED_NAMES]
        if taken:
            raise ValueError(f"'{taken[0]}' cannot name a component: dotted paths begin with it")
        return components

    @model_validator(mode="after")
    def _sizing_is_linear(self) -> System:
        for path, range_ in self.sizing.items():
            owner, _, attribute = path.partition(".")
            component = self.components.get(owner)
            stated = getattr(component, attribute, None) if attribute in CAPACITIES else None
            if stated is None:
                raise ValueError(f"sizing: '{path}' is no capacity of a component")
            if stated != range_.max:
                raise ValueError(
                    f"components.{path} is {stated:g}, and {range_.max:g} at most in sizing; write it once, as "
                    f"{attribute}: {{optimise: {{min: {range_.min:g}, max: {range_.max:g}}}}}"
                )
            told = [name for name in ON_OFF if getattr(component, name, None)]
            if told:
                raise ValueError(
                    f"components.{path} cannot be left to the solver beside {told[0]}: a unit that is on or off "
                    "as a whole needs a number as its capacity, or a study that varies it"
                )
        return self

    @model_validator(mode="after")
    def _baseline_leads_somewhere(self) -> System:
        from schema.paths import check_path, check_values
        from schema.study import SolverSettings

        solver, baseline = SolverSettings(), self.economics.baseline
        wrong = {path: check_path(self, solver, path, place="economics.baseline") for path in baseline}
        findings = [finding for finding in wrong.values() if finding is not None]
        good = {path: value for path, value in baseline.items() if wrong[path] is None}
        findings += check_values(self, solver, good, place="economics.baseline")
        if findings:
            raise ValueError("; ".join(str(finding) for finding in findings))
        return self

    def with_values(self, values: Mapping[str, Value]) -> System:
        """A copy with the numbers at dotted paths replaced; what changed is checked again.

        Where a profile stands, a number multiplies it and a name puts another profile in its place. Paths that
        begin with `solver` are not the system's and are passed over.

        Raises:
            pydantic.ValidationError: a value is not valid where it stands.
            KeyError: a path names no component.
        """
        changes: dict[str, dict[str, Any]] = {}
        for path, value in values.items():
            owner, _, attribute = path.partition(".")
            if owner != "solver":
                stated = (
                    _profile_for(self.components[owner], attribute, value) if owner != "economics" else None
                )
                changes.setdefault(owner, {})[attribute] = value if stated is None else stated
        economics = self.economics.with_changes(**changes.pop("economics", {}))
        components = dict(self.components)
        for owner, attributes in changes.items():
            components[owner] = components[owner].with_changes(**attributes)
        # The parts are checked; the whole need not be parsed again.
        sizing = {path: range_ for path, range_ in self.sizing.items() if path not in values}
        return self.model_copy(update={"economics": economics, "components": components, "sizing": sizing})


def sizing_findings(system: System, method: str, *, file: str, place: str) -> list[Finding]:
    """What is wrong with capacities that are left to a solver that cannot choose them."""
    if not system.sizing or method == SIZING_METHOD:
        return []
    paths = ", ".join(system.sizing)
    message = (
        f"{paths}: only the method {SIZING_METHOD} can choose capacities; take it, or give numbers in the place "
        "of `optimise`"
    )
    return [Finding(file, place, method, SIZING_METHOD, message)]


def _profile_for(component: Model, attribute: str, value: Value) -> ProfileRef | None:
    """What a number or a name means where a profile stands or may stand; None elsewhere."""
    before = getattr(component, attribute, None)
    scale = before.scale if isinstance(before, ProfileRef) else 1.0
    if isinstance(before, ProfileRef) and not isinstance(value, str):
        return ProfileRef(profile=before.profile, scale=scale * value)
    field = type(component).model_fields.get(attribute)
    if isinstance(value, str) and field is not None and allows(field.annotation, ProfileRef):
        return ProfileRef(profile=value, scale=scale)
    return None
