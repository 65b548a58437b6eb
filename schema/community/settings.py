"""`community.yaml`: how a community is run. Secrets do not stand here but in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator

from schema.base import Model
from schema.community.addresses import SECRET_KEY, checked_http
from schema.community.job import MAX_TICKS, Dispatch, Efficiency, Prices, Site
from schema.errors import InputError
from schema.findings import findings_of
from schema.profiles import Fraction, NonNegative, Positive
from schema.yaml_files import read_yaml

FILE_NAME = "community.yaml"
DATABASE_VARIABLE = "ECOSYSTEMISER_COMMUNITY_DATABASE"
WEBHOOK_VARIABLE = "ECOSYSTEMISER_COMMUNITY_WEBHOOK"
TOKEN_VARIABLE = "ECOSYSTEMISER_COMMUNITY_TOKEN"  # noqa: S105 - the name of a variable, not a token

Count = Annotated[int, Field(ge=0, le=1_000_000)]
HttpUrl = Annotated[str, AfterValidator(checked_http)]


class Embedded(Model):
    """The simulation runs on this machine, in this process."""

    type: Literal["embedded"] = "embedded"


class SharedFolder(Model):
    """The simulation runs wherever somebody works on a shared folder."""

    type: Literal["folder"]
    url: Annotated[str, Field(min_length=1)]
    """A folder, or any fsspec URL such as s3://bucket/community or gs://bucket/community."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Passed to fsspec, such as `{endpoint_url: https://…}`; no secrets."""
    wait_seconds: NonNegative = 300.0
    """How long an answer is waited for [s]."""
    poll_seconds: Positive = 1.0
    """How often it is looked for [s]."""

    @field_validator("url")
    @classmethod
    def _encrypted(cls, url: str) -> str:
        scheme = url.partition("://")[0]
        if "::" in url:
            raise ValueError("chained fsspec URLs are not taken; name the folder itself")
        if scheme in {"http", "https"}:
            raise ValueError("a web address cannot be written to; use `type: http` for an endpoint")
        if scheme == "ftp":
            raise ValueError("ftp is not encrypted; use another way")
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValueError("no user or password may stand in an address; give secrets in the environment")
        return url

    @field_validator("options")
    @classmethod
    def _no_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name, value in _nested(options):
            if SECRET_KEY.search(name):
                raise ValueError(f"'{name}' is a secret: it belongs in the environment, not in a file")
            if isinstance(value, str) and value.startswith("http://"):
                checked_http(value)
        return options


def _nested(options: dict[str, Any]) -> list[tuple[str, Any]]:
    pairs = list(options.items())
    return pairs + [pair for value in options.values() if isinstance(value, dict) for pair in _nested(value)]


class Endpoint(Model):
    """The simulation answers on an HTTP endpoint."""

    type: Literal["http"]
    url: HttpUrl
    """Where the households are posted to; https unless it is this machine."""
    token_variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = TOKEN_VARIABLE
    """The environment variable that holds the bearer token; none is sent where it is empty."""
    timeout_seconds: Positive = 120.0
    """How long an answer is waited for [s]."""


Transport = Annotated[Embedded | SharedFolder | Endpoint, Field(discriminator="type")]


class WeatherFile(Model):
    """Weather factors over time."""

    file: str
    """A CSV with the columns `time` (ISO, UTC unless it has an offset) and `weather_factor`, beside this file."""
    max_age_minutes: Positive = 180.0
    """How old a row may be for a tick that has none of its own [min]."""


class HealthLimits(Model):
    """Beyond which the community counts as unhealthy."""

    max_data_age_minutes: Positive = 20.0
    """Age of the newest data [min]."""
    max_cycle_seconds: Positive = 300.0
    """Length of a cycle [s]."""
    max_users_without_data: Count = 0
    """Users with panels that the newest tick does not hold."""
    max_database_seconds: Positive = 2.0
    """Time in which the database answers [s]."""
    failed_validation_minutes: Positive = 60.0
    """How long results that were refused are told [min]."""


class Settings(Model):
    """How a community is run."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Beginning of all chance: the same input, time and seed give the same output."""
    site: Site = Site()
    """Where the community lies."""
    weather: Fraction | WeatherFile = 1.0
    """Share of the clear sky's sunshine that arrives, or a file of it [-]."""
    dispatch: Dispatch = "rule_based"
    """Who decides about the batteries: fixed rules, or an optimisation that looks ahead."""
    look_ahead_ticks: Annotated[int, Field(ge=1, le=MAX_TICKS)] = 96
    """How far `milp` looks ahead [ticks]."""
    prices: Prices = Prices()
    """What `milp` seeks the least cost for."""
    battery_efficiency_fraction: Efficiency = 0.95
    """Share that arrives on the way into a battery, and again on the way out [-]."""
    transports: list[Transport] = Field(default=[Embedded()], min_length=1, max_length=10)
    """Where the simulation runs; the next is tried when one fails."""
    max_catch_up: Annotated[int, Field(ge=0, le=10_000)] = 96
    """Most missed cycles that are caught up at once; what is left is caught up by the cycles after."""
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    """How often a step that failed is tried again."""
    retry_seconds: Positive = 2.0
    """Pause before the first retry, doubled with each [s]."""
    busy_seconds: Positive = 30.0
    """How long a locked database is waited for in one try [s]."""
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 7
    """How long results, quarantined files, logs and backups are kept [days]."""
    health: HealthLimits = HealthLimits()
    """Beyond which the community counts as unhealthy."""


def load_settings(path: Path, *, required: bool = False) -> Settings:
    """Read the settings; defaults where there is no such file.

    Raises:
        InputError: with everything that is wrong with it, or it is required and missing.
    """
    if not required and not path.exists():
        return Settings()
    raw, lines = read_yaml(path)
    try:
        return Settings(**raw)
    except ValidationError as error:
        raise InputError(findings_of(error, raw, file=str(path), lines=lines)) from None


EXAMPLE = f"""\
# How this community is run. Everything may be left out; these are the defaults.
# Secrets stand in the environment: {DATABASE_VARIABLE} (the backend's SQLAlchemy URL),
# {WEBHOOK_VARIABLE} (where notifications and alerts go), {TOKEN_VARIABLE}.
seed: 1
site: {{timezone: Europe/Berlin, latitude_deg: 52.5, longitude_deg: 13.4}}
weather: 1.0                    # or {{file: weather.csv}} with the columns time and weather_factor
dispatch: rule_based            # or milp
transports:                     # the next is tried when one fails
  - {{type: embedded}}            # this machine
# - {{type: folder, url: s3://bucket/community}}
# - {{type: http, url: https://example.org/simulate}}
max_catch_up: 96
"""
